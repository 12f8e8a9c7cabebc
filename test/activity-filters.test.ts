import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount, listAccounts, updateAccount } from '../db/accounts.ts'
import { type ListActivities, findActivities } from '../db/activity-list.ts'
import { logActivity, type NewEntry } from '../db/activity-logging.ts'
import { deleteActivity, editActivity, revertActivity, withdrawEntry } from '../db/activity-revisions.ts'
import type { Activity } from '../db/activities.ts'
import { createContact, listContacts, updateContact } from '../db/contacts.ts'
import type { Ctx } from '../db/context.ts'
import { Filter } from '../db/filters.ts'
import { convertLead } from '../db/lead-conversion.ts'
import type { ListQuery } from '../db/listing.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { undoActivity } from '../db/undo.ts'
import { asAgent, makeDeal } from './cards.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const listLeads = (ctx: Ctx, query: ListQuery) => listOpportunities(ctx, { ...query, kind: 'lead' })
const listDeals = (ctx: Ctx, query: ListQuery) => listOpportunities(ctx, { ...query, kind: 'deal' })
const daysAgo = (n: number) => new Date(Date.now() - n * 86_400_000)
const call = (lead_id: string, days: number, more: Partial<NewEntry> = {}): Promise<Activity> =>
  logActivity(ctx, {
    type: 'call_logged',
    subjects: [{ kind: 'lead', id: lead_id }],
    occurred_at: daysAgo(days).toISOString(),
    data: { subject: 'Asked for 40 seats' },
    ...more,
  })
const moveTo = ({ id, version }: Activity, days: number) =>
  editActivity(ctx, id, { version, changes: { occurred_at: daysAgo(days).toISOString() } })
const found = async (query: Partial<ListActivities>) =>
  (await findActivities(ctx, { types: ['call_logged'], limit: 50, ...query })).data.map(({ id }) => id)

test('F51: an edited call counts by the time that it has now, in every way to ask, and pages hold still', async () => {
  const lead = await makeLead(ctx)
  const [stays, back, forth, again] = [
    await call(lead.id, 3),
    await call(lead.id, 2),
    await call(lead.id, 20),
    await call(lead.id, 4),
  ]
  await moveTo(back, 30)
  await moveTo(forth, 1)
  await moveTo(await moveTo(again, 40), 5)
  const [lately, before] = [{ from: daysAgo(7) }, { to: daysAgo(7) }]
  const subject = { subject_id: lead.id }
  // In the order in which they were first said to have occurred.
  for (const how of [{}, { subject_kind: 'lead' }, { sort: '-id' }, { q: 'owner' }]) {
    expect(await found({ ...subject, ...lately, ...how }), JSON.stringify(how)).toEqual([
      stays.id,
      again.id,
      forth.id,
    ])
    expect(await found({ ...subject, ...before, ...how }), JSON.stringify(how)).toEqual([back.id])
    expect(await found({ ...subject, from: daysAgo(35), to: daysAgo(25), ...how })).toEqual([back.id])
  }
  const within = (n: number) =>
    Filter.parse({ field: 'occurred_at', op: 'within_last', value: { n, unit: 'day' } })
  expect(await found({ ...subject, filter: within(7) })).toEqual([stays.id, again.id, forth.id])
  const pages: string[] = []
  for (let cursor: string | undefined; ;) {
    // The next page is known by the one before it.
    const page = await findActivities(ctx, {
      ...subject,
      ...lately,
      types: ['call_logged'],
      limit: 1,
      cursor,
    })
    pages.push(...page.data.map(({ id }) => id))
    if (page.next_cursor === null) break
    cursor = page.next_cursor
  }
  expect(pages).toEqual([stays.id, again.id, forth.id])
  expect(await found(lately)).toEqual([stays.id, again.id, forth.id])
})

test('F22: “no activity in the last 7 days” and its kin follow an edited call', async () => {
  const lead = await makeLead(ctx, { contact_name: 'Quiet' })
  const calls = (word: 'some' | 'none', n: number) =>
    Filter.parse({
      linked: 'activities',
      [word]: {
        and: [
          { field: 'type', op: 'eq', value: 'call_logged' },
          { field: 'occurred_at', op: 'within_last', value: { n, unit: 'day' } },
        ],
      },
    })
  const isAmong = async (filter: Filter) =>
    (await listOpportunities(ctx, { filter, limit: 50 })).data.some(({ id }) => id === lead.id)
  const logged = await call(lead.id, 2)
  expect([await isAmong(calls('some', 7)), await isAmong(calls('none', 7))]).toEqual([true, false])
  const earlier = await moveTo(logged, 20)
  expect([await isAmong(calls('some', 7)), await isAmong(calls('none', 7))]).toEqual([false, true])
  expect(await isAmong(calls('some', 30))).toBe(true)
  await moveTo(earlier, 1)
  expect([await isAmong(calls('some', 7)), await isAmong(calls('none', 7))]).toEqual([true, false])
})

describe('what a record is linked with in activities is what its timeline tells', () => {
  const week = { field: 'occurred_at', op: 'within_last', value: { n: 7, unit: 'day' } }
  const isCall = { field: 'type', op: 'eq', value: 'call_logged' }
  const calls = { linked: 'activities', some: isCall }
  const quiet = { linked: 'activities', none: week }
  const lists = { lead: listLeads, deal: listDeals, contact: listContacts, account: listAccounts }
  const matches = async (kind: keyof typeof lists, id: string, filter: object): Promise<boolean> => {
    const narrowed = { and: [{ field: 'id', op: 'eq', value: id }, filter] }
    const { data } = await lists[kind](ctx, { filter: Filter.parse(narrowed), limit: 5 })
    return data.length > 0
  }
  /** As if all that happened until now were long ago. */
  const longAgo = async () => {
    const sql = postgres(world.owner_url, { max: 1, onnotice: () => {} })
    await sql`update activities set occurred_at = occurred_at - interval '30 days'`
    await sql.end()
  }

  test('F22 F51: a call that was deleted by mistake, or taken back, is none; brought back it is one', async () => {
    const lead = await makeLead(ctx)
    await longAgo()
    const all = () => Promise.all([calls, quiet].map((filter) => matches('lead', lead.id, filter)))
    expect(await all()).toEqual([false, true])
    const mistaken = await call(lead.id, 0)
    expect(await all()).toEqual([true, false])
    await deleteActivity(ctx, mistaken.id)
    expect(await all()).toEqual([false, true])
    const deletion = { field: 'type', op: 'eq', value: 'activity_deleted' }
    expect(await matches('lead', lead.id, { linked: 'activities', some: deletion })).toBe(true)
    await revertActivity(ctx, mistaken.id, 1)
    expect(await all()).toEqual([true, false])
    await deleteActivity(ctx, mistaken.id)
    const another = await call(lead.id, 0)
    expect(await all()).toEqual([true, false])
    await undoActivity(ctx, another.id)
    expect(await all()).toEqual([false, true])
  })

  test('F22 F41: a card is told of calls with its people and companies, and a deal of its lead; of their own changes not', async () => {
    const contact = await createContact(ctx, { name: 'Eve' })
    const account = await createAccount(ctx, { name: 'Moss' })
    const links = { contact_ids: [contact.id], account_ids: [account.id] }
    const people = await makeLead(ctx, { contact_ids: links.contact_ids })
    const company = await makeLead(ctx, { account_ids: links.account_ids })
    const deal = await makeDeal(ctx, links)
    await longAgo()
    const all = (filter: object) =>
      Promise.all([people, company, deal].map(({ kind, id }) => matches(kind, id, filter)))
    await updateContact(ctx, contact.id, { title: 'Buyer' })
    await updateAccount(ctx, account.id, { segment: 'Cafés' })
    expect([await all(calls), await all(quiet)]).toEqual([
      [false, false, false],
      [true, true, true],
    ])
    const said = await call(contact.id, 0, { subjects: [{ kind: 'contact', id: contact.id }] })
    expect([await all(calls), await all(quiet)]).toEqual([
      [true, false, true],
      [false, true, false],
    ])
    await deleteActivity(ctx, said.id)
    await call(account.id, 0, { subjects: [{ kind: 'account', id: account.id }] })
    expect([await all(calls), await all(quiet)]).toEqual([
      [false, true, true],
      [true, false, false],
    ])
    const [uncalled, called] = [await makeLead(ctx), await makeLead(ctx)]
    await call(called.id, 0)
    for (const [lead, told] of [
      [uncalled, false],
      [called, true],
    ] as const) {
      const { deal_id } = await convertLead(ctx, lead.id, {})
      expect((await getOpportunity(ctx, deal_id!)).source_lead_id).toBe(lead.id)
      expect(await matches('deal', deal_id!, calls)).toBe(told)
    }
  })

  test('F22 F41: a contact is told of its cards, an account of its people and cards', async () => {
    const account = await createAccount(ctx, { name: 'Fern' })
    const contact = await createContact(ctx, { name: 'Adam', account_ids: [account.id] })
    const lead = await makeLead(ctx, { contact_ids: [contact.id] })
    const deal = await makeDeal(ctx, { account_ids: [account.id] })
    const told = async () => [
      await matches('contact', contact.id, calls),
      await matches('account', account.id, calls),
    ]
    expect(await told()).toEqual([false, false])
    await call(deal.id, 0, { subjects: [{ kind: 'deal', id: deal.id }] })
    expect(await told()).toEqual([false, true])
    const said = await call(lead.id, 0)
    expect(await told()).toEqual([true, true])
    await deleteActivity(ctx, said.id)
    expect(await told()).toEqual([false, true])
  })
})

test('F51: no filter and no search finds an entry by what it said before it was edited or deleted', async () => {
  const lead = await makeLead(ctx)
  const filters = (word: string): Partial<ListActivities>[] => [
    { q: word },
    { filter: Filter.parse({ field: 'reason', op: 'contains', value: word }) },
    { filter: Filter.parse({ field: 'reason', op: 'eq', value: `${word} said so` }) },
    { filter: Filter.parse({ not: { field: 'reason', op: 'ne', value: `${word} said so` } }) },
  ]
  const linked = (word: string) =>
    Filter.parse({ linked: 'activities', some: { field: 'reason', op: 'starts_with', value: word } })
  const finds = async (word: string) => [
    ...(await Promise.all(filters(word).map(found))),
    (await listOpportunities(ctx, { filter: linked(word), limit: 50 })).data.map(({ id }) => id),
  ]
  const entry = await call(lead.id, 1, { reason: 'Heron said so' })
  const nothing = [[], [], [], [], []]
  const it = [[entry.id], [entry.id], [entry.id], [entry.id], [lead.id]]
  expect(await finds('Heron')).toEqual(it)
  const edited = await editActivity(ctx, entry.id, { changes: { reason: 'Otter said so' } })
  expect([await finds('Heron'), await finds('Otter')]).toEqual([nothing, it])
  await deleteActivity(ctx, edited.id)
  expect([await finds('Heron'), await finds('Otter')]).toEqual([nothing, nothing])
  expect(await found({ filter: Filter.parse({ field: 'reason', op: 'is_empty' }) })).toContain(entry.id)

  const byAgent = await logActivity(asAgent(ctx), {
    type: 'call_logged',
    subjects: [{ kind: 'lead', id: lead.id }],
    data: { subject: 'Called' },
    reason: 'Swift said so',
  })
  expect((await finds('Swift'))[0]).toEqual([byAgent.id])
  await withdrawEntry(ctx, byAgent.id)
  expect(await finds('Swift')).toEqual(nothing)
})
