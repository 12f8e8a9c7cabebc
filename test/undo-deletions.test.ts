import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { changeSource, createSource, getSource } from '../db/intake-sources.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deletePipeline } from '../db/pipeline-deletion.ts'
import { changePipeline } from '../db/pipeline-editing.ts'
import { addStage, deleteStage } from '../db/pipeline-stages.ts'
import { getPipeline, type Pipeline } from '../db/pipelines.ts'
import { archiveRecord } from '../db/records.ts'
import { readProbabilities } from '../db/stage-probabilities.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { closedDealAt, columnOf, dealAt, lastLineOf, stageIn, unattachedCards } from './cards.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const fresh = (name = 'Old'): Promise<Pipeline> => createPipeline(ctx, { template: 'sales', name })
const lastLine = ({ id }: Pipeline) => lastLineOf(ctx, id)
const cardsIn = async (pipeline: Pipeline, which: number, count: number): Promise<Opportunity[]> => {
  const cards: Opportunity[] = []
  for (let n = 0; n < count; n++) cards.push(await dealAt(ctx, pipeline, which))
  return cards
}
const totals = () =>
  inTx(
    ctx,
    ({ tx }) => tx`
      select pipeline_id, stage_id, sum(cards)::int as cards, sum(value_minor)::int as value from stage_totals
      group by 1, 2 having sum(cards) <> 0 order by 1, 2`,
  )
const positions = (stage_id: string) =>
  inTx(
    ctx,
    ({ tx }) => tx`select id, position from opportunities where stage_id = ${stage_id} order by position, id`,
  )

describe('F8: a deleted stage is taken back', () => {
  test('F8: it stands where it stood, as it was, with every card in its place, archived ones too', async () => {
    const pipeline = await fresh()
    const [gone, target] = [stageIn(pipeline, 1), stageIn(pipeline, 2)]
    await changePipeline(ctx, pipeline.id, {
      stages: [{ id: gone.id, color: 'teal', rot_days: 9, description: 'As it was', close_probability: 42 }],
    })
    const cards = await cardsIn(pipeline, 1, 4)
    const [own] = await cardsIn(pipeline, 2, 1)
    await archiveRecord(ctx, { kind: 'deal', id: cards[3]!.id })
    const before = await getPipeline(ctx, pipeline.id)
    const [columns, sums] = [await positions(gone.id), await totals()]
    await deleteStage(ctx, pipeline.id, gone.id, { target_stage_id: target.id })
    expect(await columnOf(ctx, target.id)).toHaveLength(5)
    const line = await lastLine(pipeline)
    const { status, body: undone } = await api.json('POST', `/api/activities/${line}/undo`)
    expect([status, undone.summary]).toEqual([
      200,
      'took back: changed the pipeline “Old”: deleted the stage “Qualified”',
    ])

    expect((await getPipeline(ctx, pipeline.id)).stages).toEqual(before.stages)
    expect(await positions(gone.id)).toEqual(columns)
    expect(await columnOf(ctx, target.id)).toEqual([own!.id])
    expect(await totals()).toEqual(sums)
    const { data } = await listTimeline(ctx, { kind: 'deal', id: cards[0]!.id }, { limit: 3 })
    expect(data.map(({ summary }) => summary)).toEqual([
      'moved it from Negotiation to Qualified',
      'moved it from Qualified to Negotiation',
      'created the deal “Machines for 12 cafés”',
    ])
    const history = (await readProbabilities(ctx, pipeline.id)).filter(({ stage_id }) => stage_id === gone.id)
    expect(history.map(({ close_probability, until }) => [close_probability, until === null])).toEqual([
      [42, true],
      [42, false],
      [30, false],
    ])
  })

  test('F8: the undo is taken back, and that, too: the cards go along each time', async () => {
    const pipeline = await fresh()
    const [gone, target] = [stageIn(pipeline, 0), stageIn(pipeline, 1)]
    const ids = (await cardsIn(pipeline, 0, 3)).map(({ id }) => id)
    await deleteStage(ctx, pipeline.id, gone.id, { target_stage_id: target.id })
    const deletion = await lastLine(pipeline)
    for (let round = 0; round < 2; round++) {
      const undone = await undoActivity(ctx, deletion)
      expect(await columnOf(ctx, gone.id)).toEqual(ids)
      await undoActivity(ctx, undone.id)
      expect(await columnOf(ctx, target.id)).toEqual(ids)
      expect((await getPipeline(ctx, pipeline.id)).stages.map(({ id }) => id)).not.toContain(gone.id)
    }
    await undoActivity(ctx, deletion)
    expect(await columnOf(ctx, gone.id)).toEqual(ids)
  })

  test('F8: an empty one comes back as well, also when the order of the others changed', async () => {
    const pipeline = await fresh()
    const [prospect, qualified, negotiation] = [0, 1, 2].map((n) => stageIn(pipeline, n))
    await deleteStage(ctx, pipeline.id, qualified!.id)
    const deletion = await lastLine(pipeline)
    const rest = (await getPipeline(ctx, pipeline.id)).stages.map(({ id }) => id)
    await changePipeline(ctx, pipeline.id, {
      stage_ids: [
        negotiation!.id,
        prospect!.id,
        ...rest.filter((id) => ![prospect!.id, negotiation!.id].includes(id)),
      ],
    })
    await undoActivity(ctx, deletion)
    expect((await getPipeline(ctx, pipeline.id)).stages.map(({ label }) => label)).toEqual([
      'Qualified',
      'Negotiation',
      'Prospect',
      'Won',
      'Lost',
    ])
  })

  test('F8: not when a card went on since: the refusal counts them, says what to do, and nothing has moved', async () => {
    const pipeline = await fresh()
    const [gone, target] = [stageIn(pipeline, 1), stageIn(pipeline, 2)]
    const [first, ...others] = await cardsIn(pipeline, 1, 3)
    await deleteStage(ctx, pipeline.id, gone.id, { target_stage_id: target.id })
    const deletion = await lastLine(pipeline)
    await moveOpportunity(ctx, first!.id, { stage_id: stageIn(pipeline, 0).id })
    // Back in the same stage is not where the deletion left it.
    await moveOpportunity(ctx, first!.id, { stage_id: target.id })
    expect(await api.json('POST', `/api/activities/${deletion}/undo`)).toMatchObject({
      status: 409,
      body: {
        code: 'changed_since',
        detail: expect.stringMatching(/Of the 3 cards that this moved, 1 went on since.*add a stage like it/),
        changed: [{ field: 'cards', left: 3, now: 2 }],
      },
    })
    for (const { id } of others) expect((await getOpportunity(ctx, id)).stage_id).toBe(target.id)
    expect((await getPipeline(ctx, pipeline.id)).stages).toHaveLength(4)
    await undoActivity(
      ctx,
      (await listTimeline(ctx, { kind: 'deal', id: first!.id }, { limit: 1 })).data[0]!.id,
    )
    await expect(undoActivity(ctx, deletion)).rejects.toMatchObject({ code: 'changed_since' })
  })

  test('F8: not when another stage took its name, nor by who may not change pipelines', async () => {
    const pipeline = await fresh()
    await deleteStage(ctx, pipeline.id, stageIn(pipeline, 1).id)
    const deletion = await lastLine(pipeline)
    const rep = { authorization: `Bearer ${await api.keyFor('rep')}` }
    expect(await api.json('POST', `/api/activities/${deletion}/undo`, undefined, rep)).toMatchObject({
      status: 403,
    })
    await addStage(ctx, pipeline.id, { label: 'qualified' })
    await expect(undoActivity(ctx, deletion)).rejects.toMatchObject({ code: 'stage_label_taken' })
  })
})

describe('F12: a deleted pipeline is taken back', () => {
  test('F12: with its cards, won and lost ones too, as the default and at its doors', async () => {
    const [pipeline, target] = [await fresh(), await fresh('New')]
    await changePipeline(ctx, pipeline.id, { is_default: true })
    const source = await createSource(ctx, { name: 'Website' })
    await changeSource(ctx, source.id, { changes: { pipeline_id: pipeline.id } })
    const cards = [...(await cardsIn(pipeline, 0, 2)), ...(await cardsIn(pipeline, 2, 2))]
    const closed = [await closedDealAt(ctx, pipeline, 'won'), await closedDealAt(ctx, pipeline, 'lost')]
    await cardsIn(target, 0, 2)
    const placesOf = () =>
      Promise.all(
        [...cards, ...closed].map(async ({ id }) => {
          const { pipeline_id, stage_id, won_at, lost_at } = await getOpportunity(ctx, id)
          return { id, pipeline_id, stage_id, won_at, lost_at }
        }),
      )
    const [places, sums] = [await placesOf(), await totals()]
    const columns = await Promise.all(pipeline.stages.map(({ id }) => positions(id)))
    const stage_map = Object.fromEntries([0, 2].map((n) => [stageIn(pipeline, n).id, stageIn(target, 0).id]))
    await deletePipeline(ctx, pipeline.id, { target_pipeline_id: target.id, stage_map })
    expect((await getPipeline(ctx, target.id)).is_default).toBe(true)
    const deletion = await lastLine(pipeline)

    const undone = await undoActivity(ctx, deletion)
    expect(await getPipeline(ctx, pipeline.id)).toMatchObject({ is_default: true, stages: pipeline.stages })
    expect((await getPipeline(ctx, target.id)).is_default).toBe(false)
    expect((await getSource(ctx, source.id)).pipeline_id).toBe(pipeline.id)
    expect(await placesOf()).toEqual(places)
    expect(await Promise.all(pipeline.stages.map(({ id }) => positions(id)))).toEqual(columns)
    expect(await totals()).toEqual(sums)
    expect(await unattachedCards(ctx)).toBe(0)

    await undoActivity(ctx, undone.id)
    expect((await placesOf()).every(({ pipeline_id }) => pipeline_id === target.id)).toBe(true)
    await undoActivity(ctx, deletion)
    expect(await placesOf()).toEqual(places)
  })

  test('F12: what somebody set up since stays: another default, a door that leads elsewhere', async () => {
    const [pipeline, target, third] = [await fresh(), await fresh('New'), await fresh('Third')]
    await changePipeline(ctx, pipeline.id, { is_default: true })
    const source = await createSource(ctx, { name: 'Fair' })
    await changeSource(ctx, source.id, { changes: { pipeline_id: pipeline.id } })
    await deletePipeline(ctx, pipeline.id, { target_pipeline_id: target.id })
    const deletion = await lastLine(pipeline)
    await changePipeline(ctx, third.id, { is_default: true })
    await changeSource(ctx, source.id, { changes: { pipeline_id: third.id } })
    await undoActivity(ctx, deletion)
    expect((await getPipeline(ctx, pipeline.id)).is_default).toBe(false)
    expect((await getPipeline(ctx, third.id)).is_default).toBe(true)
    expect((await getSource(ctx, source.id)).pipeline_id).toBe(third.id)
  })

  test('F12: not when one of its cards went on since, and then it stays in the archive', async () => {
    const [pipeline, target] = [await fresh(), await fresh('New')]
    const [card] = await cardsIn(pipeline, 0, 1)
    const stage_map = { [stageIn(pipeline, 0).id]: stageIn(target, 0).id }
    await deletePipeline(ctx, pipeline.id, { target_pipeline_id: target.id, stage_map })
    const deletion = await lastLine(pipeline)
    await moveOpportunity(ctx, card!.id, { stage_id: stageIn(target, 1).id })
    await expect(undoActivity(ctx, deletion)).rejects.toMatchObject({
      code: 'changed_since',
      extra: { changed: [{ field: 'cards', left: 1, now: 0 }] },
    })
    await expect(getPipeline(ctx, pipeline.id)).rejects.toMatchObject({ code: 'pipeline_archived' })
  })

  test('F12: two thousand cards come back in batches', async () => {
    const [pipeline, target] = [await fresh(), await fresh('New')]
    const [card] = await cardsIn(pipeline, 0, 1)
    await inTx(
      ctx,
      ({ tx, organization_id }) => tx`
        insert into opportunities (organization_id, id, kind, name, pipeline_id, stage_id, position, origin, value_minor, currency)
        select ${organization_id}, gen_random_uuid(), 'deal', 'Deal ' || n, pipeline_id, stage_id,
          'b' || lpad(n::text, 6, '0') || 'V', origin, 100, 'EUR'
        from opportunities, generate_series(1, 2100) n where organization_id = ${organization_id} and id = ${card!.id}`,
    )
    const from = stageIn(pipeline, 0).id
    const before = await positions(from)
    await deletePipeline(ctx, pipeline.id, {
      target_pipeline_id: target.id,
      stage_map: { [from]: stageIn(target, 1).id },
    })
    await undoActivity(ctx, await lastLine(pipeline))
    expect(await positions(from)).toEqual(before)
    expect(await columnOf(ctx, stageIn(target, 1).id)).toEqual([])
  })
})
