import { checkSignature, type OpenSource } from '../../db/intake-sources.ts'
import { Problem } from '../problem.ts'
import type { Allowance } from '../rate-limit.ts'
import type { Door, Doors } from './doors.ts'

/**
 * Lets a request in at the door of its token.
 * @param of which of the door's allowances it takes from
 * @throws {Problem} 404 `intake_source_not_found`, 429 `too_many_deliveries`
 */
export const enterDoor = async (
  doors: Doors,
  token: string,
  of: (door: Door) => Allowance,
): Promise<OpenSource> => {
  const door = await doors.find(token)
  if (!door)
    throw new Problem(404, 'intake_source_not_found', 'No door has this token; it may have been closed.')
  const allowance = of(door)
  const wait_s = await allowance.take()
  if (wait_s > 0) {
    throw new Problem(
      429,
      'too_many_deliveries',
      `This door takes ${allowance.per_minute} deliveries a minute. Send it again later.`,
      { headers: { 'retry-after': String(wait_s) } },
    )
  }
  return door.source
}

const SIGNATURE_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const

/**
 * Known without the body: where signatures are required, an unsigned delivery is refused before it is read.
 * @throws {Problem} 401 `signature_missing`
 */
export const requireSignatureHeaders = (source: OpenSource, request: Request): void => {
  if (!source.signature_required) return
  const missing = SIGNATURE_HEADERS.filter((name) => !request.headers.get(name))
  if (missing.length > 0) {
    throw new Problem(
      401,
      'signature_missing',
      `This door takes signed deliveries only (Standard Webhooks): ${missing.join(', ')} missing.`,
    )
  }
}

/** @throws {Problem} 400 `signature_expired`, 401 `signature_forged` */
export const requireSignature = (source: OpenSource, request: Request, raw: Uint8Array): void => {
  if (!source.signature_required) return
  const headers = Object.fromEntries(
    SIGNATURE_HEADERS.map((name) => [name, request.headers.get(name) ?? undefined]),
  )
  const check = checkSignature(source.secrets, headers, Buffer.from(raw).toString('utf8'))
  if (check === 'good') return
  if (check === 'expired') {
    throw new Problem(
      400,
      'signature_expired',
      'The signature is right, but more than 300 seconds from now. Sign it again, or set the clock.',
    )
  }
  throw new Problem(
    401,
    'signature_forged',
    'The signature does not belong to this body and this door’s secret.',
  )
}
