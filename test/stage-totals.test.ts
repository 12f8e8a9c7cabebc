import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startToolJobs } from '../tools/jobs.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { updateDeal } from '../db/deals.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { defaultPipeline, type Pipeline } from '../db/pipelines.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import {
  findLongLedgers,
  foldLongLedgers,
  foldStageTotals,
  readStageTotals,
  weigh,
  type StageTotal,
} from '../db/stage-totals.ts'
import { eventually } from './eventually.ts'
import { makeDeal, stageIn } from './cards.ts'
import { makeLead, nowhere } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
let deals: Pipeline
beforeAll(async () => {
  world = await openWorld({ works: true })
  ctx = world.ctx
  deals = await defaultPipeline(ctx, 'deal')
})
afterAll(() => world.stop())

/** What a count of the cards themselves says. */
const recount = (ctx: Ctx): Promise<StageTotal[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<StageTotal[]>`
      select pipeline_id, stage_id, currency, count(*) as count, coalesce(sum(value_minor), 0)::float8 as value_minor
      from opportunities where organization_id = ${organization_id} and archived_at is null
      group by 1, 2, 3 order by 1, 2, 3`
    return [...rows]
  })

const rowsIn = (ctx: Ctx): Promise<number> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<{ count: number }[]>`
      select count(*) as count from stage_totals where organization_id = ${organization_id}`
    return row?.count ?? -1
  })

test('F13: totals equal a recount after any acts, folded or not', async () => {
  const { ctx } = await world.other()
  const pipeline = await defaultPipeline(ctx, 'deal')
  const cards: string[] = []
  for (let n = 0; n < 6; n++) cards.push((await makeDeal(ctx)).id)
  const act = fc.record({
    what: fc.constantFrom('make', 'move', 'move', 'worth', 'archive', 'restore', 'win', 'fold'),
    card: fc.nat(99),
    stage: fc.nat(3),
    currency: fc.constantFrom('EUR', 'USD', 'JPY'),
    value_minor: fc.option(fc.integer({ min: 0, max: 1_000_000_000 })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 12 }), async (acts) => {
      for (const { what, card, stage, currency, value_minor } of acts) {
        const id = cards[card % cards.length]!
        const stage_id = stageIn(pipeline, stage).id
        if (what === 'make')
          cards.push((await makeDeal(ctx, { stage_id, currency, value_minor: value_minor ?? 0 })).id)
        else if (what === 'move') await unlessRefused(moveOpportunity(ctx, id, { stage_id }))
        else if (what === 'worth') await unlessRefused(updateDeal(ctx, id, { value_minor, currency }))
        else if (what === 'archive') await archiveRecord(ctx, { kind: 'deal', id })
        else if (what === 'restore') await restoreRecord(ctx, { kind: 'deal', id })
        else if (what === 'fold') await foldStageTotals(ctx)
        else await unlessRefused(closeOpportunity(ctx, id, { outcome: 'won' }))
      }
      expect(await readStageTotals(ctx)).toEqual(await recount(ctx))
    }),
    { numRuns: 40 },
  )
})

/** What is closed is not closed again, and what is archived not changed. */
const unlessRefused = async (act: Promise<unknown>): Promise<void> => {
  await act.catch((error: { code: string }) => {
    expect(['opportunity_closed', 'record_archived']).toContain(error.code)
  })
}

test('a refused act leaves no trace in the totals', async () => {
  const before = await readStageTotals(ctx)
  await expect(
    inTx(ctx, async (ctx) => {
      await makeDeal(ctx)
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(await readStageTotals(ctx)).toEqual(before)
})

test('a ledger is folded to one row per stage and currency, and again to nothing less', async () => {
  for (let n = 0; n < 5; n++) await makeDeal(ctx, { currency: n % 2 ? 'EUR' : 'USD' })
  const before = await readStageTotals(ctx)
  const rows = await rowsIn(ctx)
  expect(rows).toBeGreaterThan(2)
  expect(await foldStageTotals(ctx)).toBe(rows - before.length)
  expect(await rowsIn(ctx)).toBe(before.length)
  expect(await readStageTotals(ctx)).toEqual(before)
  expect(await foldStageTotals(ctx)).toBe(0)
})

test('folding while others move cards loses none of it, and readers never see anything between', async () => {
  const cards = await Promise.all(Array.from({ length: 24 }, () => makeDeal(ctx, { value_minor: 1_000 })))
  const { id: pipeline_id } = deals
  const whole = async () => {
    const totals = await readStageTotals(ctx, pipeline_id)
    return totals.reduce((sum, { count }) => sum + count, 0)
  }
  const all = await whole()
  const stop = new AbortController()
  const until = async (work: () => Promise<unknown>): Promise<void> => {
    while (!stop.signal.aborted) await work()
  }
  const seen = new Set<number>()
  let folds = 0
  const background = [
    until(async () => seen.add(await whole())),
    ...[1, 2].map(() =>
      until(async () => {
        folds += 1
        await foldStageTotals(ctx)
      }),
    ),
  ]
  await Promise.all(
    cards.map(async ({ id }, n) => {
      for (let step = 1; step <= 6; step++)
        await moveOpportunity(ctx, id, { stage_id: stageIn(deals, (n + step) % 4).id })
    }),
  )
  stop.abort()
  await Promise.all(background)
  expect(folds).toBeGreaterThan(4)
  expect([...seen]).toEqual([all])
  expect(await readStageTotals(ctx)).toEqual(await recount(ctx))
})

test('only organizations whose ledger grew long are folded, one never at another’s cost', async () => {
  const { ctx: quiet } = await world.other()
  await makeLead(quiet)
  await makeLead(quiet)
  for (let n = 0; n < 6; n++) await makeLead(ctx)
  const quietRows = await rowsIn(quiet)
  expect(await findLongLedgers(world.db, quietRows)).toContain(ctx.organization_id)
  expect(await findLongLedgers(world.db, quietRows)).not.toContain(quiet.organization_id)
  await foldLongLedgers(world.db, quietRows)
  expect(await rowsIn(quiet)).toBe(quietRows)
  expect(await rowsIn(ctx)).toBe((await readStageTotals(ctx)).length)
})

test('the worker folds long ledgers by itself, when a minute has passed', async () => {
  const { ctx } = await world.other()
  const lead = await makeLead(ctx)
  await inTx(
    ctx,
    ({ tx, organization_id }) => tx`
      insert into stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
      select ${organization_id}, gen_random_uuid(), ${lead.pipeline_id}, ${lead.stage_id}, 'EUR', 1 - 2 * (n % 2), 0
      from generate_series(1, 1200) n`,
  )
  const before = await readStageTotals(ctx)
  // A minute may have passed on a slow machine already.
  await world.db.sql`delete from pgboss.job where name = 'minute.passed'`
  const jobs = await startToolJobs(world.db, nowhere)
  try {
    await setTimeout(200)
    expect(await rowsIn(ctx)).toBeGreaterThan(1_000)
    await world.db.sql.begin((tx) => world.db.queue.send(tx, 'minute.passed', {}))
    await eventually(async () => (await rowsIn(ctx)) === 1)
  } finally {
    await jobs.stop()
  }
  expect(await readStageTotals(ctx)).toEqual(before)
})

test('weights are exact to the minor unit, halves away from zero, however large', () => {
  expect(weigh(100, 33)).toBe(33)
  expect(weigh(50, 1)).toBe(1)
  expect(weigh(49, 1)).toBe(0)
  expect(weigh(-50, 1)).toBe(-1)
  expect(weigh(9_007_199_254_740_900, 99)).toBe(8_917_127_262_193_491)
  expect([weigh(123, 100), weigh(123, 0)]).toEqual([123, 0])
})
