import { recordActivity } from './activities.ts'
import { inTx, type Ctx } from './context.ts'
import { wakeAssignee } from './task-assignees.ts'
import { getTask } from './tasks.ts'

/**
 * Gives a task's reminder when it is due: once, however often it is asked for and by how many workers. An agent whose task
 * it is goes to work.
 */
export const remindOfTask = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // Not a change that an editor has to know of: the version stays.
    const due = await tx`
      update tasks set reminded_at = now()
      where organization_id = ${organization_id} and id = ${id} and remind_at <= now() and reminded_at is null
        and status = 'open' and archived_at is null
      returning id`
    if (due.length === 0) return
    const { title, due_at, assignee, subjects } = await getTask(ctx, id)
    await recordActivity(ctx, {
      type: 'task_reminder',
      subjects: [{ kind: 'task', id }, ...subjects],
      data: { task_id: id, title, ...(due_at ? { due_at } : {}), ...(assignee ? { assignee } : {}) },
    })
    if (assignee) await wakeAssignee(ctx, id, assignee, subjects)
  })
