import { z } from 'zod'
import type { OpenSource } from '../../db/intake-sources.ts'
import { readTouch, VISITOR_ID } from '../../db/touch-fields.ts'
import { receiveVisit } from '../../db/touchpoints.ts'
import { readBody } from '../body.ts'
import { answerProblem, invalidInput, Problem } from '../problem.ts'
import type { Parts } from '../route.ts'
import { enterDoor, requireSignature, requireSignatureHeaders } from './entry.ts'
import { readPayload } from './payload.ts'

/** Where websites tell of visits. */
export const TOUCH = '/intake/touch/:token'

/** Bytes: a page's address, the one before it and a handful of names. */
const TOUCH_LIMIT = 16_000

/**
 * Takes a visit in. In this order, and storing nothing: 404, 429, 403 (a page of another site), 413, 401, 400, 422; then
 * 202, also for what is not kept: without the visitor's consent nothing at all, and nothing of robots or of browsers that
 * ask not to be followed.
 */
export const receiveTouch = async (
  { db, doors }: Pick<Parts, 'db' | 'doors'>,
  request: Request,
  token: string,
  request_id: string,
): Promise<Response> => {
  let allowed: Record<string, string> = {}
  try {
    const source = await enterDoor(doors, token, (door) => door.visits)
    requireSignatureHeaders(source, request)
    allowed = allowOrigin(source, request)
    const raw = await readBody(request, TOUCH_LIMIT)
    requireSignature(source, request, raw)
    const sent = readPayload(raw, request.headers.get('content-type') ?? '', VISIT)
    const refusal = whyNotKept(sent, request) ?? (await keep(db, source, sent))
    return Response.json(
      { recorded: refusal === undefined, ...(refusal ? { reason: refusal } : {}) },
      { status: 202, headers: { ...ALWAYS, ...allowed } },
    )
  } catch (error) {
    const answer = answerProblem(error, request_id)
    for (const [name, value] of Object.entries({ ...ALWAYS, ...allowed })) answer.headers.set(name, value)
    return answer
  }
}

/** Answers a browser that asks whether its page may send visits. */
export const answerTouchPreflight = async (
  { doors }: Pick<Parts, 'doors'>,
  request: Request,
  token: string,
): Promise<Response> => {
  const door = await doors.find(token)
  const origin = request.headers.get('origin')
  const headers = door && isAllowed(door.source, origin) ? corsOf(door.source, origin) : {}
  return new Response(null, { status: 204, headers: { ...ALWAYS, ...headers } })
}

const VISIT = { what: 'A visit', example: '{"consent": true, "visitor_id": "…", "page": "https://…"}' }

const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', vary: 'origin' }

const isAllowed = ({ origins }: OpenSource, origin: string | null): boolean =>
  origins.length === 0 || origin === null || origins.includes(origin)

const corsOf = ({ origins }: OpenSource, origin: string | null): Record<string, string> => ({
  'access-control-allow-origin': origins.length === 0 ? '*' : (origin ?? ''),
  'access-control-allow-methods': 'POST, OPTIONS',
  'access-control-allow-headers': 'content-type',
  'access-control-max-age': '600',
})

/** @throws {Problem} 403 `origin_not_allowed` */
const allowOrigin = (source: OpenSource, request: Request): Record<string, string> => {
  const origin = request.headers.get('origin')
  if (isAllowed(source, origin)) return origin === null ? {} : corsOf(source, origin)
  throw new Problem(
    403,
    'origin_not_allowed',
    `Pages of ${origin?.slice(0, 200)} may not send visits here. Add the website to the source's origins.`,
    { extra: { accepted: source.origins } },
  )
}

type NotKept = 'no_consent' | 'do_not_track' | 'robot' | 'too_many'

/** Robots that say so. */
const ROBOTS =
  /bot\b|bot[/;]|crawl|spider|slurp|facebookexternalhit|mediapartners|lighthouse|pingdom|uptime|preview/i

const whyNotKept = ({ consent }: Record<string, unknown>, { headers }: Request): NotKept | undefined => {
  if (consent !== true && consent !== 'true') return 'no_consent'
  if (headers.get('sec-gpc') === '1' || headers.get('dnt') === '1') return 'do_not_track'
  return ROBOTS.test(headers.get('user-agent') ?? '') ? 'robot' : undefined
}

const keep = async (
  db: Parts['db'],
  source: OpenSource,
  sent: Record<string, unknown>,
): Promise<NotKept | undefined> =>
  (await receiveVisit(db, source, readVisit(sent))) ? undefined : 'too_many'

/** How far back a visit may be told of. */
const MAX_AGE_MS = 730 * 86_400_000

const Told = z.object({
  visitor_id: z.string().regex(VISITOR_ID, '8 to 64 letters, digits, - and _, made up by the website'),
  id: z.string().min(1).max(100).optional(),
  occurred_at: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .refine((at) => Date.now() - at.getTime() < MAX_AGE_MS, 'a moment of the last two years')
    .optional(),
})

/** @throws {Problem} 422 `invalid_input` */
const readVisit = (sent: Record<string, unknown>) => {
  const told = Told.safeParse(sent)
  if (!told.success) throw invalidInput(told.error, ['visitor_id', 'id', 'occurred_at'])
  const { visitor_id, id: dedupe_id, occurred_at: said } = told.data
  const now = new Date()
  // A clock that is ahead is set back: nothing has happened in the future.
  const occurred_at = said !== undefined && said < now ? said : now
  return { ...readTouch({ page: sent['url'], ...sent }), visitor_id, dedupe_id, occurred_at }
}
