import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { builtIn, type LeadScore, scoreValues } from '../db/lead-score.ts'
import { rescoreLeads, saveScores } from '../db/lead-scoring.ts'
import { qualifyLead } from '../db/lead-qualification.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { blankLead, type ScorableLead } from '../db/score-inputs.ts'
import { scoreLead as asBefore } from './lead-score-2.ts'
import { listTimeline } from '../db/timeline.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

const now = new Date('2026-11-21T12:00:00Z')
const scoreLead = (lead: ScorableLead): LeadScore => scoreValues(builtIn, lead, now)
const score = (fields: Partial<ScorableLead>) => scoreLead({ ...blankLead, ...fields })
const pointsOf = (fields: Partial<ScorableLead>, factor: string): number | undefined =>
  score(fields).reasons.find((reason) => reason.factor === factor)?.points

describe('every factor has its points and its reason', () => {
  test.each<[factor: string, points: number | undefined, fields: Partial<ScorableLead>]>([
    ['base', 10, {}],
    ['email', -10, {}],
    ['email', 14, { email: 'ana@brightside.example' }],
    ['email', 3, { email: 'ana@gmail.com' }],
    ['email', -25, { email: 'ana@mailinator.com' }],
    ['phone', 7, { phone: '+4930901820' }],
    ['company', 7, { company_name: 'Brightside' }],
    ['title', 14, { title: 'Head of Operations' }],
    ['title', 14, { title: 'Geschäftsführerin' }],
    ['title', 8, { title: 'Purchasing' }],
    ['title', -6, { title: 'Praktikant' }],
    ['title', 3, { title: 'Barista' }],
    ['website', 10, { enrichment: { summary: 'Coffee', facts: [] } }],
    ['website', 4, { website: 'https://brightside.example' }],
    ['website', undefined, { email: 'ana@gmail.com' }],
    ['intent', 18, { message: 'What does it cost?' }],
    ['intent', 18, { message: 'Bitte um ein Angebot' }],
    ['intent', undefined, { message: 'The costume was nice' }],
    ['volume', 8, { message: 'for 40 seats' }],
    ['volume', 8, { message: 'for 1,200 users' }],
    ['volume', 3, { message: 'for 3 people' }],
    ['volume', undefined, { message: 'call 030 901820' }],
    ['urgency', 6, { message: 'We need it asap' }],
    ['source', 10, { source: 'Referral' }],
    ['source', 4, { source: 'Website' }],
    ['value', 5, { value_minor: 1 }],
    ['value', undefined, { value_minor: 0 }],
    ['solicitation', -45, { message: 'We offer SEO services' }],
    ['no_interest', -35, { message: 'Not interested, thanks' }],
    ['no_interest', -35, { message: 'Please remove me from your list' }],
    ['no_interest', undefined, { message: 'We need an unsubscribe button' }],
    ['gibberish', -25, { message: 'asdfasdf' }],
  ])('%s: %s for %o', (factor, points, fields) => {
    expect(pointsOf(fields, factor)).toBe(points)
  })
})

test('the verdict follows the score, and names its strongest reasons', () => {
  const strong = score({
    email: 'ana@brightside.example',
    title: 'CEO',
    company_name: 'Brightside',
    message: 'What does it cost for 40 seats?',
  })
  expect(strong).toMatchObject({ verdict: 'qualified' })
  expect(strong.verdict_reason).toMatch(/^\d+ of 100: Asks to buy/)
  expect(
    score({ email: 'ana@gmail.com', message: 'Hello there', phone: '+4930901820', company_name: 'x' }),
  ).toMatchObject({ verdict: 'nurture' })
  const seller = score({ email: 'seo@gmail.com', message: 'We offer SEO services and backlinks' })
  expect(seller).toMatchObject({ verdict: 'unqualified', score: 0 })
  expect(seller.verdict_reason).toContain('Wants to sell')
})

test('whatever a lead holds: 0 to 100, the sum of its reasons, the same again, and nothing a stranger writes moves it out', () => {
  const text = fc.option(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.constantFrom('price', 'CEO', 'SEO services', 'score: 100', '40 seats asap'),
    ),
    { nil: null },
  )
  const lead = fc.record({
    contact_name: text,
    company_name: text,
    title: text,
    email: fc.option(fc.emailAddress(), { nil: null }),
    phone: fc.constantFrom(null, '+4930901820'),
    website: text,
    industry: text,
    message: text,
    source: text,
    enrichment: fc.constant(null),
    value_minor: fc.option(fc.nat(), { nil: null }),
  })
  fc.assert(
    fc.property(lead, (lead) => {
      const first = scoreLead(lead)
      expect(scoreLead(lead)).toEqual(first)
      const sum = first.reasons.reduce((total, { points }) => total + points, 0)
      expect(first.score).toBe(Math.min(100, Math.max(0, sum)))
      expect(first.verdict).toBe(
        first.score >= 50 ? 'qualified' : first.score >= 25 ? 'nurture' : 'unqualified',
      )
      expect(new Set(first.reasons.map(({ factor }) => factor)).size).toBe(first.reasons.length)
      expect(first.reasons.some(({ factor }) => factor === 'limit')).toBe(first.score !== sum)
      const { reasons, ...before } = asBefore({ ...lead, enrichment: null })
      expect(first.reasons.filter(({ factor }) => factor !== 'limit')).toEqual(reasons)
      expect(first).toMatchObject(before)
    }),
  )
})

test('a message that was made to be slow is scored in no time', () => {
  const started = performance.now()
  for (const message of [
    `1${' '.repeat(20_000)}`,
    '1 '.repeat(10_000),
    '1,111'.repeat(4_000),
    'a'.repeat(20_000),
    'by '.repeat(6_000),
    '('.repeat(20_000),
  ]) {
    score({ message, contact_name: message.slice(0, 300) })
  }
  expect(performance.now() - started).toBeLessThan(400)
})

describe('stored', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  })
  afterAll(() => world.stop())

  test('F34: a lead has a score with reasons from its first second; its version stays, nothing is said, no verdict yet', async () => {
    const { ctx } = world
    const lead = await makeLead(ctx)
    const expected = scoreLead(lead)
    expect(lead).toMatchObject({
      version: 1,
      score: expected.score,
      score_reasons: expected.reasons,
      score_formula: 'lead-score/2',
      scored_at: expect.any(Date),
      verdict: null,
      qualifying_started_at: null,
    })
    const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 5 })
    expect(data.map(({ type }) => type)).toEqual(['lead_imported'])
  })

  test('F34: a changed field changes the score in the same transaction; a verdict that was said follows it', async () => {
    const { ctx } = world
    const lead = await makeLead(ctx, { message: 'Hello' })
    const richer = await updateLead(ctx, lead.id, { title: 'CEO', phone: '+4930901820' })
    expect(richer).toMatchObject({ version: 2, score: scoreLead(richer).score, verdict: null })
    expect(richer.score).toBe((lead.score ?? 0) + 21)
    const qualified = await qualifyLead(ctx, lead.id)
    const poorer = await updateLead(ctx, lead.id, {
      title: null,
      phone: null,
      email: null,
      company_name: null,
    })
    expect(qualified.verdict).not.toBe(poorer.verdict)
    expect(poorer).toMatchObject({
      verdict: 'unqualified',
      verdict_reason: expect.stringContaining(`${poorer.score} of 100`),
    })
  })

  test('qualifying says the verdict; the times are those of the first time', async () => {
    const { ctx } = world
    const lead = await makeLead(ctx, { message: 'Hello', email: 'ana@gmail.com', company_name: undefined })
    await qualifyLead(ctx, lead.id)
    const thin = await getOpportunity(ctx, lead.id)
    expect(thin).toMatchObject({ version: 1, verdict: 'unqualified', qualified_at: null })
    await updateLead(ctx, lead.id, {
      message: 'What does it cost for 40 seats?',
      title: 'CEO',
      company_name: 'X',
    })
    await qualifyLead(ctx, lead.id)
    const good = await getOpportunity(ctx, lead.id)
    expect(good).toMatchObject({ verdict: 'qualified', qualified_at: expect.any(Date) })
    await updateLead(ctx, lead.id, { message: null, title: null })
    await qualifyLead(ctx, lead.id)
    const after = await getOpportunity(ctx, lead.id)
    expect(after.qualifying_started_at).toEqual(thin.qualifying_started_at)
    expect(after.qualified_at).toEqual(good.qualified_at)
    expect(after.verdict).not.toBe('qualified')
  })

  test('a score that is the same is not written again, and one that somebody wrote meanwhile stays', async () => {
    const { ctx } = world
    const lead = await makeLead(ctx)
    const { scored_at } = await getOpportunity(ctx, lead.id)
    await inTx(ctx, (ctx) => rescoreLeads(ctx, [lead.id]))
    expect((await getOpportunity(ctx, lead.id)).scored_at).toEqual(scored_at)
    const scored = { ...scoreLead(lead), score: 99 }
    const standing = {
      score: 0,
      reasons: [],
      formula: '',
      verdict: null,
      scored_at: '2026-01-01 00:00:00+00',
    }
    await inTx(ctx, (ctx) => {
      saveScores(ctx, 'old', [{ lead_id: lead.id, scored, standing }])
      return Promise.resolve()
    })
    expect((await getOpportunity(ctx, lead.id)).score).toBe(lead.score)
  })
})
