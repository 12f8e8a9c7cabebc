import { afterAll, beforeAll, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { logActivity, NewEntry } from '../db/activity-logging.ts'
import { editActivity } from '../db/activity-revisions.ts'
import type { Ctx } from '../db/context.ts'
import { addNote, archiveNote, editNote, getNote } from '../db/notes.ts'
import { archiveTask, cancelTask, completeTask } from '../db/task-states.ts'
import { createTask, getTask, updateTask } from '../db/tasks.ts'
import { undoActivity } from '../db/undo.ts'
import { getActivity } from '../db/activities.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

/** Takes back the last thing that was done to it, and then that, too. */
const backAndForth = async (kind: string, id: string, look: () => Promise<object>) => {
  const done = await look()
  const newest = async () =>
    (await listActivities(ctx, { subject: { kind, id }, limit: 20 })).data.find(
      ({ data, type }) => data['undo'] !== undefined && data['undoes'] === undefined && type !== 'undone',
    )!.id
  const undone = await undoActivity(ctx, await newest())
  const back = await look()
  await undoActivity(ctx, undone.id)
  expect(await look()).toEqual(done)
  return back
}

test('what was done to a task is taken back, and done again', async () => {
  const lead = await makeLead(ctx)
  const { id } = await createTask(ctx, {
    title: 'Call Ana',
    due_at: '2027-01-04T09:00:00Z',
    subjects: [{ kind: 'lead', id: lead.id }],
  })
  const look = async () => {
    const { title, status, due_at, archived_at, subjects, priority } = await getTask(ctx, id)
    return { title, status, due_at, archived: archived_at !== null, subjects, priority }
  }
  const before = await look()
  const acts: [() => Promise<unknown>, object][] = [
    [
      () =>
        updateTask(ctx, id, {
          changes: {
            title: 'Visit Ana',
            due_at: '2027-01-05T10:00:00+01:00',
            subjects: [],
            priority: 'high',
          },
        }),
      before,
    ],
    [() => completeTask(ctx, id), { status: 'open' }],
  ]
  for (const [act, back] of acts) {
    await act()
    expect(await backAndForth('task', id, look)).toMatchObject(back)
  }
  const other = await createTask(ctx, { title: 'x' })
  const lookAt = async () => {
    const { status, archived_at } = await getTask(ctx, other.id)
    return { status, archived: archived_at !== null }
  }
  await cancelTask(ctx, other.id)
  expect(await backAndForth('task', other.id, lookAt)).toMatchObject({ status: 'open' })
  await archiveTask(ctx, other.id)
  expect(await backAndForth('task', other.id, lookAt)).toMatchObject({ archived: false })
})

test('what was done to a note is taken back, and done again', async () => {
  const lead = await makeLead(ctx)
  const { id } = await addNote(ctx, { subject: { kind: 'lead', id: lead.id }, body: 'Before noon' })
  const look = async () => {
    const { body, archived_at } = await getNote(ctx, id)
    return { body, archived: archived_at !== null }
  }
  await editNote(ctx, id, { body: 'After noon' })
  expect(await backAndForth('note', id, look)).toMatchObject({ body: 'Before noon' })
  await archiveNote(ctx, id)
  expect(await backAndForth('note', id, look)).toMatchObject({ archived: false })
})

test('an entry that was logged is taken back as a tombstone; one that was edited since says so', async () => {
  const lead = await makeLead(ctx)
  const entry = NewEntry.parse({
    type: 'call_logged',
    subjects: [{ kind: 'lead', id: lead.id }],
    data: { subject: 'Asked for 40 seats' },
  })
  const { id } = await logActivity(ctx, entry)
  await undoActivity(ctx, id)
  expect(await getActivity(ctx, id)).toMatchObject({ deleted: true, data: {} })

  const edited = await logActivity(ctx, entry)
  await editActivity(ctx, edited.id, { changes: { data: { subject: 'Asked for 50 seats' } } })
  await expect(undoActivity(ctx, edited.id)).rejects.toMatchObject({ code: 'changed_since' })
  const { data } = await listActivities(ctx, { types: ['activity_edited'], limit: 1 })
  await undoActivity(ctx, data[0]!.id)
  expect(await getActivity(ctx, edited.id)).toMatchObject({
    version: 3,
    data: { subject: 'Asked for 40 seats' },
  })
})
