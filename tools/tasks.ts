import { inTx, type Ctx } from '../db/context.ts'
import { taskForPrompt, type TaskForPrompt } from '../db/task-prompt.ts'

export type { TaskForPrompt } from '../db/task-prompt.ts'

/** The task for which an agent was woken, or why there is nothing left to do. */
export const readGivenTask = (ctx: Ctx, id: string): Promise<TaskForPrompt | { gone: string }> =>
  inTx(ctx, async (ctx) => {
    const task = await taskForPrompt(ctx, id)
    const { title, status, archived, assignee } = task
    if (archived || status !== 'open')
      return { gone: `The task “${title}” is ${archived ? 'archived' : status}: nothing was left to do.` }
    if (assignee?.kind !== ctx.actor.kind || assignee.id !== ctx.actor.id)
      return { gone: `The task “${title}” was given to somebody else.` }
    return task
  })
