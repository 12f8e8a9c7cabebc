import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { inTx } from '../db/context.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { defaultPipeline, getPipeline, readPipeline, type Pipeline } from '../db/pipelines.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { closedDealAt, makeDeal, stageIn, unattachedCards } from './cards.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const fresh = (): Promise<Pipeline> => createPipeline(api.ctx, { template: 'sales', name: 'Old' })
const remove = ({ id }: Pipeline) => api.json('DELETE', `/api/pipelines/${id}`)
const closed = (pipeline: Pipeline, outcome: 'won' | 'lost') => closedDealAt(api.ctx, pipeline, outcome)
const unattached = () => unattachedCards(api.ctx)

describe('F12: a pipeline that is archived', () => {
  test('F12: nothing enters it any more, by any door, which names it; nothing about it changes, and it can be restored', async () => {
    const pipeline = await fresh()
    const won = await closed(pipeline, 'won')
    await remove(pipeline)
    const there = stageIn(pipeline, 0).id
    const archived = await readPipeline(api.ctx, pipeline.id)
    for (const [method, path, body] of [
      ['PATCH', `/api/pipelines/${pipeline.id}`, { name: 'X', version: archived.version }],
      ['POST', `/api/pipelines/${pipeline.id}/stages`, { label: 'X' }],
      ['DELETE', `/api/pipelines/${pipeline.id}/stages/${there}`, undefined],
      ['POST', `/api/pipelines/${pipeline.id}/preview`, { name: 'X' }],
      ['DELETE', `/api/pipelines/${pipeline.id}`, undefined],
    ] as const) {
      expect(await api.json(method, path, body), `${method} ${path}`).toMatchObject({
        status: 409,
        body: { code: 'pipeline_archived' },
      })
    }
    const other = await makeDeal(api.ctx)
    const lost = stageIn(pipeline, 'lost').id
    for (const answer of [
      await api.json('POST', '/api/deals', { name: 'Late', pipeline_id: pipeline.id }),
      await api.json('POST', '/api/deals', { name: 'Late', stage_id: there }),
      await api.json('POST', `/api/opportunities/${other.id}/move`, { stage_id: there }),
      await api.json('POST', `/api/opportunities/${other.id}/close`, { stage_id: lost }),
      await api.json('POST', `/api/opportunities/${won.id}/reopen`, { stage_id: there }),
      await api.json('PATCH', `/api/deals/${other.id}`, { stage_id: there, version: other.version }),
      await api.json('PATCH', `/external/v1/opportunities/${other.id}/stage`, { stage_id: there }),
      await api.json('POST', '/api/bulk', {
        kind: 'deal',
        ids: [other.id],
        act: 'move',
        input: { stage_id: there },
      }),
    ]) {
      expect(answer).toMatchObject({
        status: 409,
        body: {
          code: 'pipeline_archived',
          detail: expect.stringContaining('“Old”'),
          pipeline_id: pipeline.id,
          pipeline: 'Old',
        },
      })
    }
    expect(await unattached()).toBe(0)

    const restored = await api.json('POST', `/api/pipelines/${pipeline.id}/restore`)
    expect(restored).toMatchObject({ status: 200, body: { archived_at: null, is_default: false } })
    expect((await api.json('POST', `/api/pipelines/${pipeline.id}/restore`)).body).toEqual(restored.body)
    const reopened = await api.json('POST', `/api/opportunities/${won.id}/reopen`, {})
    expect(reopened).toMatchObject({ status: 200, body: { pipeline_id: pipeline.id } })
  })

  test('a closed card that is reopened when its pipeline is gone goes where new ones go: nothing is unattached', async () => {
    const pipeline = await fresh()
    const won = await closed(pipeline, 'won')
    await remove(pipeline)
    const reopened = await api.json('POST', `/api/opportunities/${won.id}/reopen`, {})
    const { id } = await defaultPipeline(api.ctx, 'deal')
    expect(reopened).toMatchObject({ status: 200, body: { pipeline_id: id, stage: { kind: 'open' } } })
    expect(await unattached()).toBe(0)
  })

  test('the database itself refuses an open card in an archived pipeline', async () => {
    const pipeline = await fresh()
    await remove(pipeline)
    const { id } = await makeDeal(api.ctx)
    const sneaking = inTx(
      api.ctx,
      ({ tx, organization_id }) => tx`
        update opportunities set pipeline_id = ${pipeline.id}, stage_id = ${stageIn(pipeline, 0).id}
        where organization_id = ${organization_id} and id = ${id}`,
    )
    await expect(sneaking).rejects.toMatchObject({ constraint_name: 'opportunities_pipeline_in_use' })
  })

  test('it is taken back, empty as it was', async () => {
    const pipeline = await fresh()
    await remove(pipeline)
    const { data } = await listActivities(api.ctx, {
      subject: { kind: 'pipeline', id: pipeline.id },
      limit: 1,
    })
    await undoActivity(api.ctx, data[0]!.id)
    expect(await getPipeline(api.ctx, pipeline.id)).toMatchObject({ name: 'Old', stages: pipeline.stages })
  })
})
