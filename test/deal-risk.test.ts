import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Subject } from '../db/activities.ts'
import { createContact, updateContact } from '../db/contacts.ts'
import { inTx, systemCtx } from '../db/context.ts'
import { assessTouched } from '../db/deal-risk.ts'
import { updateDeal } from '../db/deals.ts'
import { assessAllDeals, beginRiskDays, measureStays } from '../db/deal-risk-days.ts'
import { assessRisk, type DealFacts, riskFactors } from '../db/deal-risk-formula.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { closeOpportunity, type CloseOpportunity } from '../db/opportunity-closings.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { completeTask } from '../db/task-states.ts'
import { createTask } from '../db/tasks.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal, stageOf } from './cards.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const calm: DealFacts = {
  stage: 'Offer made',
  idle_days: 0,
  days_in_stage: 0,
  median_days: 10,
  days_past_close: -30,
  slips: 0,
  has_next_task: true,
  contacts: 2,
  unanswered_days: null,
}

describe('F43: the risk of a deal', () => {
  test.each<[string, Partial<DealFacts>, number, string]>([
    [
      'idle',
      { idle_days: 11 },
      15,
      'Nothing happened for 11 days; half of the deals leave Offer made within 10 days',
    ],
    [
      'idle',
      { idle_days: 21 },
      25,
      'Nothing happened for 21 days; half of the deals leave Offer made within 10 days',
    ],
    [
      'idle',
      { idle_days: 15, median_days: null },
      15,
      'Nothing happened for 15 days; 14 days is taken as usual until more deals have left Offer made',
    ],
    [
      'idle',
      { idle_days: 8, median_days: 2 },
      15,
      'Nothing happened for 8 days; half of the deals leave Offer made within 2 days, up to 7 days is no concern',
    ],
    [
      'stage_age',
      { days_in_stage: 16 },
      10,
      'In Offer made for 16 days; half of the deals leave Offer made within 10 days',
    ],
    [
      'stage_age',
      { days_in_stage: 21 },
      20,
      'In Offer made for 21 days; half of the deals leave Offer made within 10 days',
    ],
    ['close_date_passed', { days_past_close: 1 }, 20, 'Its expected close passed 1 day ago'],
    ['close_date_passed', { days_past_close: 15 }, 25, 'Its expected close passed 15 days ago'],
    ['close_date_moved', { slips: 1 }, 5, 'Its expected close was put off once'],
    ['close_date_moved', { slips: 9 }, 15, 'Its expected close was put off 9 times'],
    ['no_next_task', { has_next_task: false }, 15, 'No open task says what happens next'],
    ['single_contact', { contacts: 1 }, 10, 'Only one contact is known'],
    ['single_contact', { contacts: 0 }, 10, 'No contact is linked'],
    ['no_reply', { unanswered_days: 7 }, 10, 'The last message has had no answer for 7 days'],
    ['no_reply', { unanswered_days: 14 }, 15, 'The last message has had no answer for 14 days'],
  ])('%s is one reason with its points: %o', (factor, facts, points, reason) => {
    expect(assessRisk({ ...calm, ...facts })).toMatchObject({
      risk: points,
      reasons: [{ factor, points, reason }],
    })
  })

  test('a deal that goes well has none; a day before the line is none', () => {
    expect(assessRisk(calm)).toEqual({ risk: 0, level: 'low', reasons: [] })
    expect(
      assessRisk({ ...calm, idle_days: 10, days_in_stage: 15, days_past_close: 0, unanswered_days: 6 })
        .reasons,
    ).toEqual([])
    expect(assessRisk({ ...calm, days_past_close: null }).reasons).toEqual([])
  })

  test('is the sum of its reasons up to 100, the same for the same facts, and never less for worse facts', () => {
    const facts = fc.record<DealFacts>({
      stage: fc.constant('Offer made'),
      idle_days: fc.nat(60),
      days_in_stage: fc.nat(60),
      median_days: fc.option(fc.double({ min: 0, max: 40, noNaN: true })),
      days_past_close: fc.option(fc.integer({ min: -60, max: 60 })),
      slips: fc.nat(6),
      has_next_task: fc.boolean(),
      contacts: fc.nat(4),
      unanswered_days: fc.option(fc.nat(40)),
    })
    fc.assert(
      fc.property(facts, (deal) => {
        const { risk, reasons, level } = assessRisk(deal)
        const sum = reasons.reduce((all, { points }) => all + points, 0)
        expect(risk).toBe(Math.min(100, sum))
        expect(new Set(reasons.map(({ factor }) => factor)).size).toBe(reasons.length)
        expect(reasons.every(({ factor }) => riskFactors.includes(factor))).toBe(true)
        expect(level).toBe(risk >= 60 ? 'high' : risk >= 30 ? 'medium' : 'low')
        expect(assessRisk(structuredClone(deal))).toEqual({ risk, reasons, level })
        const worse = { ...deal, idle_days: deal.idle_days + 5, slips: deal.slips + 1, has_next_task: false }
        expect(assessRisk(worse).risk).toBeGreaterThanOrEqual(risk)
      }),
    )
  })
})

/** Moves everything that happened to a deal into the past. */
const age = (id: string, days: number) =>
  inTx(api.ctx, async ({ tx, organization_id }) => {
    await tx`
      update activities a set occurred_at = occurred_at - ${days}::int * interval '1 day' from activity_subjects s
      where s.organization_id = ${organization_id} and s.subject_id = ${id} and a.organization_id = s.organization_id and a.id = s.activity_id`
    await tx`
      update opportunities set stage_entered_at = stage_entered_at - ${days}::int * interval '1 day',
        created_at = created_at - ${days}::int * interval '1 day' where organization_id = ${organization_id} and id = ${id}`
  })
const factorsOf = async (id: string) =>
  (await getOpportunity(api.ctx, id)).risk_reasons.map(({ factor }) => factor)

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
/** Logs what occurred so many days ago; answers its path. */
const log = async (type: string, days: number, subject: Subject): Promise<string> => {
  const { status, body } = await api.json('POST', '/api/activities', {
    type,
    subjects: [subject],
    occurred_at: daysAgo(days),
    data: { subject: 'Offer' },
  })
  expect(status).toBe(201)
  return `/api/activities/${body.id}`
}

describe('F43: the risk follows what happens', () => {
  test('a new deal has its risk from its first second, also over HTTP, in filters and in an order; a lead has none', async () => {
    const { id } = await makeDeal(api.ctx, { name: 'At risk' })
    const { body } = await api.json('GET', `/api/deals/${id}`)
    expect(body).toMatchObject({
      risk: 25,
      risk_level: 'low',
      risk_reasons: [
        { factor: 'no_next_task', points: 15 },
        { factor: 'single_contact', points: 10 },
      ],
    })
    const filter = encodeURIComponent(JSON.stringify({ field: 'risk', op: 'gte', value: 25 }))
    const { body: listed } = await api.json('GET', `/api/deals?sort=-risk&filter=${filter}`)
    expect(listed.data.map((deal: { id: string }) => deal.id)).toContain(id)
    const { body: lead } = await api.json('POST', '/api/leads', { contact_name: 'Kim' })
    expect(lead).toMatchObject({ risk: null, risk_level: null, risk_reasons: [] })
  })

  test('a task, contacts, a later close and a call change it at once, without raising the version', async () => {
    const { id } = await makeDeal(api.ctx, { expected_close_on: '2027-01-01' })
    const task = await createTask(api.ctx, { title: 'Call', subjects: [{ kind: 'deal', id }] })
    expect(await factorsOf(id)).toEqual(['single_contact'])
    const { version } = await getOpportunity(api.ctx, id)
    await completeTask(api.ctx, task.id)
    expect(await factorsOf(id)).toEqual(['no_next_task', 'single_contact'])
    expect((await getOpportunity(api.ctx, id)).version).toBe(version)
    const people = await Promise.all(['Ana', 'Bo'].map((name) => createContact(api.ctx, { name })))
    await updateDeal(api.ctx, id, { contact_ids: people.map((person) => person.id) })
    await updateDeal(api.ctx, id, { expected_close_on: '2027-03-01' })
    expect(await factorsOf(id)).toEqual(['close_date_moved', 'no_next_task'])
    await age(id, 40)
    await inTx(systemCtx(api.db, api.ctx.organization_id, 'test'), async (ctx) => {
      await assessAllDeals(ctx.db, ctx.organization_id)
    })
    expect(await factorsOf(id)).toEqual(['idle', 'stage_age', 'close_date_moved', 'no_next_task'])
    // A call with one of its contacts is work on the deal.
    const { status } = await api.json('POST', '/api/activities', {
      type: 'call_logged',
      subjects: [{ kind: 'contact', id: people[0]!.id }],
      data: { body: 'They are still interested' },
    })
    expect(status).toBe(201)
    expect(await factorsOf(id)).toEqual(['stage_age', 'close_date_moved', 'no_next_task'])
  })

  test('a message that nobody answers counts, an answer ends it', async () => {
    const { id } = await makeDeal(api.ctx)
    await log('email_sent', 9, { kind: 'deal', id })
    expect(await factorsOf(id)).toContain('no_reply')
    await log('email_received', 1, { kind: 'deal', id })
    expect(await factorsOf(id)).not.toContain('no_reply')
  })

  test('a closed or archived deal has none; reopened it has one again', async () => {
    const { id } = await makeDeal(api.ctx)
    const won: CloseOpportunity = { outcome: 'won' }
    await closeOpportunity(api.ctx, id, won)
    expect((await getOpportunity(api.ctx, id)).risk).toBeNull()
    await api.json('POST', `/api/opportunities/${id}/reopen`, {})
    expect((await getOpportunity(api.ctx, id)).risk).not.toBeNull()
    await api.json('DELETE', `/api/deals/${id}`)
    expect((await getOpportunity(api.ctx, id)).risk).toBeNull()
  })

  test('of very many deals that change together a job sees to the risk', async () => {
    const person = await createContact(api.ctx, { name: 'Everybody’s contact' })
    const { id } = await makeDeal(api.ctx, { name: 'One of many' })
    await inTx(api.ctx, async ({ tx, organization_id }) => {
      await tx`
        insert into opportunities (organization_id, id, kind, name, pipeline_id, stage_id, position, origin, currency)
        select organization_id, gen_random_uuid(), kind, name, pipeline_id, stage_id, position, origin, currency
        from opportunities, generate_series(1, 120) where organization_id = ${organization_id} and id = ${id}`
      await tx`
        insert into opportunity_contacts (organization_id, opportunity_id, contact_id)
        select organization_id, id, ${person.id} from opportunities
        where organization_id = ${organization_id} and name = 'One of many'`
    })
    const risks = () =>
      inTx(api.ctx, async ({ tx, organization_id }) => {
        const [row] = await tx<{ n: number }[]>`
          select count(*)::int as n from deal_risks r join opportunities o on o.organization_id = r.organization_id and o.id = r.opportunity_id
          where r.organization_id = ${organization_id} and o.name = 'One of many'`
        return row?.n
      })
    await updateContact(api.ctx, person.id, { title: 'CEO' })
    expect(await risks()).toBe(1)
    const [job] = await inTx(api.ctx, ({ tx }) =>
      tx<
        { data: { deal_ids: string[] } }[]
      >`select data from pgboss.job where name = 'deals.touched'`.execute(),
    )
    expect(job?.data.deal_ids).toHaveLength(121)
    await assessTouched(api.ctx, job!.data.deal_ids)
    expect(await risks()).toBe(121)
  })

  test('the median of a stage is of the deals that left it, and only of enough of them', async () => {
    const stage = await stageOf(api.ctx, 'deal', 3)
    const first = await stageOf(api.ctx, 'deal', 2)
    for (let n = 0; n < 5; n++) {
      const { id } = await makeDeal(api.ctx, { stage_id: first.id })
      await inTx(api.ctx, ({ tx, organization_id }) =>
        tx`update opportunities set stage_entered_at = now() - ${(n + 1) * 10}::int * interval '1 day'
          where organization_id = ${organization_id} and id = ${id}`.execute(),
      )
      await moveOpportunity(api.ctx, id, { stage_id: stage.id })
      await measureStays(api.ctx)
      const [median] = await inTx(api.ctx, ({ tx, organization_id }) =>
        tx<{ stays: number; median_days: number }[]>`
          select stays, median_days from stage_medians where organization_id = ${organization_id} and stage_id = ${first.id}`.execute(),
      )
      expect(median?.stays).toBe(n + 1)
      expect(median?.median_days).toBeCloseTo(((n + 2) * 10) / 2, 1)
    }
    const { id } = await makeDeal(api.ctx, { stage_id: first.id })
    await age(id, 50)
    await assessAllDeals(api.db, api.ctx.organization_id)
    expect((await getOpportunity(api.ctx, id)).risk_reasons).toContainEqual({
      factor: 'stage_age',
      points: 10,
      reason: `In ${first.label} for 50 days; half of the deals leave ${first.label} within 30 days`,
    })
  })

  test('every organization’s day is begun once, however many look', async () => {
    await Promise.all([beginRiskDays(api.db), beginRiskDays(api.db), beginRiskDays(api.db)])
    const days = await inTx(api.ctx, ({ tx, organization_id }) =>
      tx<
        { day: string }[]
      >`select day from deal_risk_days where organization_id = ${organization_id}`.execute(),
    )
    expect(days).toHaveLength(1)
    const before = await beginRiskDays(api.db)
    expect(before).toBeUndefined()
    const jobs = await inTx(api.ctx, ({ tx, organization_id }) =>
      tx<{ n: number }[]>`
        select count(*)::int as n from pgboss.job where name = 'deal_risk.day_begun' and data ->> 'organization_id' = ${organization_id}`.execute(),
    )
    expect(jobs).toEqual([{ n: 1 }])
  })
})

describe('F43: the risk reads logged entries as they read now', () => {
  const reasonOf = async (name: string, id: string) =>
    (await getOpportunity(api.ctx, id)).risk_reasons.find(({ factor }) => factor === name)?.reason
  const unanswered = (id: string) => reasonOf('no_reply', id)
  const since = (days: number) => `The last message has had no answer for ${days} days`
  const correct = async (entry: string, days: number) => {
    const { version } = (await api.json('GET', entry)).body
    const { status } = await api.json('PATCH', entry, { version, occurred_at: daysAgo(days) })
    expect(status).toBe(200)
  }
  /** Takes back what was done last about it. */
  const undoLast = async (id: string) => {
    const { body } = await api.json('GET', `/api/activities?subject_kind=deal&subject_id=${id}&limit=1`)
    const { status } = await api.json('POST', `/api/activities/${body.data[0].id}/undo`)
    expect(status).toBeLessThan(300)
  }

  test('a message that is deleted was never sent, until the deletion is taken back', async () => {
    const { id } = await makeDeal(api.ctx)
    const sent = await log('email_sent', 10, { kind: 'deal', id })
    expect(await unanswered(id)).toBe(since(10))
    expect((await api.json('DELETE', sent)).status).toBe(204)
    expect(await unanswered(id)).toBeUndefined()
    await undoLast(id)
    expect(await unanswered(id)).toBe(since(10))
  })

  test('a corrected moment counts, in both directions, also of an answer that was there before', async () => {
    const { id } = await makeDeal(api.ctx)
    const sent = await log('email_sent', 10, { kind: 'deal', id })
    await correct(sent, 1)
    expect(await unanswered(id)).toBeUndefined()
    await correct(sent, 20)
    expect(await unanswered(id)).toBe(since(20))
    // Of several it is the one that is the last as they read now.
    await log('email_sent', 25, { kind: 'deal', id })
    expect(await unanswered(id)).toBe(since(20))
    await correct(sent, 30)
    expect(await unanswered(id)).toBe(since(25))
    await correct(sent, 9)
    const answer = await log('email_received', 20, { kind: 'deal', id })
    expect(await unanswered(id)).toBe(since(9))
    await correct(answer, 8)
    expect(await unanswered(id)).toBeUndefined()
    await undoLast(id)
    expect(await unanswered(id)).toBe(since(9))
    expect((await api.json('DELETE', sent)).status).toBe(204)
    expect(await unanswered(id)).toBeUndefined()
  })

  test('it follows an entry about a contact, and one that is moved from deal to deal', async () => {
    const { id: person } = await createContact(api.ctx, { name: 'Nia' })
    const { id } = await makeDeal(api.ctx, { contact_ids: [person] })
    const sent = await log('email_sent', 10, { kind: 'contact', id: person })
    await correct(sent, 15)
    expect(await unanswered(id)).toBe(since(15))
    const { id: other } = await makeDeal(api.ctx)
    const { version } = (await api.json('GET', sent)).body
    await api.json('PATCH', sent, { version, subjects: [{ kind: 'deal', id: other }] })
    expect([await unanswered(id), await unanswered(other)]).toEqual([undefined, since(15)])
    expect((await api.json('DELETE', sent)).status).toBe(204)
    expect(await unanswered(other)).toBeUndefined()
  })

  test('it follows an entry about the lead that a deal came of', async () => {
    const { body: lead } = await api.json('POST', '/api/leads', {
      contact_name: 'Lou',
      company_name: 'Lou GmbH',
    })
    const sent = await log('email_sent', 10, { kind: 'lead', id: lead.id })
    const { body } = await api.json('POST', `/api/leads/${lead.id}/convert`, { deal: { name: 'From Lou' } })
    expect(await unanswered(body.deal.id)).toBe(since(10))
    await correct(sent, 12)
    expect(await unanswered(body.deal.id)).toBe(since(12))
    expect((await api.json('DELETE', sent)).status).toBe(204)
    expect(await unanswered(body.deal.id)).toBeUndefined()
  })

  test('idle days go by what was done, not by its correction', async () => {
    const { id } = await makeDeal(api.ctx)
    await age(id, 60)
    const call = await log('call_logged', 20, { kind: 'deal', id })
    expect(await reasonOf('idle', id)).toMatch(/^Nothing happened for 20 days/)
    await correct(call, 30)
    expect(await reasonOf('idle', id)).toMatch(/^Nothing happened for 30 days/)
    await correct(call, 2)
    expect(await reasonOf('idle', id)).toBeUndefined()
    expect((await api.json('DELETE', call)).status).toBe(204)
    expect(await reasonOf('idle', id)).toMatch(/^Nothing happened for 60 days/)
  })
})
