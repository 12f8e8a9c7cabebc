import { storeSubmission } from '../../db/submissions.ts'
import { readBody } from '../body.ts'
import { answerProblem, Problem } from '../problem.ts'
import type { Parts } from '../route.ts'
import { enterDoor, requireSignature, requireSignatureHeaders } from './entry.ts'
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
    const source = await enterDoor(doors, token, (door) => door.allowance)
    requireSignatureHeaders(source, request)
    const raw = await readBody(request)
    requireSignature(source, request, raw)
    const content_type = request.headers.get('content-type') ?? ''
    const payload = readPayload(raw, content_type)
    const delivery_id = deliveryId(request)
    const stored = await storeSubmission(db, source, { delivery_id, content_type, raw, payload })
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
