import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { createDeal, updateDeal } from '../db/deals.ts'
import { createDiscardReason } from '../db/discard-reasons.ts'
import { setExchangeRate } from '../db/exchange-rates.ts'
import { createField } from '../db/fields.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { lockRecord, updateRecord } from '../db/record-updates.ts'
import { inTx } from '../db/context.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal, stageOf } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const NOBODY = '01990000-0000-7000-8000-000000000000'
const linesOf = async (id: string) => (await api.json('GET', `/api/deals/${id}/timeline`)).body.data

describe('F40: a deal', () => {
  test('is created with account, contacts, pipeline and stage, and one primary contact', async () => {
    const { id: account_id } = await createAccount(api.ctx, { name: 'Brightside' })
    const [ana, bo] = [
      await createContact(api.ctx, { name: 'Ana' }),
      await createContact(api.ctx, { name: 'Bo' }),
    ]
    const { id: pipeline_id } = await defaultPipeline(api.ctx, 'deal')
    const stage = await stageOf(api.ctx, 'deal', 1)
    const { status, body } = await api.json('POST', '/api/deals', {
      name: 'Machines for 12 cafés',
      account_ids: [account_id],
      contact_ids: [bo.id, ana.id],
      pipeline_id,
      stage_id: stage.id,
      owner_id: api.owner.user_id,
      value_minor: 1_850_000,
      currency: 'JPY',
      expected_close_on: '2027-03-31',
      forecast_category: 'best_case',
      tags: ['hot'],
      source: 'Referral',
    })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      kind: 'deal',
      name: 'Machines for 12 cafés',
      account_ids: [account_id],
      contact_ids: [bo.id, ana.id],
      pipeline_id,
      stage: { id: stage.id, label: 'Appointment set' },
      owner: { id: api.owner.user_id },
      value_minor: 1_850_000,
      currency: 'JPY',
      expected_close_on: '2027-03-31',
      forecast_category: 'best_case',
      tags: ['hot'],
      origin: { door: 'api' },
      version: 1,
    })
    const people = (await api.json('GET', `/api/opportunities/${body.id}/contacts`)).body.data
    expect(people.map(({ name, link }: any) => [name, link.is_primary])).toEqual([
      ['Ana', false],
      ['Bo', true],
    ])
    expect(await linesOf(body.id)).toMatchObject([
      { type: 'record_created', data: { kind: 'deal', door: 'api', contact_ids: [bo.id, ana.id] } },
    ])
  })

  test('stands at the entry of the default pipeline unless told otherwise; the stage alone says the pipeline', async () => {
    const entry = await stageOf(api.ctx, 'deal', 0)
    expect((await api.json('POST', '/api/deals', { name: 'Plain' })).body).toMatchObject({
      stage_id: entry.id,
      currency: 'EUR',
    })
    const made = (await api.json('POST', '/api/pipelines', { name: 'Upsell', record_kind: 'deal' })).body
    const stage_id = made.stages[0].id
    expect((await api.json('POST', '/api/deals', { name: 'Upsell', stage_id })).body).toMatchObject({
      pipeline_id: made.id,
      stage_id,
    })
    expect(
      await api.json('POST', '/api/deals', { name: 'X', pipeline_id: made.id, stage_id: entry.id }),
    ).toMatchObject({ status: 422, body: { code: 'stage_of_other_pipeline' } })
    const leads = await stageOf(api.ctx, 'lead', 0)
    expect(await api.json('POST', '/api/deals', { name: 'X', stage_id: leads.id })).toMatchObject({
      status: 422,
      body: { code: 'pipeline_of_other_kind', errors: [{ pointer: '/stage_id' }] },
    })
    expect(
      await api.json('POST', '/api/deals', {
        name: 'X',
        pipeline_id: (await defaultPipeline(api.ctx, 'lead')).id,
      }),
    ).toMatchObject({
      status: 422,
      body: { code: 'pipeline_of_other_kind', errors: [{ pointer: '/pipeline_id' }] },
    })
  })

  test('F89: takes name, amount, stage, close date, owner, custom values and associations in one call; an unknown stage or owner is said, never replaced', async () => {
    const stage = await stageOf(api.ctx, 'deal', 2)
    const [field, account, contact] = await Promise.all([
      api.json('POST', '/api/fields', {
        record_kind: 'deal',
        key: 'places',
        label: 'Places',
        type: 'integer',
      }),
      api.json('POST', '/api/accounts', { name: 'Brightside' }),
      api.json('POST', '/api/contacts', { name: 'Ana Ruiz' }),
    ])
    expect([field.status, account.status, contact.status]).toEqual([201, 201, 201])
    const row = {
      name: 'Machines',
      value_minor: 1_850_000,
      currency: 'USD',
      stage_id: stage.id,
      expected_close_on: '2027-03-31',
      owner_id: api.owner.user_id,
      source: 'Trade fair',
      tags: ['spring'],
      external_id: 'row-1',
      custom: { places: 40 },
      account_ids: [account.body.id],
      contact_ids: [contact.body.id],
    }
    const { body } = await api.json('POST', '/api/deals', row)
    expect(body).toMatchObject(row)
    const before = (await api.json('GET', '/api/deals?limit=200')).body.data.length
    for (const [wrong, status, code] of [
      [{ stage_id: NOBODY }, 404, 'stage_not_found'],
      [{ owner_id: NOBODY }, 422, 'owner_unknown'],
      [{ account_ids: [NOBODY] }, 422, 'account_not_found'],
      [{ contact_ids: [NOBODY] }, 422, 'contact_not_found'],
      [{ custom: { place: 40 } }, 422, 'unknown_field'],
    ] as const) {
      // What is refused one by one.
      const refused = await api.json('POST', '/api/deals', { ...row, external_id: 'row-2', ...wrong })
      expect([wrong, refused.status, refused.body.code]).toEqual([wrong, status, code])
    }
    expect((await api.json('GET', '/api/deals?limit=200')).body.data).toHaveLength(before)
  })

  test('made in a closed stage is closed by the one closing there is', async () => {
    const [won, lost] = [await stageOf(api.ctx, 'deal', 'won'), await stageOf(api.ctx, 'deal', 'lost')]
    const closed = await api.json('POST', '/api/deals', { name: 'Signed', stage_id: won.id, value_minor: 5 })
    expect(closed.body).toMatchObject({ stage_id: won.id, won_at: expect.any(String), base_value_minor: 5 })
    expect(await api.json('POST', '/api/deals', { name: 'Gone', stage_id: lost.id })).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_required' },
    })
    const { id: discard_reason_id } = await createDiscardReason(api.ctx, { label: 'No budget this year' })
    const gone = await api.json('POST', '/api/deals', { name: 'Gone', stage_id: lost.id, discard_reason_id })
    expect(gone.body).toMatchObject({ lost_at: expect.any(String), discard_reason_id })
    const all = (await api.json('GET', '/api/deals?q=Gone')).body.data
    expect(all).toHaveLength(1)
  })

  test.each([
    [{ name: '' }, '/name'],
    [{}, '/name'],
    [{ name: 'x', value_minor: '1850' }, '/value_minor'],
    [{ name: 'x', value_minor: 18.5 }, '/value_minor'],
    [{ name: 'x', value_minor: -1 }, '/value_minor'],
    [{ name: 'x', value_minor: 2 ** 53 }, '/value_minor'],
    [{ name: 'x', currency: 'eur' }, '/currency'],
    [{ name: 'x', expected_close_on: '2027-02-30' }, '/expected_close_on'],
    [{ name: 'x', forecast_category: 'surely' }, '/forecast_category'],
    [{ name: 'x', contact_ids: ['01990000-0000-7000-8000-000000000000'] }, '/contact_ids'],
    [{ name: 'x', custom: { colour: 'red' } }, '/custom/colour'],
    [{ name: 'x', origin: { door: 'webhook' } }, '/origin'],
  ])('of %j is refused at %s', async (fields, pointer) => {
    const { status, body } = await api.json('POST', '/api/deals', fields)
    expect([status, body.errors?.[0].pointer]).toEqual([422, pointer])
  })

  test('is not found among the leads, nor a lead among the deals', async () => {
    const [deal, lead] = [await makeDeal(api.ctx), await makeLead(api.ctx)]
    expect((await api.json('GET', `/api/leads/${deal.id}`)).status).toBe(404)
    expect((await api.json('PATCH', `/api/deals/${lead.id}`, { version: 1, name: 'x' })).status).toBe(404)
    expect((await api.json('DELETE', `/api/deals/${lead.id}`)).status).toBe(404)
    const { data } = (await api.json('GET', '/api/deals?limit=200')).body
    expect(new Set(data.map(({ kind }: any) => kind))).toEqual(new Set(['deal']))
  })
})

describe('F40: stage and dates are updated as the deal moves', () => {
  test('a change of fields, people and stage goes upon one version, each with its line', async () => {
    const contact = await createContact(api.ctx, { name: 'Ana' })
    const { id } = await makeDeal(api.ctx, { expected_close_on: '2027-01-31' })
    const stage = await stageOf(api.ctx, 'deal', 2)
    const { status, body } = await api.json('PATCH', `/api/deals/${id}`, {
      version: 1,
      expected_close_on: '2027-02-28',
      contact_ids: [contact.id],
      stage_id: stage.id,
      reason: 'They asked for an offer',
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      expected_close_on: '2027-02-28',
      expected_close_slips: 1,
      contact_ids: [contact.id],
      stage: { label: 'Offer made' },
    })
    expect((await linesOf(id)).map(({ type, reason }: any) => [type, reason])).toEqual([
      ['stage_changed', 'They asked for an offer'],
      ['record_linked', 'They asked for an offer'],
      ['record_updated', 'They asked for an offer'],
      ['record_created', undefined],
    ])
    const stale = await api.json('PATCH', `/api/deals/${id}`, { version: 1, stage_id: stage.id })
    expect(stale).toMatchObject({ status: 412, body: { current: { version: body.version } } })
  })

  test('nothing of a change stands when one part of it is refused', async () => {
    const { id } = await makeDeal(api.ctx)
    const lost = await stageOf(api.ctx, 'deal', 'lost')
    const refused = await api.json('PATCH', `/api/deals/${id}`, {
      version: 1,
      name: 'Renamed',
      stage_id: lost.id,
    })
    expect(refused).toMatchObject({ status: 422, body: { code: 'discard_reason_required' } })
    expect(await getOpportunity(api.ctx, id)).toMatchObject({ name: 'Machines for 12 cafés', version: 1 })
  })

  test('another pipeline needs the stage, and says which there are', async () => {
    const { id } = await makeDeal(api.ctx)
    const other = (await api.json('POST', '/api/pipelines', { name: 'Renewals', record_kind: 'deal' })).body
    const path = `/api/deals/${id}`
    const refused = await api.json('PATCH', path, { version: 1, pipeline_id: other.id })
    expect(refused).toMatchObject({ status: 422, body: { code: 'stage_required' } })
    expect(refused.body.errors[0].accepted).toHaveLength(other.stages.length)
    const moved = await api.json('PATCH', path, {
      version: 1,
      pipeline_id: other.id,
      stage_id: other.stages[1].id,
    })
    expect(moved.body).toMatchObject({ pipeline_id: other.id, stage_id: other.stages[1].id })
  })

  test('a closed deal keeps the rate of its day when its value is corrected, and takes a new one with a new currency', async () => {
    await setExchangeRate(api.ctx, 'USD', 0.9)
    await setExchangeRate(api.ctx, 'CHF', 1.05)
    const { id } = await makeDeal(api.ctx, { value_minor: 1_000, currency: 'USD' })
    await closeOpportunity(api.ctx, id, { outcome: 'won' })
    await setExchangeRate(api.ctx, 'USD', 0.5)
    expect(await updateDeal(api.ctx, id, { value_minor: 2_000 })).toMatchObject({
      exchange_rate: 0.9,
      base_value_minor: 1_800,
    })
    expect(await updateDeal(api.ctx, id, { currency: 'CHF' })).toMatchObject({
      exchange_rate: 1.05,
      base_value_minor: 2_100,
    })
  })
})

test('custom values go with a deal, are checked, and are taken back with the rest of a change', async () => {
  await createField(api.ctx, { record_kind: 'deal', key: 'seats', label: 'Seats', type: 'integer' })
  await createField(api.ctx, { record_kind: 'deal', key: 'note', label: 'Remark', type: 'short_text' })
  const made = (await api.json('POST', '/api/deals', { name: 'Custom', custom: { seats: 40 } })).body
  expect(made).toMatchObject({ custom: { seats: 40 }, version: 1 })
  const wrong = await api.json('PATCH', `/api/deals/${made.id}`, { version: 1, custom: { seats: 'many' } })
  expect(wrong).toMatchObject({ status: 422, body: { code: 'invalid_custom_value' } })
  const changed = await api.json('PATCH', `/api/deals/${made.id}`, {
    version: 1,
    name: 'Customised',
    custom: { seats: 60, note: 'by the window' },
  })
  expect(changed.body).toMatchObject({ custom: { seats: 60, note: 'by the window' }, version: 2 })
  expect(changed.body.origins.map(({ field }: any) => field)).toContain('custom.seats')
  const [line] = await linesOf(made.id)
  expect(line.data.changes).toEqual([
    { field: 'name', before: 'Custom', after: 'Customised' },
    { field: 'custom.seats', before: 40, after: 60 },
    { field: 'custom.note', before: null, after: 'by the window' },
  ])
  await undoActivity(api.ctx, line.id)
  expect(await getOpportunity(api.ctx, made.id)).toMatchObject({ name: 'Custom', custom: { seats: 40 } })
})

test('a deal that is archived leaves its column’s totals and comes back into them', async () => {
  const { id } = await createDeal(api.ctx, { name: 'Counted', value_minor: 777 }, { door: 'ui' })
  const { pipeline_id } = await getOpportunity(api.ctx, id)
  const counted = async (): Promise<number> => {
    const { stages } = (await api.json('GET', `/api/board?pipeline_id=${pipeline_id}`)).body
    return stages.reduce((sum: number, { count }: any) => sum + count, 0)
  }
  const before = await counted()
  await api.json('DELETE', `/api/deals/${id}`)
  expect(await counted()).toBe(before - 1)
  await api.json('POST', `/api/deals/${id}/restore`)
  expect(await counted()).toBe(before)
})

describe('a change of a record of any kind', () => {
  test('goes through the kind’s own update, and refuses what that takes nothing of', async () => {
    const deal = await makeDeal(api.ctx)
    const contact = await createContact(api.ctx, { name: 'Ana', phone: '+4930901820' })
    await updateRecord(api.ctx, { kind: 'deal', id: deal.id }, { name: 'Other' }, { reason: 'Because' })
    await updateRecord(
      api.ctx,
      { kind: 'contact', id: contact.id },
      { phone: null, phone_original: 'ask Bo' },
    )
    await inTx(api.ctx, async (ctx) => {
      expect(await lockRecord(ctx, { kind: 'deal', id: deal.id })).toMatchObject({ name: 'Other' })
      expect(await lockRecord(ctx, { kind: 'contact', id: contact.id })).toMatchObject({
        phone: null,
        phone_original: 'ask Bo',
      })
    })
    await expect(
      updateRecord(api.ctx, { kind: 'deal', id: deal.id }, { value_minor: 'much', colour: 1 }),
    ).rejects.toMatchObject({
      kind: 'invalid',
      code: 'invalid_input',
      errors: [{ pointer: '/value_minor' }, {}],
    })
    await expect(
      updateRecord(api.ctx, { kind: 'deal', id: deal.id }, { name: 'x' }, { version: 1 }),
    ).rejects.toMatchObject({ kind: 'stale' })
  })
})
