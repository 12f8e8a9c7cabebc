import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import type { NewBulk } from '../db/bulk.ts'
import { undoBulk } from '../db/bulk-undo.ts'
import { workBulk } from '../db/bulk-work.ts'
import { connect } from '../db/client.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { columnOf, dealAt, stageIn } from './cards.ts'
import { loseCard } from './worked-lead.ts'

// The rows of a chunk are worked side by side in one transaction: what that must not change, and what it is for.

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const { start, read, done, rows, fill } = bulksOf(() => api)
const resultsOf = async (bulk: Parameters<typeof rows>[0]) =>
  (await rows(bulk)).map(({ result, problem }: any) => problem?.code ?? result)

const column = async (count: number) => {
  const pipeline = await createPipeline(ctx, { template: 'sales' })
  const ids: string[] = []
  for (let n = 0; n < count; n++) ids.push((await dealAt(ctx, pipeline, 0)).id)
  return { pipeline, ids }
}
const positionsIn = (stage_id: string) =>
  inTx(ctx, async ({ tx }) => {
    const found = await tx<{ position: string }[]>`
      select position from opportunities where stage_id = ${stage_id} order by position, id`
    return found.map(({ position }) => position)
  })

test('F20: cards that are moved side by side stand in their order, each at a place of its own, behind those that are there', async () => {
  const { pipeline, ids } = await column(45)
  const to = stageIn(pipeline, 1).id
  const there = await dealAt(ctx, pipeline, 1)
  const bulk = await done({ kind: 'deal', ids, act: 'move', input: { stage_id: to } })
  expect(bulk.counts).toEqual({ changed: 45, unchanged: 0, skipped: 0, failed: 0 })
  expect(await columnOf(ctx, to)).toEqual([there.id, ...ids])
  const positions = await positionsIn(to)
  expect(new Set(positions).size).toBe(positions.length)
  // One more, by hand, stands behind them.
  const late = await dealAt(ctx, pipeline, 0)
  await moveOpportunity(ctx, late.id, { stage_id: to })
  expect((await columnOf(ctx, to)).at(-1)).toBe(late.id)
})

test('F20: those that are refused are told apart from those beside them, whose acts stand once', async () => {
  const { ids } = await column(30)
  for (const at of [3, 4, 17]) await loseCard(ctx, ids[at]!)
  const input = { outcome: 'won' as const }
  const tried = await done({ kind: 'deal', ids, act: 'close', input, dry_run: true })
  const bulk = await done({ kind: 'deal', ids, act: 'close', input })
  for (const each of [tried, bulk])
    expect(each.counts).toEqual({ changed: 27, unchanged: 0, skipped: 3, failed: 0 })
  expect(await resultsOf(bulk)).toEqual(
    ids.map((_, at) => ([3, 4, 17].includes(at) ? 'opportunity_closed' : 'changed')),
  )
  for (const [at, id] of ids.entries()) {
    const { data } = await listTimeline(ctx, { kind: 'deal', id }, { limit: 10 })
    const lines = data.filter(({ data }) => data['bulk_id'] === bulk.id)
    expect([at, lines.length]).toEqual([at, [3, 4, 17].includes(at) ? 0 : 1])
  }
})

test('F20: two that want the same get it one after the other: the first has it, the second is told', async () => {
  const ids: string[] = []
  for (let n = 0; n < 6; n++) ids.push((await createAccount(ctx, { name: `Quay ${n}` })).id)
  const update: NewBulk = { kind: 'account', ids, act: 'update', input: { external_id: 'q-1' } }
  const bulk = await done(update)
  expect(await resultsOf(bulk)).toEqual(['changed', ...ids.slice(1).map(() => 'external_id_taken')])
})

test('F20: a fault that only the database finds fails one record, not those beside it', async () => {
  const { ids } = await column(25)
  const owner = postgres(api.owner_url, { max: 1, onnotice: () => {} })
  try {
    await owner.unsafe(`
      create function refuse_one() returns trigger language plpgsql as $$
      begin if new.id = '${ids[11]}' then raise exception 'not this one'; end if; return new; end $$;
      create trigger refuse_one before update on opportunities for each row execute function refuse_one();`)
    const bulk = await done({ kind: 'deal', ids, act: 'update', input: { city: 'Kiel' } })
    expect(bulk).toMatchObject({
      status: 'done',
      counts: { changed: 24, unchanged: 0, skipped: 0, failed: 1 },
    })
    expect(await resultsOf(bulk)).toEqual(ids.map((_, at) => (at === 11 ? 'unexpected' : 'changed')))
  } finally {
    await owner.unsafe(
      'drop trigger if exists refuse_one on opportunities; drop function if exists refuse_one()',
    )
    await owner.end()
  }
})

test('F20: a thousand records are worked in few statements each, and taken back in few', async () => {
  await fill(1_000, 'quick')
  const filter = { field: 'source', op: 'eq' as const, value: 'quick' }
  const pipelines = (await api.json('GET', '/api/pipelines')).body.data
  const leads = pipelines.find((one: any) => one.record_kind === 'lead' && one.is_default)
  const bulk = await start({ kind: 'lead', filter, act: 'move', input: { stage_id: leads.stages[1].id } })
  const figures: string[] = []
  const measure = async (what: string, id: string) => {
    let statements = 0
    const sql = connect(api.app_url, { onStatement: () => (statements += 1) })
    const began = performance.now()
    await workBulk({ ...api.db, sql }, ctx.organization_id, id)
    const seconds = (performance.now() - began) / 1_000
    await sql.end()
    figures.push(
      `${what}: ${Math.round(1_000 / seconds)} records/s, ${(statements / 1_000).toFixed(1)} statements each`,
    )
    return statements / 1_000
  }
  const moving = await measure('1,000 leads moved', bulk.id)
  const undo = await undoBulk(ctx, bulk.id)
  const undoing = await measure('taken back', undo.id)
  process.stdout.write(`${figures.join('; ')}\n`)
  expect(await read(bulk)).toMatchObject({ status: 'undone', counts: { changed: 1_000 } })
  expect((await api.json('GET', `/api/bulk/${undo.id}`)).body.counts.changed).toBe(1_000)
  // A move writes the card and its line; what all of them read alike is asked once, what follows is done for a chunk.
  expect(moving).toBeLessThan(4)
  expect(undoing).toBeLessThan(8)
})
