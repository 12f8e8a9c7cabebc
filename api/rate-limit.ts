import type { Principal } from './principal.ts'
import { Problem } from './problem.ts'

/** A token bucket: holds a minute's worth, fills steadily. */
export type Allowance = {
  per_minute: number
  /** Takes one; answers 0, or the seconds until there is one again. */
  take(): number
  /** Whole ones that are left. */
  left(): number
  /** Seconds until it is full again. */
  full_in_s(): number
}

/** Allowances by whom they are for. They are counted in this process: several API processes allow as many times as much. */
export type Allowances = { of(id: string, per_minute: number): Allowance }

/** Starts counting. An allowance that becomes another one starts full. */
export const openAllowances = (): Allowances => {
  const kept = new Map<string, Allowance>()
  return {
    of: (id, per_minute) => {
      const known = kept.get(id)
      if (known?.per_minute === per_minute) return known
      const fresh = allow(per_minute)
      kept.set(id, fresh)
      return fresh
    },
  }
}

/**
 * Counts a request of a key, and says what is left: the headers of its answer (RateLimit header fields for HTTP). People
 * are not counted.
 */
export const countRequest = (
  allowances: Allowances,
  { actor, rate_limit_per_minute }: Principal,
): { headers: Record<string, string>; refusal?: Problem } => {
  if (rate_limit_per_minute === undefined) return { headers: {} }
  const allowance = allowances.of(actor.id, rate_limit_per_minute)
  const wait_s = allowance.take()
  const headers = {
    'ratelimit-limit': String(rate_limit_per_minute),
    'ratelimit-remaining': String(allowance.left()),
    'ratelimit-reset': String(allowance.full_in_s()),
  }
  if (wait_s === 0) return { headers }
  const said = `This API key may ask ${rate_limit_per_minute} times a minute. Ask again in ${wait_s} s.`
  return {
    headers,
    refusal: new Problem(429, 'too_many_requests', said, { headers: { 'retry-after': String(wait_s) } }),
  }
}

const allow = (per_minute: number): Allowance => {
  let tokens = per_minute
  let at = Date.now()
  const fill = (): void => {
    const now = Date.now()
    tokens = Math.min(per_minute, tokens + ((now - at) / 60_000) * per_minute)
    at = now
  }
  const secondsFor = (missing: number): number => Math.ceil((missing * 60) / per_minute)
  return {
    per_minute,
    take: () => {
      fill()
      if (tokens < 1) return secondsFor(1 - tokens)
      tokens -= 1
      return 0
    },
    left: () => Math.floor(tokens),
    full_in_s: () => secondsFor(per_minute - tokens),
  }
}
