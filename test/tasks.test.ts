import { afterAll, beforeAll, expect, test } from 'vitest'
import { listTimeline } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { archiveTask, completeTask, createTask, getTask, listTasks, NewTask } from '../db/tasks.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

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

test('an archived task is on no list any more', async () => {
  const lead = await makeLead(ctx)
  const { id } = await createTask(ctx, task(lead.id))
  const kept = await createTask(ctx, task(lead.id, 'Another'))
  await archiveTask(ctx, id)
  expect((await listTasks(ctx, { subject_id: lead.id, limit: 10 })).data.map((found) => found.id)).toEqual([
    kept.id,
  ])
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
  await expect(getTask(ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
  await expect(completeTask(ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
})

test('what is no task is refused', () => {
  const id = '0198c0de-0000-7000-8000-000000000000'
  for (const wrong of [
    { title: ' ' },
    { due_at: 'tomorrow' },
    { due_at: '2026-03-02T09:00:00' },
    { priority: 'asap' },
    { subjects: [] },
  ]) {
    expect([wrong, NewTask.safeParse({ ...task(id), ...wrong }).success]).toEqual([wrong, false])
  }
})

test('lists go by state and page by page', async () => {
  const { ctx: at } = await world.other()
  const lead = await makeLead(at)
  const made = []
  for (const title of ['one', 'two', 'three']) made.push(await createTask(at, task(lead.id, title)))
  await completeTask(at, made[0]!.id)
  const first = await listTasks(at, { limit: 2 })
  const second = await listTasks(at, { limit: 2, cursor: first.next_cursor! })
  expect([...first.data, ...second.data].map(({ title }) => title)).toEqual(['three', 'two', 'one'])
  expect((await listTasks(at, { status: 'open', limit: 10 })).data.map(({ title }) => title)).toEqual([
    'three',
    'two',
  ])
})
