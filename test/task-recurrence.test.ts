import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ctx } from '../db/context.ts'
import { EntryChange, LoggedData } from '../db/activity-logging.ts'
import { SetMilestone } from '../db/milestones.ts'
import { listRuns } from '../db/runs.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { remindOfTask } from '../db/task-reminders.ts'
import { cancelTask, completeTask, reopenTask } from '../db/task-states.ts'
import { createTask, getTask, listTasks, NewTask, TaskChange, updateTask, type Task } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  const { version } = await readSettings(ctx)
  await changeSettings(ctx, { version, changes: { timezone: 'Europe/Berlin' } })
})
afterAll(() => world.stop())

type Unit = 'day' | 'week' | 'month' | 'year'
const repeating = (
  due_at: string,
  n: number,
  unit: Unit,
  more: Partial<Parameters<typeof createTask>[1]> = {},
) => createTask(ctx, { title: 'Call Ana', due_at, recurrence: { every: { n, unit } }, ...more })

/** Completes a task and answers the one that came of it. */
const follow = async ({ id }: Task): Promise<Task | undefined> => {
  const { next_id } = await completeTask(ctx, id)
  return next_id === null ? undefined : getTask(ctx, next_id)
}

/** When the next `count` of a series are due. */
const datesOf = async (first: Task, count: number): Promise<string[]> => {
  const dates: string[] = []
  for (let task = await follow(first); task && dates.length < count; task = await follow(task))
    dates.push(task.due_at!.toISOString())
  return dates
}

test('F50: completing a task that comes again makes the next one, with everything that it had', async () => {
  const lead = await makeLead(ctx)
  const first = await repeating('2027-02-01T09:00:00+01:00', 1, 'week', {
    description: 'Ask about the order.',
    priority: 'high',
    remind_at: '2027-01-31T18:00:00+01:00',
    assignee: { kind: 'user', id: world.owner.user_id },
    subjects: [{ kind: 'lead', id: lead.id }],
  })
  const next = await follow(first)
  expect(next).toMatchObject({
    title: 'Call Ana',
    description: 'Ask about the order.',
    status: 'open',
    priority: 'high',
    due_at: new Date('2027-02-08T08:00:00Z'),
    remind_at: new Date('2027-02-07T17:00:00Z'),
    reminded_at: null,
    assignee: { kind: 'user', id: world.owner.user_id },
    subjects: [{ kind: 'lead', id: lead.id }],
    recurrence: { every: { n: 1, unit: 'week' } },
    repeats_id: first.id,
    version: 1,
  })
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 2 })
  expect(data).toMatchObject([
    { type: 'task_created', data: { task_id: next!.id, repeats_id: first.id } },
    { type: 'task_completed', data: { task_id: first.id } },
  ])
})

test('F50: the next one is made exactly once, however often and at the same time the first is completed', async () => {
  const { id } = await repeating('2027-02-01T09:00:00Z', 1, 'day')
  await Promise.all(Array.from({ length: 8 }, () => completeTask(ctx, id)))
  await reopenTask(ctx, id)
  await completeTask(ctx, id)
  const followers = (await listTasks(ctx, { status: 'any', limit: 200 })).data.filter(
    ({ repeats_id }) => repeats_id === id,
  )
  expect(followers).toHaveLength(1)
})

test('a month that ends early gives its last day, and the next one the day that was meant', async () => {
  const monthly = await repeating('2027-01-31T09:00:00+01:00', 1, 'month')
  expect(await datesOf(monthly, 4)).toEqual([
    '2027-02-28T08:00:00.000Z',
    // Summer time begins on this very day: nine o’clock stays nine o’clock.
    '2027-03-31T07:00:00.000Z',
    '2027-04-30T07:00:00.000Z',
    '2027-05-31T07:00:00.000Z',
  ])
  const leap = await repeating('2028-02-29T12:00:00+01:00', 1, 'year')
  expect((await datesOf(leap, 4)).map((at) => at.slice(0, 10))).toEqual([
    '2029-02-28',
    '2030-02-28',
    '2031-02-28',
    '2032-02-29',
  ])
})

test('every few days and weeks, across a change of clocks', async () => {
  expect(await datesOf(await repeating('2027-03-26T08:00:00+01:00', 2, 'day'), 2)).toEqual([
    '2027-03-28T06:00:00.000Z',
    '2027-03-30T06:00:00.000Z',
  ])
  expect(await datesOf(await repeating('2027-10-20T08:00:00+02:00', 2, 'week'), 2)).toEqual([
    '2027-11-03T07:00:00.000Z',
    '2027-11-17T07:00:00.000Z',
  ])
})

test('F50: a reminder keeps its own time by the clock on the wall, also across the hour that is left out', async () => {
  /** Due date and reminder of the next ones, by the clock in Berlin. */
  const clocksOf = async (first: Task, count: number) => {
    const clock = (at: Date | null) => at?.toLocaleString('sv', { timeZone: 'Europe/Berlin' }).slice(5, 16)
    const clocks = []
    for (let task = await follow(first); task && clocks.length < count; task = await follow(task))
      clocks.push([clock(task.due_at), clock(task.remind_at)])
    return clocks
  }
  const night = await repeating('2027-03-27T02:30:00+01:00', 1, 'day', {
    remind_at: '2027-03-27T01:30:00+01:00',
  })
  expect(await clocksOf(night, 3)).toEqual([
    ['03-28 03:30', '03-28 01:30'],
    ['03-29 02:30', '03-29 01:30'],
    ['03-30 02:30', '03-30 01:30'],
  ])
  const morning = await repeating('2027-03-27T09:00:00+01:00', 1, 'day', {
    remind_at: '2027-03-27T02:30:00+01:00',
  })
  expect(await clocksOf(morning, 3)).toEqual([
    ['03-28 09:00', '03-28 03:30'],
    ['03-29 09:00', '03-29 02:30'],
    ['03-30 09:00', '03-30 02:30'],
  ])
  const agents = await repeating('2027-03-27T02:30:00+01:00', 1, 'day', {
    assignee: { kind: 'agent', id: 'lead_worker' },
  })
  expect(await clocksOf(agents, 3)).toEqual([
    ['03-28 03:30', '03-28 03:30'],
    ['03-29 02:30', '03-29 02:30'],
    ['03-30 02:30', '03-30 02:30'],
  ])
})

test('F50: a reminder that somebody sets or clears in the middle of a series is so from there on', async () => {
  const first = await repeating('2027-03-27T02:30:00+01:00', 1, 'day', {
    remind_at: '2027-03-27T01:30:00+01:00',
  })
  const gap = (await follow(first))!
  await updateTask(ctx, gap.id, { changes: { remind_at: '2027-03-28T03:00:00+02:00' } })
  const next = (await follow(gap))!
  expect(next.remind_at).toEqual(new Date('2027-03-29T02:00:00+02:00'))
  expect(next.recurrence).toEqual({ every: { n: 1, unit: 'day' } })
  await updateTask(ctx, next.id, { changes: { remind_at: null } })
  const without = (await follow(next))!
  expect(without.remind_at).toBeNull()
  await updateTask(ctx, without.id, { changes: { remind_at: '2027-03-29T18:00:00+02:00' } })
  expect((await follow(without))!.remind_at).toEqual(new Date('2027-03-30T18:00:00+02:00'))
})

test('the last one is the last that is due by the day that was given, that day included', async () => {
  const until = (day: string) =>
    repeating('2027-03-01T23:30:00+01:00', 1, 'day', {
      recurrence: { every: { n: 1, unit: 'day' }, until: day },
    })
  expect(await datesOf(await until('2027-03-03'), 9)).toHaveLength(2)
  expect(await datesOf(await until('2027-03-01'), 9)).toEqual([])
})

test('another due date begins the series anew; without one, or cancelled, nothing comes again', async () => {
  const moved = await repeating('2027-01-31T09:00:00Z', 1, 'month')
  await updateTask(ctx, moved.id, { changes: { due_at: '2027-02-15T09:00:00Z' } })
  expect((await follow(moved))?.due_at).toEqual(new Date('2027-03-15T09:00:00Z'))

  const once = await repeating('2027-01-31T09:00:00Z', 1, 'month')
  await updateTask(ctx, once.id, { changes: { recurrence: null } })
  expect(await follow(once)).toBeUndefined()

  const cancelled = await repeating('2027-01-31T09:00:00Z', 1, 'month')
  expect(await cancelTask(ctx, cancelled.id)).toMatchObject({ next_id: null })

  for (const attempt of [
    () => createTask(ctx, { title: 'x', recurrence: { every: { n: 1, unit: 'day' } } }),
    async () =>
      updateTask(ctx, (await repeating('2027-01-31T09:00:00Z', 1, 'day')).id, { changes: { due_at: null } }),
  ])
    await expect(attempt()).rejects.toMatchObject({ kind: 'invalid', code: 'recurrence_without_due' })
})

test('F50: a series ends with the last year that there are dates for, and nothing is due outside of them', async () => {
  const last = await repeating('9999-12-31T12:00:00Z', 1, 'year', { remind_at: '9999-12-30T12:00:00Z' })
  expect(await completeTask(ctx, last.id)).toMatchObject({ status: 'done', next_id: null })
  expect(await datesOf(await repeating('9998-06-01T12:00:00Z', 1, 'year'), 5)).toEqual([
    '9999-06-01T12:00:00.000Z',
  ])
  const said = 'a time with its zone, of the years 0001 to 9999, such as 2027-01-31T09:00:00+01:00'
  for (const outside of ['0000-12-31T12:00:00Z', '0001-01-01T00:00:00+14:00', '9999-12-31T23:00:00-05:00']) {
    for (const field of ['due_at', 'remind_at', 'starts_at', 'occurred_at', 'reached_at']) {
      const schema = {
        due_at: NewTask.shape.due_at,
        remind_at: TaskChange.shape.remind_at,
        starts_at: LoggedData.shape.starts_at,
        occurred_at: EntryChange.shape.occurred_at,
        reached_at: SetMilestone.shape.reached_at,
      }[field]
      expect(schema?.safeParse(outside).error?.issues[0]?.message, `${field} ${outside}`).toBe(said)
    }
  }
})

test('an agent whose task comes again goes to work when it is due, not when the last one was done', async () => {
  const lead = await makeLead(ctx)
  const due_at = new Date(Date.now() - 86_400_000).toISOString()
  const first = await repeating(due_at, 1, 'day', {
    assignee: { kind: 'agent', id: 'lead_worker' },
    subjects: [{ kind: 'lead', id: lead.id }],
  })
  const tasksOfRuns = async () =>
    (await listRuns(ctx, { subject_id: lead.id, limit: 5 })).data.map(({ trigger }) => trigger.task_id)
  expect(await tasksOfRuns()).toEqual([first.id])
  await world.db.sql.begin(async (tx) => {
    await tx`select set_config('app.organization_id', ${ctx.organization_id}, true)`
    await tx`update runs set status = 'done', finished_at = now() where subject_id = ${lead.id}`
  })
  const next = await follow(first)
  expect(await tasksOfRuns()).toEqual([first.id])
  await remindOfTask(ctx, next!.id)
  expect(await tasksOfRuns()).toEqual([next!.id, first.id])
})
