import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { inSavepoint, inTx, type TxCtx } from '../../db/context.ts'
import { problemDocument } from '../problem.ts'
import { bodyOf, route, type Performing, type Route } from '../route.ts'
import { Anything, Id } from '../shapes.ts'

/** Limits of one batch. */
const BATCH = {
  items: 1_000,
  body_bytes: 4_000_000,
  /** Items that commit together, where nothing else holds a transaction open. */
  chunk: 100,
  /** Wrong places that are named of an item. */
  faults: 3,
}

const Result = z.object({
  index: z.int().describe('Of the item, from 0.'),
  status: z.int().describe('What the item alone would have been answered with.'),
  id: Id.optional(),
  version: z.int().optional(),
  problem: Anything.optional().describe(
    'Why it was refused, as a problem document; `pointer` is within the item.',
  ),
})
type Result = z.infer<typeof Result>

const Results = z
  .object({ succeeded: z.int(), failed: z.int(), results: z.array(Result) })
  .meta({ id: 'BatchResults' })

/**
 * Many records in one request: an item without an `id` is made, one with an `id` is changed. Each succeeds or fails alone,
 * in order; under an Idempotency-Key the batch as a whole happens once.
 */
export const batchOf = (noun: string, create: Route, update: Route): Route => {
  const { permission, tag, example } = create.definition
  const carryOut = async (call: InTx, item: Record<string, unknown>): Promise<Omit<Result, 'index'>> => {
    const { id, ...values } = item
    const [one, params] = id === undefined ? [create, {}] : [update, { id: typeof id === 'string' ? id : '' }]
    try {
      const perform = one.prepare(params, values)
      const made = Made.parse(await inSavepoint(call.ctx, (ctx) => perform({ ...call, ctx })))
      return { status: one.definition.status ?? 200, ...made }
    } catch (error) {
      // One after another that is refused without a question would keep everybody else waiting.
      await setImmediate()
      return refusalOf(error, call.request_id)
    }
  }

  return route(
    {
      method: 'POST',
      path: `/external/v1/${noun}/batch`,
      summary: `Make and change up to 1,000 ${noun}`,
      description:
        'Each item is what `POST` takes, or with an `id` what `PATCH` takes. Each succeeds or fails alone, in order, so look at `results`. Send an Idempotency-Key: the batch as a whole then happens once, however often it is sent.',
      ...(permission ? { permission } : {}),
      ...(tag ? { tag } : {}),
      keys_only: true,
      body_limit: BATCH.body_bytes,
      body: itemsOf(Item),
      described_body: itemsOf(z.union([bodyOf(create), bodyOf(update).safeExtend({ id: Id })])),
      example: { items: [example] },
      response: Results,
    },
    async ({ body: { items }, ...call }) => {
      const results: Result[] = []
      for (let from = 0; from < items.length; from += BATCH.chunk) {
        // In order, and a transaction at a time.
        await inTx(call.ctx, async (ctx) => {
          for (const [n, item] of items.slice(from, from + BATCH.chunk).entries())
            results.push({ index: from + n, ...(await carryOut({ ...call, ctx }, item)) })
        })
      }
      const failed = results.filter(({ problem }) => problem).length
      return { succeeded: results.length - failed, failed, results }
    },
  )
}

/** What of a record its line in the results says. */
const Made = z.object({ id: Id, version: z.int().optional() })

type InTx = Performing & { ctx: TxCtx }

/** @throws when the database is away: then nothing of the chunk stands */
const refusalOf = (error: unknown, request_id: string): Omit<Result, 'index'> => {
  const { status, document } = problemDocument(error, request_id)
  if (status >= 503) throw error
  const { errors } = document
  // Of a thousand items that are all wrong, the answer stays one that can be read.
  const fewer = Array.isArray(errors) ? { errors: errors.slice(0, BATCH.faults) } : {}
  return { status, problem: { ...document, ...fewer } }
}

/** Looked into when its turn comes: a schema of all of them at once would hold everybody else up. */
const Item = z.custom<Record<string, unknown>>(
  (item) => typeof item === 'object' && item !== null && !Array.isArray(item),
  'an object',
)

const itemsOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z
      .array(item)
      .min(1, 'at least one item')
      .max(BATCH.items, `at most ${BATCH.items.toLocaleString('en')} items`),
  })
