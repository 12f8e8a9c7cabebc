import type { Event } from '../db/activity-events.ts'
import type { Ctx } from '../db/context.ts'
import { mayReadAbout } from '../db/reading.ts'
import { startOf } from './event-feed.ts'
import { requirePermission, type Principal } from './principal.ts'
import { Problem } from './problem.ts'
import { ctxOf } from './record-permissions.ts'
import type { Parts } from './route.ts'

/** Times of a stream. */
const STREAM = {
  heartbeat_ms: 15_000,
  /** When a browser tries again after the stream was cut. */
  retry_ms: 1_000,
  /** Chunks that may wait for a slow reader before it is cut off; it resumes without a gap. */
  backlog: 500,
}

/** Says of the stream what the OpenAPI document says. */
export const eventsOperation = {
  path: '/api/events',
  permission: 'activities:read',
  summary: 'Follow what happens, live',
  description:
    'Server-sent events: `event: change` with `{id, type, subject{kind,id}, version, run_id, approval_id}`. Send the last id you saw as `Last-Event-ID` (or `?last_event_id=`) to resume without a gap for 7 days; older than that, `event: reset` asks you to read everything again. `bulk_progress` and `import_progress` say, at most once a second, that an act on many records or an import has come further; they are told once and not kept. A key is told what it may read, by the kinds of `subjects`; the rest is passed by, and the ids go on over it.',
} as const

/**
 * Answers `/api/events`: a stream that lasts until the reader goes, its right to read ends, or the server stops.
 * @param still asks again who the reader is
 */
export const streamEvents = async (
  { db, feed }: Parts,
  principal: Principal,
  request: Request,
  still: () => Promise<Principal>,
): Promise<Response> => {
  requirePermission(principal, eventsOperation.permission)
  const ctx = ctxOf(db, principal)
  const { seq, reset } = await startOf(ctx, lastSeen(request))
  let leave = () => {}

  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        let ended = false
        const end = () => {
          if (ended) return
          ended = true
          leave()
          controller.close()
        }
        const send = (text: string) => {
          if (ended) return
          if ((controller.desiredSize ?? 0) < -STREAM.backlog) throw new Error('the reader is too slow')
          controller.enqueue(utf8.encode(text))
        }
        const heartbeat = setInterval(() => {
          // A revoked key or an ended session hears nothing more.
          still()
            .then(
              (now) => (now.organization_id === principal.organization_id ? send(': still here\n\n') : end()),
              end,
            )
            .catch(end)
        }, STREAM.heartbeat_ms)
        heartbeat.unref()
        send(`retry: ${STREAM.retry_ms}\nid: ${seq}\n\n`)
        if (reset) send(`id: ${seq}\nevent: reset\ndata: {}\n\n`)
        const following = feed.follow(ctx, seq, (events) => send(toldOf(ctx, events)), end)
        leave = () => {
          ended = true
          clearInterval(heartbeat)
          following.stop()
        }
        if (ended) leave()
      },
      cancel: () => leave(),
    },
    { highWaterMark: 1 },
  )
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    },
  })
}

const utf8 = new TextEncoder()

const textOf = (event: Event): string => `id: ${event.id}\nevent: change\ndata: ${JSON.stringify(event)}\n\n`

/** Those that may be read. Whoever resumes begins after the last one, told or not. */
const toldOf = (ctx: Ctx, events: readonly Event[]): string => {
  const told = events.filter(({ subjects }) => mayReadAbout(ctx, subjects))
  const last = events.at(-1)
  const passed = last && told.at(-1) !== last ? `id: ${last.id}\n\n` : ''
  return told.map(textOf).join('') + passed
}

const lastSeen = (request: Request): number | undefined => {
  const text = request.headers.get('last-event-id') ?? new URL(request.url).searchParams.get('last_event_id')
  if (text === null || text === '') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new Problem(422, 'invalid_event_id', 'A last event id is the number that came as “id” of an event.', {
    errors: [{ pointer: '/last_event_id', message: 'a whole number' }],
  })
}
