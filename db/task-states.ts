import { z } from 'zod'
import { recordActivity, type Subject } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { nextInSeries } from './task-recurrence.ts'
import { addTask, getTask, lockTask, TaskChange, taskStatuses, updateTask, type Task } from './tasks.ts'

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
    await repeatTask(ctx, task)
    return getTask(ctx, id)
  })

/**
 * Puts a task that was done or cancelled back on the list. Twice is once. One that it was followed by stays.
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

/** The next one of its series, unless it was made already. */
const repeatTask = async (ctx: TxCtx, task: Task): Promise<void> => {
  if (task.next_id !== null) return
  const next = await nextInSeries(ctx, task.id)
  if (!next) return
  await addTask(ctx, {
    title: task.title,
    description: task.description,
    priority: task.priority,
    assignee: task.assignee ?? undefined,
    // They were records when they were linked, and records stay.
    subjects: task.subjects as Parameters<typeof addTask>[1]['subjects'],
    repeats_id: task.id,
    ...next,
    remind_at: next.remind_at ?? (task.assignee?.kind === 'agent' ? next.due_at : null),
  })
}

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
        undo: { tool: 'set_task_status', input: { task_id: id, status: task.status } },
      },
    })
    return getTask(ctx, id)
  })

const setStatus = async ({ tx, organization_id }: TxCtx, { id }: Task, status: Task['status']) => {
  await tx`
    update tasks set status = ${status}, completed_at = ${status === 'done' ? tx`now()` : null},
      version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id}`
}

const setArchived = (ctx: Ctx, id: string, archived: boolean, reason?: string): Promise<void> =>
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
