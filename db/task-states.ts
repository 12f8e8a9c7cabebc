import { z } from 'zod'
import { recordActivity, type Subject } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { type FollowUp, followAgain, lockFollowUp, repeatTask } from './task-follow-ups.ts'
import { getTask, lockTask, TaskChange, taskStatuses, updateTask, type Task } from './tasks.ts'

/** A change of a task, its state among the rest: done, cancelled or open again by the rules of those acts. */
export const TaskEdit = TaskChange.extend({ status: z.enum(taskStatuses).optional() })
export type TaskEdit = z.infer<typeof TaskEdit>

/**
 * Changes a task that was read at `version`, then its state: done is what `completeTask` does.
 * @throws {DomainError} stale, and what the change or the act refuses
 */
export const editTask = (
  ctx: Ctx,
  id: string,
  { version, changes: { status, ...changes } }: { version?: number; changes: TaskEdit },
): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const task = await updateTask(ctx, id, { ...(version === undefined ? {} : { version }), changes })
    return status === undefined ? task : actOf[status](ctx, id)
  })

/**
 * Marks a task done: the timeline of every record it is about says so, and one that comes again is there anew. Twice is
 * once.
 * @throws {DomainError} `task_cancelled`, `task_archived`
 */
export const completeTask = (ctx: Ctx, id: string, reason?: string): Promise<Task> =>
  complete(ctx, id, reason, repeatTask)

/**
 * Takes a reopening back: the task is done as it was, and followed by the one that the reopening put into the archive.
 * @param next_id absent: it archived none
 */
export const completeAgain = (ctx: Ctx, id: string, reason?: string, next_id?: string): Promise<Task> =>
  complete(ctx, id, reason, async (ctx, task) => {
    if (next_id !== undefined && (await followAgain(ctx, task, next_id))) await restoreTask(ctx, next_id)
  })

const complete = (
  ctx: Ctx,
  id: string,
  reason: string | undefined,
  follow: (ctx: TxCtx, task: Task) => Promise<void>,
): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const task = await lockTask(ctx, id)
    if (task.status === 'done') return task
    if (task.status === 'cancelled')
      throw refused(task, 'task_cancelled', 'It was cancelled; reopen it first.')
    requireInUse(task)
    await setStatus(ctx, task, 'done')
    await recordActivity(ctx, {
      type: 'task_completed',
      subjects: subjectsOf(task),
      reason,
      record_version: task.version + 1,
      data: {
        task_id: id,
        title: task.title,
        changes: [{ field: 'status', before: task.status, after: 'done' }],
        undo: { tool: 'reopen_task', input: { task_id: id } },
      },
    })
    await follow(ctx, task)
    return getTask(ctx, id)
  })

/**
 * Puts a task that was done or cancelled back on the list. Twice is once. The one that came of completing it goes to the
 * archive, unless somebody changed it since: then it stays, and the timeline says so.
 * @throws {DomainError} `task_archived`
 */
export const reopenTask = (ctx: Ctx, id: string, reason?: string): Promise<Task> =>
  changeStatus(ctx, id, 'open', reason)

/**
 * Marks a task as one that nobody will do; what came again does not any more. Twice is once.
 * @throws {DomainError} `task_done`, `task_archived`
 */
export const cancelTask = (ctx: Ctx, id: string, reason?: string): Promise<Task> =>
  changeStatus(ctx, id, 'cancelled', reason)

const actOf = { done: completeTask, open: reopenTask, cancelled: cancelTask } as const

/** Takes a task off every list. Twice is once. */
export const archiveTask = (ctx: Ctx, id: string, reason?: string): Promise<void> =>
  setArchived(ctx, id, true, reason)

/** Puts an archived task back on the lists. Twice is once. */
export const restoreTask = async (ctx: Ctx, id: string, reason?: string): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    await setArchived(ctx, id, false, reason)
    return getTask(ctx, id)
  })

const changeStatus = (
  ctx: Ctx,
  id: string,
  status: 'open' | 'cancelled',
  reason: string | undefined,
): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const task = await lockTask(ctx, id)
    if (task.status === status) return task
    if (status === 'cancelled' && task.status === 'done')
      throw refused(task, 'task_done', 'It is done; reopen it first.')
    requireInUse(task)
    const next = task.status === 'done' ? await lockFollowUp(ctx, task) : undefined
    const goes = next && isUntouched(next) ? next.task : undefined
    await setStatus(ctx, task, status)
    await recordActivity(ctx, {
      type: 'task_updated',
      subjects: subjectsOf(task),
      reason,
      record_version: task.version + 1,
      data: {
        task_id: id,
        title: task.title,
        changes: [{ field: 'status', before: task.status, after: status }],
        ...(next && next.changed.length > 0
          ? { next_kept: { id: next.task.id, changed: next.changed } }
          : {}),
        undo: {
          tool: 'set_task_status',
          input: { task_id: id, status: task.status, ...(goes ? { next_id: goes.id } : {}) },
        },
      },
    })
    if (goes)
      await setArchived(ctx, goes.id, true, `“${task.title}”, which it came of, is open again`, {
        repeats_id: id,
      })
    return getTask(ctx, id)
  })

/** Nobody has a use for it that it would be taken from. */
const isUntouched = ({ task, changed }: FollowUp): boolean =>
  task.archived_at === null && changed.length === 0

const setStatus = async ({ tx, organization_id }: TxCtx, { id }: Task, status: Task['status']) => {
  await tx`
    update tasks set status = ${status}, completed_at = ${status === 'done' ? tx`now()` : null},
      version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id}`
}

const setArchived = (
  ctx: Ctx,
  id: string,
  archived: boolean,
  reason?: string,
  data: { repeats_id?: string } = {},
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const task = await lockTask(ctx, id)
    if ((task.archived_at !== null) === archived) return
    const at = archived ? new Date() : null
    await tx`
      update tasks set archived_at = ${at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordActivity(ctx, {
      type: archived ? 'record_archived' : 'record_restored',
      subjects: subjectsOf(task),
      reason,
      record_version: task.version + 1,
      data: {
        ...data,
        kind: 'task',
        name: task.title,
        task_id: id,
        changes: [{ field: 'archived_at', before: task.archived_at, after: at }],
        undo: { tool: archived ? 'restore_task' : 'archive_task', input: { task_id: id } },
      },
    })
  })

const subjectsOf = ({ subjects, id }: Task): Subject[] => [...subjects, { kind: 'task', id }]

const requireInUse = (task: Task): void => {
  if (task.archived_at !== null) throw refused(task, 'task_archived', 'It is archived; restore it first.')
}

const refused = (task: Task, code: string, detail: string): DomainError =>
  new DomainError('conflict', code, `“${task.title}”: ${detail}`, { extra: { state: task.status } })
