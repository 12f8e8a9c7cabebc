import { describe, expect, test } from 'vitest'
import { formulaOf, scoreValues } from '../db/lead-score.ts'
import type { ScoreFactor } from '../db/score-definition.ts'
import { blankLead, type ScorableLead } from '../db/score-inputs.ts'
import { definitionOf, factor, now } from './formula-world.ts'

const day = (days: number): Date => new Date(now.getTime() - days * 86_400_000)
const scored = (one: ScoreFactor, lead: Partial<ScorableLead>) =>
  scoreValues(formulaOf(null, 'test', definitionOf(one)), { ...blankLead, ...lead }, now).reasons.find(
    (reason) => reason.factor === 'one',
  )

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
