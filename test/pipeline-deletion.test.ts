import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { changeSource, createSource, getSource } from '../db/intake-sources.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deletePipeline } from '../db/pipeline-deletion.ts'
import { deleteStage } from '../db/pipeline-stages.ts'
import { defaultPipeline, getPipeline, type Pipeline } from '../db/pipelines.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { closedDealAt, columnOf, dealAt, stageIn, unattachedCards } from './cards.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const NOBODY = '01990000-0000-7000-8000-000000000000'

const fresh = (name = 'Old'): Promise<Pipeline> => createPipeline(api.ctx, { template: 'sales', name })

const remove = (pipeline: Pipeline, body?: unknown) =>
  api.json('DELETE', `/api/pipelines/${pipeline.id}`, body)

const dealIn = (pipeline: Pipeline, which: number) => dealAt(api.ctx, pipeline, which)
const closed = (pipeline: Pipeline, outcome: 'won' | 'lost') => closedDealAt(api.ctx, pipeline, outcome)
const unattached = () => unattachedCards(api.ctx)

describe('F12: a pipeline is deleted', () => {
  test('not while open cards are in it: 409 says how many, and where', async () => {
    const pipeline = await fresh()
    const cards = [await dealIn(pipeline, 0), await dealIn(pipeline, 0), await dealIn(pipeline, 2)]
    await closed(pipeline, 'won')
    const refused = await remove(pipeline)
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: 'pipeline_in_use',
        count: 3,
        stages: [
          { label: 'Prospect', count: 2 },
          { label: 'Negotiation', count: 1 },
        ],
      },
    })
    expect(await getPipeline(api.ctx, pipeline.id)).toEqual(pipeline)

    const target = stageIn(await defaultPipeline(api.ctx, 'deal'), 0)
    for (const [n, { id }] of cards.entries()) {
      expect(await remove(pipeline)).toMatchObject({ status: 409, body: { count: 3 - n } })
      await moveOpportunity(api.ctx, id, { stage_id: target.id })
    }
    expect(await remove(pipeline)).toMatchObject({ status: 204 })
  })

  test('an archived open card is in the way too: it may come back', async () => {
    const pipeline = await fresh()
    const { id } = await dealIn(pipeline, 0)
    await archiveRecord(api.ctx, { kind: 'deal', id })
    expect(await remove(pipeline)).toMatchObject({
      status: 409,
      body: { code: 'pipeline_in_use', count: 1, archived_count: 1 },
    })
    const target = await fresh('New')
    const stage_map = { [stageIn(pipeline, 0).id]: stageIn(target, 1).id }
    expect(await remove(pipeline, { target_pipeline_id: target.id, stage_map })).toMatchObject({
      status: 204,
    })
    await restoreRecord(api.ctx, { kind: 'deal', id })
    expect(await getOpportunity(api.ctx, id)).toMatchObject({
      pipeline_id: target.id,
      stage: { label: 'Qualified' },
    })
  })

  test('with only closed cards it is archived with its history, and they stay as they are', async () => {
    const pipeline = await fresh()
    const cards = [await closed(pipeline, 'won'), await closed(pipeline, 'lost')]
    expect(await remove(pipeline)).toMatchObject({ status: 204 })
    for (const card of cards) expect(await getOpportunity(api.ctx, card.id)).toEqual(card)
    const { body } = await api.json('GET', `/api/pipelines/${pipeline.id}?counts=true`)
    expect(body).toMatchObject({ name: 'Old', is_default: false })
    expect(body.archived_at).toBeTruthy()
    expect(body.stages.map(({ count }: { count: number }) => count)).toEqual([0, 0, 0, 1, 1])
    const { data } = await listActivities(api.ctx, {
      subject: { kind: 'pipeline', id: pipeline.id },
      limit: 1,
    })
    expect(data[0]).toMatchObject({ type: 'record_archived', summary: 'archived the pipeline “Old”' })
  })
})

describe('F12: one call moves the cards and deletes', () => {
  test('all of them by the map, won and lost to their own kind, in one transaction and with a line on each', async () => {
    const [pipeline, target] = [await fresh(), await fresh('New')]
    const here = await dealIn(target, 1)
    const open = [await dealIn(pipeline, 0), await dealIn(pipeline, 1), await dealIn(pipeline, 1)]
    const [won, lost] = [await closed(pipeline, 'won'), await closed(pipeline, 'lost')]
    const stage_map = {
      [stageIn(pipeline, 0).id]: stageIn(target, 0).id,
      [stageIn(pipeline, 1).id]: stageIn(target, 1).id,
    }
    expect(
      await remove(pipeline, { target_pipeline_id: target.id, stage_map, reason: 'Merged' }),
    ).toMatchObject({
      status: 204,
    })
    expect(await columnOf(api.ctx, stageIn(target, 0).id)).toEqual([open[0]!.id])
    expect(await columnOf(api.ctx, stageIn(target, 1).id)).toEqual([here.id, open[1]!.id, open[2]!.id])
    for (const [card, which] of [
      [won, 'won'],
      [lost, 'lost'],
    ] as const) {
      expect(await getOpportunity(api.ctx, card.id)).toMatchObject({
        pipeline_id: target.id,
        stage_id: stageIn(target, which).id,
        won_at: card.won_at,
        lost_at: card.lost_at,
        discard_reason_id: card.discard_reason_id,
        version: card.version + 1,
      })
    }
    const { data } = await listTimeline(api.ctx, { kind: 'deal', id: open[0]!.id }, { limit: 1 })
    expect(data[0]).toMatchObject({
      type: 'stage_changed',
      reason: 'Merged',
      actor: { kind: 'api_key' },
      data: {
        from_pipeline: 'Old',
        to_pipeline: 'New',
        changes: [
          { field: 'pipeline', before: 'Old', after: 'New' },
          { field: 'stage', before: 'Prospect', after: 'Prospect' },
        ],
      },
    })
    const [line] = (
      await listActivities(api.ctx, { subject: { kind: 'pipeline', id: pipeline.id }, limit: 1 })
    ).data
    expect(line).toMatchObject({ type: 'record_archived', data: { moved: 5, target_pipeline_id: target.id } })
    expect(await unattached()).toBe(0)
  })

  test('not while a stage that holds cards has nowhere to go: 422 names it, and nothing has moved', async () => {
    const [pipeline, target] = [await fresh(), await fresh('New')]
    const cards = [await dealIn(pipeline, 0), await dealIn(pipeline, 2), await dealIn(pipeline, 2)]
    const refused = await remove(pipeline, {
      target_pipeline_id: target.id,
      stage_map: { [stageIn(pipeline, 0).id]: stageIn(target, 0).id },
    })
    expect(refused).toMatchObject({
      status: 422,
      body: {
        code: 'stage_map_incomplete',
        detail: 'Say where the cards of “Negotiation” go.',
        errors: [
          { pointer: `/stage_map/${stageIn(pipeline, 2).id}`, message: '“Negotiation” holds 2 cards' },
        ],
      },
    })
    expect(refused.body.errors[0].accepted.map(({ label }: { label: string }) => label)).toEqual([
      'Prospect',
      'Qualified',
      'Negotiation',
    ])
    for (const card of cards) expect(await getOpportunity(api.ctx, card.id)).toEqual(card)
    expect(await getPipeline(api.ctx, pipeline.id)).toEqual(pipeline)
    expect(await remove(pipeline, { target_pipeline_id: target.id })).toMatchObject({
      status: 422,
      body: { code: 'stage_map_incomplete', count: 3 },
    })
  })

  test('bad targets and maps are refused, and say what would be accepted', async () => {
    const [pipeline, target] = [await fresh(), await fresh('New')]
    await dealIn(pipeline, 0)
    const leads = await defaultPipeline(api.ctx, 'lead')
    const gone = await fresh('Gone')
    await remove(gone)
    const from = stageIn(pipeline, 0).id
    const to = stageIn(target, 0).id
    for (const [body, status, code] of [
      [{ target_pipeline_id: 'x' }, 422, 'invalid_input'],
      [{ target_pipeline_id: NOBODY }, 404, 'pipeline_not_found'],
      [{ target_pipeline_id: pipeline.id }, 422, 'target_pipeline_invalid'],
      [{ target_pipeline_id: leads.id }, 422, 'target_pipeline_invalid'],
      [{ target_pipeline_id: gone.id }, 409, 'pipeline_archived'],
      [{ stage_map: { [from]: to } }, 422, 'target_pipeline_required'],
      [{ target_pipeline_id: target.id, stage_map: { [from]: 'x' } }, 422, 'invalid_input'],
      [{ target_pipeline_id: target.id, stage_map: { x: to } }, 422, 'invalid_input'],
      [{ target_pipeline_id: target.id, stage_map: [] }, 422, 'invalid_input'],
      [{ target_pipeline_id: target.id, stage_map: { [NOBODY]: to } }, 422, 'stage_map_invalid'],
      [{ target_pipeline_id: target.id, stage_map: { [from]: from } }, 422, 'stage_map_invalid'],
      [
        { target_pipeline_id: target.id, stage_map: { [from]: stageIn(target, 'won').id } },
        422,
        'stage_map_invalid',
      ],
      [
        { target_pipeline_id: target.id, stage_map: { [stageIn(pipeline, 'won').id]: to } },
        422,
        'stage_map_invalid',
      ],
      [{ target_pipeline_id: target.id, stage_map: { [from]: to }, version: 7 }, 412, 'version_mismatch'],
      [{ target: target.id }, 422, 'invalid_input'],
    ] as const) {
      expect(await remove(pipeline, body), JSON.stringify(body)).toMatchObject({ status, body: { code } })
    }
    expect(
      await api.json('DELETE', `/api/pipelines/${pipeline.id}`, undefined, { 'if-match': '"9"' }),
    ).toMatchObject({ status: 412 })
    expect(await getPipeline(api.ctx, pipeline.id)).toEqual(pipeline)
  })

  test('its doors lead on to the target, or to the default', async () => {
    const [pipeline, target] = await Promise.all(
      ['A', 'B'].map((name) => createPipeline(api.ctx, { template: 'agent_funnel', name })),
    )
    const source = await createSource(api.ctx, { name: 'Website', pipeline_id: pipeline!.id })
    const other = await createSource(api.ctx, { name: 'Elsewhere' })
    await remove(pipeline!, { target_pipeline_id: target!.id })
    expect(await getSource(api.ctx, source.id)).toMatchObject({ pipeline_id: target!.id, version: 2 })
    expect(await getSource(api.ctx, other.id)).toMatchObject({ pipeline_id: null, version: 1 })
    await remove(target!)
    expect(await getSource(api.ctx, source.id)).toMatchObject({ pipeline_id: null })
    await changeSource(api.ctx, source.id, { changes: { name: 'Site' } })
  })

  test('who works in it meanwhile loses nothing: every card is attached afterwards', async () => {
    for (let round = 0; round < 5; round++) {
      const [pipeline, target] = [await fresh(), await fresh('New')]
      const cards = await Promise.all(Array.from({ length: 10 }, (_, n) => dealIn(pipeline, n % 3)))
      const stage_map = Object.fromEntries(
        [0, 1, 2].map((n) => [stageIn(pipeline, n).id, stageIn(target, n).id]),
      )
      const outcomes = await Promise.allSettled([
        deletePipeline(api.ctx, pipeline.id, { target_pipeline_id: target.id, stage_map }),
        ...cards.map(({ id }, n) =>
          moveOpportunity(api.ctx, id, { stage_id: stageIn(pipeline, (n + 1) % 3).id }),
        ),
        ...cards.slice(0, 4).map(() => dealIn(pipeline, 0)),
      ])
      expect(outcomes[0].status).toBe('fulfilled')
      for (const outcome of outcomes.slice(1))
        if (outcome.status === 'rejected') {
          const { code, constraint_name } = outcome.reason as { code: string; constraint_name?: string }
          expect(
            code === 'pipeline_archived' || constraint_name === 'opportunities_pipeline_in_use',
            `${code} ${constraint_name}`,
          ).toBe(true)
        }
      expect(await unattached()).toBe(0)
      for (const { id } of cards) expect((await getOpportunity(api.ctx, id)).pipeline_id).toBe(target.id)
    }
  })
})

describe('who makes a card at the very moment in which', () => {
  /** Asks for a card while an act is written and not committed: the card waits at its foreign key. */
  const during = async (stage_id: string, act: (ctx: Ctx) => Promise<unknown>) => {
    const { resolve, promise } = Promise.withResolvers<void>()
    const acting = inTx(api.ctx, async (ctx) => {
      await act(ctx)
      resolve()
      await setTimeout(400)
    })
    await promise
    const answer = await api.json('POST', '/api/deals', { name: 'At once', stage_id })
    await acting
    return answer
  }

  test('its stage is deleted, is told to read again', async () => {
    const pipeline = await fresh()
    const { id } = stageIn(pipeline, 0)
    expect(await during(id, (ctx) => deleteStage(ctx, pipeline.id, id))).toMatchObject({
      status: 409,
      body: { code: 'changed_meanwhile' },
    })
  })

  test('its pipeline is archived, is told to read again', async () => {
    const pipeline = await fresh()
    expect(await during(stageIn(pipeline, 0).id, (ctx) => deletePipeline(ctx, pipeline.id))).toMatchObject({
      status: 409,
      body: { code: 'changed_meanwhile' },
    })
    expect(await unattached()).toBe(0)
  })
})

describe('the default', () => {
  test('stays while others of its kind could take its place', async () => {
    const pipeline = await fresh('Default')
    const before = await defaultPipeline(api.ctx, 'deal')
    expect(await remove(before)).toMatchObject({ status: 409, body: { code: 'pipeline_is_default' } })
    await api.json('PATCH', `/api/pipelines/${pipeline.id}`, { is_default: true, version: 1 })
    expect(await remove(pipeline)).toMatchObject({ status: 409, body: { code: 'pipeline_is_default' } })
    expect(await remove(pipeline, { target_pipeline_id: before.id })).toMatchObject({ status: 204 })
    expect((await defaultPipeline(api.ctx, 'deal')).id).toBe(before.id)
  })

  test('leads come in by themselves: their last pipeline stays', async () => {
    const { ctx } = await api.other()
    const leads = await defaultPipeline(ctx, 'lead')
    await expect(deletePipeline(ctx, leads.id)).rejects.toMatchObject({ code: 'pipeline_is_default' })
    const deals = await defaultPipeline(ctx, 'deal')
    await deletePipeline(ctx, deals.id)
    const restored = await api.json('POST', `/api/pipelines/${deals.id}/restore`, undefined, {
      authorization: `Bearer ${await api.keyFor('owner', ctx)}`,
    })
    expect(restored.body.is_default).toBe(true)
  })
})
