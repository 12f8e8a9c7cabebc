import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiKey } from '../db/identity.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { Currency } from '../db/lead-fields.ts'
import { createLead } from '../db/leads.ts'
import { minorUnits } from '../db/exchange-rates.ts'
import { processSubmission, storeSubmission } from '../db/submissions.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { asAgent, stageOf } from './cards.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const make = async (fields: Record<string, unknown> = {}) => {
  const { status, body } = await api.json('POST', '/api/leads', { contact_name: 'Ana Ruiz', ...fields })
  expect(status, JSON.stringify(body)).toBe(201)
  return body
}

const linesOf = async (id: string) => (await api.json('GET', `/api/leads/${id}/timeline`)).body.data

describe('F25: the fields of a lead', () => {
  test('are kept as they are said: name of its own, person, company, value in minor units, phone in E.164', async () => {
    const lead = await make({
      name: 'Machines for Brightside',
      contact_name: ' Ana   Ruiz ',
      company_name: 'Brightside',
      title: 'Head of Operations',
      email: 'ANA@brightside.example',
      phone: '(0)20 7946 0018',
      country: 'uk',
      city: 'London',
      state: 'Greater London',
      industry: 'Food',
      website: 'https://brightside.example:8443/about',
      source: 'Trade fair',
      campaign: 'Spring',
      value_minor: 1_250,
      currency: 'KWD',
      tags: [' VIP', 'vip', 'Hot', 'ViP'],
      external_id: 'x-1',
    })
    expect(lead).toMatchObject({
      name: 'Machines for Brightside',
      contact_name: 'Ana Ruiz',
      email: 'ana@brightside.example',
      phone: '+442079460018',
      phone_original: '(0)20 7946 0018',
      country: 'GB',
      industry: 'Food',
      website: 'https://brightside.example:8443/about',
      value_minor: 1_250,
      currency: 'KWD',
      tags: ['VIP', 'Hot'],
      stage: { label: 'New lead' },
      score: expect.any(Number),
      score_formula: 'lead-score/2',
      verdict: null,
      created_at: expect.any(String),
    })
  })

  test('take every currency of ISO 4217 that is in use, and none that is not', () => {
    const accepted = 'AED CHE CLF COU EUR JPY KWD SLE UYW VED XAU XCG XXX ZWG'.split(' ')
    for (const code of accepted) expect([code, Currency.safeParse(code).success]).toEqual([code, true])
    for (const code of ['DEM', 'HRK', 'SLL', 'ZWL', 'eur', 'EURO', '', 'XYZ'])
      expect([code, Currency.safeParse(code).success]).toEqual([code, false])
    expect(['JPY', 'EUR', 'KWD', 'CLF'].map(minorUnits)).toEqual([0, 2, 3, 4])
  })

  test.each([
    [{ value_minor: '1250' }, '/value_minor', /whole number of minor units/],
    [{ value_minor: 12.5 }, '/value_minor', /whole number of minor units/],
    [{ currency: 'DEM' }, '/currency', /ISO 4217/],
    [{ email: 'ana at home' }, '/email', /e-mail address such as/],
    [{ tags: 'vip' }, '/tags', /./],
    [{ score: 99 }, '/score', /./],
  ])('refuse %j at %s and say what they take', async (fields, pointer, message) => {
    const { status, body } = await api.json('POST', '/api/leads', { contact_name: 'Ana', ...fields })
    expect([status, body.code, body.errors[0].pointer]).toEqual([422, 'invalid_input', pointer])
    expect(body.errors[0].message).toMatch(message)
  })
})

describe('F28: a lead is added and edited', () => {
  test('with company, contact, stage, owner and amount; the list shows them', async () => {
    const stage = await stageOf(api.ctx, 'lead', 1)
    const lead = await make({
      company_name: 'Added',
      stage_id: stage.id,
      owner_id: api.owner.user_id,
      value_minor: 5_000,
      currency: 'EUR',
    })
    const filter = encodeURIComponent(JSON.stringify({ field: 'company_name', op: 'eq', value: 'Added' }))
    expect((await api.json('GET', `/api/leads?filter=${filter}`)).body.data).toMatchObject([
      {
        id: lead.id,
        stage: { label: stage.label },
        owner: { name: api.owner.name },
        value_minor: 5_000,
        currency: 'EUR',
      },
    ])
  })

  test('upon the version that was read, with the current one in the refusal', async () => {
    const { id } = await make()
    expect(await api.json('PATCH', `/api/leads/${id}`, { title: 'CEO' })).toMatchObject({ status: 428 })
    expect(
      await api.json('PATCH', `/api/leads/${id}`, { title: 'CEO' }, { 'if-match': '"1"' }),
    ).toMatchObject({ status: 200, body: { title: 'CEO', version: 2 } })
    expect(await api.json('PATCH', `/api/leads/${id}`, { version: 1, title: 'CTO' })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { id, version: 2, title: 'CEO' } },
    })
  })

  test('its stage by the one move: open, lost with a reason, and what an agent may not', async () => {
    const { id } = await make()
    const [second, lost] = [await stageOf(api.ctx, 'lead', 1), await stageOf(api.ctx, 'lead', 'lost')]
    const moved = await api.json('PATCH', `/api/leads/${id}`, { version: 1, stage_id: second.id })
    expect(moved.body).toMatchObject({ stage: { id: second.id }, version: 2 })
    expect(await api.json('PATCH', `/api/leads/${id}`, { version: 2, stage_id: lost.id })).toMatchObject({
      status: 422,
      body: { code: 'discard_reason_required' },
    })
    const [{ id: discard_reason_id }] = (await api.json('GET', '/api/discard-reasons')).body.data
    expect(
      await api.json('PATCH', `/api/leads/${id}`, {
        version: 2,
        stage_id: lost.id,
        discard_reason_id,
        discard_note: 'Bought elsewhere',
      }),
    ).toMatchObject({ status: 200, body: { lost_at: expect.any(String), discard_note: 'Bought elsewhere' } })
    await expect(
      createLead(asAgent(api.ctx), { contact_name: 'Bo', stage_id: lost.id }, { door: 'agent' }),
    ).rejects.toMatchObject({ code: 'reason_required' })
  })
})

describe('a lead in the archive', () => {
  test('leaves list and board, keeps its address and its timeline, and comes back', async () => {
    const { id } = await make({ company_name: 'Put away' })
    const listed = async () => (await api.json('GET', '/api/leads?q=put%20away')).body.data.length
    expect(await listed()).toBe(1)
    for (let n = 0; n < 2; n++) expect((await api.json('DELETE', `/api/leads/${id}`)).status).toBe(204)
    expect(await listed()).toBe(0)
    expect((await api.json('GET', `/api/leads/${id}`)).body.archived_at).toEqual(expect.any(String))
    expect((await api.json('POST', `/api/leads/${id}/restore`)).body).toMatchObject({
      archived_at: null,
      version: 3,
    })
    expect(await listed()).toBe(1)
    const [restored, archived] = await linesOf(id)
    expect([restored.type, archived.type]).toEqual(['record_restored', 'record_archived'])
    await undoActivity(api.ctx, restored.id)
    expect(await listed()).toBe(0)
  })

  test('what was made by hand is taken back into it; what came in at a door is not', async () => {
    const made = await make()
    const [line] = await linesOf(made.id)
    expect(line).toMatchObject({ type: 'lead_imported', undoable: true })
    await undoActivity(api.ctx, line.id)
    expect((await api.json('GET', `/api/leads/${made.id}`)).body.archived_at).toEqual(expect.any(String))
  })

  test('elsewhere is nowhere', async () => {
    const other = await api.other()
    const theirs = await createLead(other.ctx, { contact_name: 'Theirs' }, { door: 'ui' })
    for (const [method, path] of [
      ['DELETE', ''],
      ['POST', '/restore'],
      ['GET', '/timeline'],
    ] as const)
      expect((await api.json(method, `/api/leads/${theirs.id}${path}`)).status).toBe(404)
  })
})

describe('F90: where a lead came from', () => {
  test('is the door and the raw submission, for good; the source is a label that may change', async () => {
    const source = await createSource(api.ctx, { name: 'Website form' })
    const open = await openSource(api.ctx.db, api.ctx.organization_id, source.id)
    const payload = { name: 'Cy Moss', email: 'cy@moss.example', source: 'Newsletter', campaign: 'Spring' }
    const { submission_id } = await storeSubmission(api.ctx.db, open!, {
      content_type: 'application/json',
      raw: Buffer.from(JSON.stringify(payload)),
      payload,
    })
    await processSubmission(api.ctx.db, api.ctx.organization_id, submission_id)
    const [lead] = (await api.json('GET', '/api/leads?q=moss')).body.data
    const origin = { door: 'webhook', submission_id, source_id: source.id }
    expect(lead).toMatchObject({ source: 'Newsletter', campaign: 'Spring', origin })
    const path = `/api/leads/${lead.id}`
    expect(await api.json('PATCH', path, { version: lead.version, origin: { door: 'ui' } })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/origin' }] },
    })
    const changed = await api.json('PATCH', path, { version: lead.version, source: 'Referral' })
    expect(changed.body).toMatchObject({ source: 'Referral', origin })
    expect((await linesOf(lead.id)).at(-1)).toMatchObject({
      type: 'lead_imported',
      undoable: false,
      data: { door: 'webhook', submission_id },
    })
  })

  test('by hand, by a key and by an agent are told apart', async () => {
    expect((await make()).origin).toEqual({ door: 'api' })
    const byAgent = await createLead(asAgent(api.ctx), { contact_name: 'Bo' }, { door: 'agent' })
    expect(byAgent.origin).toEqual({ door: 'agent' })
    const filter = encodeURIComponent(JSON.stringify({ field: 'door', op: 'eq', value: 'agent' }))
    expect((await api.json('GET', `/api/leads?filter=${filter}`)).body.data).toMatchObject([
      { id: byAgent.id },
    ])
  })
})

test('a key for leads works deals too, and neither accounts nor contacts', async () => {
  const { key } = await createApiKey(api.ctx, {
    name: 'Cards',
    scopes: ['leads:read', 'leads:write'],
    user_id: api.owner.user_id,
  })
  const as = { authorization: `Bearer ${key}` }
  expect((await api.json('POST', '/api/deals', { name: 'By key' }, as)).status).toBe(201)
  for (const noun of ['accounts', 'contacts'])
    expect((await api.json('POST', `/api/${noun}`, { name: 'By key' }, as)).status).toBe(403)
})
