import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount, listAccounts } from '../db/accounts.ts'
import type { Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { DomainError } from '../db/errors.ts'
import { archiveField, restoreField } from '../db/field-archiving.ts'
import { createField, type NewField } from '../db/fields.ts'
import { Filter, operators } from '../db/filters.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
const fields: Record<string, string> = {}
const choices = ['gold', 'silver', 'bronze'].map((value) => ({ value, label: value }))
const made: Omit<NewField, 'record_kind'>[] = [
  { key: 'nickname', label: 'Nickname', type: 'short_text' },
  { key: 'story', label: 'Story', type: 'long_text' },
  { key: 'team_size', label: 'Team size', type: 'integer' },
  { key: 'rating', label: 'Rating', type: 'decimal' },
  { key: 'met_on', label: 'Met on', type: 'date' },
  { key: 'tier', label: 'Tier', type: 'select', options: choices },
  { key: 'wants', label: 'Wants', type: 'multi_select', options: choices },
]
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  for (const field of made)
    fields[field.label] = (await createField(ctx, { record_kind: 'lead', ...field })).id
  await makeLead(ctx, {
    contact_name: 'ana',
    custom: {
      nickname: '50% Anna_x',
      story: 'Once upon\na time',
      team_size: 12,
      rating: 4.5,
      met_on: '2021-03-01',
      tier: 'gold',
      wants: ['silver', 'gold'],
    },
  })
  await makeLead(ctx, {
    contact_name: 'bo',
    custom: {
      team_size: 7,
      rating: -0.5,
      met_on: new Date().toISOString().slice(0, 10),
      tier: 'silver',
      wants: ['gold'],
    },
  })
  await makeLead(ctx, { contact_name: 'cy' })
})
afterAll(() => world.stop())

const find = async (filter: unknown): Promise<string[]> => {
  const { data } = await listOpportunities(ctx, { kind: 'lead', filter: Filter.parse(filter), limit: 50 })
  return data.map(({ contact_name }) => contact_name ?? '').toSorted()
}

describe('F26: every type of custom field is filtered by', () => {
  test.each<[field: string, op: string, value: unknown, found: string[]]>([
    ['nickname', 'eq', '50% Anna_x', ['ana']],
    ['nickname', 'ne', '50% Anna_x', ['bo', 'cy']],
    ['nickname', 'contains', '0% ANNA_', ['ana']],
    ['nickname', 'starts_with', '5', ['ana']],
    ['nickname', 'is_empty', undefined, ['bo', 'cy']],
    ['nickname', 'in', ['50% Anna_x', 'other'], ['ana']],
    ['nickname', 'not_in', ['50% Anna_x'], ['bo', 'cy']],
    ['story', 'contains', 'a time', ['ana']],
    ['story', 'is_not_empty', undefined, ['ana']],
    ['team_size', 'eq', 12, ['ana']],
    ['team_size', 'gt', 7, ['ana']],
    ['team_size', 'lte', 12, ['ana', 'bo']],
    ['team_size', 'between', [7, 11], ['bo']],
    ['team_size', 'in', [7, 12], ['ana', 'bo']],
    ['team_size', 'is_empty', undefined, ['cy']],
    ['rating', 'lt', 0, ['bo']],
    ['rating', 'eq', 4.5, ['ana']],
    ['rating', 'between', [-0.5, 4.5], ['ana', 'bo']],
    ['met_on', 'eq', '2021-03-01', ['ana']],
    ['met_on', 'before_last', { n: 7, unit: 'day' }, ['ana']],
    ['met_on', 'within_last', { n: 2, unit: 'day' }, ['bo']],
    ['met_on', 'within_last', { n: 2, unit: 'days' }, ['bo']],
    ['met_on', 'gte', '2021-03-01', ['ana', 'bo']],
    ['tier', 'eq', 'gold', ['ana']],
    ['tier', 'not_in', ['gold'], ['bo', 'cy']],
    ['tier', 'is_not_empty', undefined, ['ana', 'bo']],
    ['wants', 'any', ['silver', 'bronze'], ['ana']],
    ['wants', 'all', ['gold', 'silver'], ['ana']],
    ['wants', 'all', [], ['ana', 'bo', 'cy']],
    ['wants', 'none', ['silver'], ['bo', 'cy']],
    ['wants', 'contains', 'gold', ['ana', 'bo']],
    ['wants', 'is_empty', undefined, ['cy']],
  ])('custom.%s %s %o', async (field, op, value, found) => {
    const filter = { field: `custom.${field}`, op, ...(value === undefined ? {} : { value }) }
    expect(await find(filter)).toEqual(found)
    const others = ['ana', 'bo', 'cy'].filter((name) => !found.includes(name))
    expect(await find({ not: filter })).toEqual(others)
  })

  test('within links, and with the fields of what is linked', async () => {
    await createField(ctx, { record_kind: 'account', key: 'segment_code', label: 'Code', type: 'short_text' })
    const moss = await createAccount(ctx, { name: 'Moss', custom: { segment_code: 'B2' } })
    await createDeal(ctx, { name: 'deal', account_ids: [moss.id] }, { door: 'api' })
    const code = { field: 'custom.segment_code', op: 'eq', value: 'B2' }
    expect((await listAccounts(ctx, { filter: Filter.parse(code), limit: 5 })).data).toHaveLength(1)
    const filter = Filter.parse({ linked: 'accounts', some: code })
    expect(
      (await listOpportunities(ctx, { kind: 'deal', filter, limit: 5 })).data.map(({ name }) => name),
    ).toEqual(['deal'])
    await expect(find(code)).rejects.toMatchObject({ code: 'unknown_field' })
  })

  test('leads and deals that have a field of the same key and type share it in a list of both', async () => {
    await createField(ctx, { record_kind: 'deal', key: 'team_size', label: 'Team size', type: 'integer' })
    await createDeal(ctx, { name: 'shared', custom: { team_size: 9 } }, { door: 'api' })
    const filter = Filter.parse({ field: 'custom.team_size', op: 'gt', value: 8 })
    const { data } = await listOpportunities(ctx, { filter, sort: '-custom.team_size', limit: 5 })
    expect(data.map(({ name, custom }) => [name, custom['team_size']])).toEqual([
      ['ana', 12],
      ['shared', 9],
    ])
  })
})

describe('a wrong one is a sentence that names the place', () => {
  test.each<[filter: unknown, code: string, pointer: string, says: string]>([
    [
      { field: 'custom.teamsize', op: 'eq', value: 1 },
      'unknown_field',
      '/filter/field',
      '“custom.team_size”',
    ],
    [{ field: 'tier', op: 'eq', value: 'gold' }, 'unknown_field', '/filter/field', 'Did you mean'],
    [
      { field: 'custom.team_size', op: 'eq', value: 'x' },
      'invalid_filter',
      '/filter/value',
      'a whole number',
    ],
    [
      { field: 'custom.team_size', op: 'eq', value: 1.5 },
      'invalid_filter',
      '/filter/value',
      'a whole number',
    ],
    [{ field: 'custom.rating', op: 'in', value: [1, 'x'] }, 'invalid_filter', '/filter/value/1', 'a number'],
    [{ field: 'custom.met_on', op: 'eq', value: '0000-01-01' }, 'invalid_filter', '/filter/value', 'a date'],
    [
      { field: 'custom.tier', op: 'any', value: ['gold'] },
      'invalid_filter',
      '/filter/op',
      'cannot be compared',
    ],
    [{ field: 'custom.wants', op: 'all', value: 'gold' }, 'invalid_filter', '/filter/value', 'a list'],
  ])('%o', async (filter, code, pointer, says) => {
    const refused = find(filter)
    await expect(refused).rejects.toMatchObject({ kind: 'invalid', code, errors: [{ pointer }] })
    await expect(refused).rejects.toThrow(says)
  })
})

test('F27: a field that was archived is still filtered by, and named to nobody', async () => {
  await archiveField(ctx, fields['Tier']!)
  expect(await find({ field: 'custom.tier', op: 'eq', value: 'gold' })).toEqual(['ana'])
  await expect(find({ field: 'custom.teir', op: 'eq', value: 'gold' })).rejects.not.toThrow('custom.tier')
  await restoreField(ctx, fields['Tier']!)
  await expect(find({ field: 'custom.teir', op: 'eq', value: 'gold' })).rejects.toThrow('“custom.tier”')
})

test('whatever a custom field is compared with: rows or a sentence', async () => {
  const operand = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.maxSafeInteger(),
    fc.double(),
    fc.constantFrom(null, true, '2026-01-01', { n: 3, unit: 'week' }, '%', "'; drop table fields; --"),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        field: fc.constantFrom(...made.map(({ key }) => `custom.${key}`)),
        op: fc.constantFrom(...operators),
        value: fc.oneof(operand, fc.array(operand, { maxLength: 3 })),
      }),
      fc.constantFrom('created_at', ...made.map(({ key }) => `-custom.${key}`)),
      async (comparison, sort) => {
        const filter = Filter.safeParse(comparison)
        if (!filter.success) return
        try {
          expect(
            (await listOpportunities(ctx, { kind: 'lead', filter: filter.data, sort, limit: 5 })).data.length,
          ).toBeLessThan(4)
        } catch (error) {
          if (!(error instanceof DomainError))
            throw new Error(`${JSON.stringify(comparison)} failed`, { cause: error })
          expect(error.kind).toBe('invalid')
        }
      },
    ),
    { numRuns: 500 },
  )
}, 60_000)
