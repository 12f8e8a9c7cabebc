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
  /** New ones that are made together: the work of more would keep everybody else waiting. */
  together: 50,
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
/** Of one item. */
type Outcome = Omit<z.infer<typeof Result>, 'index'>
type Item = z.infer<typeof Item>
/** An item as it was understood, or why it was not. */
type Read = { item: Item; read: unknown } | { item: Item; refusal: Outcome }

const Results = z
  .object({ succeeded: z.int(), failed: z.int(), results: z.array(Result) })
  .meta({ id: 'BatchResults' })

/**
 * Many records in one request: an item without an `id` is made, one with an `id` is changed. Each succeeds or fails alone,
 * in order; under an Idempotency-Key the batch as a whole happens once. New ones that follow each other are made together,
 * which takes a twentieth of the time; where one of them is refused, the halves of them.
 */
export const batchOf = (noun: string, create: Route, update: Route): Route => {
  const { permission, tag, example } = create.definition
  const carryOut = async (call: InTx, item: Item): Promise<Outcome> => {
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

  /** New ones, in their order. Those that are wrong in themselves keep nobody from being made together. */
  const makeAll = async (call: InTx, items: readonly Item[]): Promise<Outcome[]> => {
    const { together } = create
    if (!together) return inTurn(items, (item) => carryOut(call, item))
    const read: Read[] = []
    for (const item of items) {
      try {
        read.push({ item, read: together.read(item) })
      } catch (error) {
        read.push({ item, refusal: refusalOf(error, call.request_id) })
      }
      // To understand many, one after another, would keep everybody else waiting.
      await setImmediate()
    }
    const made = await makeTogether(
      { ...call, make: together.make },
      read.filter((one) => 'read' in one),
    )
    return read.flatMap((one) => ('refusal' in one ? one.refusal : (made.shift() ?? [])))
  }

  const makeTogether = async (
    call: InTx & Pick<NonNullable<Route['together']>, 'make'>,
    items: readonly { item: Item; read: unknown }[],
  ): Promise<Outcome[]> => {
    const [first, ...others] = items
    if (!first) return []
    if (others.length === 0) return [await carryOut(call, first.item)]
    try {
      const made = await inSavepoint(call.ctx, (ctx) =>
        call.make(
          { ...call, ctx },
          items.map(({ read }) => read),
        ),
      )
      return made.map((one) => ({ status: create.definition.status ?? 200, ...one }))
    } catch (error) {
      refusalOf(error, call.request_id)
      const half = Math.ceil(items.length / 2)
      return [
        ...(await makeTogether(call, items.slice(0, half))),
        ...(await makeTogether(call, items.slice(half))),
      ]
    }
  }

  const workOff = (call: InTx, run: readonly Item[]): Promise<Outcome[]> =>
    run.every(isNew) ? makeAll(call, run) : inTurn(run, (item) => carryOut(call, item))

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
      const outcomes: Outcome[] = []
      for (let from = 0; from < items.length; from += BATCH.chunk) {
        // In order, and a transaction at a time.
        await inTx(call.ctx, async (ctx) => {
          for (const run of runsOf(items.slice(from, from + BATCH.chunk)))
            outcomes.push(...(await workOff({ ...call, ctx }, run)))
        })
      }
      const results = outcomes.map((outcome, index) => ({ index, ...outcome }))
      const failed = results.filter(({ problem }) => problem).length
      return { succeeded: results.length - failed, failed, results }
    },
  )
}

/** Items in their order: new ones that follow each other, and each change by itself. */
const runsOf = (items: readonly Item[]): Item[][] => {
  const runs: Item[][] = []
  for (const [n, item] of items.entries()) {
    const [last, before] = [runs.at(-1), items[n - 1]]
    if (last && before && last.length < BATCH.together && isNew(item) && isNew(before)) last.push(item)
    else runs.push([item])
  }
  return runs
}

const isNew = ({ id }: Item): boolean => id === undefined

const inTurn = async (items: readonly Item[], work: (item: Item) => Promise<Outcome>): Promise<Outcome[]> => {
  const outcomes: Outcome[] = []
  for (const item of items) outcomes.push(await work(item))
  return outcomes
}

/** What of a record its line in the results says. */
const Made = z.object({ id: Id, version: z.int().optional() })

type InTx = Performing & { ctx: TxCtx }

/** @throws when the database is away: then nothing of the chunk stands */
const refusalOf = (error: unknown, request_id: string): Outcome => {
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
