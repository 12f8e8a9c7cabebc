import { z } from 'zod'
import { handBackTask } from '../db/task-handing.ts'
import { getTask } from '../db/tasks.ts'
import { defineTool } from './tool.ts'

/** Gives a task back that an agent cannot do, or not to its end: to who made it, else to the owner of the record. */
export const hand_back_task = defineTool({
  name: 'hand_back_task',
  title: 'Hand back task',
  effect: 'write',
  description:
    'Gives the task that you were given back to a person, open, with the reason: you do not understand it, or cannot do all of it with your tools.',
  input: z.object({ task_id: z.uuid(), reason: z.string().trim().min(1).max(2_000) }),
  output: z.object({
    task_id: z.string(),
    title: z.string(),
    assignee: z.object({ kind: z.string(), id: z.string() }).nullable(),
  }),
  summary: async ({ task_id }, ctx) => `Hand back the task “${(await getTask(ctx, task_id)).title}”`,
  consequence: () => 'If you approve: 1 task goes back to a person.',
  safe_when_tainted: true,
  risk: 'low',
  reads: ({ task_id }) => [{ name: 'task', argument: task_id }],
  run: async (ctx, { task_id, reason }) => {
    const { title, assignee } = await handBackTask(ctx, task_id, reason)
    return { task_id, title, assignee }
  },
  undo: 'update_task',
})
