import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { changeAgentSettings } from '../db/models.ts'
import { findOverdueWork } from '../db/overdue.ts'
import { listRuns } from '../db/runs.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { remindOfTask } from '../db/task-reminders.ts'
import { archiveTask, cancelTask, completeTask, reopenTask, restoreTask } from '../db/task-states.ts'
import { createTask, getTask, listTasks, NewTask, updateTask } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { sweep } from '../tools/jobs.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead, nowhere } from './worked-lead.ts'

let world: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  world = await openApi()
  ctx = world.ctx
})
afterAll(() => world.stop())

const NOBODY = '0198c0de-0000-7000-8000-000000000000'
const task = (lead_id: string, title = 'Call Ana') =>
  NewTask.parse({ title, subjects: [{ kind: 'lead', id: lead_id }] })
const typesOf = async (id: string) =>
  (await listTimeline(ctx, { kind: 'lead', id }, { limit: 20 })).data.map(({ type }) => type)

test('a task belongs to its record, its maker and its timeline', async () => {
  const lead = await makeLead(ctx)
  const made = await createTask(ctx, {
    ...task(lead.id),
    due_at: '2026-03-02T09:00:00+01:00',
    assignee: { kind: 'user', id: world.owner.user_id },
  })
  expect(made).toMatchObject({
    title: 'Call Ana',
    status: 'open',
    priority: 'normal',
    due_at: new Date('2026-03-02T08:00:00Z'),
    subjects: [{ kind: 'lead', id: lead.id }],
    created_by: { kind: 'user' },
    assignee: { kind: 'user' },
  })
  expect(await typesOf(lead.id)).toEqual(['task_created', 'lead_imported'])
})

test('completing one twice is once, on the task and on the timeline', async () => {
  const lead = await makeLead(ctx)
  const { id } = await createTask(ctx, task(lead.id))
  const done = await completeTask(ctx, id)
  expect(done).toMatchObject({ status: 'done', version: 2, completed_at: expect.any(Date) })
  expect(await completeTask(ctx, id)).toEqual(done)
  expect((await typesOf(lead.id)).filter((type) => type === 'task_completed')).toHaveLength(1)
})

test('F93: completing a task writes the activity on every record that it is about', async () => {
  const leads = [await makeLead(ctx), await makeLead(ctx)]
  const { id } = await createTask(ctx, {
    title: 'Compare the two',
    subjects: leads.map((lead) => ({ kind: 'lead' as const, id: lead.id })),
  })
  await completeTask(ctx, id, 'They are one company.')
  for (const lead of leads) {
    const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 1 })
    expect(data).toMatchObject([
      { type: 'task_completed', reason: 'They are one company.', data: { task_id: id } },
    ])
  }
})

test('F50: an archived task is on no list any more, until it is restored', async () => {
  const lead = await makeLead(ctx)
  const { id } = await createTask(ctx, task(lead.id))
  const kept = await createTask(ctx, task(lead.id, 'Another'))
  await archiveTask(ctx, id)
  const open = async () =>
    (await listTasks(ctx, { subject_id: lead.id, limit: 10 })).data.map((one) => one.id)
  expect(await open()).toEqual([kept.id])
  const archived = await listTasks(ctx, {
    subject_id: lead.id,
    filter: { field: 'archived', op: 'eq', value: true },
    limit: 10,
  })
  expect(archived.data.map((one) => one.id)).toEqual([id])
  await expect(completeTask(ctx, id)).rejects.toMatchObject({ kind: 'conflict', code: 'task_archived' })
  expect(await restoreTask(ctx, id)).toMatchObject({ archived_at: null, version: 3 })
  expect(await open()).toEqual([kept.id, id])
  expect((await typesOf(lead.id)).slice(0, 2)).toEqual(['record_restored', 'record_archived'])
})

test('a task about a record that is not there, or of another organization, is refused and leaves nothing', async () => {
  const other = await world.other()
  const [mine, theirs] = [await makeLead(ctx), await makeLead(other.ctx)]
  const both = {
    ...task(mine.id),
    subjects: [
      { kind: 'lead' as const, id: mine.id },
      { kind: 'lead' as const, id: theirs.id },
    ],
  }
  await expect(createTask(ctx, both)).rejects.toMatchObject({ kind: 'not_found' })
  expect(await typesOf(mine.id)).toEqual(['lead_imported'])
  const { id } = await createTask(other.ctx, task(theirs.id))
  for (const touch of [getTask, completeTask, reopenTask, cancelTask, archiveTask, restoreTask, remind])
    await expect(touch(ctx, id), touch.name).rejects.toMatchObject({ kind: 'not_found' })
  expect(await getTask(other.ctx, id)).toMatchObject({ status: 'open', version: 1, archived_at: null })
})

/** A reminder is nobody's to see, so it says nothing of what is not there: asked for by name here only. */
const remind = async (ctx: Ctx, id: string): Promise<unknown> => {
  await remindOfTask(ctx, id)
  return getTask(ctx, id)
}

test('what is no task is refused', () => {
  for (const wrong of [
    { title: ' ' },
    { due_at: 'tomorrow' },
    { due_at: '2026-03-02T09:00:00' },
    { priority: 'asap' },
    { subjects: [{ kind: 'invoice', id: NOBODY }] },
    { subjects: Array.from({ length: 21 }, () => ({ kind: 'lead', id: NOBODY })) },
    { recurrence: { every: { n: 0, unit: 'day' } } },
    { recurrence: { every: { n: 1, unit: 'fortnight' } } },
    { recurrence: { every: { n: 1, unit: 'day' }, until: 'someday' } },
    { assignee: { kind: 'team', id: 'x' } },
  ]) {
    expect([wrong, NewTask.safeParse({ ...task(NOBODY), ...wrong }).success]).toEqual([wrong, false])
  }
  expect(NewTask.parse({ title: 'Alone' }).subjects).toEqual([])
})

describe('F50: a list of tasks', () => {
  test('holds what is open unless it is asked for more, page by page', async () => {
    const { ctx: at } = await world.other()
    const lead = await makeLead(at)
    const made = []
    for (const title of ['one', 'two', 'three', 'four']) made.push(await createTask(at, task(lead.id, title)))
    await completeTask(at, made[0]!.id)
    await cancelTask(at, made[3]!.id)
    const titles = async (query: Omit<Parameters<typeof listTasks>[1], 'limit'>) =>
      (await listTasks(at, { ...query, limit: 10 })).data.map(({ title }) => title)
    expect(await titles({})).toEqual(['three', 'two'])
    expect(await titles({ status: 'done' })).toEqual(['one'])
    expect(await titles({ filter: { field: 'status', op: 'in', value: ['done', 'cancelled'] } })).toEqual([
      'four',
      'one',
    ])
    const first = await listTasks(at, { status: 'any', limit: 3 })
    const second = await listTasks(at, { status: 'any', limit: 3, cursor: first.next_cursor! })
    expect([...first.data, ...second.data].map(({ title }) => title)).toEqual(['four', 'three', 'two', 'one'])
  })

  test('is narrowed down by what is overdue, due, urgent, whose it is, and what it is about', async () => {
    const { ctx: at, owner } = await world.other()
    const [lead, other] = [await makeLead(at), await makeLead(at)]
    const day = (n: number) => new Date(Date.now() + n * 86_400_000).toISOString()
    await createTask(at, { ...task(lead.id, 'late'), due_at: day(-2), priority: 'urgent' })
    await createTask(at, {
      ...task(lead.id, 'soon'),
      due_at: day(2),
      assignee: { kind: 'user', id: owner.user_id },
    })
    await createTask(at, { title: 'some day' })
    await createTask(at, task(other.id, 'elsewhere'))
    const done = await createTask(at, { ...task(lead.id, 'late and done'), due_at: day(-3) })
    await completeTask(at, done.id)
    const titles = async (query: Omit<Parameters<typeof listTasks>[1], 'limit'>) =>
      (await listTasks(at, { ...query, limit: 10 })).data.map(({ title }) => title)
    expect(await titles({ overdue: true })).toEqual(['late'])
    expect(await titles({ filter: { field: 'overdue', op: 'eq', value: true } })).toEqual(['late'])
    expect(await titles({ overdue: false })).toEqual(['elsewhere', 'some day', 'soon'])
    expect(await titles({ due_from: day(0), due_to: day(7) })).toEqual(['soon'])
    expect(await titles({ priority: 'urgent' })).toEqual(['late'])
    expect(await titles({ assignee_id: owner.user_id })).toEqual(['soon'])
    expect(await titles({ subject_kind: 'lead', subject_id: lead.id, sort: 'due_at' })).toEqual([
      'late',
      'soon',
    ])
    expect(await titles({ q: 'elsew' })).toEqual(['elsewhere'])
  })
})

describe('a change', () => {
  test('names the version it was made upon, and says before and after on every record that is concerned', async () => {
    const [from, to] = [await makeLead(ctx), await makeLead(ctx)]
    const { id } = await createTask(ctx, { ...task(from.id), due_at: '2027-01-04T09:00:00Z' })
    const path = `/api/tasks/${id}`
    expect(await world.json('PATCH', path, { title: 'x' })).toMatchObject({ status: 428 })
    const changed = await world.json('PATCH', path, {
      version: 1,
      title: 'Visit Ana',
      due_at: '2027-01-04T10:00:00+01:00',
      description: 'In the new office.',
      subjects: [{ kind: 'lead', id: to.id }],
    })
    expect(changed).toMatchObject({
      status: 200,
      body: { title: 'Visit Ana', version: 2, subjects: [{ id: to.id }] },
    })
    expect(await world.json('PATCH', path, { version: 1, title: 'Late' })).toMatchObject({
      status: 412,
      body: { current: { version: 2, title: 'Visit Ana' } },
    })
    for (const lead of [from, to]) {
      const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 1 })
      // The same moment, written in another zone, is no change.
      expect(data[0]).toMatchObject({
        type: 'task_updated',
        data: {
          changes: [
            { field: 'title', before: 'Call Ana', after: 'Visit Ana' },
            { field: 'description', before: null, after: 'In the new office.' },
            { field: 'subjects', before: [{ id: from.id }], after: [{ id: to.id }] },
          ],
        },
      })
    }
    expect(await updateTask(ctx, id, { changes: { title: 'Visit Ana' } })).toMatchObject({ version: 2 })
  })

  test('F93: a change that says it is done completes it as the act does, upon the version that was read', async () => {
    const lead = await makeLead(ctx)
    const { id } = await createTask(ctx, { ...task(lead.id), due_at: '2027-01-04T09:00:00Z' })
    const path = `/api/tasks/${id}`
    expect(await world.json('PATCH', path, { status: 'done' })).toMatchObject({ status: 428 })
    expect(await world.json('PATCH', path, { version: 1, status: 'finished' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/status', accepted: ['open', 'done', 'cancelled'] }] },
    })
    expect(
      await world.json('PATCH', path, {
        version: 1,
        status: 'done',
        recurrence: { every: { n: 1, unit: 'week' } },
      }),
    ).toMatchObject({
      status: 200,
      body: { status: 'done', completed_at: expect.any(String), next_id: expect.any(String) },
    })
    expect(await typesOf(lead.id)).toEqual([
      'task_created',
      'task_completed',
      'task_updated',
      'task_created',
      'lead_imported',
    ])
    const { version } = await getTask(ctx, id)
    expect(await world.json('PATCH', path, { version, status: 'cancelled' })).toMatchObject({
      status: 409,
      body: { code: 'task_done', status: 409, state: 'done' },
    })
    expect(await world.json('PATCH', path, { version, status: 'open' })).toMatchObject({
      status: 200,
      body: { status: 'open', completed_at: null },
    })
  })

  test('of the state goes both ways, each once, and a closed one says so', async () => {
    const lead = await makeLead(ctx)
    const { id } = await createTask(ctx, task(lead.id))
    expect(await cancelTask(ctx, id)).toMatchObject({ status: 'cancelled' })
    await expect(completeTask(ctx, id)).rejects.toMatchObject({
      code: 'task_cancelled',
      extra: { state: 'cancelled' },
    })
    expect(await reopenTask(ctx, id)).toMatchObject({ status: 'open' })
    await completeTask(ctx, id)
    await expect(cancelTask(ctx, id)).rejects.toMatchObject({ code: 'task_done' })
    expect(await reopenTask(ctx, id)).toMatchObject({ status: 'open', completed_at: null })
    expect(await reopenTask(ctx, id)).toMatchObject({ version: 5 })
    expect(await typesOf(lead.id)).toEqual([
      'task_updated',
      'task_completed',
      'task_updated',
      'task_updated',
      'task_created',
      'lead_imported',
    ])
  })
})

describe('F50: a task is assigned', () => {
  test('to a member or an agent, and to nobody else: a refusal names who is there', async () => {
    const lead = await makeLead(ctx)
    const theirs = (await world.other()).owner.user_id
    for (const id of [NOBODY, theirs]) {
      const refused = await world.json('POST', '/api/tasks', { title: 'x', assignee: { kind: 'user', id } })
      expect(refused).toMatchObject({
        status: 422,
        body: {
          code: 'assignee_unknown',
          errors: [{ pointer: '/assignee/id', accepted: [{ id: world.owner.user_id }] }],
        },
      })
    }
    const { id } = await createTask(ctx, task(lead.id))
    expect(
      await world.json('PATCH', `/api/tasks/${id}`, {
        version: 1,
        assignee: { kind: 'agent', id: 'lead_wrker' },
      }),
    ).toMatchObject({
      status: 422,
      body: { code: 'assignee_unknown', errors: [{ accepted: expect.arrayContaining(['lead_worker']) }] },
    })
  })

  test('to an agent: it goes to work on the lead, told which task it is', async () => {
    const lead = await makeLead(ctx)
    const runs = async () => (await listRuns(ctx, { subject_id: lead.id, limit: 5 })).data
    const { id } = await createTask(ctx, { ...task(lead.id), assignee: { kind: 'agent', id: 'lead_worker' } })
    expect(await runs()).toMatchObject([
      { agent: 'lead_worker', status: 'queued', trigger: { kind: 'task', task_id: id } },
    ])
  })

  test('to an agent later: the same; one that is off stays asleep', async () => {
    const [lead, quiet] = [await makeLead(ctx), await makeLead(ctx)]
    const runs = async (subject_id: string) => (await listRuns(ctx, { subject_id, limit: 5 })).data
    const { id } = await createTask(ctx, task(lead.id))
    expect(await runs(lead.id)).toEqual([])
    await updateTask(ctx, id, { changes: { assignee: { kind: 'agent', id: 'lead_worker' } } })
    expect(await runs(lead.id)).toMatchObject([{ trigger: { kind: 'task', task_id: id } }])

    const assign = () =>
      createTask(ctx, { ...task(quiet.id), assignee: { kind: 'agent', id: 'lead_worker' } })
    await changeAgentSettings(ctx, 'lead_worker', { enabled: false })
    await assign()
    await changeAgentSettings(ctx, 'lead_worker', { enabled: true })
    const { version } = await readSettings(ctx)
    await changeSettings(ctx, { version, changes: { ai_enabled: false } })
    await assign()
    await changeSettings(ctx, { version: version + 1, changes: { ai_enabled: true } })
    expect(await runs(quiet.id)).toEqual([])
  })
})

describe('F50: a reminder', () => {
  const due = () => new Date(Date.now() - 1_000).toISOString()
  const reminders = async (id: string) =>
    (await listActivities(ctx, { types: ['task_reminder'], subject: { kind: 'task', id }, limit: 10 })).data

  test('comes when it is due, once, however often and by how many it is looked for', async () => {
    const lead = await makeLead(ctx)
    const { id } = await createTask(ctx, { ...task(lead.id), remind_at: due() })
    expect((await findOverdueWork(world.db)).reminders.map((one) => one.id)).toContain(id)
    await Promise.all([sweep(world.db, nowhere), sweep(world.db, nowhere), remindOfTask(ctx, id)])
    await sweep(world.db, nowhere)
    expect(await reminders(id)).toMatchObject([
      { type: 'task_reminder', data: { task_id: id, title: 'Call Ana' } },
    ])
    expect(await typesOf(lead.id)).toContain('task_reminder')
    expect((await findOverdueWork(world.db)).reminders.map((one) => one.id)).not.toContain(id)
    expect(await getTask(ctx, id)).toMatchObject({ version: 1, reminded_at: expect.any(Date) })
  })

  test('that is set anew comes anew; one of a task that is closed or archived, or not due, never', async () => {
    const later = await createTask(ctx, {
      title: 'x',
      remind_at: new Date(Date.now() + 60_000).toISOString(),
    })
    const closed = await createTask(ctx, { title: 'x', remind_at: due() })
    await cancelTask(ctx, closed.id)
    const archived = await createTask(ctx, { title: 'x', remind_at: due() })
    await archiveTask(ctx, archived.id)
    const again = await createTask(ctx, { title: 'x', remind_at: due() })
    await sweep(world.db, nowhere)
    await updateTask(ctx, again.id, { changes: { remind_at: new Date(Date.now() - 500).toISOString() } })
    await sweep(world.db, nowhere)
    for (const [one, times] of [
      [later, 0],
      [closed, 0],
      [archived, 0],
      [again, 2],
    ] as const) {
      expect(await reminders(one.id)).toHaveLength(times)
    }
  })
})
