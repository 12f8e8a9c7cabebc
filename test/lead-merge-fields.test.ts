import { expect, test } from 'vitest'
import { openMergingWorld } from './merging-world.ts'

const { api, merge, pair, get } = await openMergingWorld()

const euros = { value_minor: 50_000, currency: 'EUR' }
const yen = { value_minor: 1_000, currency: 'JPY' }
const none = { currency: 'JPY' }

test.each([
  ['the currency alone', euros, yen, ['currency'], '/fields/0'],
  [
    'the amount of one, the currency of the other',
    euros,
    yen,
    { value_minor: 'duplicate', currency: 'primary' },
    '/fields/currency',
  ],
  ['the other way round', euros, yen, { value_minor: 'primary', currency: 'duplicate' }, '/fields/currency'],
  ['the currency of one that has no amount', euros, none, ['title', 'currency'], '/fields/1'],
  [
    'its own currency for an amount that fills its blank',
    { currency: 'EUR' },
    yen,
    { currency: 'primary' },
    '/fields/currency',
  ],
])(
  'F31: an amount is merged with its currency: %s is refused',
  async (_what, first, second, fields, pointer) => {
    const { primary, duplicate } = await pair(first, second)
    const { status, body } = await merge(primary.id, { duplicate_id: duplicate.id, fields })
    expect([status, body.code], JSON.stringify(body)).toEqual([422, 'currency_of_other_amount'])
    expect(body.errors).toMatchObject([{ pointer, accepted: expect.anything() }])
    expect(await get(primary.id)).toMatchObject({ ...first, version: primary.version })
    expect(await get(duplicate.id)).toMatchObject({ merged_into: null })
  },
)

test.each([
  ['the amount', euros, yen, ['value_minor'], yen],
  ['both', euros, yen, ['value_minor', 'currency'], yen],
  ['both of the primary', euros, yen, { value_minor: 'primary', currency: 'primary' }, euros],
  ['a currency that is the same', euros, { value_minor: 1, currency: 'EUR' }, ['currency'], euros],
  [
    'no amount, with its currency',
    euros,
    none,
    ['value_minor', 'currency'],
    { value_minor: null, currency: 'JPY' },
  ],
  [
    'no amount, with the other currency',
    euros,
    none,
    { value_minor: 'duplicate', currency: 'primary' },
    { value_minor: null, currency: 'EUR' },
  ],
  [
    'a currency where neither has an amount',
    { currency: 'EUR' },
    none,
    ['currency'],
    { value_minor: null, currency: 'JPY' },
  ],
  ['nothing', { currency: 'EUR' }, yen, [], yen],
])(
  'F31: an amount is merged with its currency: choosing %s holds',
  async (_what, first, second, fields, after) => {
    const { primary, duplicate } = await pair(first, second)
    const { status, body } = await merge(primary.id, { duplicate_id: duplicate.id, fields })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(await get(primary.id)).toMatchObject(after)
    const apart = await api.json('POST', `/api/leads/${duplicate.id}/unmerge`, {})
    expect(apart.body.kept).toEqual([])
    expect(apart.body.primary).toMatchObject({ value_minor: null, ...first })
  },
)
