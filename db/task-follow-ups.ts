import type { TxCtx } from './context.ts'
import { changesOf } from './inverse.ts'
import { nextInSeries } from './task-recurrence.ts'
import { addTask, lockTask, type Task } from './tasks.ts'

/** The task that came of completing another one. */
export type FollowUp = {
  task: Task
  /** What somebody did to it since; archived and restored is neither. */
  changed: string[]
}

/** The next one of a task's series as it stands, held until the transaction ends. */
export const lockFollowUp = async (ctx: TxCtx, { next_id }: Task): Promise<FollowUp | undefined> => {
  if (next_id === null) return undefined
  const { tx, organization_id } = ctx
  const task = await lockTask(ctx, next_id)
  const rows = await tx<{ data: Record<string, unknown> }[]>`
    select a.data from activity_subjects s
    join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
    where s.organization_id = ${organization_id} and s.kind = 'task' and s.subject_id = ${next_id}
      and s.type in ('task_updated', 'task_completed') and a.undone_by is null and not a.data ? 'undoes'
    order by a.id`
  const changed = rows.flatMap(({ data }) => changesOf(data).map(({ field }) => field))
  return { task, changed: [...new Set(changed)] }
}

/** Makes the next one of a task's series, unless it is there; one in the archive does not count, and is let go. */
export const repeatTask = async (ctx: TxCtx, task: Task): Promise<void> => {
  if (!(await freeNext(ctx, task))) return
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

/** Makes this task the next one of a series again. Answers whether it is: not while another one is there. */
export const followAgain = async (ctx: TxCtx, task: Task, next_id: string): Promise<boolean> => {
  if (task.next_id === next_id) return true
  if (!(await freeNext(ctx, task))) return false
  await setRepeats(ctx, next_id, task.id)
  return true
}

/** A task is followed by one at most. Answers whether it is followed by none now. */
const freeNext = async (ctx: TxCtx, { next_id }: Task): Promise<boolean> => {
  if (next_id === null) return true
  const { archived_at } = await lockTask(ctx, next_id)
  if (archived_at === null) return false
  await setRepeats(ctx, next_id, null)
  return true
}

const setRepeats = ({ tx, organization_id }: TxCtx, id: string, repeats_id: string | null) =>
  tx`update tasks set repeats_id = ${repeats_id} where organization_id = ${organization_id} and id = ${id}`
