import { afterAll, beforeAll, expect, test } from 'vitest'
import { getBulk, startBulk } from '../db/bulk.ts'
import { undoBulk } from '../db/bulk-undo.ts'
import { workBulk } from '../db/bulk-work.ts'
import type { Ctx } from '../db/context.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import type { Pipeline } from '../db/pipelines.ts'
import { archiveRecord } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { columnOf, dealAt, stageIn } from './cards.ts'
import { anyReason } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

/** A pipeline with cards in its first stage, from top to bottom. */
const column = async (
  count: number,
): Promise<{ pipeline: Pipeline; cards: Opportunity[]; ids: string[] }> => {
  const pipeline = await createPipeline(ctx, { template: 'sales' })
  const cards: Opportunity[] = []
  for (let n = 0; n < count; n++) cards.push(await dealAt(ctx, pipeline, 0))
  return { pipeline, cards, ids: cards.map(({ id }) => id) }
}
const undoLast = async (id: string) => {
  const { data } = await listTimeline(ctx, { kind: 'deal', id }, { limit: 1 })
  return undoActivity(ctx, data[0]!.id)
}

test('F14: a move that is taken back gives the card its place again: at the top, in the middle, at the end', async () => {
  const { pipeline, ids } = await column(5)
  const [from, to] = [stageIn(pipeline, 0).id, stageIn(pipeline, 1).id]
  for (const n of [0, 2, 4]) {
    const id = ids[n]!
    await moveOpportunity(ctx, id, { stage_id: to })
    const undone = await undoLast(id)
    expect(await columnOf(ctx, from)).toEqual(ids)
    expect(undone.summary).toBe('took back: moved it from Prospect to Qualified')
    expect(undone.data['at_end']).toBeUndefined()
    // And the other way about: taken back again, it stands where it had been moved to.
    await undoActivity(ctx, undone.id)
    expect(await columnOf(ctx, to)).toEqual([id])
    await moveOpportunity(ctx, id, {
      stage_id: from,
      ...(n === 0 ? { before_id: ids[1] } : { after_id: ids[n - 1] }),
    })
  }
})

test('F14: so does taking back a closing, a reopening and a closing the other way', async () => {
  const { pipeline, ids } = await column(3)
  const from = stageIn(pipeline, 0).id
  const id = ids[1]!
  await closeOpportunity(ctx, id, { outcome: 'won' })
  const won = await closeOpportunity(ctx, ids[2]!, { outcome: 'won' })
  await undoLast(id)
  expect(await columnOf(ctx, from)).toEqual([ids[0], id])
  await closeOpportunity(ctx, id, { outcome: 'won' })
  await reopenOpportunity(ctx, won.id, {})
  await undoLast(won.id)
  expect(await columnOf(ctx, won.stage_id)).toEqual([won.id, id])
  await moveOpportunity(ctx, won.id, {
    stage_id: stageIn(pipeline, 'lost').id,
    discard_reason_id: await anyReason(ctx),
  })
  await undoLast(won.id)
  expect(await columnOf(ctx, won.stage_id)).toEqual([won.id, id])
})

test('F14: neighbours that left meanwhile do not count, and who came into its place stands behind it', async () => {
  const { pipeline, ids } = await column(4)
  const [from, to] = [stageIn(pipeline, 0).id, stageIn(pipeline, 1).id]
  const [a, b, c, d] = ids as [string, string, string, string]
  await moveOpportunity(ctx, b, { stage_id: to })
  await moveOpportunity(ctx, a, { stage_id: to })
  await archiveRecord(ctx, { kind: 'deal', id: c })
  await undoLast(b)
  expect((await columnOf(ctx, from)).filter((id) => id !== c)).toEqual([b, d])

  // The next one at the end gets the very position that the last one left.
  const other = await column(2)
  const last = other.ids[1]!
  await moveOpportunity(ctx, last, { stage_id: stageIn(other.pipeline, 1).id })
  const late = await dealAt(ctx, other.pipeline, 0)
  await undoLast(last)
  expect(await columnOf(ctx, stageIn(other.pipeline, 0).id)).toEqual([other.ids[0], last, late.id])
})

test('F14: where its neighbours changed sides it stands at the end, which the line says', async () => {
  const { pipeline, ids } = await column(4)
  const [from, to] = [stageIn(pipeline, 0).id, stageIn(pipeline, 1).id]
  const [a, b, c, d] = ids as [string, string, string, string]
  await moveOpportunity(ctx, b, { stage_id: to })
  await moveOpportunity(ctx, a, { stage_id: from, after_id: d })
  const undone = await undoLast(b)
  expect(await columnOf(ctx, from)).toEqual([c, d, a, b])
  expect(undone).toMatchObject({
    data: { at_end: true },
    summary:
      'took back: moved it from Prospect to Qualified; it stands at the end of its column, because its place there is gone',
  })
  const { data } = await listTimeline(ctx, { kind: 'deal', id: b }, { limit: 2 })
  expect(data.map(({ summary }) => summary)).toContain('moved it from Qualified to the end of Prospect')
})

test('F20: a bulk move that is taken back leaves the column as it was, though its cards left one after another', async () => {
  const { pipeline, ids } = await column(8)
  const from = stageIn(pipeline, 0).id
  const chosen = [ids[6]!, ids[1]!, ids[2]!, ids[3]!]
  const bulk = await startBulk(ctx, {
    kind: 'deal',
    ids: chosen,
    act: 'move',
    input: { stage_id: stageIn(pipeline, 2).id },
  })
  await workBulk(world.db, ctx.organization_id, bulk.id)
  expect(await columnOf(ctx, stageIn(pipeline, 2).id)).toEqual(chosen)
  const undo = await undoBulk(ctx, bulk.id)
  await workBulk(world.db, ctx.organization_id, undo.id)
  expect((await getBulk(ctx, undo.id)).counts.changed).toBe(4)
  expect(await columnOf(ctx, from)).toEqual(ids)
})
