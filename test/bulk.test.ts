import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listBulkRows, type NewBulk } from '../db/bulk.ts'
import { bulkWork } from '../db/bulk-work.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const { start, work, read, done, rows, fill, countLeads } = bulksOf(() => api)
const makeLeads = async (
  count: number,
  fields: Parameters<typeof makeLead>[1] = {},
): Promise<Opportunity[]> => {
  const leads: Opportunity[] = []
  for (let n = 0; n < count; n++) leads.push(await makeLead(ctx, fields))
  return leads
}
const idsOf = (leads: Opportunity[]) => leads.map(({ id }) => id)
const again = (leads: Opportunity[]) => Promise.all(leads.map(({ id }) => getOpportunity(ctx, id)))

describe('F20: one act on many records', () => {
  test('F20: an id is one record, however it is spelled', async () => {
    const [lead] = await makeLeads(1)
    const ids = [lead!.id, lead!.id.toUpperCase()]
    const bulk = await done({ kind: 'lead', ids, act: 'update', input: { city: 'Kiel' } })
    expect(bulk).toMatchObject({ progress: { total: 1 }, counts: { changed: 1 } })
  })

  test('F20: twenty leads change their owner at once; each says so on its own timeline, in the name of who asked', async () => {
    const leads = await makeLeads(20)
    const owner_id = api.owner.user_id
    const bulk = await done({ kind: 'lead', ids: idsOf(leads), act: 'assign', input: { owner_id } })
    expect(bulk).toMatchObject({
      status: 'done',
      progress: { done: 20, total: 20 },
      counts: { changed: 20, unchanged: 0, skipped: 0, failed: 0 },
    })
    expect((await again(leads)).every((lead) => lead.owner_id === owner_id)).toBe(true)
    for (const { id } of leads) {
      const { data } = await listTimeline(ctx, { kind: 'lead', id }, { limit: 1 })
      expect(data[0]).toMatchObject({
        type: 'record_updated',
        actor: { kind: 'api_key' },
        reason: 'bulk',
        data: { bulk_id: bulk.id, changes: [{ field: 'owner_id', before: null, after: owner_id }] },
      })
    }
    const finished = await api.json('GET', '/api/activities?limit=1')
    expect(finished.body.data[0]).toMatchObject({
      type: 'bulk_finished',
      subjects: [{ kind: 'bulk', id: bulk.id }],
      data: { counts: { changed: 20 } },
    })
  })

  test('F20: a dry run says for each record what would be, and keeps nothing', async () => {
    const leads = await makeLeads(3, { city: 'Berlin' })
    await updateLead(ctx, leads[2]!.id, { city: 'Kiel' })
    const before = await again(leads)
    const bulk = await done({
      kind: 'lead',
      ids: idsOf(leads),
      act: 'update',
      input: { city: 'Kiel' },
      dry_run: true,
    })
    expect(bulk).toMatchObject({ dry_run: true, status: 'done', counts: { changed: 2, unchanged: 1 } })
    expect(await rows(bulk, '&result=changed')).toMatchObject(
      leads.slice(0, 2).map(({ id, name }) => ({
        record: { kind: 'lead', id, name },
        changes: [{ field: 'city', before: 'Berlin', after: 'Kiel' }],
        activity_ids: [],
      })),
    )
    expect(await again(leads)).toEqual(before)
    const { data } = await listTimeline(ctx, { kind: 'lead', id: leads[0]!.id }, { limit: 5 })
    expect(data.map(({ type }) => type)).toEqual(['lead_imported'])
    expect(await api.json('POST', `/api/bulk/${bulk.id}/undo`)).toMatchObject({
      status: 409,
      body: { code: 'not_undoable' },
    })
  })

  test('F20: one bad record fails alone, one that is archived is skipped, and the rows say why', async () => {
    const { ctx: other } = await api.other()
    const theirs = await makeLead(other)
    const leads = await makeLeads(4)
    const taken = await makeLead(ctx, { external_id: 'taken' })
    await api.json('POST', '/api/bulk', { kind: 'lead', ids: [leads[3]!.id], act: 'archive' })
    await inTx(ctx, ({ tx }) => tx`update opportunities set archived_at = now() where id = ${leads[3]!.id}`)
    const bulk = await done({
      kind: 'lead',
      ids: [leads[0]!.id, theirs.id, leads[3]!.id, leads[1]!.id],
      act: 'update',
      input: { external_id: 'only one', source: 'fair' },
    })
    expect(bulk.counts).toEqual({ changed: 1, unchanged: 0, skipped: 1, failed: 2 })
    expect((await rows(bulk)).map(({ result, problem }: any) => [result, problem?.code])).toEqual([
      ['changed', undefined],
      ['failed', 'lead_not_found'],
      ['skipped', 'record_archived'],
      ['failed', 'external_id_taken'],
    ])
    expect((await getOpportunity(ctx, leads[1]!.id)).source).toBeNull()
    expect((await getOpportunity(other, theirs.id)).external_id).toBeNull()
    expect(taken.external_id).toBe('taken')
  })

  test('F20: everything that matches a filter when it begins; what matches later is not touched', async () => {
    await fill(250, 'trade fair')
    const filter = { and: [{ field: 'source', op: 'eq' as const, value: 'trade fair' }] }
    const bulk = await start({ kind: 'lead', filter, act: 'add_tags', input: { tags: ['fair'] } })
    bulkWork.chunk = 50
    const stopping = new AbortController()
    stopping.abort()
    await work(bulk, stopping.signal)
    await fill(10, 'trade fair')
    await work(bulk)
    expect(await read(bulk)).toMatchObject({
      status: 'done',
      selection: { filter },
      progress: { done: 250, total: 250 },
      counts: { changed: 250 },
    })
    expect(await countLeads({ source: 'trade fair', tags: ['fair'] })).toBe(250)
  })

  test('F20: leads are moved, closed, reopened, tagged, archived and restored in bulk', async () => {
    const leads = await makeLeads(3, { tags: ['old'] })
    const ids = idsOf(leads)
    const { stages } = await defaultPipeline(ctx, 'lead')
    const lost = stages.find(({ kind }) => kind === 'lost')!
    const [reason] = (await api.json('GET', '/api/discard-reasons')).body.data
    const act = async (name: string, input: object = {}) =>
      (await done({ kind: 'lead', ids, act: name as NewBulk['act'], input: { ...input } })).counts.changed
    expect(await act('move', { stage_id: stages[2]!.id })).toBe(3)
    expect((await again(leads)).every(({ stage_id }) => stage_id === stages[2]!.id)).toBe(true)
    expect(await act('remove_tags', { tags: ['old'] })).toBe(3)
    expect(await act('add_tags', { tags: ['new', 'vip'] })).toBe(3)
    expect((await again(leads)).map(({ tags }) => tags)).toEqual(ids.map(() => ['new', 'vip']))
    expect(await act('close', { outcome: 'lost', discard_reason_id: reason.id })).toBe(3)
    expect((await again(leads)).every(({ stage_id }) => stage_id === lost.id)).toBe(true)
    const twice = await done({
      kind: 'lead',
      ids,
      act: 'close',
      input: { outcome: 'lost', discard_reason_id: reason.id },
    })
    expect(twice.counts).toMatchObject({ changed: 0, skipped: 3 })
    expect(await act('reopen')).toBe(3)
    expect(await act('archive')).toBe(3)
    expect(await act('restore')).toBe(3)
    expect(
      (await again(leads)).every(({ archived_at, stage }) => !archived_at && stage.kind === 'open'),
    ).toBe(true)
  })
})

describe('F20: one click takes it back', () => {
  test('F20: every value that nobody changed since; the others are named and stay', async () => {
    const leads = await makeLeads(4, { city: 'Berlin', source: 'web' })
    const bulk = await done({
      kind: 'lead',
      ids: idsOf(leads),
      act: 'update',
      input: { city: 'Kiel', source: 'fair' },
    })
    await updateLead(ctx, leads[1]!.id, { city: 'Bremen' })
    await updateLead(ctx, leads[2]!.id, { city: 'Bremen', source: 'ad' })
    const { status, body: undo } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
    expect([status, undo]).toMatchObject([202, { act: 'undo', undo_of: bulk.id }])
    expect((await api.json('POST', `/api/bulk/${bulk.id}/undo`)).body).toMatchObject({
      code: 'already_undone',
    })
    await work(undo)
    expect((await again(leads)).map(({ city, source }) => [city, source])).toEqual([
      ['Berlin', 'web'],
      ['Bremen', 'web'],
      ['Bremen', 'ad'],
      ['Berlin', 'web'],
    ])
    expect(await read(undo)).toMatchObject({ status: 'done', counts: { changed: 3, skipped: 1 } })
    expect((await rows(undo)).map(({ problem }: any) => problem?.message ?? null)).toEqual([
      null,
      'Kept, because somebody changed it since: city.',
      expect.stringContaining('city and source'),
      null,
    ])
    expect(await read(bulk)).toMatchObject({ status: 'undone', undone_by: undo.id })
  })

  test('F20: an undo is taken back the same way', async () => {
    const leads = await makeLeads(3, { city: 'Berlin' })
    const bulk = await done({ kind: 'lead', ids: idsOf(leads), act: 'update', input: { city: 'Kiel' } })
    const { body: undo } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
    await work(undo)
    const { body: redo } = await api.json('POST', `/api/bulk/${undo.id}/undo`)
    await work(redo)
    expect((await again(leads)).map(({ city }) => city)).toEqual(['Kiel', 'Kiel', 'Kiel'])
    expect(await read(bulk)).toMatchObject({ status: 'done', undone_by: null })
    const { body: second } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
    await work(second)
    expect((await again(leads)).map(({ city }) => city)).toEqual(['Berlin', 'Berlin', 'Berlin'])
  })
})

describe('F20: what is wrong is said before anything is done', () => {
  const id = '01990000-0000-7000-8000-000000000000'
  test.each([
    ['no records at all', { kind: 'lead', act: 'archive' }, 'selection_missing'],
    ['both ids and a filter', { kind: 'lead', ids: [id], q: 'x', act: 'archive' }, 'selection_twice'],
    [
      'an act that leads have and contacts do not',
      { kind: 'contact', ids: [id], act: 'reopen' },
      'act_of_other_kind',
    ],
    [
      'a field that there is not',
      { kind: 'lead', ids: [id], act: 'update', input: { colour: 'red' } },
      'invalid_input',
    ],
    ['no tag', { kind: 'lead', ids: [id], act: 'add_tags', input: { tags: [] } }, 'invalid_input'],
    [
      'an owner who is nobody',
      { kind: 'lead', ids: [id], act: 'assign', input: { owner_id: id } },
      'owner_unknown',
    ],
    [
      'a filter over a field that there is not',
      { kind: 'lead', filter: { field: 'ownr_id', op: 'is_empty' }, act: 'archive' },
      'unknown_field',
    ],
  ])('%s', async (_, input, code) => {
    const before = (await api.json('GET', '/api/bulk')).body.data.length
    const { status, body } = await api.json('POST', '/api/bulk', input)
    expect([status, body.code]).toEqual([422, code])
    expect(body.errors[0].pointer).toMatch(/^\//)
    expect((await api.json('GET', '/api/bulk')).body.data).toHaveLength(before)
  })

  test('more than 10,000 chosen ids', async () => {
    const ids = Array.from(
      { length: 10_001 },
      (_, n) => `01990000-0000-7000-8000-${String(n).padStart(12, '0')}`,
    )
    const { status, body } = await api.json('POST', '/api/bulk', { kind: 'lead', ids, act: 'archive' })
    expect([status, body.code]).toEqual([422, 'too_many_ids'])
    expect(
      (await start({ kind: 'lead', ids: ids.slice(1), act: 'archive', dry_run: true })).progress.total,
    ).toBe(10_000)
  })

  test('a viewer, and a key that may not write leads, are refused; another tenant’s is not there', async () => {
    const lead = await makeLead(ctx)
    const bulk = await start({ kind: 'lead', ids: [lead.id], act: 'archive', dry_run: true })
    const as = async (key: string, method: string, path: string, body?: object) =>
      (await api.json(method, path, body, { authorization: `Bearer ${key}` })).status
    const viewer = await api.keyFor('viewer')
    expect(await as(viewer, 'POST', '/api/bulk', { kind: 'lead', ids: [lead.id], act: 'archive' })).toBe(403)
    expect(await as(viewer, 'GET', `/api/bulk/${bulk.id}`)).toBe(200)
    const { body: narrow } = await api.json('POST', '/api/api-keys', {
      name: 'Bulk only',
      scopes: ['bulk:write', 'bulk:read'],
    })
    for (const path of ['/cancel', '/undo'])
      expect(await as(narrow.key, 'POST', `/api/bulk/${bulk.id}${path}`)).toBe(403)
    expect(await as(narrow.key, 'POST', '/api/bulk', { kind: 'lead', ids: [lead.id], act: 'archive' })).toBe(
      403,
    )
    expect(await as(narrow.key, 'GET', `/api/bulk/${bulk.id}/rows`)).toBe(403)
    const { ctx: other } = await api.other()
    await expect(listBulkRows(other, bulk.id, { limit: 5 })).rejects.toMatchObject({ code: 'bulk_not_found' })
  })
})
