import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formulaOf, scoreValues } from '../db/lead-score.ts'
import type { ScoreCase, ScoreFactor } from '../db/score-definition.ts'
import { blankLead } from '../db/score-inputs.ts'
import { wordFinder } from '../db/score-words.ts'
import { definitionOf, now, openFormulaWorld } from './formula-world.ts'

const { api, create } = await openFormulaWorld()

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
