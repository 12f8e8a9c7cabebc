import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { startBulk } from '../db/bulk.ts'
import { undoBulk } from '../db/bulk-undo.ts'
import { workBulk } from '../db/bulk-work.ts'
import { fillBlanks } from '../db/lead-enrichment.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { archiveRecord } from '../db/records.ts'
import { setLevel } from '../db/policies.ts'
import { listTimeline } from '../db/timeline.ts'
import { openApi, type ApiWorld } from './api.ts'
import { closedDealAt, makeDeal, stageOf } from './cards.ts'
import { makeLead, putToWork } from './worked-lead.ts'
import { defaultPipeline } from '../db/pipelines.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

test('F20: what is archived is changed by no door, each says to restore it first; restored, it is changed again', async () => {
  const { ctx } = api
  const [lead, deal] = [await makeLead(ctx, { external_id: 'crm-7' }), await makeDeal(ctx)]
  const lost = await closedDealAt(ctx, await defaultPipeline(ctx, 'deal'), 'lost')
  const account = await createAccount(ctx, { name: 'Quay Foods' })
  const contact = await createContact(ctx, { name: 'Jo Quay' })
  const records = [
    ['lead', lead.id],
    ['deal', deal.id],
    ['deal', lost.id],
    ['account', account.id],
    ['contact', contact.id],
  ] as const
  for (const [kind, id] of records) await archiveRecord(ctx, { kind, id })
  const [next, entry] = [await stageOf(ctx, 'deal', 1), await stageOf(ctx, 'lead', 1)]
  const versionOf = async (path: string) => (await api.json('GET', path)).body.version
  const doors: [method: string, path: string, body: Record<string, unknown>][] = [
    ...records.map(([kind, id]): (typeof doors)[number] => [
      'PATCH',
      `/api/${kind}s/${id}`,
      { name: 'Another name' },
    ]),
    ['PATCH', `/api/opportunities/${lead.id}`, { owner_id: api.owner.user_id }],
    ['PATCH', `/api/leads/${lead.id}`, { stage_id: entry.id }],
    ['POST', `/api/opportunities/${deal.id}/move`, { stage_id: next.id }],
    ['POST', `/api/opportunities/${deal.id}/close`, { outcome: 'won' }],
    ['POST', `/api/opportunities/${lost.id}/reopen`, {}],
    ['POST', `/api/opportunities/${lost.id}/move`, { stage_id: next.id }],
    ['POST', `/api/opportunities/${lead.id}/milestones`, { milestone: 'accepted_at' }],
    ['PATCH', `/external/v1/opportunities/${deal.id}/stage`, { stage_id: next.id }],
    ['PATCH', `/external/v1/opportunities/${deal.id}`, { title: 'Buyer' }],
    ['PATCH', `/external/v1/leads/${lead.id}`, { title: 'Buyer' }],
    ['PATCH', `/external/v1/accounts/${account.id}`, { industry: 'Food' }],
    ['PATCH', `/external/v1/contacts/${contact.id}`, { title: 'Buyer' }],
  ]
  const before = await Promise.all(records.map(([kind, id]) => api.json('GET', `/api/${kind}s/${id}`)))
  for (const [method, path, body] of doors) {
    const version =
      method === 'PATCH' && path.startsWith('/api/') ? { version: await versionOf(path) } : undefined
    expect(await api.json(method, path, { ...body, ...version }), `${method} ${path}`).toMatchObject({
      status: 409,
      body: {
        code: 'record_archived',
        detail: expect.stringMatching(/ is archived\. Restore it first /),
        archived_at: expect.any(String),
        restore: expect.stringMatching(/^\/api\/(leads|deals|accounts|contacts)\/.+\/restore$/),
      },
    })
  }
  expect(await Promise.all(records.map(([kind, id]) => api.json('GET', `/api/${kind}s/${id}`)))).toEqual(
    before,
  )

  for (const [kind, id] of records)
    expect(await api.json('POST', `/api/${kind}s/${id}/restore`)).toMatchObject({
      status: 200,
      body: { archived_at: null },
    })
  for (const [method, path, body] of doors.filter(([, path]) => !path.endsWith('/close'))) {
    const version =
      method === 'PATCH' && path.startsWith('/api/') ? { version: await versionOf(path) } : undefined
    const { status } = await api.json(method, path, { ...body, ...version })
    // Reopened by the first of the two, the other one moves it.
    expect(status, `${method} ${path}`).toBe(200)
  }
})

test('F20: an agent is refused at once when the card is archived, and nothing waits for a person', async () => {
  const { ctx } = api
  const lead = await makeLead(ctx)
  for (const tool of [
    'update_lead',
    'assign_owner',
    'close_opportunity',
    'set_forecast_category',
    'move_stage',
  ])
    await setLevel(ctx, { agent: 'lead_worker', tool, level: 'act' })
  const { call } = await putToWork(api, lead.id)
  await archiveRecord(ctx, { kind: 'lead', id: lead.id })
  const [reason, opportunity_id, lead_id] = ['They asked', lead.id, lead.id]
  const stage = await stageOf(ctx, 'lead', 1)
  for (const [tool, input] of [
    ['move_stage', { lead_id, stage_id: stage.id, reason }],
    ['close_opportunity', { opportunity_id, outcome: 'won', reason }],
    ['set_forecast_category', { opportunity_id, forecast_category: 'commit', reason }],
    ['assign_owner', { opportunity_id, owner_id: null, reason }],
    ['update_lead', { lead_id, values: { city: 'Kiel' }, reason }],
  ] as const)
    expect(JSON.stringify((await call(tool, input)).output), tool).toContain('Restore it first')
  await expect(
    fillBlanks(ctx, lead_id, [
      { field: 'city', value: 'Kiel', origin: { kind: 'url', url: 'https://a.example' } },
    ]),
  ).rejects.toMatchObject({ code: 'record_archived' })
  expect((await getOpportunity(ctx, lead_id)).pending_approvals).toBe(0)
})

test('F20: undo waits until the record is restored, whose own undo works; a bulk undo skips what is archived', async () => {
  const { ctx } = api
  const lead = await makeLead(ctx, { city: 'Berlin' })
  await updateLead(ctx, lead.id, { city: 'Kiel' })
  await moveOpportunity(ctx, lead.id, { stage_id: (await stageOf(ctx, 'lead', 1)).id })
  const lines = async () =>
    (await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 20 })).data.map(({ id, type }) => ({
      id,
      type,
    }))
  const undo = (id: string) => api.json('POST', `/api/activities/${id}/undo`)
  await archiveRecord(ctx, { kind: 'lead', id: lead.id })
  const [archived, moved, updated] = await lines()
  for (const line of [moved, updated])
    expect(await undo(line!.id)).toMatchObject({ status: 409, body: { code: 'record_archived' } })
  expect((await undo(archived!.id)).status).toBe(200)
  for (const line of [moved, updated]) expect((await undo(line!.id)).status).toBe(200)
  expect(await getOpportunity(ctx, lead.id)).toMatchObject({ city: 'Berlin', stage_id: lead.stage_id })

  const bulk = await startBulk(ctx, { kind: 'lead', ids: [lead.id], act: 'update', input: { city: 'Bonn' } })
  await workBulk(api.db, ctx.organization_id, bulk.id)
  await archiveRecord(ctx, { kind: 'lead', id: lead.id })
  const back = await undoBulk(ctx, bulk.id)
  await workBulk(api.db, ctx.organization_id, back.id)
  expect((await api.json('GET', `/api/bulk/${back.id}/rows`)).body.data).toMatchObject([
    { result: 'skipped', problem: { code: 'record_archived' } },
  ])
})
