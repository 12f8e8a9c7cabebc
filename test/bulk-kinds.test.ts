import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAccount, getAccount } from '../db/accounts.ts'
import { getBulk, listBulkRows, startBulk, type NewBulk } from '../db/bulk.ts'
import { undoBulk } from '../db/bulk-undo.ts'
import { workBulk } from '../db/bulk-work.ts'
import { createContact, getContact } from '../db/contacts.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createField } from '../db/fields.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { archiveRecord } from '../db/records.ts'
import { cancelTask } from '../db/task-states.ts'
import { createTask, getTask } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { makeDeal, stageIn, stageOf } from './cards.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const finish = async ({ id }: { id: string }) => {
  await workBulk(world.db, ctx.organization_id, id)
  const { data: rows } = await listBulkRows(ctx, id, { limit: 200 })
  return { ...(await getBulk(ctx, id)), rows }
}
const act = async (input: NewBulk) => finish(await startBulk(ctx, input))
const takeBack = async (id: string) => finish(await undoBulk(ctx, id))

test('F20: accounts and contacts are changed, tagged and archived in bulk, own fields too, and taken back to the value', async () => {
  await createField(ctx, { record_kind: 'account', key: 'tier', label: 'Tier', type: 'short_text' })
  const accounts = [
    await createAccount(ctx, {
      name: 'Quay Foods',
      phone: '+49 40 7654321',
      website: 'https://quay.example',
      custom: { tier: 'b' },
    }),
    await createAccount(ctx, { name: 'Harbour Bakery' }),
  ]
  const ids = accounts.map(({ id }) => id)
  const changed = await act({
    kind: 'account',
    ids,
    act: 'update',
    input: {
      website: 'https://group.example',
      phone: '+49 421 1112233',
      custom: { tier: 'a' },
      reason: 'Bought by the same group',
    },
  })
  expect(changed.counts).toEqual({ changed: 2, unchanged: 0, skipped: 0, failed: 0 })
  expect(changed.rows[0]!.changes).toEqual(
    expect.arrayContaining([
      { field: 'custom.tier', before: 'b', after: 'a' },
      { field: 'domain', before: 'quay.example', after: 'group.example' },
    ]),
  )
  expect(await getAccount(ctx, ids[1]!)).toMatchObject({ domain: 'group.example', custom: { tier: 'a' } })
  expect((await takeBack(changed.id)).counts.changed).toBe(2)
  for (const account of accounts) {
    expect(await getAccount(ctx, account.id)).toEqual({
      ...account,
      version: account.version + 2,
      updated_at: expect.any(Date),
    })
  }

  const contact = await createContact(ctx, { name: 'Jo Quay', tags: ['old'] })
  const tagged = await act({
    kind: 'contact',
    ids: [contact.id],
    act: 'add_tags',
    input: { tags: ['vip', 'Old'] },
  })
  expect(tagged.counts.changed).toBe(1)
  expect((await getContact(ctx, contact.id)).tags).toEqual(['old', 'vip'])
  await act({ kind: 'contact', ids: [contact.id], act: 'remove_tags', input: { tags: ['OLD'] } })
  expect((await getContact(ctx, contact.id)).tags).toEqual(['vip'])
  await act({ kind: 'contact', q: 'Jo Quay', act: 'archive' })
  expect((await getContact(ctx, contact.id)).archived_at).toBeInstanceOf(Date)
  expect(
    (await act({ kind: 'contact', ids: [contact.id], act: 'assign', input: { owner_id: null } })).counts
      .skipped,
  ).toBe(1)
  await act({ kind: 'contact', ids: [contact.id], act: 'restore' })
  expect((await getContact(ctx, contact.id)).archived_at).toBeNull()
})

test('F20: deals go to another pipeline by name and by a map; who has no place there fails alone; undo puts each back', async () => {
  const target = await createPipeline(ctx, { template: 'sales' })
  const from = await defaultPipeline(ctx, 'deal')
  const deals = [
    await makeDeal(ctx, { stage_id: stageIn(from, 3).id }),
    await makeDeal(ctx, { stage_id: stageIn(from, 0).id }),
    await makeDeal(ctx, { stage_id: stageIn(from, 1).id }),
    await makeDeal(ctx, { stage_id: stageIn(from, 'won').id }),
  ]
  const ids = deals.map(({ id }) => id)
  const moved = await act({
    kind: 'deal',
    ids,
    act: 'change_pipeline',
    input: { pipeline_id: target.id, stage_map: { [stageIn(from, 0).id]: stageIn(target, 0).id } },
  })
  expect(moved.rows.map(({ result, problem }) => problem?.code ?? result)).toEqual([
    'changed',
    'changed',
    'stage_unmapped',
    'changed',
  ])
  const places = async () => Promise.all(ids.map(async (id) => (await getOpportunity(ctx, id)).stage_id))
  expect(await places()).toEqual([
    target.stages.find(({ label }) => label === 'Negotiation')!.id,
    stageIn(target, 0).id,
    stageIn(from, 1).id,
    stageIn(target, 'won').id,
  ])
  await takeBack(moved.id)
  expect(await places()).toEqual(deals.map(({ stage_id }) => stage_id))

  const lead_pipeline = await defaultPipeline(ctx, 'lead')
  await expect(
    startBulk(ctx, { kind: 'deal', ids, act: 'change_pipeline', input: { pipeline_id: lead_pipeline.id } }),
  ).rejects.toMatchObject({ code: 'pipeline_of_other_kind' })
  await expect(
    startBulk(ctx, {
      kind: 'deal',
      ids,
      act: 'change_pipeline',
      input: { pipeline_id: target.id, stage_map: { [stageIn(from, 0).id]: stageIn(from, 1).id } },
    }),
  ).rejects.toMatchObject({ code: 'stage_of_other_pipeline' })
})

test('F20: what was closed in bulk is reopened by undo, with the value it had; totals are what they were', async () => {
  const totals = () =>
    inTx(
      ctx,
      ({ tx }) => tx`
        select stage_id, currency, sum(cards)::int as cards, sum(value_minor)::int as value from stage_totals
        group by 1, 2 having sum(cards) <> 0 order by 1, 2`,
    )
  const deals = [await makeDeal(ctx), await makeDeal(ctx, { value_minor: 5_000 })]
  const before = await totals()
  const closed = await act({
    kind: 'deal',
    ids: deals.map(({ id }) => id),
    act: 'close',
    input: { outcome: 'won', value_minor: 7_000, reason: 'Signed' },
  })
  expect(closed.counts.changed).toBe(2)
  expect(await getOpportunity(ctx, deals[0]!.id)).toMatchObject({
    stage: { kind: 'won' },
    stage_id: (await stageOf(ctx, 'deal', 'won')).id,
    value_minor: 7_000,
  })
  expect(await totals()).not.toEqual(before)
  await takeBack(closed.id)
  for (const { id, stage_id, value_minor } of deals)
    expect(await getOpportunity(ctx, id)).toMatchObject({ stage_id, value_minor, won_at: null })
  expect(await totals()).toEqual(before)
})

test('F20: a record of another kind is not there', async () => {
  const deal = await makeDeal(ctx)
  const { rows } = await act({ kind: 'lead', ids: [deal.id], act: 'archive' })
  expect(rows).toMatchObject([{ result: 'failed', problem: { code: 'lead_not_found' } }])
  expect((await getOpportunity(ctx, deal.id)).archived_at).toBeNull()
})

test('F20: leads and deals in one list: what each allows is done, what is not for one of them fails alone, and all is taken back', async () => {
  const [lead, deal] = [await makeLead(ctx, { city: 'Berlin' }), await makeDeal(ctx, { city: 'Berlin' })]
  const gone = await makeDeal(ctx)
  await archiveRecord(ctx, { kind: 'deal', id: gone.id })
  const ids = [lead.id, deal.id, gone.id]
  const updated = await act({ kind: 'opportunity', ids, act: 'update', input: { city: 'Kiel' } })
  expect(updated.rows).toMatchObject([
    { record: { kind: 'lead', id: lead.id, name: lead.name }, result: 'changed' },
    { record: { kind: 'deal', id: deal.id, name: deal.name }, result: 'changed' },
    { record: { kind: 'deal', id: gone.id }, result: 'skipped', problem: { code: 'record_archived' } },
  ])
  const to = await stageOf(ctx, 'deal', 2)
  const moved = await act({ kind: 'opportunity', ids, act: 'move', input: { stage_id: to.id } })
  expect(moved.rows.map(({ result, problem }) => problem?.code ?? result)).toEqual([
    'stage_of_other_kind',
    'changed',
    'record_archived',
  ])
  const target = await createPipeline(ctx, { template: 'sales' })
  const into = await act({
    kind: 'opportunity',
    ids,
    act: 'change_pipeline',
    input: { pipeline_id: target.id, stage_map: { [to.id]: stageIn(target, 0).id } },
  })
  expect(into.rows.map(({ result, problem }) => problem?.code ?? result)).toEqual([
    'pipeline_of_other_kind',
    'changed',
    'record_archived',
  ])
  const closed = await act({ kind: 'opportunity', ids, act: 'close', input: { outcome: 'won' } })
  expect(closed.counts).toEqual({ changed: 2, unchanged: 0, skipped: 1, failed: 0 })
  for (const { id } of [closed, into, moved, updated]) await takeBack(id)
  for (const card of [lead, deal])
    expect(await getOpportunity(ctx, card.id)).toMatchObject({
      city: 'Berlin',
      stage_id: card.stage_id,
      won_at: null,
    })

  const tagged = await act({
    kind: 'opportunity',
    filter: { field: 'city', op: 'eq', value: 'Berlin' },
    act: 'add_tags',
    input: { tags: ['fair'] },
  })
  expect(tagged.rows.map(({ record }) => record.id).toSorted()).toEqual([lead.id, deal.id].toSorted())
  expect((await takeBack(tagged.id)).counts.changed).toBe(2)
})

test('F20: tasks are completed, changed, assigned and archived in bulk, and taken back; a filter means the open ones', async () => {
  const { id } = await makeLead(ctx)
  const subjects = [{ kind: 'lead' as const, id }]
  const tasks = [
    await createTask(ctx, { title: 'Call', priority: 'normal', subjects }),
    await createTask(ctx, { title: 'Visit', priority: 'high', subjects }),
    await createTask(ctx, { title: 'Write', priority: 'low', subjects: [] }),
  ]
  const [call, visit, write] = tasks.map((task) => task.id) as [string, string, string]
  await cancelTask(ctx, write)
  const statuses = async () =>
    Promise.all([call, visit, write].map(async (id) => (await getTask(ctx, id)).status))
  const completed = await act({ kind: 'task', ids: [call, visit, write], act: 'complete' })
  expect(completed.rows).toMatchObject([
    { record: { kind: 'task', id: call, name: 'Call' }, result: 'changed' },
    { result: 'changed', changes: [{ field: 'status', before: 'open', after: 'done' }] },
    { result: 'skipped', problem: { code: 'task_cancelled' } },
  ])
  expect(await statuses()).toEqual(['done', 'done', 'cancelled'])
  const { data } = await listTimeline(ctx, { kind: 'lead', id }, { limit: 2 })
  expect(data.map(({ type, reason }) => [type, reason])).toEqual([
    ['task_completed', 'bulk'],
    ['task_completed', 'bulk'],
  ])
  await takeBack(completed.id)
  expect(await statuses()).toEqual(['open', 'open', 'cancelled'])

  const about = { field: 'title', op: 'in' as const, value: ['Call', 'Visit', 'Write'] }
  const assignee = { kind: 'user' as const, id: world.owner.user_id }
  const assigned = await act({ kind: 'task', filter: about, act: 'assign', input: { assignee } })
  expect(assigned.counts.changed).toBe(2)
  expect((await getTask(ctx, call)).assignee).toEqual(assignee)
  expect((await getTask(ctx, write)).assignee).toBeNull()
  await takeBack(assigned.id)
  expect((await getTask(ctx, call)).assignee).toBeNull()

  const all = { and: [about, { field: 'status', op: 'in' as const, value: ['open', 'cancelled'] }] }
  const updated = await act({
    kind: 'task',
    filter: all,
    act: 'update',
    input: { priority: 'urgent', reason: 'The fair is next week' },
  })
  expect(updated.counts.changed).toBe(3)
  await takeBack(updated.id)
  expect((await getTask(ctx, visit)).priority).toBe('high')

  const archived = await act({ kind: 'task', ids: [call, visit], act: 'archive' })
  expect(archived.counts.changed).toBe(2)
  const late = await act({ kind: 'task', ids: [call, visit], act: 'complete', dry_run: true })
  expect(late.rows.map(({ problem }) => problem?.code)).toEqual(['task_archived', 'task_archived'])
  expect((await act({ kind: 'task', ids: [call, visit], act: 'restore' })).counts.changed).toBe(2)
  expect((await act({ kind: 'task', ids: [write], act: 'reopen' })).counts.changed).toBe(1)
  expect(await statuses()).toEqual(['open', 'open', 'open'])

  for (const [name, input, code] of [
    ['add_tags', { tags: ['x'] }, 'act_of_other_kind'],
    ['close', { outcome: 'won' }, 'act_of_other_kind'],
    ['update', { status: 'done' }, 'invalid_input'],
    ['assign', {}, 'invalid_input'],
    ['assign', { assignee: { kind: 'user', id: write } }, 'assignee_unknown'],
  ] as const)
    await expect(startBulk(ctx, { kind: 'task', ids: [call], act: name, input }), name).rejects.toMatchObject(
      {
        code,
      },
    )
  await expect(startBulk(ctx, { kind: 'lead', ids: [id], act: 'complete' })).rejects.toMatchObject({
    code: 'act_of_other_kind',
  })
})
