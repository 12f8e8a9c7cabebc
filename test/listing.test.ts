import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount, listAccounts } from '../db/accounts.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { createField } from '../db/fields.ts'
import { opportunityFields } from '../db/filter-fields.ts'
import { Filter } from '../db/filters.ts'
import { matching, type ListQuery } from '../db/listing.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
const CARDS = 40
const types = ['short_text', 'long_text', 'integer', 'decimal', 'date', 'select', 'multi_select'] as const
const words = ['alder', 'birch', 'cedar', 'damson', 'elm', 'fir']
const options = words.map((value) => ({ value, label: value }))

/** Every third one has no value, and many share one: the id decides between them. */
const among = <T>(n: number, values: T[]): T | undefined =>
  n % 3 === 0 ? undefined : values[n % values.length]

const valueOf = (type: (typeof types)[number], n: number): unknown =>
  type === 'integer' || type === 'decimal'
    ? among(n, [-3, 0, type === 'decimal' ? 0.1 + 0.2 : 7, 1_000_000])
    : type === 'date'
      ? among(n, ['2025-01-01', '2026-02-28', '2026-12-31'])
      : type === 'multi_select'
        ? among(n, [['elm'], ['cedar', 'fir'], ['alder']])
        : among(n, words)

beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  for (const record_kind of ['lead', 'deal'] as const) {
    for (const type of types) {
      const chooses = type.endsWith('select') ? { options } : {}
      await createField(ctx, { record_kind, key: `a_${type}`, label: type, type, ...chooses })
    }
  }
  for (let n = 0; n < CARDS; n++) {
    const custom = Object.fromEntries(types.map((type) => [`a_${type}`, valueOf(type, n + 1)]))
    const fields = {
      name: words[n % 5]!,
      email: undefined,
      phone: `+4930${1_000_000 + n}`,
      company_name: among(n, words),
      value_minor: among(n, [0, 5, 5_000_000_000]),
      expected_close_on: among(n, ['2026-03-01', '2026-03-02']),
      owner_id: n % 4 ? world.owner.user_id : undefined,
      custom,
    }
    if (n % 5 === 4) await createDeal(ctx, fields, { door: 'api' })
    else await makeLead(ctx, { ...fields, contact_name: words[n % 3]! })
  }
  // Many in one moment, in others a microsecond apart.
  await inTx(
    ctx,
    ({ tx }) => tx`
      update opportunities set created_at = '2026-01-01'::timestamptz + (abs(hashtext(id::text)) % 4) * interval '1 microsecond'`,
  )
})
afterAll(() => world.stop())

const allOf = async (query: Omit<ListQuery, 'limit'> & { kind?: 'lead' | 'deal' }, limit: number) => {
  const cards: Opportunity[] = []
  let cursor: string | undefined
  do {
    const page = await listOpportunities(ctx, { ...query, limit, cursor })
    cards.push(...page.data)
    expect(page.data.length === limit || page.next_cursor === null).toBe(true)
    cursor = page.next_cursor ?? undefined
  } while (cursor)
  return cards
}

const idsOf = (cards: { id: string }[]): string[] => cards.map(({ id }) => id)

const sortable = [
  ...Object.entries(opportunityFields)
    .filter(([, { type }]) => type !== 'boolean' && type !== 'tags')
    .map(([name]) => name),
  ...types.map((type) => `custom.a_${type}`),
]

/** What a card answers for a field, where it answers it plainly. */
const answered = (card: Opportunity, name: string): unknown => {
  if (name.startsWith('custom.')) {
    const value = card.custom[name.slice('custom.'.length)]
    return Array.isArray(value) ? value[0] : value
  }
  if (name.startsWith('stage_') && name !== 'stage_id' && name !== 'stage_entered_at')
    return (card.stage as Record<string, unknown>)[name.slice('stage_'.length)]
  if (name === 'owner_name') return card.owner?.name
  const value = (card as Record<string, unknown>)[name]
  return value instanceof Date ? value.getTime() : value
}

const inOrder = (a: unknown, b: unknown, descending: boolean): boolean => {
  if (b === null || b === undefined) return true
  if (a === null || a === undefined) return false
  return descending ? a >= b : a <= b
}

describe('the pages of a list are the list, in order', () => {
  test.each(sortable.flatMap((name) => [name, `-${name}`]))('by %s', async (sort) => {
    const whole = await listOpportunities(ctx, { sort, limit: 200 })
    expect(whole.data).toHaveLength(CARDS)
    expect(new Set(idsOf(whole.data)).size).toBe(CARDS)
    expect(idsOf(await allOf({ sort }, 7))).toEqual(idsOf(whole.data))
    const leads = await allOf({ sort, kind: 'lead' }, 9)
    expect(idsOf(leads)).toEqual(idsOf(whole.data.filter(({ kind }) => kind === 'lead')))
    const descending = sort.startsWith('-')
    const name = sort.replace(/^-/, '')
    if (name in whole.data[0]! || name.startsWith('custom.') || name === 'owner_name') {
      const values = whole.data.map((card) => answered(card, name))
      for (const [n, value] of values.slice(1).entries())
        expect([values[n], value, inOrder(values[n], value, descending)]).toEqual([values[n], value, true])
    }
  })

  test('by several fields, each with its own direction, and narrowed down by filter and words', async () => {
    const part = fc.tuple(fc.constantFrom('', '-'), fc.constantFrom(...sortable)).map((both) => both.join(''))
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(
          undefined,
          { field: 'value_minor', op: 'gt', value: 0 },
          { field: 'custom.a_select', op: 'is_empty' },
          { not: { field: 'company_name', op: 'eq', value: 'elm' } },
        ),
        fc.constantFrom(undefined, 'al', 'birch'),
        async (parts, limit, given, q) => {
          const sort = parts.join(',')
          const filter = given && Filter.parse(given)
          const whole = await listOpportunities(ctx, { sort, filter, q, limit: 200 })
          expect(idsOf(await allOf({ sort, filter, q }, limit))).toEqual(idsOf(whole.data))
        },
      ),
      { numRuns: 60 },
    )
  }, 60_000)

  test('an order is total: the same records, asked twice, come in the same order, and the other way round in the opposite', async () => {
    const forth = idsOf(await allOf({ sort: 'name', kind: 'lead' }, 5))
    expect(idsOf(await allOf({ sort: '-name', kind: 'lead' }, 6))).toEqual(forth.toReversed())
  })
})

test('a cursor holds still while records are added, changed in other fields and archived', async () => {
  const filter = Filter.parse({ field: 'source', op: 'eq', value: 'held' })
  const query = { kind: 'lead' as const, sort: '-value_minor', filter, limit: 4 }
  const made: string[] = []
  for (const value_minor of [900, 800, 700, 600, 500, 400, undefined, undefined])
    made.push((await makeLead(ctx, { source: 'held', value_minor })).id)
  const first = await listOpportunities(ctx, query)
  expect(idsOf(first.data)).toEqual(made.slice(0, 4))
  for (const value_minor of [1_000, 650, 550, undefined]) await makeLead(ctx, { source: 'held', value_minor })
  await inTx(
    ctx,
    ({ tx }) => tx`update opportunities set updated_at = now(), title = 'x' where id = ${made[1]!}`,
  )
  const seen = [...idsOf(first.data)]
  let cursor = first.next_cursor
  while (cursor) {
    const page = await listOpportunities(ctx, { ...query, cursor })
    seen.push(...idsOf(page.data))
    cursor = page.next_cursor
  }
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen.filter((id) => made.includes(id)).toSorted()).toEqual(made.toSorted())
})

test('what cannot be sorted by is refused with what can', async () => {
  for (const sort of [
    'tags',
    'stuck',
    'archived',
    'enriched_fields',
    'name,,name',
    'name,name,name,name,name,name',
  ])
    await expect(listOpportunities(ctx, { sort, limit: 1 }), sort).rejects.toMatchObject({
      kind: 'invalid',
      errors: [{ pointer: '/sort' }],
    })
  await expect(listOpportunities(ctx, { sort: '-custom.a_intger', limit: 1 })).rejects.toThrow(
    '“custom.a_integer”',
  )
})

test('a cursor that somebody made up is refused, never sent to the database', async () => {
  const forged = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url')
  const id = '0198c0de-0000-7000-8000-000000000000'
  for (const [sort, cursor] of [
    ['created_at', forged('created_at,id', 'yesterday', id)],
    ['created_at', forged('created_at,id', '2026-02-30 00:00:00+00', id)],
    ['created_at', forged('created_at,id', '2026-02-20 00:00:00+99', id)],
    ['value_minor', forged('value_minor,id', 1.5, id)],
    ['value_minor', forged('value_minor,id', 1e300, id)],
    ['value_minor', forged('value_minor,id', '1', id)],
    ['name', forged('name,id', 'a\u0000', id)],
    ['name', forged('name,id', 'a', 'b')],
    ['name', forged('name,id', 'a')],
    ['custom.a_date', forged('custom.a_date,id', '2026-13-01', id)],
  ] as const)
    await expect(listOpportunities(ctx, { sort, cursor, limit: 1 }), cursor).rejects.toMatchObject({
      code: 'invalid_cursor',
    })
})

test('what an act is done to is what the list shows', async () => {
  const filter = Filter.parse({ field: 'custom.a_integer', op: 'gt', value: 0 })
  const listed = await allOf({ kind: 'lead', filter, q: 'birch' }, 50)
  const ids = await inTx(ctx, async (ctx) => {
    const { condition } = await matching(ctx, 'lead', { filter, q: 'birch' })
    return ctx.tx<{ id: string }[]>`select id from opportunities o where ${condition}`
  })
  expect(listed.length).toBeGreaterThan(0)
  expect(ids.map(({ id }) => id).toSorted()).toEqual(idsOf(listed).toSorted())
})

test('companies are listed by the same engine', async () => {
  for (const name of ['Moss', 'Fern', 'Reed']) await createAccount(ctx, { name })
  const names = async (query: Partial<ListQuery>) =>
    (await listAccounts(ctx, { limit: 10, ...query })).data.map(({ name }) => name)
  expect(await names({ sort: 'name' })).toEqual(['Fern', 'Moss', 'Reed'])
  expect(await names({ q: 'oss' })).toEqual(['Moss'])
  expect(await names({ filter: Filter.parse({ field: 'name', op: 'starts_with', value: 'r' }) })).toEqual([
    'Reed',
  ])
})

test('F2: a text of pages is put in an order by how it begins, and its pages follow each other', async () => {
  const { ctx } = await world.other()
  const field = await createField(ctx, { record_kind: 'lead', label: 'Story', type: 'long_text' })
  const story = (n: number) => `${'ß'.repeat(100 + (n % 2))}${'語'.repeat(5_000)} ${n}`
  for (let n = 0; n < 5; n++)
    await makeLead(ctx, { contact_name: `Teller ${n}`, message: story(n), custom: { [field.key]: story(n) } })
  for (const sort of ['message', '-message', 'custom.story', '-custom.story']) {
    const seen: string[] = []
    for (let cursor: string | undefined; ;) {
      const { data, next_cursor } = await listOpportunities(ctx, { sort, limit: 2, cursor })
      seen.push(...data.map(({ id }) => id))
      if (next_cursor === null) break
      expect(next_cursor.length).toBeLessThan(2_000)
      cursor = next_cursor
    }
    expect(new Set(seen).size).toBe(5)
    const whole = await listOpportunities(ctx, { sort, limit: 50 })
    expect(seen).toEqual(whole.data.map(({ id }) => id))
  }
})
