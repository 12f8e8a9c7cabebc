import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import type { Bulk } from '../db/bulk.ts'
import type { Ctx } from '../db/context.ts'
import { createField } from '../db/fields.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import type { Pipeline } from '../db/pipelines.ts'
import { archiveRecord, restoreRecord } from '../db/records.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { dealAt, stageIn } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const { work, read, done, rows } = bulksOf(() => api)

/** Takes a bulk act back through the front door; answers the undo at its end. */
const undo = async ({ id }: Bulk): Promise<Bulk> => {
  const { status, body } = await api.json('POST', `/api/bulk/${id}/undo`)
  expect([status, body.detail]).toEqual([202, undefined])
  await work(body)
  return read(body)
}
const refusal = async ({ id }: Bulk) => (await api.json('POST', `/api/bulk/${id}/undo`)).body.code
const problems = async (bulk: Bulk): Promise<(string | undefined)[]> =>
  (await rows(bulk)).map(({ problem }: any) => problem?.message)

const makeLeads = (count: number) =>
  Promise.all(Array.from({ length: count }, () => makeLead(ctx, { city: 'Berlin' })))
const citiesOf = (leads: readonly { id: string }[]) =>
  Promise.all(leads.map(async ({ id }) => (await getOpportunity(ctx, id)).city))
const stagesOf = (cards: readonly { id: string }[]) =>
  Promise.all(cards.map(async ({ id }) => (await getOpportunity(ctx, id)).stage_id))
const newest = async (id: string) => (await listTimeline(ctx, { kind: 'deal', id }, { limit: 1 })).data[0]!.id

let n = 0
const openPipeline = (): Promise<Pipeline> => {
  n += 1
  return createPipeline(ctx, { template: 'sales', name: `Undo ${n}` })
}
const fiveDeals = async (pipeline: Pipeline, stage: number) => {
  const deals = []
  for (let i = 0; i < 5; i += 1) deals.push(await dealAt(ctx, pipeline, stage))
  return deals
}
const idsOf = (records: readonly { id: string }[]) => records.map(({ id }) => id)

describe('F20: an undo that could not take everything back is there for what remains', () => {
  test('a pipeline that was deleted meanwhile: restored as told, the cards go back', async () => {
    const [from, to] = [await openPipeline(), await openPipeline()]
    const deals = await fiveDeals(from, 0)
    const moved = await done({
      kind: 'deal',
      ids: idsOf(deals),
      act: 'change_pipeline',
      input: { pipeline_id: to.id },
    })
    expect((await api.json('DELETE', `/api/pipelines/${from.id}`)).status).toBe(204)
    const first = await undo(moved)
    expect(first.counts).toMatchObject({ changed: 0, failed: 5 })
    expect((await problems(first))[0]).toContain('Restore it first')
    expect(await read(moved)).toMatchObject({ status: 'done', undone_by: null })

    expect((await api.json('POST', `/api/pipelines/${from.id}/restore`)).status).toBe(200)
    const second = await undo(moved)
    expect(second.counts).toEqual({ changed: 5, unchanged: 0, skipped: 0, failed: 0 })
    expect(await stagesOf(deals)).toEqual(deals.map(({ stage_id }) => stage_id))
    expect(await read(moved)).toMatchObject({ status: 'undone', undone_by: second.id })
    expect(await refusal(moved)).toBe('already_undone')
  })

  test('a stage that was deleted meanwhile is named, and with it restored the cards go back', async () => {
    const pipeline = await openPipeline()
    const deals = await fiveDeals(pipeline, 1)
    const { id: stage_id, label } = stageIn(pipeline, 1)
    const moved = await done({
      kind: 'deal',
      ids: idsOf(deals),
      act: 'move',
      input: { stage_id: stageIn(pipeline, 2).id },
    })
    const removed = await api.json('DELETE', `/api/pipelines/${pipeline.id}/stages/${stage_id}`)
    expect(removed.status).toBeLessThan(300)
    const first = await undo(moved)
    expect(first.counts).toMatchObject({ changed: 0, failed: 5 })
    const told = `“${label}” of “${pipeline.name}” was deleted since: take that deletion back first, then this.`
    expect(new Set(await problems(first))).toEqual(new Set([told]))
    expect(await api.json('POST', `/api/activities/${await newest(deals[0]!.id)}/undo`)).toMatchObject({
      status: 409,
      body: { code: 'stage_deleted', detail: told },
    })

    const { data } = await listActivities(ctx, { subject: { kind: 'pipeline', id: pipeline.id }, limit: 1 })
    expect((await api.json('POST', `/api/activities/${data[0]!.id}/undo`)).status).toBe(200)
    expect((await undo(moved)).counts).toMatchObject({ changed: 5, failed: 0 })
    expect(await stagesOf(deals)).toEqual(deals.map(() => stage_id))
  })

  test('a card that went on meanwhile is told without ids', async () => {
    const pipeline = await openPipeline()
    const deal = await dealAt(ctx, pipeline, 0)
    await done({ kind: 'deal', ids: [deal.id], act: 'move', input: { stage_id: stageIn(pipeline, 1).id } })
    const line = await newest(deal.id)
    const to = stageIn(pipeline, 2).id
    await done({ kind: 'deal', ids: [deal.id], act: 'move', input: { stage_id: to } })
    expect(await api.json('POST', `/api/activities/${line}/undo`)).toMatchObject({
      status: 409,
      body: {
        errors: [{ pointer: '/stage', message: 'is another one now, which is not what this act left' }],
        changed: [{ field: 'stage', now: to }],
      },
    })
  })

  test('only what still stands is taken back: not what a person took back alone meanwhile, nor twice', async () => {
    const leads = await makeLeads(4)
    const [archived, alone, edited] = idsOf(leads)
    const bulk = await done({ kind: 'lead', ids: idsOf(leads), act: 'update', input: { city: 'Kiel' } })
    await archiveRecord(ctx, { kind: 'lead', id: archived! })
    await updateLead(ctx, edited!, { city: 'Bremen' })
    const line = (await rows(bulk)).find(({ record }: any) => record.id === alone).activity_ids[0]
    expect((await api.json('POST', `/api/activities/${line}/undo`)).status).toBe(200)

    const first = await undo(bulk)
    expect(first).toMatchObject({ progress: { total: 3 }, counts: { changed: 1, skipped: 2 } })
    expect(await read(bulk)).toMatchObject({ status: 'done', undone_by: null })
    await restoreRecord(ctx, { kind: 'lead', id: archived! })
    const second = await undo(bulk)
    expect(second).toMatchObject({ progress: { total: 2 }, counts: { changed: 1, skipped: 1 } })
    expect(await citiesOf(leads)).toEqual(['Berlin', 'Berlin', 'Bremen', 'Berlin'])
    expect(await read(bulk)).toMatchObject({ status: 'undone', undone_by: second.id })

    await updateLead(ctx, edited!, { city: 'Kiel' })
    expect((await undo(bulk)).counts).toMatchObject({ changed: 1, skipped: 0 })
    expect(await citiesOf(leads)).toEqual(['Berlin', 'Berlin', 'Berlin', 'Berlin'])
    expect(await refusal(bulk)).toBe('already_undone')
  })

  test('while one is under way there is no second one', async () => {
    const bulk = await done({
      kind: 'lead',
      ids: idsOf(await makeLeads(1)),
      act: 'update',
      input: { city: 'Kiel' },
    })
    const { body: waiting } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
    expect(await refusal(bulk)).toBe('already_undone')
    await api.json('POST', `/api/bulk/${waiting.id}/cancel`)
    await work(waiting)
    expect((await undo(bulk)).counts.changed).toBe(1)
  })
})

describe('F27: archiving a field loses no history', () => {
  test.each(['lead', 'deal', 'account', 'contact'] as const)(
    'F27: values of a %s are put back although their field is archived, in bulk and one by one, and again',
    async (kind) => {
      const field = await createField(ctx, {
        record_kind: kind,
        key: `tier_${kind}`,
        label: `Tier ${kind}`,
        type: 'short_text',
      })
      const ids: string[] = []
      for (const tier of ['gold', 'silver', 'bronze']) {
        const { status, body } = await api.json('POST', `/api/${kind}s`, {
          name: `Harbour ${tier}`,
          custom: { [field.key]: tier },
        })
        expect([status, body.detail]).toEqual([201, undefined])
        ids.push(body.id)
      }
      const tiers = () =>
        Promise.all(
          ids.map(async (id) => (await api.json('GET', `/api/${kind}s/${id}`)).body.custom[field.key]),
        )
      const bulk = await done({ kind, ids, act: 'update', input: { custom: { [field.key]: 'none' } } })
      const archive = () => api.json('DELETE', `/api/fields/${field.id}`)
      const restore = () => api.json('POST', `/api/fields/${field.id}/restore`)
      expect((await archive()).status).toBeLessThan(300)
      const [line] = (await rows(bulk))[0].activity_ids
      expect((await api.json('POST', `/api/activities/${line}/undo`)).status).toBe(200)
      const first = await undo(bulk)
      expect(first.counts).toEqual({ changed: 2, unchanged: 0, skipped: 0, failed: 0 })
      await restore()
      expect(await tiers()).toEqual(['gold', 'silver', 'bronze'])
      expect(await read(bulk)).toMatchObject({ status: 'undone' })

      await archive()
      const again = await undo(first)
      expect(again.counts.changed).toBe(2)
      expect(
        await api.json('PATCH', `/api/${kind}s/${ids[0]}`, { version: 3, custom: { [field.key]: 'x' } }),
      ).toMatchObject({ status: 422, body: { code: 'field_archived' } })
      await restore()
      expect(await tiers()).toEqual(['gold', 'none', 'none'])
    },
  )
})

describe('F20: an undo of an undo is the act again, and taken back like it', () => {
  test('a → b, undo, undo of that, and undo of that: a again, each time with what it changed', async () => {
    const leads = await makeLeads(3)
    const bulk = await done({ kind: 'lead', ids: idsOf(leads), act: 'update', input: { city: 'Kiel' } })
    const expected = { changed: 3, unchanged: 0, skipped: 0, failed: 0 }
    const chain = [bulk]
    for (const city of ['Berlin', 'Kiel', 'Berlin', 'Kiel', 'Berlin']) {
      const next = await undo(chain.at(-1)!)
      expect([next.counts, await citiesOf(leads)]).toEqual([expected, [city, city, city]])
      expect((await rows(next)).every(({ activity_ids }: any) => activity_ids.length === 1)).toBe(true)
      chain.push(next)
    }
    // The act stands or does not: whichever of its redoings is asked says the same.
    const [, , redo, , again] = chain
    for (const one of [bulk, redo!, again!]) {
      expect((await read(one)).status).toBe('undone')
      expect(await refusal(one)).toBe('already_undone')
    }
    await undo(chain.at(-1)!)
    expect(await citiesOf(leads)).toEqual(['Kiel', 'Kiel', 'Kiel'])
    for (const one of [bulk, redo!, again!])
      expect(await read(one)).toMatchObject({ status: 'done', undone_by: null })
    expect((await undo(redo!)).counts).toEqual(expected)
    expect(await citiesOf(leads)).toEqual(['Berlin', 'Berlin', 'Berlin'])
    for (const one of [bulk, redo!, again!]) expect(await refusal(one)).toBe('already_undone')
  })

  test('sixty cards that are moved', async () => {
    const pipeline = await openPipeline()
    const deals = []
    for (let i = 0; i < 60; i += 1) deals.push(await dealAt(ctx, pipeline, 0))
    const [from, to] = [stageIn(pipeline, 0).id, stageIn(pipeline, 2).id]
    const moved = await done({ kind: 'deal', ids: idsOf(deals), act: 'move', input: { stage_id: to } })
    const redo = await undo(await undo(moved))
    expect(new Set(await stagesOf(deals))).toEqual(new Set([to]))
    const last = await undo(redo)
    expect(last.counts).toEqual({ changed: 60, unchanged: 0, skipped: 0, failed: 0 })
    expect(new Set(await stagesOf(deals))).toEqual(new Set([from]))
    expect(await read(redo)).toMatchObject({ status: 'undone', undone_by: last.id })
    expect(await read(moved)).toMatchObject({ status: 'undone' })
  })

  test('in parts: each undo is taken back by itself, and the act is there for what stands of it', async () => {
    const leads = await makeLeads(3)
    const bulk = await done({ kind: 'lead', ids: idsOf(leads), act: 'update', input: { city: 'Kiel' } })
    await archiveRecord(ctx, { kind: 'lead', id: leads[2]!.id })
    const first = await undo(bulk)
    await restoreRecord(ctx, { kind: 'lead', id: leads[2]!.id })
    const second = await undo(bulk)
    expect(await read(bulk)).toMatchObject({ status: 'undone' })
    await undo(first)
    expect(await citiesOf(leads)).toEqual(['Kiel', 'Kiel', 'Berlin'])
    expect(await read(bulk)).toMatchObject({ status: 'done', undone_by: null })
    await undo(second)
    expect(await citiesOf(leads)).toEqual(['Kiel', 'Kiel', 'Kiel'])
    expect((await undo(bulk)).counts.changed).toBe(3)
    expect(await citiesOf(leads)).toEqual(['Berlin', 'Berlin', 'Berlin'])
  })
})
