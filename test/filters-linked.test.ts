import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount, listAccounts } from '../db/accounts.ts'
import { createContact, listContacts } from '../db/contacts.ts'
import type { Ctx } from '../db/context.ts'
import { createDeal } from '../db/deals.ts'
import { Filter } from '../db/filters.ts'
import { fillBlanks } from '../db/lead-enrichment.ts'
import { addNote } from '../db/notes.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { getPipeline } from '../db/pipelines.ts'
import { createTask } from '../db/tasks.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
const ids: Record<string, string> = {}
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  const owner_id = world.owner.user_id
  const moss = await createAccount(ctx, { name: 'Moss', industry: 'Coffee' })
  const fern = await createAccount(ctx, { name: 'Fern' })
  const eve = await createContact(ctx, { name: 'Eve', email: 'eve@moss.example', account_ids: [moss.id] })
  const quiet = await makeLead(ctx, { contact_name: 'quiet', owner_id, source: 'Maps', email: undefined })
  const busy = await makeLead(ctx, { contact_name: 'busy', owner_id, contact_ids: [eve.id] })
  const others = await makeLead(ctx, {
    contact_name: 'others',
    value_minor: 6_000_000,
    account_ids: [fern.id],
  })
  const old = await makeLead(ctx, { contact_name: 'old', source: 'Maps', value_minor: 5_000_000 })
  const deal = await createDeal(ctx, { name: 'deal', account_ids: [moss.id] }, { door: 'api' })
  Object.assign(ids, { quiet: quiet.id, busy: busy.id, others: others.id, old: old.id, deal: deal.id })
  await addNote(ctx, { subject: { kind: 'lead', id: busy.id }, body: 'Knows us from a fair' })
  await createTask(ctx, {
    title: 'Call',
    priority: 'high',
    due_at: '2020-01-01T00:00:00Z',
    subjects: [{ kind: 'lead', id: busy.id }],
  })
  const { stages } = await getPipeline(ctx, quiet.pipeline_id)
  const proposal = stages.find(({ label }) => label === 'Proposal sent')!
  for (const id of [others.id, old.id]) await moveOpportunity(ctx, id, { stage_id: proposal.id })
  await fillBlanks(ctx, quiet.id, [
    { field: 'city', value: 'Berlin', origin: { kind: 'url', url: 'https://brightside.example' } },
  ])
  // What happened lies back, which no act of the product makes it do.
  const sql = postgres(world.owner_url, { max: 1, onnotice: () => {} })
  await sql`update opportunities set created_at = now() - interval '9 days' where id = ${old.id}`
  await sql`
    update activities set occurred_at = now() - interval '8 days' where id in (
      select activity_id from activity_subjects where subject_id = any(${[quiet.id, others.id]}::uuid[]))`
  await sql.end()
})
afterAll(() => world.stop())

const find = async (filter: unknown, kind: 'lead' | 'deal' | 'card' = 'lead'): Promise<string[]> => {
  const { data } = await listOpportunities(ctx, {
    kind: kind === 'card' ? undefined : kind,
    filter: Filter.parse(filter),
    limit: 50,
  })
  return data.map(({ contact_name, name }) => contact_name ?? name).toSorted()
}

const lastWeek = { op: 'within_last', value: { n: 7, unit: 'day' } }

describe('the three examples of saved views', () => {
  test('F22: “Leads in my pipeline with no activity in the last 7 days”', async () => {
    const view = {
      and: [
        { field: 'owner_id', op: 'eq', value: 'me' },
        { linked: 'activities', none: { field: 'occurred_at', ...lastWeek } },
      ],
    }
    expect(await find(view)).toEqual(['quiet'])
    await addNote(ctx, { subject: { kind: 'lead', id: ids['quiet']! }, body: 'Called' })
    expect(await find(view)).toEqual([])
  })

  test('F22: “Leads with value > 50k in the proposal stage”', async () => {
    expect(
      await find({
        and: [
          { field: 'value_minor', op: 'gt', value: 5_000_000 },
          { field: 'stage_label', op: 'starts_with', value: 'proposal' },
        ],
      }),
    ).toEqual(['others'])
  })

  test('F22: “Leads imported via Maps in the last week, without an enriched email”', async () => {
    const view = {
      and: [
        { field: 'source', op: 'eq', value: 'Maps' },
        { field: 'created_at', op: 'within_last', value: { n: 1, unit: 'week' } },
        { field: 'enriched_fields', op: 'none', value: ['email'] },
      ],
    }
    expect(await find(view)).toEqual(['quiet'])
    await fillBlanks(ctx, ids['quiet']!, [
      { field: 'email', value: 'q@moss.example', origin: { kind: 'url', url: 'https://moss.example' } },
    ])
    expect(await find(view)).toEqual([])
    expect(await find({ field: 'enriched_fields', op: 'all', value: ['email', 'city'] })).toEqual(['quiet'])
  })
})

describe('what is linked', () => {
  test.each<[filter: unknown, kind: 'lead' | 'deal' | 'card', found: string[]]>([
    [{ linked: 'contacts', some: {} }, 'lead', ['busy']],
    [{ linked: 'contacts', none: {} }, 'lead', ['old', 'others', 'quiet']],
    [{ linked: 'contacts', some: { field: 'email', op: 'eq', value: 'eve@moss.example' } }, 'lead', ['busy']],
    [{ linked: 'contacts', some: { field: 'name', op: 'eq', value: 'Adam' } }, 'lead', []],
    [
      {
        linked: 'contacts',
        some: { linked: 'accounts', some: { field: 'industry', op: 'eq', value: 'Coffee' } },
      },
      'lead',
      ['busy'],
    ],
    [
      { linked: 'accounts', some: { field: 'name', op: 'in', value: ['Moss', 'Fern'] } },
      'card',
      ['deal', 'others'],
    ],
    [{ linked: 'notes', some: { field: 'body', op: 'contains', value: 'FAIR' } }, 'lead', ['busy']],
    [{ linked: 'tasks', some: { field: 'overdue', op: 'eq', value: true } }, 'lead', ['busy']],
    [
      { linked: 'tasks', none: { field: 'priority', op: 'eq', value: 'low' } },
      'lead',
      ['busy', 'old', 'others', 'quiet'],
    ],
    [{ linked: 'files', some: {} }, 'card', []],
    [{ linked: 'submissions', some: {} }, 'lead', []],
    [{ linked: 'deals', none: {} }, 'lead', ['busy', 'old', 'others', 'quiet']],
    [{ linked: 'leads', some: {} }, 'deal', []],
    [
      {
        not: {
          or: [
            { linked: 'accounts', some: {} },
            { linked: 'contacts', some: {} },
          ],
        },
      },
      'lead',
      ['old', 'quiet'],
    ],
    [{ linked: 'activities', some: { field: 'actor_id', op: 'eq', value: 'me' } }, 'deal', ['deal']],
  ])('%o of a %s', async (filter, kind, found) => {
    expect(await find(filter, kind)).toEqual(found)
  })

  test('to companies and people, both ways round', async () => {
    const accounts = async (filter: unknown) =>
      (await listAccounts(ctx, { filter: Filter.parse(filter), limit: 10 })).data
        .map(({ name }) => name)
        .toSorted()
    expect(await accounts({ linked: 'contacts', some: { field: 'name', op: 'eq', value: 'Eve' } })).toEqual([
      'Moss',
    ])
    expect(await accounts({ linked: 'deals', some: { field: 'is_open', op: 'eq', value: true } })).toEqual([
      'Moss',
    ])
    expect(await accounts({ linked: 'leads', some: {} })).toEqual(['Fern'])
    const contacts = async (filter: unknown) =>
      (await listContacts(ctx, { filter: Filter.parse(filter), limit: 10 })).data.map(({ name }) => name)
    expect(await contacts({ linked: 'accounts', none: {} })).toEqual([])
    expect(await contacts({ linked: 'leads', some: { field: 'name', op: 'eq', value: 'busy' } })).toEqual([
      'Eve',
    ])
  })
})

test.each<[what: string, filter: unknown, code: string, pointer: string]>([
  ['an unknown link', { linked: 'contact', some: {} }, 'unknown_link', '/filter/linked'],
  ['an inherited name', { linked: 'constructor', none: {} }, 'unknown_link', '/filter/linked'],
  [
    'a link of something that has none',
    { linked: 'notes', some: { linked: 'tasks', some: {} } },
    'unknown_link',
    '/filter/some/linked',
  ],
  [
    'an unknown field of what is linked',
    { linked: 'activities', none: { field: 'ocurred_at', op: 'is_empty' } },
    'unknown_field',
    '/filter/none/field',
  ],
  [
    'links of links of links of links',
    [1, 2, 3].reduce<object>((inner, n) => ({ linked: n % 2 ? 'contacts' : 'accounts', some: inner }), {
      linked: 'accounts',
      some: {},
    }),
    'invalid_filter',
    '/filter/some/some/some',
  ],
])('%s is refused with its place', async (_, filter, code, pointer) => {
  await expect(find(filter)).rejects.toMatchObject({ kind: 'invalid', code, errors: [{ pointer }] })
})

test('a link says which one was meant', async () => {
  await expect(find({ linked: 'contact', some: {} })).rejects.toThrow('Did you mean “contacts”?')
  for (const wrong of [
    { linked: 'contacts' },
    { linked: 'contacts', some: {}, none: {} },
    { linked: 7, some: {} },
    { linked: 'contacts', some: null },
    { linked: 'contacts', some: {}, field: 'x' },
  ])
    expect(Filter.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false)
})
