import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { logActivity } from '../db/activity-logging.ts'
import { deleteActivity, editActivity } from '../db/activity-revisions.ts'
import { createContact } from '../db/contacts.ts'
import { type Ctx, inTx, type TxCtx } from '../db/context.ts'
import { filterCondition, type FilterScope, kindCondition } from '../db/filter-condition.ts'
import { filterKinds } from '../db/filter-kinds.ts'
import { filterScope } from '../db/filter-scope.ts'
import { Filter } from '../db/filters.ts'
import { lookThrough } from '../db/linked-activities.ts'
import { makeDeal } from './cards.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
const daysAgo = (n: number) => new Date(Date.now() - n * 86_400_000).toISOString()

beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  const account = await createAccount(ctx, { name: 'Larch' })
  const contact = await createContact(ctx, { name: 'Li Xu', account_ids: [account.id] })
  const linked = { account_ids: [account.id], contact_ids: [contact.id] }
  const near = await makeLead(ctx, { contact_name: 'Near', ...linked })
  const called = await makeLead(ctx, { contact_name: 'Called' })
  const met = await makeDeal(ctx, { name: 'Met', contact_ids: [contact.id] })
  await makeLead(ctx, { contact_name: 'Quiet' })
  const log = (
    type: 'call_logged' | 'meeting_logged',
    kind: 'lead' | 'deal' | 'contact',
    id: string,
    days: number,
  ) =>
    logActivity(ctx, {
      type,
      subjects: [{ kind, id }],
      occurred_at: daysAgo(days),
      data:
        type === 'call_logged'
          ? { subject: 'Seats' }
          : { subject: 'Seats', status: 'held', starts_at: daysAgo(days) },
    })
  await log('call_logged', 'contact', contact.id, 3)
  await log('call_logged', 'lead', near.id, 40)
  const moved = await log('call_logged', 'lead', called.id, 60)
  await editActivity(ctx, moved.id, { version: moved.version, changes: { occurred_at: daysAgo(1) } })
  const gone = await log('meeting_logged', 'lead', called.id, 1)
  await deleteActivity(ctx, gone.id)
  await log('meeting_logged', 'deal', met.id, 12)
})
afterAll(() => world.stop())

/** The names of the records that a filter selects, read in this scope. */
const named = async (
  { tx, organization_id }: TxCtx,
  scope: FilterScope,
  filter: Filter,
): Promise<string[]> => {
  const { table, alias } = filterKinds[scope.kind]
  const { rows, live } = kindCondition(scope, filter, alias)
  const found = await tx<{ name: string }[]>`
    select ${tx(alias)}.name from ${tx(table)} ${tx(alias)} where ${tx(alias)}.organization_id = ${organization_id}
      and (${rows.reduce((all, next) => tx`${all} or ${next}`)}) and ${live} and (${filterCondition(scope, filter, alias)})
    order by 1`
  return found.map(({ name }) => name)
}

const by = (field: string, op: string, value: unknown) => ({ field, op, value })
const within = (n: number, unit = 'day') => by('occurred_at', 'within_last', { n, unit })
const some = (inner: object) => ({ linked: 'activities', some: inner })

const filters: [what: string, filter: object, leads: string[]][] = [
  ['a call', some(by('type', 'eq', 'call_logged')), ['Called', 'Near']],
  [
    'a call lately, one of them by an edit',
    some({ and: [by('type', 'eq', 'call_logged'), within(7)] }),
    ['Called', 'Near'],
  ],
  [
    'a call in the last 2 months',
    some({ and: [within(2, 'months'), by('type', 'eq', 'call_logged')] }),
    ['Called', 'Near'],
  ],
  [
    'a call since a day',
    some({ and: [by('type', 'eq', 'call_logged'), by('occurred_at', 'gte', daysAgo(1.5).slice(0, 10))] }),
    ['Called'],
  ],
  [
    'a call between two moments',
    some({
      and: [by('type', 'eq', 'call_logged'), by('occurred_at', 'between', [daysAgo(3.5), daysAgo(2.5)])],
    }),
    ['Near'],
  ],
  [
    'a call long ago',
    some({
      and: [by('type', 'eq', 'call_logged'), by('occurred_at', 'before_last', { n: 30, unit: 'day' })],
    }),
    ['Near'],
  ],
  [
    'a call long ago, or lately a meeting',
    some({
      or: [
        { and: [by('type', 'eq', 'call_logged'), by('occurred_at', 'lt', daysAgo(30))] },
        { and: [by('type', 'eq', 'meeting_logged'), within(5)] },
      ],
    }),
    ['Near'],
  ],
  ['a meeting, which was deleted', some(by('type', 'eq', 'meeting_logged')), []],
  ['no call', { not: some(by('type', 'eq', 'call_logged')) }, ['Quiet']],
  [
    'a call, or a name',
    { or: [some({ and: [by('type', 'eq', 'call_logged'), within(2)] }), by('name', 'eq', 'Quiet')] },
    ['Called', 'Quiet'],
  ],
  ['anything', some({}), ['Called', 'Near', 'Quiet']],
]

test.each(filters)(
  'F22: %s is found the same, whether few or many activities are meant',
  async (_, given, leads) => {
    const filter = Filter.parse(given)
    for (const kind of ['lead', 'deal', 'opportunity', 'contact', 'account'] as const)
      await inTx(ctx, async (ctx) => {
        const plain = await filterScope(ctx, kind, { filter })
        const few = await lookThrough(ctx, plain, filter)
        const many = await lookThrough(ctx, plain, filter, 0)
        const found = await named(ctx, plain, filter)
        expect([kind, await named(ctx, few, filter), await named(ctx, many, filter)]).toEqual([
          kind,
          found,
          found,
        ])
        if (kind === 'lead') expect(found).toEqual(leads)
      })
  },
)

test('F22: what is wrong inside a condition on activities is said with its place', async () => {
  const filter = Filter.parse({ and: [some({ and: [within(7), by('ocurred_at', 'eq', 1)] })] })
  const listed = inTx(ctx, async (ctx) =>
    lookThrough(ctx, await filterScope(ctx, 'lead', { filter }), filter),
  )
  await expect(listed).rejects.toMatchObject({
    code: 'unknown_field',
    errors: [{ pointer: '/filter/and/0/some/and/1/field' }],
  })
})
