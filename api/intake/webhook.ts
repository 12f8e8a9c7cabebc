import { checkSignature, type OpenSource } from '../../db/intake-sources.ts'
import { storeSubmission } from '../../db/submissions.ts'
import { readBody } from '../body.ts'
import { answerProblem, Problem } from '../problem.ts'
import type { Parts } from '../route.ts'
import { readPayload } from './payload.ts'

/** Where outside systems post leads. */
export const WEBHOOK = '/intake/webhook/:token'

/** Any page may post a lead: the token in the address is what lets it in. */
const OPEN_TO_PAGES = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'POST, OPTIONS',
  'access-control-allow-headers':
    'content-type, idempotency-key, webhook-id, webhook-timestamp, webhook-signature',
  'access-control-expose-headers': 'retry-after',
  'access-control-max-age': '86400',
}

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  ...OPEN_TO_PAGES,
}

/** Answers a browser that asks whether it may post. */
export const answerPreflight = (): Response => new Response(null, { status: 204, headers: OPEN_TO_PAGES })

/**
 * Takes a delivery in. In this order, and storing nothing: 404, 429, 413 (a body that is too large to be checked),
 * 401, 400; then it is stored, and answered 202, or 422 when nobody can be recognised. What was delivered before is
 * answered 200 with the first answer, a refusal included.
 */
export const receiveWebhook = async (
  { db, doors }: Pick<Parts, 'db' | 'doors'>,
  request: Request,
  token: string,
  request_id: string,
): Promise<Response> => {
  try {
    const door = await doors.find(token)
    if (!door)
      throw new Problem(404, 'intake_source_not_found', 'No door has this token; it may have been closed.')
    const wait_s = door.allowance.take()
    if (wait_s > 0) {
      throw new Problem(
        429,
        'too_many_deliveries',
        `This door takes ${door.allowance.per_minute} deliveries a minute. Send it again later.`,
        {
          headers: { 'retry-after': String(wait_s) },
        },
      )
    }
    if (door.source.signature_required) requireSignatureHeaders(request)
    const raw = await readBody(request)
    if (door.source.signature_required) requireSignature(door.source, request, raw)
    const content_type = request.headers.get('content-type') ?? ''
    const payload = await readPayload(raw, content_type)
    const delivery_id = deliveryId(request)
    const stored = await storeSubmission(db, door.source, { delivery_id, content_type, raw, payload })
    if (stored.rejected) {
      const { code, message, errors } = stored.rejected
      const extra = { submission_id: stored.submission_id }
      const refusal = new Problem(422, code, message, { ...(errors ? { errors } : {}), extra })
      if (!stored.replayed) throw refusal
      // 200, so that nobody delivers it a third time; the first answer, so that nobody takes it for a lead.
      return new Response(answerProblem(refusal, request_id).body, { status: 200, headers: HEADERS })
    }
    return new Response(`{"submission_id":"${stored.submission_id}"}`, {
      status: stored.replayed ? 200 : 202,
      headers: HEADERS,
    })
  } catch (error) {
    const answer = answerProblem(error, request_id)
    for (const [name, value] of Object.entries(OPEN_TO_PAGES)) answer.headers.set(name, value)
    return answer
  }
}

const MAX_DELIVERY_ID = 200

const deliveryId = (request: Request): string | undefined => {
  const id = request.headers.get('webhook-id') ?? request.headers.get('idempotency-key') ?? undefined
  if (id === undefined || (id.length > 0 && id.length <= MAX_DELIVERY_ID)) return id
  throw new Problem(
    400,
    'invalid_delivery_id',
    `A delivery id (webhook-id or Idempotency-Key) has 1 to ${MAX_DELIVERY_ID} characters.`,
  )
}

const SIGNATURE_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const

/** Known without the body: an unsigned delivery is refused before it is read. */
const requireSignatureHeaders = (request: Request): void => {
  const missing = SIGNATURE_HEADERS.filter((name) => !request.headers.get(name))
  if (missing.length > 0) {
    throw new Problem(
      401,
      'signature_missing',
      `This door takes signed deliveries only (Standard Webhooks): ${missing.join(', ')} missing.`,
    )
  }
}

const requireSignature = (source: OpenSource, request: Request, raw: Uint8Array): void => {
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
