import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createField, type NewField } from '../db/fields.ts'
import { formulaOf, scoreValues } from '../db/lead-score.ts'
import { logActivity } from '../db/activity-logging.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { deleteStage } from '../db/pipeline-stages.ts'
import { builtInFormula } from '../db/score-built-in.ts'
import type { FormulaDefinition, ScoreCase, ScoreFactor } from '../db/score-definition.ts'
import { blankLead, type ScorableLead } from '../db/score-inputs.ts'
import { wordFinder } from '../db/score-words.ts'
import { workScoreJob } from '../db/score-work.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
  const options = (...values: string[]) => values.map((value) => ({ value, label: value }))
  const fields: Omit<NewField, 'record_kind'>[] = [
    { key: 'team_size', label: 'Team size', type: 'integer' },
    { key: 'budget', label: 'Budget', type: 'decimal' },
    { key: 'renewal', label: 'Renewal', type: 'date' },
    { key: 'uses', label: 'Uses', type: 'multi_select', options: options('erp', 'shop') },
    { key: 'tier', label: 'Tier', type: 'select', options: options('gold', 'silver') },
    { key: 'notes', label: 'Notes', type: 'long_text' },
  ]
  for (const field of fields) await createField(api.ctx, { record_kind: 'lead', ...field })
})
afterAll(() => api.stop())

const definitionOf = (...factors: ScoreFactor[]): FormulaDefinition => ({
  base: 10,
  thresholds: { qualified: 50, nurture: 25 },
  factors,
})
const factor = (looks_at: ScoreFactor['looks_at'], ...cases: ScoreCase[]): ScoreFactor => ({
  factor: 'one',
  looks_at,
  cases,
})
const create = (definition: unknown, name = 'A draft') =>
  api.json('POST', '/api/score-formulas', { name, definition })
const now = new Date('2026-11-21T12:00:00Z')
const day = (days: number): Date => new Date(now.getTime() - days * 86_400_000)
const scored = (one: ScoreFactor, lead: Partial<ScorableLead>) =>
  scoreValues(formulaOf(null, 'test', definitionOf(one)), { ...blankLead, ...lead }, now).reasons.find(
    (reason) => reason.factor === 'one',
  )

/** Back-tests and activates a version, as a worker and a manager would. */
const putInForce = async (id: string) => {
  const { body: job } = await api.json('POST', `/api/score-formulas/${id}/back-test`)
  await workScoreJob(api.db, api.ctx.organization_id, job.id)
  const activated = await api.json('POST', `/api/score-formulas/${id}/activate`, {
    reason: 'It fits us better',
  })
  expect([activated.status, activated.body]).toEqual([200, expect.objectContaining({ status: 'active' })])
  return activated.body
}
const recompute = async () => {
  const { body } = await api.json('GET', '/api/score-formulas?status=active')
  const id = body.data[0]?.recompute?.id
  if (id) await workScoreJob(api.db, api.ctx.organization_id, id)
}

describe('F34: what a factor can look at', () => {
  test.each<
    [what: string, one: ScoreFactor, lead: Partial<ScorableLead>, points: number | undefined, reason?: string]
  >([
    [
      'a text, whatever its case and accents',
      factor('source', { equals: 'Café Messe', points: 9, reason: 'Came by {found}' }),
      { source: 'CAFE messe' },
      9,
      'Came by CAFE messe',
    ],
    [
      'one of several texts',
      factor('city', { any_of: ['Kiel', 'Köln'], points: 4 }),
      { city: 'Koln' },
      4,
      'One: Koln',
    ],
    [
      'words on their boundaries',
      factor('message', { words: ['price list'], points: 5 }),
      { message: 'Send the Price\n list please' },
      5,
      'One: Price\n list',
    ],
    [
      'no part of a word',
      factor('message', { words: ['cost'], points: 5 }),
      { message: 'a nice costume' },
      undefined,
    ],
    [
      'any ending, where the list says so',
      factor('message', { words: ['bestell*'], points: 5 }),
      { message: 'Wir möchten bestellen' },
      5,
      'One: bestellen',
    ],
    [
      'words with accents, told as they stand there',
      factor('title', { words: ['geschaftsfuhrer*'], points: 7 }),
      { title: 'Geschäftsführerin' },
      7,
      'One: Geschäftsführerin',
    ],
    [
      'what is blank',
      factor('phone', { is_set: false, points: -3, reason: 'No phone' }),
      { phone: null },
      -3,
      'No phone',
    ],
    [
      'nothing that is not known here',
      factor('custom.gone', { is_set: false, points: -3 }),
      { custom: {} },
      undefined,
    ],
    [
      'a band of numbers',
      factor(
        'custom.team_size',
        { from: 1, below: 10, points: 1 },
        { from: 10, below: 50, points: 5 },
        { from: 50, points: 9 },
      ),
      { custom: { team_size: 49 } },
      5,
      'One: 49',
    ],
    [
      'the upper end of a band is not in it',
      factor('custom.team_size', { from: 1, below: 10, points: 1 }, { from: 10, points: 5 }),
      { custom: { team_size: 10 } },
      5,
    ],
    ['a choice', factor('custom.tier', { equals: 'gold', points: 20 }), { custom: { tier: 'gold' } }, 20],
    [
      'one of several choices',
      factor('custom.uses', { any_of: ['shop'], points: 6, reason: 'Uses {found}' }),
      { custom: { uses: ['erp', 'shop'] } },
      6,
      'Uses shop',
    ],
    ['a tag', factor('tags', { any_of: ['VIP'], points: 6 }), { tags: ['old', 'vip'] }, 6, 'One: vip'],
    [
      'days since',
      factor('created_at', { below: 7, points: 8 }, { from: 90, points: -8 }),
      { created_at: day(100) },
      -8,
      'One: 2026-08-13, 100 days ago',
    ],
    [
      'a day of a custom field',
      factor('custom.renewal', { from: -30, below: 0, points: 8 }),
      { custom: { renewal: day(-20) } },
      8,
      'One: 2026-12-11, in 20 days',
    ],
    [
      'the kind of its domain',
      factor('email_kind', { equals: 'business', points: 3 }),
      { email: 'ana@brightside.example' },
      3,
      'One: brightside.example',
    ],
    [
      'the size that its website states',
      factor('company_size', { from: 10, below: 100, points: 4 }),
      {
        enrichment: {
          summary: '',
          facts: [{ key: 'employee_count', value: '11–50 employees', source_url: '', snippet: '' }],
        },
      },
      4,
      'One: 11–50 employees',
    ],
    [
      'a fact of its website',
      factor('fact.technology', { words: ['shopify'], points: 4 }),
      {
        enrichment: {
          summary: '',
          facts: [{ key: 'technology', value: 'Shopify Plus', source_url: '', snippet: '' }],
        },
      },
      4,
      'One: Shopify',
    ],
    [
      'its stage',
      factor('stage', { any_of: ['stage-1'], points: 4 }),
      { stage: { id: 'stage-1', label: 'Contacted', kind: 'open' } },
      4,
      'One: Contacted',
    ],
    [
      'how often something happened',
      factor({ count: 'replies', days: 30 }, { from: 2, points: 9 }),
      { counts: { 'replies:30': 3 } },
      9,
      'One: 3 replies in 30 days',
    ],
    [
      'its value in its own currency',
      factor('value', { from: 1_000, points: 3 }),
      { value_minor: 100_000, currency: 'EUR' },
      3,
    ],
    [
      'a value without minor units',
      factor('value', { from: 1_000, points: 3 }),
      { value_minor: 1_000, currency: 'JPY' },
      3,
    ],
    [
      'a ratio',
      factor(
        {
          calculate: {
            divide: [{ field: 'custom.budget' }, { field: 'custom.team_size' }],
            otherwise: 'blank',
          },
        },
        { from: 100, points: 5 },
      ),
      { custom: { budget: 5_000, team_size: 20 } },
      5,
      'One: 250',
    ],
    [
      'a ratio with nothing to divide by',
      factor(
        {
          calculate: {
            divide: [{ field: 'custom.budget' }, { field: 'custom.team_size' }],
            otherwise: 'blank',
          },
        },
        { is_set: true, points: 5 },
      ),
      { custom: { budget: 5_000, team_size: 0 } },
      undefined,
    ],
    [
      'a ratio with something instead',
      factor(
        { calculate: { divide: [{ field: 'custom.budget' }, { field: 'custom.team_size' }], otherwise: 7 } },
        { equals: 7, points: 5 },
      ),
      { custom: { budget: 5_000, team_size: null } },
      5,
    ],
    [
      'half of the points after the half-life',
      {
        ...factor('phone', { is_set: true, points: 11, reason: 'Phone' }),
        decay: { since: 'created_at', half_life_days: 30 },
      },
      { phone: '+49', created_at: day(30) },
      6,
      'Phone (6 of 11 after 30 days)',
    ],
    [
      'some less for every week, down to none',
      {
        ...factor('phone', { is_set: true, points: -4 }),
        decay: { since: 'last_activity', lose: 1, every_days: 7 },
      },
      { phone: '+49', last_activity: day(15) },
      -2,
    ],
    [
      'none in the end',
      {
        ...factor('phone', { is_set: true, points: -4 }),
        decay: { since: 'last_activity', lose: 1, every_days: 7 },
      },
      { phone: '+49', last_activity: day(400) },
      0,
    ],
  ])('F34: %s', (_, one, lead, points, reason) => {
    const found = scored(one, lead)
    expect(found?.points).toBe(points)
    if (reason !== undefined) expect(found?.reason).toBe(reason)
  })
})

describe('F34: a formula that means nothing cannot be saved', () => {
  test.each<[what: string, definition: unknown, code: string, pointer: string, message: RegExp]>([
    [
      'an unknown field',
      definitionOf(factor('custom.team_sise', { is_set: true, points: 1 })),
      'unknown_field',
      '/definition/factors/0/looks_at',
      /custom\.team_size/,
    ],
    [
      'an unknown standard value',
      definitionOf(factor('sorce', { is_set: true, points: 1 })),
      'unknown_field',
      '/definition/factors/0/looks_at',
      /“source”/,
    ],
    [
      'an unknown stage',
      definitionOf(factor('stage', { any_of: ['Contcted'], points: 1 })),
      'unknown_stage',
      '/definition/factors/0/cases/0/any_of/0',
      /did you mean/,
    ],
    [
      'an unknown choice',
      definitionOf(factor('custom.tier', { equals: 'golden', points: 1 })),
      'unknown_choice',
      '/definition/factors/0/cases/0/equals',
      /“gold”/,
    ],
    [
      'bands that overlap',
      definitionOf(
        factor('custom.team_size', { from: 1, below: 20, points: 1 }, { from: 10, below: 50, points: 2 }),
      ),
      'bands_overlap',
      '/definition/factors/0/cases/1/from',
      /from 1 below 20/,
    ],
    [
      'bands out of order',
      definitionOf(
        factor('custom.team_size', { from: 10, below: 50, points: 1 }, { from: 1, below: 10, points: 2 }),
      ),
      'bands_unordered',
      '/definition/factors/0/cases/1/from',
      /upwards/,
    ],
    [
      'an empty band',
      definitionOf(factor('custom.team_size', { from: 10, below: 10, points: 1 })),
      'bands_unordered',
      '/definition/factors/0/cases/0/below',
      /nothing is in it/,
    ],
    [
      'half points',
      definitionOf(factor('phone', { is_set: true, points: 1.5 })),
      'invalid_formula',
      '/definition/factors/0/cases/0/points',
      /whole points/,
    ],
    [
      'too many points',
      definitionOf(factor('phone', { is_set: true, points: 101 })),
      'invalid_formula',
      '/definition/factors/0/cases/0/points',
      /100/,
    ],
    [
      'a pattern',
      definitionOf(factor('message', { words: ['(a+)+$'], points: 1 })),
      'words_only',
      '/definition/factors/0/cases/0/words/0',
      /no patterns/,
    ],
    [
      'a star in the middle',
      definitionOf(factor('message', { words: ['a*b'], points: 1 })),
      'words_only',
      '/definition/factors/0/cases/0/words/0',
      /no patterns/,
    ],
    [
      'a division by nothing',
      definitionOf(
        factor(
          { calculate: { divide: [{ field: 'value_minor' }, { field: 'custom.team_size' }] } },
          { from: 1, points: 1 },
        ),
      ),
      'divides_by_nothing',
      '/definition/factors/0/looks_at/calculate',
      /custom\.team_size/,
    ],
    [
      'a division by 0',
      definitionOf(
        factor(
          { calculate: { divide: [{ field: 'value_minor' }, { number: 0 }], otherwise: 1 } },
          { from: 1, points: 1 },
        ),
      ),
      'divides_by_nothing',
      '/definition/factors/0/looks_at/calculate',
      /always/,
    ],
    [
      'a division by what comes to 0',
      definitionOf(
        factor(
          {
            calculate: {
              divide: [{ number: 1 }, { subtract: [{ number: 2 }, { number: 2 }] }],
              otherwise: 1,
            },
          },
          { from: 1, points: 1 },
        ),
      ),
      'divides_by_nothing',
      '/definition/factors/0/looks_at/calculate',
      /always/,
    ],
    [
      'a division inside another one',
      definitionOf(
        factor(
          {
            calculate: {
              divide: [{ field: 'value_minor' }, { divide: [{ number: 1 }, { field: 'custom.budget' }] }],
              otherwise: 0,
            },
          },
          { from: 1, points: 1 },
        ),
      ),
      'divides_by_nothing',
      '/definition/factors/0/looks_at/calculate',
      /custom\.budget/,
    ],
    [
      'a calculation over words',
      definitionOf(
        factor({ calculate: { add: [{ field: 'city' }, { number: 1 }] } }, { from: 1, points: 1 }),
      ),
      'case_does_not_fit',
      '/definition/factors/0/looks_at/calculate',
      /takes numbers/,
    ],
    [
      'a calculation over a missing field',
      definitionOf(
        factor({ calculate: { add: [{ field: 'custom.bugdet' }, { number: 1 }] } }, { from: 1, points: 1 }),
      ),
      'unknown_field',
      '/definition/factors/0/looks_at/calculate',
      /custom\.budget/,
    ],
    [
      'a band of words',
      definitionOf(factor('city', { from: 1, points: 1 })),
      'case_does_not_fit',
      '/definition/factors/0/cases/0/from',
      /a text/,
    ],
    [
      'two questions in one case',
      definitionOf(factor('city', { equals: 'Kiel', is_set: true, points: 1 })),
      'case_does_not_fit',
      '/definition/factors/0/cases/0',
      /asks one thing/,
    ],
    [
      'no question at all',
      definitionOf(factor('city', { points: 1 })),
      'case_does_not_fit',
      '/definition/factors/0/cases/0',
      /asks one thing/,
    ],
    [
      'two factors of one name',
      definitionOf(factor('city', { is_set: true, points: 1 }), factor('phone', { is_set: true, points: 1 })),
      'factor_twice',
      '/definition/factors/1/factor',
      /already/,
    ],
    [
      'a reserved name',
      definitionOf({ ...factor('city', { is_set: true, points: 1 }), factor: 'base' }),
      'factor_reserved',
      '/definition/factors/0/factor',
      /another name/,
    ],
    [
      'a reason that names nothing',
      definitionOf(factor('city', { is_set: true, points: 1, reason: 'From {town}' })),
      'unknown_placeholder',
      '/definition/factors/0/cases/0/reason',
      /\{town\}/,
    ],
    [
      'points that fade twice',
      definitionOf({
        ...factor('city', { is_set: true, points: 1 }),
        decay: { since: 'created_at', half_life_days: 3, lose: 1, every_days: 1 },
      }),
      'decay_unclear',
      '/definition/factors/0/decay',
      /either/,
    ],
    [
      'thresholds upside down',
      { ...definitionOf(), thresholds: { qualified: 20, nurture: 40 } },
      'thresholds_unordered',
      '/definition/thresholds/nurture',
      /20/,
    ],
    [
      'a member that nobody knows',
      { ...definitionOf(), bonus: 1 },
      'invalid_formula',
      '/definition',
      /bonus/,
    ],
  ])('F34: %s', async (_, definition, code, pointer, message) => {
    const { status, body } = await create(definition)
    expect([status, body.code]).toEqual([422, code])
    expect(body.errors).toEqual(
      expect.arrayContaining([expect.objectContaining({ pointer, message: expect.stringMatching(message) })]),
    )
    // What cannot be saved cannot be tried either.
    const lead = await makeLead(api.ctx)
    expect(
      await api.json('POST', '/api/score-formulas/preview', { definition, lead_id: lead.id }),
    ).toMatchObject({
      status: 422,
      body: { code },
    })
  })

  test('F34: every fault is told at once', async () => {
    const { body } = await create(
      definitionOf(
        factor('sorce', { is_set: true, points: 1 }),
        factor('message', { words: ['^x'], points: 1 }),
      ),
    )
    expect(body.errors.length).toBe(3)
  })
})

describe('F34: versions', () => {
  test('F34: a draft begins as the formula in force, is changed, back-tested and activated; scores say by which', async () => {
    const lead = await makeLead(api.ctx, { city: 'Kiel' })
    const { status, body: draft } = await api.json('POST', '/api/score-formulas', { name: 'Kiel first' })
    expect([status, draft.definition, draft.status]).toEqual([201, builtInFormula, 'draft'])
    const kiel: ScoreFactor = {
      factor: 'kiel',
      looks_at: 'city',
      cases: [{ equals: 'kiel', points: 20, reason: 'From {found}' }],
    }
    const definition = { ...builtInFormula, factors: [...builtInFormula.factors, kiel] }
    const stale = await api.json('PATCH', `/api/score-formulas/${draft.id}`, { version: 9, definition })
    expect(stale.status).toBe(412)
    const changed = await api.json('PATCH', `/api/score-formulas/${draft.id}`, { version: 1, definition })
    expect(changed.body).toMatchObject({ version: 2, definition, status: 'draft' })
    expect(changed.body.definition_hash).not.toBe(draft.definition_hash)

    const preview = await api.json('POST', '/api/score-formulas/preview', { definition, lead_id: lead.id })
    expect(preview.body).toMatchObject({
      score: lead.score! + 20,
      now: { score: lead.score, formula: 'lead-score/2' },
    })
    expect(preview.body.reasons).toContainEqual({ factor: 'kiel', points: 20, reason: 'From Kiel' })

    const early = await api.json('POST', `/api/score-formulas/${draft.id}/activate`, {})
    expect([early.status, early.body.code]).toEqual([409, 'back_test_required'])
    const active = await putInForce(draft.id)
    expect(active.activated_by).toMatchObject({ kind: 'api_key' })
    const again = await api.json('PATCH', `/api/score-formulas/${draft.id}`, {
      version: active.version,
      name: 'X',
    })
    expect([again.status, again.body.code]).toEqual([409, 'formula_not_draft'])

    // A new lead is scored by it at once, the others by the job.
    const fresh = await makeLead(api.ctx, { city: 'Kiel' })
    expect(fresh).toMatchObject({ score_formula: `score-formula/${draft.number}`, score: lead.score! + 20 })
    expect((await getOpportunity(api.ctx, lead.id)).score).toBe(lead.score)
    await recompute()
    expect(await getOpportunity(api.ctx, lead.id)).toMatchObject({
      score: lead.score! + 20,
      version: lead.version,
      verdict: null,
      score_formula: `score-formula/${draft.number}`,
    })
    expect((await api.json('GET', `/api/score-formulas/active`)).body).toMatchObject({ id: draft.id })
  })

  test('F34: changing a draft after its back-test asks for another one', async () => {
    const { body: draft } = await create(definitionOf())
    const { body: job } = await api.json('POST', `/api/score-formulas/${draft.id}/back-test`)
    await workScoreJob(api.db, api.ctx.organization_id, job.id)
    await api.json('PATCH', `/api/score-formulas/${draft.id}`, {
      version: 1,
      definition: { ...definitionOf(), base: 11 },
    })
    const refused = await api.json('POST', `/api/score-formulas/${draft.id}/activate`, {})
    expect(refused.body).toMatchObject({
      code: 'back_test_required',
      detail: expect.stringContaining('changed since'),
    })
    expect((await api.json('GET', `/api/score-formulas/${draft.id}/back-test`)).body.current).toBe(false)
  })

  test('F34: an activation says who, why and what stood before, and is taken back with one call', async () => {
    const { body: before } = await api.json('GET', '/api/score-formulas/active')
    const { body: draft } = await create(definitionOf(), 'Flat')
    await putInForce(draft.id)
    const { body: lines } = await api.json('GET', '/api/activities?type=score_formula_activated&limit=1')
    expect(lines.data[0]).toMatchObject({
      actor: { kind: 'api_key' },
      reason: 'It fits us better',
      subjects: expect.arrayContaining([{ kind: 'organization', id: api.ctx.organization_id }]),
      data: {
        former: before.name,
        changes: [{ field: 'active_formula', before: before.id, after: draft.id }],
      },
      summary: expect.stringContaining('“Flat”'),
    })
    const undone = await api.json('POST', `/api/activities/${lines.data[0].id}/undo`, {})
    expect([undone.status, undone.body.code]).toEqual([200, undefined])
    expect((await api.json('GET', '/api/score-formulas/active')).body.id).toBe(before.id)
    expect((await api.json('GET', `/api/score-formulas/${draft.id}`)).body.status).toBe('retired')
    // One that was in force before may be again, without another back-test.
    const again = await api.json('POST', `/api/score-formulas/${draft.id}/activate`, {})
    expect(again.body.status).toBe('active')
  })

  test('F34: without an active version the built-in formula scores again', async () => {
    const { body: active } = await api.json('GET', '/api/score-formulas/active')
    const retired = await api.json('POST', `/api/score-formulas/${active.id}/retire`, {
      reason: 'Back to the start',
    })
    expect(retired.body.status).toBe('retired')
    expect((await api.json('GET', '/api/score-formulas/active')).body).toMatchObject({
      id: null,
      label: 'lead-score/2',
    })
    expect(await makeLead(api.ctx)).toMatchObject({ score_formula: 'lead-score/2' })
  })

  test('F34: an archived field and a deleted stage give no points, and the formula says so', async () => {
    const { body: field } = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      label: 'Fleet',
      type: 'integer',
    })
    const pipeline = await createPipeline(api.ctx, {
      template: 'sales',
      name: 'Partners',
      record_kind: 'lead',
    } as never)
    const stage = pipeline.stages[1]!
    const { body: formula } = await create(
      definitionOf(
        {
          factor: 'fleet',
          looks_at: 'custom.fleet',
          cases: [
            { is_set: false, points: -20 },
            { from: 1, points: 20 },
          ],
        },
        { factor: 'stage', looks_at: 'stage', cases: [{ equals: stage.id, points: 5 }] },
      ),
    )
    expect([formula.warnings, formula.definition.factors[1].cases[0].any_of]).toEqual([[], [stage.id]])
    await putInForce(formula.id)
    const fleet = await makeLead(api.ctx, { custom: { fleet: 3 } })
    expect(fleet.score_reasons).toContainEqual(expect.objectContaining({ factor: 'fleet', points: 20 }))
    await api.json('DELETE', `/api/fields/${field.id}`)
    await deleteStage(api.ctx, pipeline.id, stage.id)
    const { body: read } = await api.json('GET', `/api/score-formulas/${formula.id}`)
    expect(read.warnings).toEqual([
      { factor: 'fleet', message: expect.stringContaining('“Fleet” is archived') },
      { factor: 'stage', message: expect.stringContaining(`“${stage.label}”, which was deleted`) },
    ])
    const { body: job } = await api.json('POST', `/api/score-formulas/${formula.id}/recompute`)
    await workScoreJob(api.db, api.ctx.organization_id, job.id)
    const after = await getOpportunity(api.ctx, fleet.id)
    expect(after.score_reasons.map(({ factor }) => factor)).toEqual(['base'])
    await api.json('POST', `/api/score-formulas/${formula.id}/retire`, {})
  })
})

test('F34: a reply, a move, a custom value: the score follows in the same transaction, and so it does when that is taken back', async () => {
  const { ctx } = api
  const lead = await makeLead(ctx)
  const { body: formula } = await create(
    definitionOf(
      {
        factor: 'replies',
        looks_at: { count: 'replies', days: 30 },
        cases: [
          { from: 1, below: 2, points: 10 },
          { from: 2, points: 15 },
        ],
      },
      { factor: 'calls', looks_at: { count: 'calls' }, cases: [{ from: 1, points: 7 }] },
      {
        factor: 'team',
        looks_at: 'custom.team_size',
        cases: [
          { is_set: false, points: -1 },
          { from: 10, points: 5 },
        ],
      },
      {
        factor: 'stage',
        looks_at: 'stage',
        cases: [{ any_of: ['Qualified'], points: 3, reason: 'In {found}' }],
      },
    ),
  )
  await putInForce(formula.id)
  await recompute()
  const score = async () => (await getOpportunity(ctx, lead.id)).score
  expect(await score()).toBe(9)
  const log = (type: 'email_received' | 'call_logged', occurred_at?: string) =>
    logActivity(ctx, {
      type,
      subjects: [{ kind: 'lead', id: lead.id }],
      data: { subject: 'Hello' },
      ...(occurred_at ? { occurred_at } : {}),
    })
  await log('email_received', new Date(Date.now() - 40 * 86_400_000).toISOString())
  expect(await score()).toBe(9)
  const reply = await log('email_received')
  expect(await score()).toBe(19)
  await log('call_logged')
  expect(await score()).toBe(26)
  await updateLead(ctx, lead.id, { custom: { team_size: 12 } })
  expect(await score()).toBe(32)
  const { stages } = (await api.json('GET', `/api/pipelines/${lead.pipeline_id}`)).body
  const qualified = stages.find(({ label }: { label: string }) => label === 'Qualified')
  const moved = await moveOpportunity(ctx, lead.id, { stage_id: qualified.id })
  expect(moved.score).toBe(35)
  expect((await api.json('DELETE', `/api/activities/${reply.id}`)).status).toBe(204)
  expect(await score()).toBe(25)
  await api.json('POST', `/api/score-formulas/${formula.id}/retire`, {})
})

test('F34: what a formula can be made of is listed, and every example can be saved', async () => {
  const { body } = await api.json('GET', '/api/score-formulas/factors')
  const names = body.inputs.map(({ looks_at }: { looks_at: string }) => looks_at)
  expect(names).toEqual(
    expect.arrayContaining([
      'source',
      'title',
      'company_size',
      'email_kind',
      'signal.buys',
      'tags',
      'stage',
      'custom.team_size',
    ]),
  )
  const factors = body.inputs.map(({ looks_at, example }: any, n: number) => ({
    factor: `f${n}`,
    looks_at,
    cases: [example],
  }))
  expect(factors.length).toBeGreaterThan(50)
  for (const some of [factors.slice(0, 50), factors.slice(50)]) {
    const { status, body } = await create(definitionOf(...some))
    expect([status, body.errors]).toEqual([201, undefined])
  }
})

test('F34: only who manages writes formulas; everybody reads them', async () => {
  for (const [role, status] of [
    ['manager', 201],
    ['rep', 403],
    ['viewer', 403],
  ] as const) {
    const headers = { authorization: `Bearer ${await api.keyFor(role)}` }
    expect([role, (await api.json('POST', '/api/score-formulas', { name: role }, headers)).status]).toEqual([
      role,
      status,
    ])
    expect((await api.json('GET', '/api/score-formulas', undefined, headers)).status).toBe(200)
  }
})

describe('F34: properties', () => {
  const lead = fc.record({
    city: fc.option(fc.constantFrom('Kiel', 'Köln', 'Bonn'), { nil: null }),
    message: fc.option(fc.string({ unit: 'grapheme', maxLength: 200 }), { nil: null }),
    phone: fc.option(fc.constant('+4930901820'), { nil: null }),
    value_minor: fc.option(fc.nat(), { nil: null }),
    created_at: fc.date({ min: new Date('2020-01-01'), max: now, noInvalidDate: true }),
  })
  const points = fc.integer({ min: -100, max: 100 })
  const oneCase = (looks_at: string): fc.Arbitrary<ScoreCase> => {
    if (looks_at === 'value_minor') return fc.record({ from: fc.nat(1_000_000), points })
    if (looks_at === 'message') return fc.record({ words: fc.constant(['a', 'the*']), points })
    return fc.record({ is_set: fc.boolean(), points })
  }
  const factors = fc
    .array(
      fc.constantFrom('city', 'message', 'phone', 'value_minor').chain((looks_at) =>
        fc.record(
          {
            looks_at: fc.constant(looks_at),
            cases: fc.array(oneCase(looks_at), { minLength: 1, maxLength: 3 }),
            decay: fc.record({
              since: fc.constant('created_at' as const),
              half_life_days: fc.integer({ min: 1, max: 400 }),
            }),
          },
          { requiredKeys: ['looks_at', 'cases'] },
        ),
      ),
      { maxLength: 8 },
    )
    .map((all): ScoreFactor[] => all.map((one, n) => ({ factor: `f${n}`, ...one })))
  const formula = fc.record({ base: fc.integer({ min: -100, max: 100 }), factors })
  const ready = ({ base, factors }: { base: number; factors: ScoreFactor[] }) =>
    formulaOf(null, 'random', { base, factors, thresholds: { qualified: 50, nurture: 25 } })

  test('F34: the reasons come to the sum, the score is the sum within 0 to 100, and the same lead gets the same score', () => {
    fc.assert(
      fc.property(formula, lead, (formula, lead) => {
        const [first, second] = [ready(formula), ready(structuredClone(formula))].map((one) =>
          scoreValues(one, { ...blankLead, ...lead }, now),
        )
        expect(second).toEqual(first)
        const sum = first!.reasons.reduce((total, { points }) => total + points, 0)
        expect(first!.score).toBe(Math.min(100, Math.max(0, sum)))
        expect(first!.reasons.every(({ points }) => Number.isInteger(points))).toBe(true)
        expect(first!.reasons.at(-1)?.factor === 'limit').toBe(sum !== first!.score)
      }),
    )
  })

  test('F34: another factor that adds points never lowers a score', () => {
    fc.assert(
      fc.property(formula, lead, fc.integer({ min: 0, max: 100 }), (formula, lead, points) => {
        const more = {
          ...formula,
          factors: [
            ...formula.factors,
            { factor: 'more', looks_at: 'city', cases: [{ is_set: true, points }] },
          ],
        }
        const values = { ...blankLead, ...lead }
        expect(scoreValues(ready(more), values, now).score).toBeGreaterThanOrEqual(
          scoreValues(ready(formula), values, now).score,
        )
      }),
    )
  })

  test('F34: words are found where they stand, as they stand there', () => {
    const word = fc.constantFrom('Straße', 'CAFÉ', 'naïve', 'prix', 'über')
    fc.assert(
      fc.property(
        word,
        fc.constantFrom('', 'vorher ', 'ça va, '),
        fc.constantFrom('', ' nachher', '! Ende'),
        (word, before, after) => {
          const text = `${before}${word}${after}`
          expect(wordFinder([word.normalize('NFD').toUpperCase()])(text)).toBe(word)
          expect(wordFinder([word])(`x${text}x`.replace(word, `a${word}`))).toBeUndefined()
        },
      ),
    )
  })
})
