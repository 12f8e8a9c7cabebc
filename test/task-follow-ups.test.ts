import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { endRun } from '../db/run-lease.ts'
import { undoRun } from '../db/run-undo.ts'
import { completeTask, restoreTask } from '../db/task-states.ts'
import { createTask, getTask, type Task } from '../db/tasks.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { makeLead, putToWork } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const { work, read, done, rows } = bulksOf(() => api)

const monthly = (): Promise<Task> =>
  createTask(ctx, {
    title: 'Call Ana',
    due_at: '2027-01-31T09:00:00Z',
    recurrence: { every: { n: 1, unit: 'month' } },
  })

/** A monthly task that was completed, the one that came of it, and the line that says so. */
const completed = async () => {
  const { id } = await monthly()
  const { body } = await api.json('POST', `/api/tasks/${id}/complete`)
  return { id, next_id: String(body.next_id), line: await lineOf(id, 'task_completed') }
}
const linesOf = async (id: string) =>
  (await listActivities(ctx, { subject: { kind: 'task', id }, limit: 50 })).data
const lineOf = async (id: string, type: string): Promise<string> =>
  (await linesOf(id)).find((line) => line.type === type)!.id

/** How the tasks of a series stand: archived or not, and their state. */
const states = (...ids: string[]) =>
  Promise.all(
    ids.map(async (id) => {
      const { status, archived_at } = await getTask(ctx, id)
      return archived_at === null ? status : `${status}, archived`
    }),
  )
const followersOf = async (id: string): Promise<number> => {
  const [row] = await inTx(
    ctx,
    ({ tx }) => tx<{ n: number }[]>`
      select count(*)::int as n from tasks where title = 'Call Ana' and archived_at is null
        and id in (select subject_id from activity_subjects s join activities a on a.id = s.activity_id
          where s.kind = 'task' and a.data ->> 'repeats_id' = ${id})`,
  )
  return row?.n ?? 0
}

const undo = async (line: string): Promise<string> => {
  const { status, body } = await api.json('POST', `/api/activities/${line}/undo`)
  expect([status, body.detail]).toEqual([200, undefined])
  return body.id
}

describe('F50: a completion that is taken back takes the next one of its series with it', () => {
  test.each<[string, (task: { id: string; line: string }) => Promise<unknown>]>([
    ['by the undo of the act', ({ line }) => undo(line)],
    ['by reopening it', ({ id }) => api.json('POST', `/api/tasks/${id}/reopen`)],
    [
      'by an edit of its state',
      async ({ id }) => api.json('PATCH', `/api/tasks/${id}`, { version: 2, status: 'open' }),
    ],
    ['by reopening it in bulk', ({ id }) => done({ kind: 'task', ids: [id], act: 'reopen', input: {} })],
  ])('%s', async (_, takeBack) => {
    const task = await completed()
    expect(await states(task.id, task.next_id)).toEqual(['done', 'open'])
    await takeBack(task)
    expect(await states(task.id, task.next_id)).toEqual(['open', 'open, archived'])
    expect((await linesOf(task.next_id)).map(({ type }) => type)).toEqual(['record_archived', 'task_created'])
    // Completed anew, the series goes on, with one task.
    const again = await completeTask(ctx, task.id)
    expect(await states(task.id, again.next_id!)).toEqual(['done', 'open'])
    expect(await followersOf(task.id)).toBe(1)
  })

  test('an undo of that brings it back, the same one, once; and so on', async () => {
    const { id, next_id, line } = await completed()
    for (let n = 0; n < 2; n += 1) {
      const undone = await undo(line)
      expect(await states(id, next_id)).toEqual(['open', 'open, archived'])
      await undo(undone)
      expect(await states(id, next_id)).toEqual(['done', 'open'])
      expect(await getTask(ctx, id)).toMatchObject({ next_id })
      expect(await followersOf(id)).toBe(1)
    }
  })

  test('a reopening that is taken back brings it back, once; and so on', async () => {
    const { id, next_id } = await completed()
    await api.json('POST', `/api/tasks/${id}/reopen`)
    const reopened = await lineOf(id, 'task_updated')
    for (let n = 0; n < 2; n += 1) {
      const undone = await undo(reopened)
      expect(await states(id, next_id)).toEqual(['done', 'open'])
      expect(await followersOf(id)).toBe(1)
      await undo(undone)
      expect(await states(id, next_id)).toEqual(['open', 'open, archived'])
    }
  })

  const taken = { first: 'open', next: 'open, archived' }
  const standing = { first: 'done', next: 'open' }
  test.each([
    ['completed', 'complete', [taken, standing, taken]],
    ['reopened', 'reopen', [standing, taken, standing]],
  ] as const)('%s in bulk: undo, undo of that, and undo again', async (_, act, expected) => {
    const tasks = [await monthly(), await monthly(), await monthly()]
    const ids = tasks.map(({ id }) => id)
    if (act === 'reopen') for (const id of ids) await completeTask(ctx, id)
    const before = await Promise.all(ids.map(async (id) => (await getTask(ctx, id)).next_id))
    let last = await done({ kind: 'task', ids, act, input: {} })
    const nexts = await Promise.all(ids.map(async (id) => (await getTask(ctx, id)).next_id!))
    if (act === 'reopen') expect(nexts).toEqual(before)
    for (const { first, next } of expected) {
      const { body } = await api.json('POST', `/api/bulk/${last.id}/undo`)
      await work(body)
      last = await read(body)
      expect(last.counts).toEqual({ changed: 3, unchanged: 0, skipped: 0, failed: 0 })
      expect(await states(...ids)).toEqual(ids.map(() => first))
      expect(await states(...nexts)).toEqual(ids.map(() => next))
    }
  })

  test('with a whole run', async () => {
    const lead = await makeLead(ctx)
    const agent = await putToWork(api, lead.id)
    const { run } = agent.claimed
    const { id } = await monthly()
    const { next_id } = await completeTask(agent.ctx, id)
    await endRun(agent.ctx, run, { status: 'done', stop_reason: 'finished' })
    const { undone, kept } = await undoRun(ctx, run.id)
    expect([undone.map(({ summary }) => summary), kept]).toEqual([['completed the task “Call Ana”'], []])
    expect(await states(id, next_id!)).toEqual(['open', 'open, archived'])
  })
})

describe('F50: a next one that somebody changed stays, and it is told', () => {
  const change = (id: string) =>
    api.json('PATCH', `/api/tasks/${id}`, { version: 1, due_at: '2027-03-05T09:00:00Z' })

  test('one act is taken back as a whole or not at all', async () => {
    const { id, next_id, line } = await completed()
    await change(next_id)
    expect(await api.json('POST', `/api/activities/${line}/undo`)).toMatchObject({
      status: 409,
      body: {
        code: 'changed_since',
        detail: 'Somebody changed next task after this; nothing was taken back.',
        changed: [{ field: 'next_task', left: null, now: { title: 'Call Ana', changed: ['due_at'] } }],
      },
    })
    expect(await states(id, next_id)).toEqual(['done', 'open'])
    // What was taken back again is no change.
    await undoActivity(ctx, await lineOf(next_id, 'task_updated'))
    await undo(line)
    expect(await states(id, next_id)).toEqual(['open', 'open, archived'])
  })

  test('of many, the rest is taken back, and the row says what was kept', async () => {
    const { id } = await monthly()
    const bulk = await done({ kind: 'task', ids: [id], act: 'complete', input: {} })
    const { next_id } = await getTask(ctx, id)
    await completeTask(ctx, next_id!)
    const { body } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
    await work(body)
    expect(await rows(body)).toMatchObject([
      {
        result: 'changed',
        problem: {
          code: 'changed_since',
          message: 'Kept, because somebody changed it since: next task.',
        },
      },
    ])
    expect(await states(id, next_id!)).toEqual(['open', 'done'])
  })

  test('who reopens it is told on the timeline; completed again, no second one is made', async () => {
    const { id, next_id } = await completed()
    await change(next_id)
    await api.json('POST', `/api/tasks/${id}/reopen`)
    expect(await states(id, next_id)).toEqual(['open', 'open'])
    expect((await linesOf(id))[0]!.summary).toBe(
      'changed the task “Call Ana”: status; the next one was changed since, and stays',
    )
    expect(await completeTask(ctx, id)).toMatchObject({ next_id })
    expect(await followersOf(id)).toBe(1)
  })

  test('one that was archived by hand stays so, and is not brought back; one that was restored by hand is the next one', async () => {
    const { id, next_id, line } = await completed()
    await api.json('DELETE', `/api/tasks/${next_id}`)
    await undo(await undo(line))
    expect(await states(id, next_id)).toEqual(['done', 'open, archived'])
    await undo(line)
    await restoreTask(ctx, next_id)
    expect(await completeTask(ctx, id)).toMatchObject({ next_id })
    expect(await states(id, next_id)).toEqual(['done', 'open'])
    expect(await followersOf(id)).toBe(1)
  })
})
