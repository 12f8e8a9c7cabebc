import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { reopenOpportunity } from '../db/opportunity-reopenings.ts'
import { builtInFormula } from '../db/score-built-in.ts'
import type { FormulaDefinition } from '../db/score-definition.ts'
import { scoreWork } from '../db/score-jobs.ts'
import { emptyHistogram, fitOf, type Histogram } from '../db/score-statistics.ts'
import { workScoreJob } from '../db/score-work.ts'
import { openApi, type ApiWorld } from './api.ts'
import { loseCard, makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const thresholds = { qualified: 50, nurture: 25 }
const kielFirst: FormulaDefinition = {
  base: 10,
  thresholds,
  factors: [
    { factor: 'city', looks_at: 'city', cases: [{ equals: 'Kiel', points: 60, reason: 'From {found}' }] },
    { factor: 'stage', looks_at: 'stage', cases: [{ any_of: ['Contacted'], points: 5 }] },
  ],
}
const create = async (definition: FormulaDefinition): Promise<string> =>
  (await api.json('POST', '/api/score-formulas', { name: 'Kiel first', definition })).body.id
const backTest = async (id: string) => {
  const started = await api.json('POST', `/api/score-formulas/${id}/back-test`)
  expect([started.status, started.body.status]).toEqual([202, 'queued'])
  await workScoreJob(api.db, ctx.organization_id, started.body.id)
  return (await api.json('GET', `/api/score-formulas/${id}/back-test`)).body
}

/** Fills a histogram from pairs of a score and what came of it. */
const histogram = (leads: [score: number, won: boolean][]): Histogram => {
  const bars = emptyHistogram()
  for (const [score, won] of leads) {
    const side = won ? bars.won : bars.lost
    side[score] = (side[score] ?? 0) + 1
  }
  return bars
}

describe('the figures', () => {
  test('F34: the area under the curve is how often the one that was won has the higher score', () => {
    const auc = (leads: [number, boolean][]) => fitOf(histogram(leads), thresholds).auc
    expect(
      auc([
        [90, true],
        [80, true],
        [20, false],
        [10, false],
      ]),
    ).toBe(1)
    expect(
      auc([
        [10, true],
        [90, false],
      ]),
    ).toBe(0)
    expect(
      auc([
        [50, true],
        [50, false],
      ]),
    ).toBe(0.5)
    expect(auc([[50, true]])).toBeNull()
    // By hand, over every pair.
    const leads = Array.from({ length: 200 }, (_, n): [number, boolean] => [
      (n * 37) % 101,
      (n * 7) % 3 === 0,
    ])
    const [won, lost] = [leads.filter(([, won]) => won), leads.filter(([, won]) => !won)]
    const pairs = won.flatMap(([a]) => lost.map(([b]): number => (a > b ? 1 : a === b ? 0.5 : 0)))
    const by_hand = pairs.reduce((sum, one) => sum + one, 0) / pairs.length
    expect(auc(leads)).toBeCloseTo(by_hand, 4)
  })

  test('F34: tenths take their share of equal scores, and the lift is against the win rate of all', () => {
    const leads = [
      ...Array.from({ length: 10 }, (): [number, boolean] => [90, true]),
      ...Array.from({ length: 90 }, (): [number, boolean] => [20, false]),
    ]
    const { deciles, calibration, by_verdict } = fitOf(histogram(leads), thresholds)
    expect(deciles.map(({ n }) => n)).toEqual(Array.from({ length: 10 }, () => 10))
    expect(deciles[0]).toMatchObject({ won: 10, win_rate: 1, lift: 10 })
    expect(deciles[1]).toMatchObject({ won: 0, win_rate: 0, lift: 0 })
    const flat = fitOf(
      histogram([...Array.from({ length: 50 }, (_, n): [number, boolean] => [40, n < 20])]),
      thresholds,
    )
    for (const decile of flat.deciles) expect(decile).toMatchObject({ n: 5, won: 2, win_rate: 0.4, lift: 1 })
    expect(calibration[9]).toEqual({ from: 90, to: 100, n: 10, won: 10, win_rate: 1 })
    expect(calibration[2]).toEqual({ from: 20, to: 29, n: 90, won: 0, win_rate: 0 })
    expect(calibration[5]?.win_rate).toBeNull()
    expect(by_verdict).toEqual([
      { verdict: 'qualified', n: 10, won: 10, win_rate: 1 },
      { verdict: 'nurture', n: 0, won: 0, win_rate: null },
      { verdict: 'unqualified', n: 90, won: 0, win_rate: 0 },
    ])
    expect(fitOf(emptyHistogram(), thresholds).deciles).toEqual([])
  })
})

describe('F34: a draft against what was won and lost', () => {
  test('F34: with too little history it says so, and the version may be activated', async () => {
    const id = await create({ ...builtInFormula, base: 12 })
    const tested = await backTest(id)
    expect(tested).toMatchObject({
      status: 'done',
      current: true,
      result: { enough: false, history: { n: 0, won: 0, lost: 0 }, draft: { auc: null }, open: { n: 0 } },
    })
    expect(tested.result.note).toMatch(/^Too few to tell: 0 closed leads/)
    expect((await api.json('POST', `/api/score-formulas/${id}/activate`, {})).status).toBe(200)
    await api.json('POST', `/api/score-formulas/${id}/retire`, {})
  })

  test('F34: calibration, lift and AUC over leads and the deals that came of them; which open leads would change', async () => {
    const { stages } = (await api.json('GET', '/api/pipelines')).body.data.find(
      ({ record_kind }: any) => record_kind === 'lead',
    )
    const contacted = stages.find(({ label }: any) => label === 'Contacted') ?? stages[1]
    const formula = structuredClone(kielFirst)
    formula.factors[1]!.cases[0]!.any_of = [contacted.label]
    // Of Kiel most are won, of Bonn most are lost.
    for (let n = 0; n < 24; n++) {
      const kiel = await makeLead(ctx, { city: 'Kiel', stage_id: contacted.id })
      if (n % 6 === 0) await loseCard(ctx, kiel.id)
      else await closeOpportunity(ctx, kiel.id, { outcome: 'won' })
      const bonn = await makeLead(ctx, { city: 'Bonn' })
      if (n % 6 === 0) await closeOpportunity(ctx, bonn.id, { outcome: 'won' })
      else await loseCard(ctx, bonn.id)
    }
    // Won by the deal that came of it, though the lead itself was lost; and one whose deal was lost.
    for (const outcome of ['won', 'lost'] as const) {
      const lead = await makeLead(ctx, { city: 'Bonn' })
      const deal = await createDeal(ctx, { name: `Deal ${outcome}` }, { door: 'api' })
      await inTx(
        ctx,
        ({ tx }) => tx`update opportunities set source_lead_id = ${lead.id} where id = ${deal.id}`,
      )
      if (outcome === 'won') {
        await closeOpportunity(ctx, deal.id, { outcome })
        await loseCard(ctx, lead.id)
      } else await loseCard(ctx, deal.id)
    }
    // What was reopened is no history; like the lead whose deal was lost, it is open.
    const reopened = await makeLead(ctx, { city: 'Bonn' })
    await loseCard(ctx, reopened.id)
    await reopenOpportunity(ctx, reopened.id, {})
    const open = await makeLead(ctx, { city: 'Kiel', message: 'Hello', email: 'ana@gmail.com' })
    const archived = await makeLead(ctx, { city: 'Kiel' })
    await api.json('DELETE', `/api/leads/${archived.id}`)

    const id = await create(formula)
    Object.assign(scoreWork, { batch: 7 })
    const tested = await backTest(id).finally(() => Object.assign(scoreWork, { batch: 2_000 }))
    const { result } = tested
    expect(result.history).toEqual({ n: 50, won: 25, lost: 25 })
    expect(result.enough).toBe(true)
    // Kiel scores 75 (60, and 5 for the stage that it was closed from), Bonn 10: won 20 of 24, and 5 of 26.
    expect(result.draft.calibration.filter(({ n }: any) => n > 0)).toEqual([
      { from: 10, to: 19, n: 26, won: 5, win_rate: 0.1923 },
      { from: 70, to: 79, n: 24, won: 20, win_rate: 0.8333 },
    ])
    expect(result.draft.deciles[0].lift).toBeCloseTo(20 / 24 / 0.5, 3)
    const auc = (20 * 21 + (20 * 4) / 2 + (5 * 21) / 2) / 625
    expect(result.draft.auc).toBeCloseTo(auc, 4)
    expect(result.active.label).toBe('lead-score/2')
    expect(result.active.auc).toBeLessThan(result.draft.auc)
    expect(result.caveats.join(' ')).toContain('as they are today')
    expect(result.open).toMatchObject({ n: 3, changed: 3, higher: 1, lower: 2 })
    expect(result.open.by_verdict.reduce((sum: number, { n }: any) => sum + n, 0)).toBe(3)
    const change = tested.changes.find(({ lead }: any) => lead.id === open.id)
    expect(change).toMatchObject({
      lead: { name: open.name },
      score_before: open.score,
      score_after: 70,
      verdict_after: 'qualified',
      reasons_before: open.score_reasons,
    })
    expect(change.reasons_after).toContainEqual({ factor: 'city', points: 60, reason: 'From Kiel' })
    // The whole list, page by page, the biggest change first.
    const page = async (query: string) =>
      (await api.json('GET', `/api/score-formulas/${id}/back-test/changes?${query}`)).body
    const first = await page('limit=2')
    const second = await page(`limit=2&cursor=${first.next_cursor}`)
    expect([...first.data, ...second.data]).toEqual(tested.changes)
    expect([first.data.length, second.next_cursor]).toEqual([2, null])
    const { body: lines } = await api.json('GET', '/api/activities?type=score_backtested&limit=1')
    expect(lines.data[0]).toMatchObject({
      actor: { kind: 'api_key' },
      data: { changed: 3, history: { n: 50 } },
    })
    // Nothing was scored by it.
    expect((await api.json('GET', `/api/leads/${open.id}`)).body).toMatchObject({
      score: open.score,
      version: 1,
    })
  })

  test('F34: a back-test whose worker is replaced goes on behind its last batch, and finds the same', async () => {
    const id = await create({ ...kielFirst, factors: [kielFirst.factors[0]!] })
    const whole = (await backTest(id)).result
    Object.assign(scoreWork, { batch: 5 })
    const { body: job } = await api.json('POST', `/api/score-formulas/${id}/back-test`)
    // Told to stop again and again: each time another worker goes on.
    for (let n = 0; n < 40; n++) {
      const stopping = new AbortController()
      setTimeout(() => stopping.abort(), 15)
      await workScoreJob(api.db, ctx.organization_id, job.id, stopping.signal)
      const { body } = await api.json('GET', `/api/score-formulas/${id}/back-test`)
      if (body.status === 'done') break
    }
    Object.assign(scoreWork, { batch: 2_000 })
    const { body } = await api.json('GET', `/api/score-formulas/${id}/back-test`)
    expect(body).toMatchObject({ status: 'done', result: whole })
    expect(body.progress.done).toBe(body.progress.total)
  })
})
