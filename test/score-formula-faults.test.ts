import { describe, expect, test } from 'vitest'
import { definitionOf, factor, openFormulaWorld } from './formula-world.ts'
import { makeLead } from './worked-lead.ts'

const { api, create } = await openFormulaWorld()

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
