import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, type Ctx } from '../db/context.ts'
import { DomainError } from '../db/errors.ts'
import { opportunityFields } from '../db/filter-fields.ts'
import { Filter, nearest, operators } from '../db/filters.ts'
import { createApiKey } from '../db/identity.ts'
import { updateLead } from '../db/leads.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { agentActor } from '../db/policies.ts'
import { archiveRecord } from '../db/records.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
const ids: Record<string, string> = {}
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  const leads: [name: string, fields: Parameters<typeof makeLead>[1]][] = [
    [
      'ana',
      {
        value_minor: 100,
        tags: ['vip', 'eu'],
        source: 'Maps',
        city: '100% Berlin',
        expected_close_on: '2026-03-01',
        owner_id: world.owner.user_id,
      },
    ],
    [
      'bo',
      { value_minor: 5_000_000, tags: ['eu'], source: 'Referral', email: undefined, phone: '+4930901820' },
    ],
    [
      'cy',
      {
        value_minor: undefined,
        tags: [],
        source: undefined,
        city: 'Berlin_Mitte',
        expected_close_on: '2026-06-01',
      },
    ],
  ]
  for (const [name, fields] of leads) ids[name] = (await makeLead(ctx, { ...fields, contact_name: name })).id
  const gone = await makeLead(ctx, { contact_name: 'gone' })
  await archiveRecord(ctx, { kind: 'lead', id: gone.id })
  await inTx(ctx, async ({ tx }) => {
    await tx`update opportunities set created_at = now() - interval '10 days' where id = ${ids['cy']!}`
    await tx`update opportunities set stage_entered_at = now() - interval '8 days 3 hours' where id = ${ids['bo']!}`
    await tx`update stages set rot_days = 8 where id = ${gone.stage_id}`
  })
})
afterAll(() => world.stop())

const find = async (filter: unknown): Promise<string[]> => {
  const { data } = await listOpportunities(ctx, { filter: Filter.parse(filter), limit: 50 })
  return data.map(({ contact_name }) => contact_name ?? '').toSorted()
}

describe('F21, F23: every comparison finds what it says', () => {
  test.each<[filter: unknown, found: string[]]>([
    [{ field: 'contact_name', op: 'eq', value: 'ana' }, ['ana']],
    [{ field: 'source', op: 'ne', value: 'Maps' }, ['bo', 'cy']],
    [{ field: 'contact_name', op: 'in', value: ['ana', 'cy'] }, ['ana', 'cy']],
    [{ field: 'contact_name', op: 'in', value: [] }, []],
    [{ field: 'source', op: 'not_in', value: ['Maps'] }, ['bo', 'cy']],
    [{ field: 'value_minor', op: 'gt', value: 100 }, ['bo']],
    [{ field: 'value_minor', op: 'gte', value: 100 }, ['ana', 'bo']],
    [{ field: 'value_minor', op: 'lt', value: 5_000_000 }, ['ana']],
    [{ field: 'value_minor', op: 'between', value: [100, 5_000_000] }, ['ana', 'bo']],
    [{ field: 'value_minor', op: 'eq', value: 9_007_199_254_740_991 }, []],
    [{ field: 'score', op: 'lt', value: 9_007_199_254_740_991 }, ['ana', 'bo', 'cy']],
    [{ field: 'score', op: 'lt', value: 0 }, []],
    [{ field: 'city', op: 'contains', value: 'berlin' }, ['ana', 'cy']],
    [{ field: 'city', op: 'contains', value: '0% b' }, ['ana']],
    [{ field: 'city', op: 'contains', value: 'n_m' }, ['cy']],
    [{ field: 'city', op: 'contains', value: '\\' }, []],
    [{ field: 'city', op: 'starts_with', value: '100%' }, ['ana']],
    [{ field: 'email', op: 'is_empty' }, ['bo']],
    [{ field: 'source', op: 'is_not_empty' }, ['ana', 'bo']],
    [{ field: 'tags', op: 'any', value: ['vip', 'other'] }, ['ana']],
    [{ field: 'tags', op: 'all', value: ['vip', 'eu'] }, ['ana']],
    [{ field: 'tags', op: 'none', value: ['vip'] }, ['bo', 'cy']],
    [{ field: 'tags', op: 'contains', value: 'eu' }, ['ana', 'bo']],
    [{ field: 'tags', op: 'is_empty' }, ['cy']],
    [{ field: 'created_at', op: 'within_last', value: { n: 7, unit: 'day' } }, ['ana', 'bo']],
    [{ field: 'created_at', op: 'before_last', value: { n: 1, unit: 'week' } }, ['cy']],
    [{ field: 'created_at', op: 'gt', value: '2020-01-01T00:00:00Z' }, ['ana', 'bo', 'cy']],
    [{ field: 'expected_close_on', op: 'lte', value: '2026-03-01' }, ['ana']],
    [{ field: 'expected_close_on', op: 'in', value: ['2026-06-01'] }, ['cy']],
    [{ field: 'stage_kind', op: 'eq', value: 'open' }, ['ana', 'bo', 'cy']],
    [{ field: 'stage_kind', op: 'ne', value: 'open' }, []],
    [{ field: 'stage_label', op: 'contains', value: 'NEW' }, ['ana', 'bo', 'cy']],
    [{ field: 'is_open', op: 'eq', value: false }, []],
    [{ field: 'is_open', op: 'in', value: [true] }, ['ana', 'bo', 'cy']],
    [{ field: 'door', op: 'eq', value: 'api' }, ['ana', 'bo', 'cy']],
    [{ field: 'days_in_stage', op: 'gte', value: 8 }, ['bo']],
    [{ field: 'stage_entered_at', op: 'before_last', value: { n: 7, unit: 'day' } }, ['bo']],
    [{ field: 'stuck', op: 'eq', value: true }, ['bo']],
    [{ field: 'stuck', op: 'eq', value: false }, ['ana', 'cy']],
    [{ not: { field: 'stuck', op: 'eq', value: true } }, ['ana', 'cy']],
    [{ field: 'score', op: 'ne', value: 1_000 }, ['ana', 'bo', 'cy']],
    [{ field: 'enriched_at', op: 'is_empty' }, ['ana', 'bo', 'cy']],
    [{ field: 'won_at', op: 'is_empty' }, ['ana', 'bo', 'cy']],
    [{ field: 'discard_reason_id', op: 'is_not_empty' }, []],
    [{ field: 'expected_close_slips', op: 'eq', value: 0 }, ['ana', 'bo', 'cy']],
    [{ field: 'pending_approvals', op: 'gt', value: 0 }, []],
    [{ field: 'agents_paused', op: 'eq', value: false }, ['ana', 'bo', 'cy']],
    [{ field: 'owner_id', op: 'eq', value: 'me' }, ['ana']],
    [{ field: 'owner_id', op: 'ne', value: 'me' }, ['bo', 'cy']],
    [{ field: 'owner_id', op: 'in', value: ['me'] }, ['ana']],
    [{ field: 'owner_name', op: 'starts_with', value: 'owner of' }, ['ana']],
    [{ field: 'owner_name', op: 'is_empty' }, ['bo', 'cy']],
    [{ field: 'archived', op: 'eq', value: true }, ['gone']],
    [{ field: 'archived_at', op: 'is_empty' }, ['ana', 'bo', 'cy']],
    [
      {
        and: [
          { field: 'tags', op: 'any', value: ['eu'] },
          { field: 'value_minor', op: 'gt', value: 100 },
        ],
      },
      ['bo'],
    ],
    [
      {
        or: [
          { field: 'contact_name', op: 'eq', value: 'ana' },
          { field: 'email', op: 'is_empty' },
        ],
      },
      ['ana', 'bo'],
    ],
    [{ not: { field: 'value_minor', op: 'gt', value: 100 } }, ['ana', 'cy']],
    [{ and: [] }, ['ana', 'bo', 'cy']],
    [{ or: [] }, []],
    [{ not: { and: [{ not: { field: 'contact_name', op: 'eq', value: 'ana' } }] } }, ['ana']],
  ])('%o', async (filter, found) => {
    expect(await find(filter)).toEqual(found)
  })
})

test('“me” is whoever asks: the member of an API key, the person an agent acts for, and nobody for the system', async () => {
  const mine = Filter.parse({ field: 'owner_id', op: 'eq', value: 'me' })
  const names = async (asking: Ctx) =>
    (await listOpportunities(asking, { filter: mine, limit: 10 })).data.map(
      ({ contact_name }) => contact_name,
    )
  const { id } = await createApiKey(ctx, { name: 'Key', scopes: ['*'], user_id: world.owner.user_id })
  expect(await names({ ...ctx, actor: { kind: 'api_key', id, name: 'Key' } })).toEqual(['ana'])
  const agent = { ...ctx, actor: agentActor('lead_worker') }
  expect(await names({ ...agent, on_behalf_of: ctx.actor })).toEqual(['ana'])
  await expect(names(agent)).rejects.toMatchObject({
    code: 'invalid_filter',
    errors: [{ pointer: '/filter/value' }],
  })
})

test('F5: “what’s been stuck in Proposal for more than 7 days?”', async () => {
  const entry = (await listOpportunities(ctx, { limit: 1 })).data[0]!.stage.label
  const stuck = (label: string) =>
    find({
      and: [
        { field: 'stage_label', op: 'contains', value: label },
        { field: 'days_in_stage', op: 'gt', value: 7 },
      ],
    })
  expect(await stuck(entry.toLowerCase())).toEqual(['bo'])
  expect(await stuck('proposal')).toEqual([])
})

test('F21: pipeline and stage, owner, campaign, company, date range and tags, all at once and with a search', async () => {
  const ana = (await listOpportunities(ctx, { q: 'ana', limit: 1 })).data[0]!
  await updateLead(ctx, ana.id, { campaign: 'Spring fair' })
  const asked = [
    { field: 'pipeline_id', op: 'eq', value: ana.pipeline_id },
    { field: 'stage_id', op: 'in', value: [ana.stage_id] },
    { field: 'owner_id', op: 'eq', value: world.owner.user_id },
    { field: 'campaign', op: 'eq', value: 'Spring fair' },
    { field: 'company_name', op: 'contains', value: 'brightside' },
    { field: 'created_at', op: 'between', value: ['2020-01-01', '2999-12-31'] },
    { field: 'tags', op: 'all', value: ['vip', 'eu'] },
  ]
  const found = async (filter: unknown, q: string) =>
    (await listOpportunities(ctx, { filter: Filter.parse(filter), q, limit: 5 })).data.map(({ id }) => id)
  expect(await found({ and: asked }, 'ana coffee')).toEqual([ana.id])
  expect(await found({ and: asked }, 'nobody')).toEqual([])
  for (const one of asked) {
    expect([
      one.field,
      await found({ and: asked.map((each) => (each === one ? { not: one } : each)) }, 'ana'),
    ]).toEqual([one.field, []])
  }
})

test('F23: a tag is one tag whatever its case, as where it is written', async () => {
  const { id } = await makeLead(ctx, {
    contact_name: 'tagged',
    tags: ['VIP', 'Ärger, “mit” \\ Komma', 'NULL'],
  })
  const found = async (op: string, value: unknown) => {
    const filter = Filter.parse({ field: 'tags', op, value })
    return (await listOpportunities(ctx, { filter, limit: 100 })).data.some((lead) => lead.id === id)
  }
  for (const vip of ['vip', 'Vip', 'VIP']) {
    expect(await found('any', [vip, 'other'])).toBe(true)
    expect(await found('contains', vip)).toBe(true)
    expect(await found('all', [vip, 'äRGER, “MIT” \\ KOMMA', 'null'])).toBe(true)
    expect(await found('none', [vip])).toBe(false)
  }
  expect(await found('any', ['vi'])).toBe(false)
  expect(await found('all', ['vip', 'other'])).toBe(false)
  expect(await found('none', ['other'])).toBe(true)
  await archiveRecord(ctx, { kind: 'lead', id })
})

describe('a wrong filter is a sentence that names the place', () => {
  test.each<[what: string, filter: unknown, pointer: string]>([
    ['an unknown field', { field: 'emial', op: 'eq', value: 'x' }, '/filter/field'],
    ['an inherited name', { field: 'constructor', op: 'eq', value: 'x' }, '/filter/field'],
    [
      'a text for a number',
      { and: [{ field: 'value_minor', op: 'gt', value: 'much' }] },
      '/filter/and/0/value',
    ],
    ['half a number', { field: 'value_minor', op: 'gt', value: 1.5 }, '/filter/value'],
    ['no list', { field: 'contact_name', op: 'in', value: 'ana' }, '/filter/value'],
    ['a list of one', { field: 'value_minor', op: 'between', value: [1] }, '/filter/value'],
    [
      'no duration',
      { or: [{ not: { field: 'created_at', op: 'within_last', value: 7 } }] },
      '/filter/or/0/not/value',
    ],
    ['tags compared', { field: 'tags', op: 'eq', value: 'vip' }, '/filter/op'],
    [
      'a text within the last days',
      { field: 'email', op: 'within_last', value: { n: 1, unit: 'day' } },
      '/filter/op',
    ],
    ['a text compared with tags’ words', { field: 'email', op: 'any', value: ['x'] }, '/filter/op'],
    ['no id', { field: 'owner_id', op: 'eq', value: 'you' }, '/filter/value'],
    ['no time', { field: 'created_at', op: 'gt', value: 'yesterday' }, '/filter/value'],
  ])('%s', async (_, filter, pointer) => {
    await expect(find(filter)).rejects.toMatchObject({ kind: 'invalid', errors: [{ pointer }] })
  })

  test('and an unknown field says which one was meant', async () => {
    await expect(find({ field: 'emial', op: 'eq', value: 'x' })).rejects.toThrow('Did you mean “email”?')
    expect(nearest(['contact_name', 'company_name'], 'companyname')).toBe('company_name')
  })

  test('what is no filter at all is refused before it is read', () => {
    for (const wrong of [
      null,
      'x',
      7,
      [],
      {},
      { and: {} },
      { field: 'name' },
      { field: 'name', op: 'like' },
      { and: [], or: [] },
      { field: 'name', op: 'eq', value: 1, more: 1 },
    ]) {
      expect([JSON.stringify(wrong), Filter.safeParse(wrong).success]).toEqual([JSON.stringify(wrong), false])
    }
    const { error } = Filter.safeParse({
      and: [
        { field: 'name', op: 'is_empty' },
        { field: 'name', op: 'like' },
      ],
    })
    expect(error?.issues).toMatchObject([
      { path: ['and', 1, 'op'], message: expect.stringContaining('starts_with') },
    ])
    const nested = (depth: number): unknown =>
      depth === 0 ? { field: 'name', op: 'is_empty' } : { not: nested(depth - 1) }
    expect(Filter.safeParse(nested(10)).success).toBe(true)
    expect(Filter.safeParse(nested(11)).success).toBe(false)
    expect(Filter.safeParse(nested(3_000)).success).toBe(false)
    const wide = (n: number, part: unknown) => ({ and: Array.from({ length: n }, () => part) })
    expect(Filter.safeParse(wide(50, nested(0))).success).toBe(true)
    expect(Filter.safeParse(wide(51, nested(0))).success).toBe(false)
    expect(Filter.safeParse(wide(10, wide(20, nested(0)))).success).toBe(false)
  })
})

test('whatever is compared with whatever: rows or a sentence, never an error of the database', async () => {
  const operand = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(
      null,
      'x',
      '2026-01-01',
      '2026-01-01T00:00:00Z',
      '0198c0de-0000-7000-8000-000000000000',
      { n: 3, unit: 'day' },
      { n: 10_000, unit: 'year' },
      '%',
      "'; drop table opportunities; --",
    ),
  )
  const leaf = fc.record({
    field: fc.constantFrom(...Object.keys(opportunityFields)),
    op: fc.constantFrom(...operators),
    value: fc.oneof(operand, fc.array(operand, { maxLength: 3 })),
  })
  await fc.assert(
    fc.asyncProperty(leaf, fc.boolean(), async (comparison, negated) => {
      const filter = Filter.safeParse(negated ? { not: comparison } : comparison)
      if (!filter.success) return
      try {
        const { data } = await listOpportunities(ctx, { filter: filter.data, limit: 5 })
        expect(data.length).toBeLessThanOrEqual(4)
      } catch (error) {
        if (!(error instanceof DomainError))
          throw new Error(`${JSON.stringify(comparison)} failed`, { cause: error })
        expect(error.kind).toBe('invalid')
      }
    }),
    { numRuns: 1_200 },
  )
}, 60_000)

test('a sort names fields that can be sorted by', async () => {
  const names = async (sort: string) =>
    (await listOpportunities(ctx, { sort, limit: 10 })).data.map(({ contact_name }) => contact_name)
  expect(await names('contact_name')).toEqual(['ana', 'bo', 'cy'])
  expect(await names('-value_minor')).toEqual(['bo', 'ana', 'cy'])
  expect(await names('value_minor,contact_name')).toEqual(['ana', 'bo', 'cy'])
  for (const wrong of ['tags', 'constructor', '', 'name;drop', '-', 'name,,name']) {
    await expect(names(wrong), wrong).rejects.toMatchObject({
      kind: 'invalid',
      errors: [{ pointer: '/sort' }],
    })
  }
})

test('a cursor of another list, or none at all, is refused', async () => {
  const { next_cursor } = await listOpportunities(ctx, { sort: 'contact_name', limit: 1 })
  const page = await listOpportunities(ctx, { sort: 'contact_name', limit: 1, cursor: next_cursor! })
  expect(page.data.map(({ contact_name }) => contact_name)).toEqual(['bo'])
  for (const [cursor, sort] of [
    ['garbage', 'contact_name'],
    [next_cursor!, '-created_at'],
    [next_cursor!, 'contact_name,name'],
    [Buffer.from('[1,2]').toString('base64url'), '-created_at'],
    [Buffer.from('{}').toString('base64url'), 'contact_name'],
  ] as const) {
    await expect(listOpportunities(ctx, { sort, limit: 1, cursor }), cursor).rejects.toMatchObject({
      kind: 'invalid',
      code: 'invalid_cursor',
    })
  }
})

test('a search finds parts of names and addresses, its signs taken as signs', async () => {
  const search = async (q: string) => (await listOpportunities(ctx, { q, limit: 10 })).data.length
  await updateLead(ctx, ids['ana']!, { company_name: '50% off_line' })
  expect(await search('brightside')).toBe(3)
  expect(await search('50% OFF_')).toBe(1)
  expect(await search('%')).toBe(1)
  expect(await search(' 901820 ')).toBe(1)
  expect(await search('\u0000')).toBe(0)
})
