import { reserveAllowance } from '../db/allowances.ts'
import type { Database } from '../db/client.ts'
import type { Principal } from './principal.ts'
import { Problem } from './problem.ts'

/** A token bucket: holds a minute's worth, fills steadily. What is left of it is known to within a hundredth and a second. */
export type Allowance = {
  per_minute: number
  /** Takes one; answers 0, or the seconds until there is one again. */
  take(): Promise<number>
  /** Whole ones that are left. */
  left(): number
  /** Seconds until it is full again. */
  full_in_s(): number
}

/** Whose allowance it is: a key's, a door's. */
export type Holder = { organization_id: string; id: string }

/** Allowances by whom they are for: one for all API processes on one database. */
export type Allowances = { of(holder: Holder, per_minute: number): Allowance }

/**
 * A process takes a slice of the bucket in advance and counts it down by itself, so that most requests cost no round trip;
 * what it did not use within `fresh_ms` goes back with its next request, which also hears what the others took.
 */
const sharing = { slices: 100, fresh_ms: 1_000 }

/** Starts counting. An allowance that becomes another one starts full. */
export const openAllowances = (db: Database): Allowances => {
  const kept = new Map<string, Allowance>()
  return {
    of: (holder, per_minute) => {
      const known = kept.get(holder.id)
      if (known?.per_minute === per_minute) return known
      const fresh = allow(db, holder, per_minute)
      kept.set(holder.id, fresh)
      return fresh
    },
  }
}

/**
 * Counts a request of a key, and says what is left: the headers of its answer (RateLimit header fields for HTTP). People
 * are not counted.
 */
export const countRequest = async (
  allowances: Allowances,
  { actor, organization_id, rate_limit_per_minute }: Principal,
): Promise<{ headers: Record<string, string>; refusal?: Problem }> => {
  if (rate_limit_per_minute === undefined) return { headers: {} }
  const allowance = allowances.of({ organization_id, id: actor.id }, rate_limit_per_minute)
  const wait_s = await allowance.take()
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

const allow = (db: Database, holder: Holder, per_minute: number): Allowance => {
  const slice = Math.ceil(per_minute / sharing.slices)
  const per_ms = per_minute / 60_000
  /** Taken in advance, and not used yet. */
  let held = 0
  /** What nobody had taken when the database was last asked. */
  let shared = 0
  let asked_at = -Infinity
  let waiting = 0
  let asking: Promise<void> | undefined

  const secondsFor = (missing: number): number => Math.ceil((missing * 60) / per_minute)
  const sharedNow = (): number => Math.min(per_minute - held, shared + (Date.now() - asked_at) * per_ms)
  const isFresh = (): boolean => Date.now() - asked_at < sharing.fresh_ms

  const ask = async (): Promise<void> => {
    const unused = held
    held = 0
    try {
      const wanted = Math.max(slice, waiting)
      const { granted, left } = await reserveAllowance(db, { ...holder, per_minute, wanted, unused })
      held = granted
      shared = left
      asked_at = Date.now()
    } catch (error) {
      held = unused
      throw error
    } finally {
      asking = undefined
    }
  }

  return {
    per_minute,
    take: async () => {
      for (;;) {
        if (held >= 1 && isFresh()) {
          held -= 1
          return 0
        }
        // Nobody has one, and none has come back since.
        if (isFresh() && sharedNow() < 1) return secondsFor(1 - sharedNow())
        waiting += 1
        asking ??= ask()
        try {
          await asking
        } finally {
          waiting -= 1
        }
      }
    },
    left: () => Math.floor(held + sharedNow()),
    full_in_s: () => secondsFor(per_minute - held - sharedNow()),
  }
}
