import { afterAll, beforeAll, expect, test } from 'vitest'
import { linkEverythingNamed } from '../db/campaign-names.ts'
import type { NewCampaign } from '../db/campaign-fields.ts'
import { createCampaign } from '../db/campaigns.ts'
import { inTx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { createLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const make = async (body: NewCampaign) => {
  const answer = await api.json('POST', '/api/campaigns', body)
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body
}
const change = (id: string, body: object) => api.json('PATCH', `/api/campaigns/${id}`, body)
const leadOf = (campaign: string, more: object = {}) =>
  createLead(api.ctx, { contact_name: 'Ana Ruiz', campaign, ...more }, { door: 'api' })
const idsOf = async (filter: object) =>
  (await api.json('GET', `/api/leads?filter=${encodeURIComponent(JSON.stringify(filter))}`)).body.data.map(
    ({ id }: { id: string }) => id,
  )

test('F67: a campaign is made, read, changed, archived and restored, each with its line and its way back', async () => {
  const made = await make({
    name: 'Spring Fair 2026',
    aliases: ['SF26', 'spring fair 2026', 'sf26'],
    channel: 'event',
    starts_on: '2026-03-01',
    ends_on: '2026-03-05',
    budget_minor: 500_000,
    costs: [
      { on: '2026-03-02', amount_minor: 50_000 },
      { on: '2026-03-01', amount_minor: 250_000 },
    ],
    owner_id: api.owner.user_id,
    external_id: 'mk-1',
  })
  expect(made).toMatchObject({
    slug: 'spring-fair-2026',
    // What the name says already is no other name.
    aliases: ['SF26', 'spring fair 2026'],
    status: 'active',
    currency: 'EUR',
    cost_minor: 300_000,
    costs: [{ on: '2026-03-01' }, { on: '2026-03-02' }],
    owner: { id: api.owner.user_id },
    version: 1,
  })
  expect((await change(made.id, { status: 'ended' })).status).toBe(428)
  const ended = await change(made.id, {
    version: 1,
    status: 'ended',
    budget_minor: null,
    reason: 'It is over',
  })
  expect(ended).toMatchObject({ status: 200, body: { status: 'ended', budget_minor: null, version: 2 } })
  expect(await change(made.id, { version: 1, status: 'active' })).toMatchObject({
    status: 412,
    body: { code: 'version_mismatch', current: { version: 2 } },
  })
  const { body: lines } = await api.json('GET', `/api/activities?subject_kind=campaign&subject_id=${made.id}`)
  expect(lines.data).toMatchObject([
    { type: 'record_updated', reason: 'It is over', undoable: true, summary: 'changed status, budget minor' },
    { type: 'record_created', summary: 'created the campaign “Spring Fair 2026”', undoable: true },
  ])
  const undone = await api.json('POST', `/api/activities/${lines.data[0].id}/undo`, {})
  expect(undone.status, JSON.stringify(undone.body)).toBe(200)
  expect((await api.json('GET', `/api/campaigns/${made.id}`)).body).toMatchObject({
    status: 'active',
    budget_minor: 500_000,
    cost_minor: 300_000,
  })
  expect((await api.ask('DELETE', `/api/campaigns/${made.id}`)).status).toBe(204)
  expect((await api.ask('DELETE', `/api/campaigns/${made.id}`)).status).toBe(204)
  expect((await api.json('GET', '/api/campaigns?q=fair')).body.data).toEqual([])
  const { version } = (await api.json('GET', `/api/campaigns/${made.id}`)).body
  expect(await change(made.id, { version, status: 'ended' })).toMatchObject({
    status: 409,
    body: { code: 'record_archived', restore: `/api/campaigns/${made.id}/restore` },
  })
  const restored = await api.json('POST', `/api/campaigns/${made.id}/restore`)
  expect(restored).toMatchObject({ status: 200, body: { archived_at: null } })
  expect((await api.json('GET', '/api/campaigns?q=fair')).body.data).toMatchObject([{ id: made.id }])
})

test('F67: one figure or amounts by day: what it cost is never two things', async () => {
  const made = await make({ name: 'Radio', cost_minor: 90_000, currency: 'USD' })
  expect(made).toMatchObject({ cost_minor: 90_000, costs: [], currency: 'USD' })
  const by_day = await change(made.id, { version: 1, costs: [{ on: '2026-05-01', amount_minor: 40_000 }] })
  expect(by_day.body).toMatchObject({ cost_minor: 40_000 })
  expect(await change(made.id, { version: 2, cost_minor: 1 })).toMatchObject({
    status: 422,
    body: { code: 'cost_contradicts_days', errors: [{ pointer: '/cost_minor', accepted: [40_000] }] },
  })
  const { body: lines } = await api.json('GET', `/api/activities?subject_kind=campaign&subject_id=${made.id}`)
  expect((await api.json('POST', `/api/activities/${lines.data[0].id}/undo`, {})).status).toBe(200)
  expect((await api.json('GET', `/api/campaigns/${made.id}`)).body).toMatchObject({
    cost_minor: 90_000,
    costs: [],
  })
})

test('what cannot be a campaign is said: where, and what would be', async () => {
  const taken = await make({ name: 'Newsletter', aliases: ['NL'], external_id: 'nl' })
  await make({ name: 'Sommer 2026' })
  const refusals: [object, number, object][] = [
    [{}, 422, { code: 'invalid_input', errors: [{ pointer: '/name' }] }],
    [{ name: 'x', status: 'on' }, 422, { code: 'invalid_input', errors: [{ pointer: '/status' }] }],
    [{ name: 'x', currency: 'EURO' }, 422, { errors: [{ pointer: '/currency' }] }],
    [{ name: 'x', budget_minor: -1 }, 422, { errors: [{ pointer: '/budget_minor' }] }],
    [
      { name: 'x', starts_on: '2026-02-02', ends_on: '2026-02-01' },
      422,
      { code: 'campaign_ends_before_it_starts', errors: [{ pointer: '/ends_on' }] },
    ],
    [
      {
        name: 'x',
        costs: [
          { on: '2026-02-01', amount_minor: 1 },
          { on: '2026-02-01', amount_minor: 2 },
        ],
      },
      422,
      { code: 'cost_day_twice' },
    ],
    [{ name: ' newsletter ' }, 409, { code: 'campaign_name_taken', campaign_id: taken.id }],
    [{ name: 'sommer  2026' }, 409, { code: 'campaign_name_taken', errors: [{ pointer: '/name' }] }],
    [{ name: 'Sommer-2026!' }, 409, { code: 'campaign_name_taken', errors: [{ pointer: '/name' }] }],
    [{ name: 'x', slug: 'sommer-2026' }, 409, { errors: [{ pointer: '/slug' }] }],
    [{ name: 'x', slug: 'nl' }, 409, { code: 'campaign_name_taken', errors: [{ pointer: '/slug' }] }],
    [{ name: 'x', aliases: ['y', 'Nl'] }, 409, { errors: [{ pointer: '/aliases/1' }] }],
    [{ name: 'x', external_id: 'nl' }, 409, { code: 'external_id_taken', campaign_id: taken.id }],
    [{ name: 'x', owner_id: '01990000-0000-7000-8000-000000000000' }, 422, { code: 'owner_unknown' }],
    [{ name: 'x', colour: 'red' }, 422, { code: 'invalid_input' }],
  ]
  for (const [body, status, problem] of refusals)
    expect(await api.json('POST', '/api/campaigns', body), JSON.stringify(body)).toMatchObject({
      status,
      body: problem,
    })
  // An archived campaign keeps no name from others, and comes back only while its own are free.
  await api.ask('DELETE', `/api/campaigns/${taken.id}`)
  await make({ name: 'NEWSLETTER' })
  expect(await api.json('POST', `/api/campaigns/${taken.id}/restore`)).toMatchObject({
    status: 409,
    body: { code: 'campaign_name_taken' },
  })
})

test('F67, F21: the text of a lead becomes its campaign, in any case, by slug, name or alias; leads are filtered by it', async () => {
  const campaign = await make({ name: 'Oktoberfest Münze', slug: 'okt_26', aliases: ['Wiesn'] })
  const texts = ['okt_26', 'OKT_26 ', 'oktoberfest  MÜNZE', 'wiesn']
  const leads = await Promise.all(texts.map((text) => leadOf(text)))
  expect(leads.map(({ campaign_id }) => campaign_id)).toEqual(texts.map(() => campaign.id))
  const deal = await createDeal(api.ctx, { name: 'Tents', campaign: 'Wiesn' }, { door: 'api' })
  expect(deal.campaign_id).toBe(campaign.id)
  const stranger = await leadOf('nobody knows')
  expect(stranger.campaign_id).toBeNull()
  const wanted = leads.map(({ id }) => id).toSorted()
  expect((await idsOf({ field: 'campaign_id', op: 'eq', value: campaign.id })).toSorted()).toEqual(wanted)
  expect((await idsOf({ field: 'first_campaign_id', op: 'eq', value: campaign.id })).toSorted()).toEqual(
    wanted,
  )
  const touched = { linked: 'touchpoints', some: { field: 'campaign_id', op: 'eq', value: campaign.id } }
  expect((await idsOf(touched)).toSorted()).toEqual(wanted)
  expect(await idsOf({ field: 'campaign', op: 'eq', value: 'nobody knows' })).toEqual([stranger.id])

  // A changed text is another campaign, an emptied one none; neither is a second change of the lead.
  const [lead] = leads
  const other = await api.json('PATCH', `/api/leads/${lead!.id}`, { version: 1, campaign: 'nobody knows' })
  expect(other.body).toMatchObject({ campaign_id: null, version: 2 })
  const back = await api.json('PATCH', `/api/leads/${lead!.id}`, { version: 2, campaign: 'wiesn' })
  expect(back.body).toMatchObject({ campaign_id: campaign.id, version: 3 })
  const none = await api.json('PATCH', `/api/leads/${lead!.id}`, { version: 3, campaign: null })
  expect(none.body).toMatchObject({ campaign: null, campaign_id: null, version: 4 })
  const { body: lines } = await api.json('GET', `/api/leads/${lead!.id}/timeline`)
  expect((await api.json('POST', `/api/activities/${lines.data[0].id}/undo`, {})).status).toBe(200)
  expect(await getOpportunity(api.ctx, lead!.id)).toMatchObject({
    campaign: 'wiesn',
    campaign_id: campaign.id,
  })
})

test('F67: a text that names no campaign is offered as a new one, and becomes its own when it is made', async () => {
  const leads = [await leadOf('Summer Tour'), await leadOf('summer tour'), await leadOf('other tour')]
  const { body } = await api.json('GET', '/api/campaigns/unmatched')
  expect(body.data).toEqual(
    expect.arrayContaining([
      { campaign: 'Summer Tour', leads: 1, deals: 0, touches: 1 },
      { campaign: 'summer tour', leads: 1, deals: 0, touches: 1 },
    ]),
  )
  const campaign = await make({ name: 'Summer Tour' })
  const read = await Promise.all(leads.map(({ id }) => getOpportunity(api.ctx, id)))
  expect(read.map(({ campaign_id }) => campaign_id)).toEqual([campaign.id, campaign.id, null])
  expect(read[0]).toMatchObject({ version: 1, first_touch: { campaign_id: campaign.id } })
  const alias = await change(campaign.id, { version: 1, aliases: ['other tour'] })
  expect(alias.status).toBe(200)
  expect((await getOpportunity(api.ctx, leads[2]!.id)).campaign_id).toBe(campaign.id)
  // A name that it had does not take away what came in under it.
  await change(campaign.id, { version: 2, aliases: [], slug: 'tour-2027' })
  expect((await getOpportunity(api.ctx, leads[2]!.id)).campaign_id).toBe(campaign.id)
  expect((await leadOf('other tour')).campaign_id).toBeNull()
})

test('what named a campaign by the thousand is given to it by the job', async () => {
  const { ctx } = await api.other()
  const first = await createLead(ctx, { contact_name: 'Ana', campaign: 'Mass' }, { door: 'api' })
  await inTx(
    ctx,
    ({ tx, organization_id }) => tx`
    insert into touchpoints (organization_id, id, lead_id, campaign, occurred_at, door)
    select ${organization_id}::uuid, gen_random_uuid(), ${first.id}::uuid, 'MASS', now(), 'api' from generate_series(1, 2300)`,
  )
  const campaign = await createCampaign(ctx, { name: 'mass' })
  const waiting = () =>
    inTx(ctx, async ({ tx, organization_id }) => {
      const [row] = await tx<{ n: number }[]>`
        select count(*)::int as n from touchpoints where organization_id = ${organization_id} and campaign_id is null`
      return row?.n
    })
  expect(await waiting()).toBeGreaterThan(1_000)
  await linkEverythingNamed(api.db, ctx.organization_id, campaign.id)
  expect(await waiting()).toBe(0)
})

test('F67: no campaign is made silently, unless the organization wants it so', async () => {
  const { ctx, owner } = await api.other()
  const key = await api.keyFor('owner', ctx)
  expect(owner.role).toBe('owner')
  const headers = { authorization: `Bearer ${key}` }
  await createLead(ctx, { contact_name: 'Ana', campaign: 'Before' }, { door: 'webhook' })
  expect((await api.json('GET', '/api/campaigns', undefined, headers)).body.data).toEqual([])
  const { body: settings } = await api.json('GET', '/api/settings', undefined, headers)
  expect(settings).toMatchObject({ create_campaigns: false, influence_days: 90 })
  const wants = await api.json(
    'PATCH',
    '/api/settings',
    { version: settings.version, create_campaigns: true },
    headers,
  )
  expect(wants.body).toMatchObject({ create_campaigns: true })
  const leads = await Promise.all(
    ['Autumn', 'autumn', 'AUTUMN'].map((campaign) =>
      createLead(ctx, { contact_name: 'Ana', campaign }, { door: 'webhook' }),
    ),
  )
  const { body } = await api.json('GET', '/api/campaigns', undefined, headers)
  expect(body.data).toHaveLength(1)
  expect(new Set(leads.map(({ campaign_id }) => campaign_id))).toEqual(new Set([body.data[0].id]))
  const { body: lines } = await api.json(
    'GET',
    `/api/activities?subject_kind=campaign&subject_id=${body.data[0].id}`,
    undefined,
    headers,
  )
  expect(lines.data).toMatchObject([{ type: 'record_created', actor: { kind: 'system', name: 'campaigns' } }])
})

test('campaigns are listed like everything else: filtered, sorted, found, page by page', async () => {
  const { ctx } = await api.other()
  const headers = { authorization: `Bearer ${await api.keyFor('viewer', ctx)}` }
  for (const n of [3, 1, 2])
    await createCampaign(ctx, {
      name: `Fair ${n}`,
      channel: n === 2 ? 'event' : 'search',
      starts_on: `2026-0${n}-01`,
      cost_minor: n * 100,
    })
  const list = async (query: string) =>
    (await api.json('GET', `/api/campaigns?${query}`, undefined, headers)).body
  expect((await list('sort=starts_on')).data.map(({ name }: any) => name)).toEqual([
    'Fair 1',
    'Fair 2',
    'Fair 3',
  ])
  expect((await list('sort=-cost_minor&limit=1')).data).toMatchObject([{ name: 'Fair 3' }])
  const pages = [await list('sort=-cost_minor&limit=2')]
  pages.push(await list(`sort=-cost_minor&limit=2&cursor=${encodeURIComponent(pages[0].next_cursor)}`))
  expect(pages.flatMap(({ data }) => data.map(({ name }: any) => name))).toEqual([
    'Fair 3',
    'Fair 2',
    'Fair 1',
  ])
  const events = encodeURIComponent(JSON.stringify({ field: 'channel', op: 'eq', value: 'event' }))
  expect((await list(`filter=${events}`)).data).toMatchObject([{ name: 'Fair 2' }])
  expect((await list('q=fair%203')).data).toMatchObject([{ name: 'Fair 3' }])
  expect((await list('sort=nothing')).code).toBe('unknown_field')
})
