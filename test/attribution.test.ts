import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { attributionModels, readResults, type AttributionModel } from '../db/campaign-results.ts'
import { createCampaign } from '../db/campaigns.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { createSource, openSource } from '../db/intake-sources.ts'
import { readAttribution, refreshAttributions } from '../db/lead-attribution.ts'
import { convertLead } from '../db/lead-conversion.ts'
import { reverseConversion } from '../db/lead-conversion-reversal.ts'
import { mergeLeads } from '../db/lead-merging.ts'
import { unmergeById } from '../db/lead-unmerging.ts'
import { createLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { reachMilestone } from '../db/milestones.ts'
import { readTouch } from '../db/touch-fields.ts'
import { receiveVisit } from '../db/touchpoints.ts'
import { openApi, type ApiWorld } from './api.ts'

vi.setConfig({ testTimeout: 60_000 })

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const DAY = 86_400_000
const ago = (days: number): Date => new Date(Date.now() - days * DAY)

/** An organization with a door for visits and campaigns by their names. */
const openField = async (...names: string[]) => {
  const { ctx, owner } = await api.other()
  const source = await openSource(api.db, ctx.organization_id, (await createSource(ctx, { name: 'Site' })).id)
  const campaigns = new Map<string, string>()
  for (const name of names) campaigns.set(name, (await createCampaign(ctx, { name })).id)
  return {
    ctx,
    owner,
    campaigns,
    headers: { authorization: `Bearer ${await api.keyFor('manager', ctx)}` },
    visit: (visitor_id: string, campaign: string, occurred_at: Date) =>
      receiveVisit(api.db, source!, {
        ...readTouch({ campaign }),
        visitor_id,
        occurred_at,
        dedupe_id: undefined,
      }),
    lead: (leadhand_visitor: string, more: object = {}) =>
      createLead(ctx, { contact_name: 'Ana Ruiz', ...more }, { door: 'form', extra: { leadhand_visitor } }),
  }
}

const names = async (ctx: Ctx, id: string, kind: 'lead' | 'deal' = 'lead') => {
  const { first_touch, creation_touch, last_touch, influenced_campaigns } = await readAttribution(
    ctx,
    id,
    kind,
  )
  return {
    first: first_touch?.campaign,
    creation: creation_touch?.campaign,
    last: last_touch?.campaign,
    influenced: influenced_campaigns.map(({ name }) => name).toSorted(),
  }
}

test('F36: first touch, touch at creation, last touch before the win, and what influenced a lead in the 90 days before it came', async () => {
  const field = await openField('old', 'first', 'middle', 'late', 'after')
  await field.visit('visitor-a', 'old', ago(91))
  await field.visit('visitor-a', 'first', ago(89))
  await field.visit('visitor-a', 'middle', ago(1))
  const { id, created_at } = await field.lead('visitor-a')
  expect(await names(field.ctx, id)).toEqual({
    first: 'old',
    creation: 'middle',
    last: 'middle',
    influenced: ['first', 'middle'],
  })
  await field.visit('visitor-a', 'late', new Date())
  expect(await names(field.ctx, id)).toMatchObject({ creation: 'middle', last: 'late' })
  const won = await closeOpportunity(field.ctx, id, { outcome: 'won' })
  expect(won.last_touch).toMatchObject({ campaign: 'late', campaign_id: field.campaigns.get('late') })
  await field.visit('visitor-a', 'after', new Date())
  expect(await names(field.ctx, id)).toMatchObject({ last: 'late', influenced: ['first', 'late', 'middle'] })
  // Reopened, it can still be touched: the last one counts again.
  await reopenOpportunity(field.ctx, id, { reason: 'Not signed after all' })
  expect(await names(field.ctx, id)).toMatchObject({
    last: 'after',
    influenced: ['after', 'first', 'late', 'middle'],
  })
  expect((await getOpportunity(field.ctx, id)).created_at).toEqual(created_at)
  // The organization says how long before a touch counts.
  const { body } = await api.json('GET', '/api/settings', undefined, field.headers)
  const owner = { authorization: `Bearer ${await api.keyFor('owner', field.ctx)}` }
  await api.json('PATCH', '/api/settings', { version: body.version, influence_days: 100 }, owner)
  expect((await names(field.ctx, id)).influenced).toContain('old')
})

test('F36: the list of leads shows first and last touch; a deal has those of the lead that it was made of', async () => {
  const field = await openField('spring', 'summer', 'autumn')
  await field.visit('visitor-b', 'spring', ago(10))
  await field.visit('visitor-b', 'summer', ago(5))
  const lead = await field.lead('visitor-b', { value_minor: 1_000 })
  const deal = await createDeal(field.ctx, { name: 'Machines', value_minor: 50_000 }, { door: 'api' })
  await inTx(field.ctx, async (ctx) => {
    await ctx.tx`update opportunities set source_lead_id = ${lead.id} where id = ${deal.id}`
    refreshAttributions(ctx, [lead.id])
  })
  const listed = await api.json('GET', '/api/leads', undefined, field.headers)
  expect(listed.body.data).toMatchObject([
    { first_touch: { campaign: 'spring' }, last_touch: { campaign: 'summer' } },
  ])
  await field.visit('visitor-b', 'autumn', new Date())
  const { body } = await api.json('GET', `/api/deals/${deal.id}`, undefined, field.headers)
  expect(body).toMatchObject({ first_touch: { campaign: 'spring' }, last_touch: { campaign: 'autumn' } })
  const trail = await api.json('GET', `/api/deals/${deal.id}/touchpoints`, undefined, field.headers)
  expect(trail.body.data.map(({ campaign }: any) => campaign)).toEqual(['spring', 'summer', 'autumn'])
  await closeOpportunity(field.ctx, deal.id, { outcome: 'won' })
  expect(await names(field.ctx, deal.id, 'deal')).toMatchObject({
    last: 'autumn',
    influenced: ['autumn', 'spring', 'summer'],
  })
  // The win is the deal's, once, and goes to where its own last touch was.
  const results = async (name: string, model: AttributionModel) =>
    readResults(field.ctx, field.campaigns.get(name)!, { model })
  expect(await results('spring', 'first')).toMatchObject({ leads: 1, won: 1, won_value_minor: 50_000 })
  expect(await results('autumn', 'last')).toMatchObject({ leads: 1, won: 1, won_value_minor: 50_000 })
  expect(await results('summer', 'last')).toMatchObject({ leads: 0, won: 0 })
  expect(await results('summer', 'influenced')).toMatchObject({ leads: 1, won: 1, won_value_minor: 50_000 })
})

test('F36: what comes after a conversion is the deal’s; taken back, it is the lead’s again', async () => {
  const field = await openField('before', 'after')
  await field.visit('visitor-c', 'before', ago(3))
  const lead = await field.lead('visitor-c', { email: 'ana@brightside.example', company_name: 'Brightside' })
  const { deal_id } = await convertLead(field.ctx, lead.id, {})
  expect(await names(field.ctx, deal_id!, 'deal')).toMatchObject({ first: 'before', last: 'before' })
  await field.visit('visitor-c', 'after', new Date())
  expect(await names(field.ctx, lead.id)).toMatchObject({ last: 'before', influenced: ['before'] })
  expect(await names(field.ctx, deal_id!, 'deal')).toMatchObject({
    last: 'after',
    influenced: ['after', 'before'],
  })
  const credited = () => readResults(field.ctx, field.campaigns.get('before')!, { model: 'first' })
  // It is archived, and came in all the same.
  expect(await credited()).toMatchObject({ leads: 1, won: 0 })
  await reverseConversion(field.ctx, lead.id, 'Too early')
  expect(await names(field.ctx, lead.id)).toMatchObject({ last: 'after', influenced: ['after', 'before'] })
  expect(await credited()).toMatchObject({ leads: 1 })
})

test('F31, F36: a merge brings the trail along, taken back it is apart again; the visitor is whose the trail is', async () => {
  const field = await openField('hers', 'theirs', 'both', 'lost')
  await field.visit('visitor-d', 'theirs', ago(9))
  await field.visit('visitor-e', 'hers', ago(5))
  const duplicate = await field.lead('visitor-d', { campaign: 'both' })
  const primary = await field.lead('visitor-e')
  const before = await Promise.all(
    [primary, duplicate].map(({ id }) => readAttribution(field.ctx, id, 'lead')),
  )
  const { merge_id, lead } = await mergeLeads(field.ctx, primary.id, { duplicate_id: duplicate.id })
  expect(lead).toMatchObject({ campaign: 'both', campaign_id: field.campaigns.get('both') })
  expect(await names(field.ctx, primary.id)).toMatchObject({
    first: 'theirs',
    last: 'both',
    influenced: ['both', 'hers', 'theirs'],
  })
  expect(await readAttribution(field.ctx, duplicate.id, 'lead')).toMatchObject({
    touches: 0,
    first_touch: null,
  })
  const credited = async (name: string) =>
    (await readResults(field.ctx, field.campaigns.get(name)!, { model: 'influenced' })).leads
  expect([await credited('theirs'), await credited('hers')]).toEqual([1, 1])
  await unmergeById(field.ctx, merge_id, 'Two people')
  expect(
    await Promise.all([primary, duplicate].map(({ id }) => readAttribution(field.ctx, id, 'lead'))),
  ).toEqual(before)
  expect(await getOpportunity(field.ctx, primary.id)).toMatchObject({ campaign: null, campaign_id: null })
  await field.visit('visitor-d', 'lost', new Date())
  expect(await names(field.ctx, duplicate.id)).toMatchObject({ last: 'lost' })
})

test('F36: results: cost per lead and return, in the organization’s currency, over days', async () => {
  const field = await openField()
  const owner = { authorization: `Bearer ${await api.keyFor('owner', field.ctx)}` }
  await api.json('PUT', '/api/exchange-rates/USD', { rate: 0.5 }, owner)
  const make = async (body: object) =>
    (await api.json('POST', '/api/campaigns', body, field.headers)).body.id as string
  const today = new Date().toISOString().slice(0, 10)
  const by_day = await make({
    name: 'By day',
    currency: 'USD',
    costs: [
      { on: '2020-01-01', amount_minor: 100_000 },
      { on: today, amount_minor: 20_000 },
    ],
  })
  const one_figure = await make({ name: 'One figure', cost_minor: 30_000 })
  const free = await make({ name: 'Free', currency: 'JPY', cost_minor: 5 })
  for (const n of [0, 1, 2, 3]) {
    const { id } = await createLead(
      field.ctx,
      { contact_name: `Ana ${n}`, campaign: 'by day', value_minor: 40_000 },
      { door: 'api' },
    )
    if (n < 2) await reachMilestone(field.ctx, id, 'qualified_at')
    if (n === 0) await closeOpportunity(field.ctx, id, { outcome: 'won' })
  }
  await createLead(field.ctx, { contact_name: 'Bo', campaign: 'One figure' }, { door: 'api' })
  const ask = async (id: string, query = '') =>
    (await api.json('GET', `/api/campaigns/${id}/results${query}`, undefined, field.headers)).body
  expect(await ask(by_day)).toMatchObject({
    model: 'first',
    currency: 'EUR',
    touches: 4,
    first_touch_leads: 4,
    last_touch_leads: 4,
    influenced_leads: 4,
    leads: 4,
    qualified: 2,
    won: 1,
    won_value_minor: 40_000,
    won_without_value: 0,
    cost_minor: 60_000,
    cost_per_lead_minor: 15_000,
    return: -0.3333,
  })
  expect(await ask(by_day, `?from=${today}&model=last`)).toMatchObject({
    leads: 4,
    cost_minor: 10_000,
    return: 3,
  })
  expect(await ask(by_day, '?to=2020-12-31')).toMatchObject({
    touches: 0,
    leads: 0,
    cost_minor: 50_000,
    cost_per_lead_minor: null,
    return: -1,
  })
  // One figure says nothing of some days.
  expect(await ask(one_figure)).toMatchObject({ leads: 1, cost_minor: 30_000, return: -1 })
  expect(await ask(one_figure, `?from=${today}`)).toMatchObject({ leads: 1, cost_minor: null, return: null })
  expect(await ask(free)).toMatchObject({ cost_minor: null, cost_per_lead_minor: null, return: null })
  const listed: any[] = []
  let cursor = ''
  do {
    const { body } = await api.json(
      'GET',
      `/api/campaigns/results?limit=2${cursor ? `&cursor=${cursor}` : ''}`,
      undefined,
      field.headers,
    )
    listed.push(...body.data)
    cursor = body.next_cursor
  } while (cursor)
  expect(listed).toEqual([await ask(free), await ask(one_figure), await ask(by_day)])
  expect(await ask(by_day, '?model=linear')).toMatchObject({ status: 422, errors: [{ pointer: '/model' }] })
  expect(await ask(by_day, '?from=soon')).toMatchObject({ status: 422, errors: [{ pointer: '/from' }] })
})

/** One lead of the property: when it came in, whether it was won, its touches; all in days before now. */
type Told = { came: number; won: number | undefined; touches: { campaign: number; at: number }[] }

test('F36: whatever the trails, the numbers of every model are those of a naive count', async () => {
  let trails = 0
  const day = fc.integer({ min: 0, max: 400 })
  const told = fc.record<Told>({
    came: day,
    won: fc.option(day, { nil: undefined }),
    touches: fc.array(fc.record({ campaign: fc.integer({ min: 0, max: 3 }), at: day }), { maxLength: 8 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(told, { minLength: 1, maxLength: 8 }), async (leads) => {
      const field = await openField('c0', 'c1', 'c2', 'c3')
      const at = Date.now()
      const moment = (days: number): Date => new Date(at - days * DAY - 3_600_000)
      for (const [n, { came, won, touches }] of leads.entries()) {
        trails += 1
        const { id } = await field.lead(`visitor-${n}-x`)
        await inTx(field.ctx, async (ctx) => {
          await ctx.tx`
            update opportunities set created_at = ${moment(came)}, won_at = ${won === undefined ? null : moment(won - 0.5)},
              base_value_minor = ${won === undefined ? null : 1 << n} where id = ${id}`
        })
        for (const [k, touch] of touches.entries())
          await field.visit(`visitor-${n}-x`, `C${touch.campaign}`, new Date(moment(touch.at).getTime() + k))
      }
      for (const [name, id] of field.campaigns)
        for (const model of attributionModels) {
          const credited = leads
            .map((lead, n) => ({ ...lead, n }))
            .filter((lead) => counts(lead, name, model))
          const wins = credited.filter(({ won }) => won !== undefined)
          expect(await readResults(field.ctx, id, { model }), `${name} ${model}`).toMatchObject({
            touches: leads.flatMap(({ touches }) => touches).filter(({ campaign }) => `c${campaign}` === name)
              .length,
            leads: credited.length,
            won: wins.length,
            won_value_minor: wins.reduce((sum, { n }) => sum + (1 << n), 0),
          })
        }
    }),
    { numRuns: 15 },
  )
  process.stdout.write(`attribution: ${trails} trails, counted by three models as by hand\n`)
  expect(trails).toBeGreaterThan(15)
})

const counts = ({ came, won, touches }: Told, name: string, model: AttributionModel): boolean => {
  const inOrder = touches.toSorted((a, b) => b.at - a.at)
  // Days before now: what was later is less, and a win is in the middle of its day.
  const until = inOrder.filter(({ at }) => won === undefined || at >= won)
  if (model === 'influenced')
    return until.some(({ campaign, at }) => `c${campaign}` === name && at <= came + 90)
  const credited = model === 'first' ? inOrder[0] : until.at(-1)
  return credited !== undefined && `c${credited.campaign}` === name
}
