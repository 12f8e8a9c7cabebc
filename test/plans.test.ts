import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { capture, type Statement } from '../bench/captured.ts'
import { fillLargeRecord, type LargeRecord } from '../bench/large-record.ts'
import { findActivities } from '../db/activity-list.ts'
import { readBoard } from '../db/board.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { pairLeads } from '../db/duplicate-pairs.ts'
import { duplicatesOf, listDuplicates, listNearDuplicates } from '../db/duplicates.ts'
import { findKnownLeads } from '../db/lead-duplicates.ts'
import { findMatches } from '../db/lead-matching.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { search } from '../db/search.ts'
import { findStuckStages, tellOfStuck } from '../db/stage-stuck.ts'
import { listTimeline } from '../db/timeline.ts'
import { openWorld, type World } from './world.ts'

// How PostgreSQL reads what people wait for, told by its own plans, behind row-level security and inside the finder
// functions: on a copy that is small, and large enough that reading a table from end to end would be the wrong thing.

const SIZE = { organizations: 12, leads: 40_000, biggest: 18_000, activities: 90_000, on_one_lead: 4_000 }
/** Tables of a thousand rows are read whole by any good plan; these are not. */
const LARGE = [
  'opportunities',
  'opportunity_keys',
  'opportunity_scores',
  'lead_hints',
  'accounts',
  'contacts',
  'custom_values',
  'activities',
  'activity_subjects',
  'opportunity_contacts',
]

let world: World
let record: LargeRecord
let owner: postgres.Sql
const heard: string[] = []

beforeAll(async () => {
  world = await openWorld()
  record = await fillLargeRecord(world.db, world.owner_url, SIZE)
  owner = postgres(world.owner_url, {
    max: 1,
    onnotice: ({ message }) => {
      if (message?.includes('Query Text')) heard.push(message)
    },
  })
  await owner`
    insert into opportunity_contacts (organization_id, opportunity_id, contact_id)
    select o.organization_id, o.id, c.id
    from (select organization_id, id, row_number() over (partition by organization_id order by id) as n from opportunities) o
    join (select organization_id, id, row_number() over (partition by organization_id order by id) as n from contacts) c
      on c.organization_id = o.organization_id and c.n = o.n`
  await owner`analyze opportunity_contacts`
}, 120_000)
afterAll(async () => {
  await owner.end()
  await world.stop()
})

/** The plans of everything that these statements make the database do, as the app's login. */
const plansOf = async (statements: readonly Statement[]): Promise<string> => {
  heard.length = 0
  await owner.begin(async (tx) => {
    await tx`load 'auto_explain'`
    await tx`set local auto_explain.log_min_duration = 0`
    await tx`set local auto_explain.log_nested_statements = on`
    await tx`set local client_min_messages = log`
    await tx.unsafe(`set local role "${decodeURIComponent(new URL(world.app_url).username)}"`)
    for (const { text, parameters } of statements) await tx.unsafe(text, parameters as never[])
  })
  return heard.join('\n')
}

const wholeTables = (plans: string): string[] =>
  [...plans.matchAll(/Seq Scan on (\w+)/g)].flatMap(([, table = '']) =>
    LARGE.includes(table) ? [table] : [],
  )

const inside = (db: Ctx['db']): Ctx => ({ ...record.ctx, db })
const week = { from: new Date(Date.now() - 7 * 86_400_000), to: new Date() }
const by = (field: string, op: 'eq' | 'gte', value: unknown) => ({ field, op, value })

const reads: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  'the newest leads': (ctx) => listOpportunities(ctx, { kind: 'lead', limit: 50 }),
  'leads of a source, the most valuable first': (ctx) =>
    listOpportunities(ctx, {
      kind: 'lead',
      filter: by('source', 'eq', 'maps'),
      sort: '-value_minor',
      limit: 50,
    }),
  'leads by a custom field, in the order of another one': (ctx) =>
    listOpportunities(ctx, {
      kind: 'lead',
      filter: by('custom.tier', 'eq', 'gold'),
      sort: '-custom.team_size',
      limit: 50,
    }),
  'leads with a score, the best first': (ctx) =>
    listOpportunities(ctx, { kind: 'lead', filter: by('score', 'gte', 90), sort: '-score', limit: 50 }),
  'leads without an activity for a week': (ctx) =>
    listOpportunities(ctx, {
      kind: 'lead',
      filter: {
        linked: 'activities',
        none: { field: 'occurred_at', op: 'within_last', value: { n: 7, unit: 'day' } },
      },
      limit: 50,
    }),
  'leads with a call': (ctx) =>
    listOpportunities(ctx, {
      kind: 'lead',
      filter: { linked: 'activities', some: by('type', 'eq', 'call_logged') },
      limit: 50,
    }),
  'leads that hold words': (ctx) => listOpportunities(ctx, { kind: 'lead', q: 'moreau 1701', limit: 50 }),
  'the board of the largest pipeline': (ctx) =>
    readBoard(ctx, { pipeline_id: record.pipeline_id, limit: 50 }),
  'a search for a person': (ctx) => search(ctx, { q: 'greta 1041', limit: 20 }),
  'a search for an address': (ctx) => search(ctx, { q: 'bo.lind1001@finch-25.example', limit: 20 }),
  'a search for words that nothing holds': (ctx) => search(ctx, { q: 'gerta mroeau', limit: 20 }),
  'what happened lately, of one type': (ctx) =>
    findActivities(ctx, { filter: by('type', 'eq', 'note_added'), sort: '-occurred_at', limit: 50 }),
  'what happened in a week': (ctx) => findActivities(ctx, { ...week, limit: 50 }),
  'what happened on a lead in a week': (ctx) =>
    findActivities(ctx, { ...week, subject_id: record.busy_lead_id, limit: 50 }),
  'calls of a week, as a list': (ctx) =>
    findActivities(ctx, { ...week, filter: by('type', 'eq', 'call_logged'), limit: 50 }),
  'the timeline of the busiest lead': (ctx) =>
    listTimeline(ctx, { kind: 'lead', id: record.busy_lead_id }, { limit: 50 }),
}

test.each(Object.entries(reads))('%s: no large table is read from end to end', async (_, read) => {
  const plans = await plansOf(await capture(world.app_url, (db) => read(inside(db))))
  expect(plans).toMatch(/Index (?:Only )?Scan/)
  expect([wholeTables(plans), plans]).toEqual([[], plans])
})

test('the cards that are stuck are found, and told of, by the index of those that were not told of yet', async () => {
  const { ctx } = record
  await inTx(ctx, ({ tx }) => tx`update stages set rot_days = 1 where kind = 'open'`)
  const [stage] = await findStuckStages(world.db)
  const finding = await plansOf(await capture(world.app_url, (db) => findStuckStages(db)))
  const sent = await capture(world.app_url, (db) => tellOfStuck(inside(db), stage!.id, 50))
  // The same lines are not written twice.
  const telling = await plansOf(sent.filter(({ text }) => !text.includes('insert into activities')))
  for (const plans of [finding, telling]) {
    expect([wholeTables(plans), plans]).toEqual([[], plans])
    expect(plans).toContain('Scan using opportunities_stuck_untold')
  }
})

const newcomer = {
  contact_name: 'Bo Lind 1001',
  company_name: 'Finch 25',
  email: 'bo.lind1001@finch-25.example',
  phone: '+49301001001',
}
const looks: Record<string, (ctx: Ctx) => Promise<unknown>> = {
  'the groups of leads that share a key': (ctx) => listDuplicates(ctx, { limit: 50 }),
  'the pairs that are near': (ctx) => listNearDuplicates(ctx, { limit: 50 }),
  'the duplicates of a lead': (ctx) => duplicatesOf(ctx, record.busy_lead_id),
  'who a newcomer is': (ctx) => inTx(ctx, (ctx) => findKnownLeads(ctx, [newcomer])),
  'who a newcomer may be': (ctx) => inTx(ctx, (ctx) => findMatches(ctx, [newcomer])),
  'the pairs of leads that changed': (ctx) => inTx(ctx, (ctx) => pairLeads(ctx, [record.busy_lead_id])),
}

test.each(Object.entries(looks))('F30: %s: found by keys, hints and ids alone', async (_, look) => {
  const sent = await capture(world.app_url, (db) => look(inside(db)))
  // What is written is no look.
  const plans = await plansOf(sent.filter(({ text }) => !/^\s*(?:insert|delete)/.test(text)))
  expect([wholeTables(plans), plans]).toEqual([[], plans])
  const used = new Set(
    [...plans.matchAll(/Scan (?:Backward )?(?:using|on) (opportunities_\w+)/g)].map(([, index]) => index),
  )
  const allowed = ['opportunities_organization_id_id_pk', 'opportunities_merged_into']
  expect([...used].filter((index) => !allowed.includes(index ?? '')).map((index) => [index, plans])).toEqual(
    [],
  )
})

test('a table that is read from end to end would be seen', async () => {
  const off = ['indexscan', 'indexonlyscan', 'bitmapscan'].map((way) => `set local enable_${way} = off`)
  const plans = await plansOf([
    ...off.map((text) => ({ text, parameters: [] })),
    { text: 'select count(*) from opportunities', parameters: [] },
  ])
  expect(wholeTables(plans)).toEqual(['opportunities'])
})
