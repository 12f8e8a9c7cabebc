import { z } from 'zod'
import type { Subject } from '../db/activities.ts'
import type { TxCtx } from '../db/context.ts'
import { invalid } from '../db/errors.ts'
import { completeTask } from '../db/task-states.ts'
import { getTask, type Task } from '../db/tasks.ts'
import { defineTool } from './tool.ts'

/** Marks a task done, with what was done. Only one on the run's record, or one that was given to this agent. */
export const complete_task = defineTool({
  name: 'complete_task',
  title: 'Complete task',
  effect: 'write',
  description:
    'Marks a task done, with a note on what was done, for the team. Only the task that you were given, or one on the record that you work.',
  input: z.object({ task_id: z.uuid(), note: z.string().trim().min(1).max(2_000) }),
  output: z.object({ task_id: z.string(), title: z.string(), next_id: z.string().nullable() }),
  summary: async ({ task_id }, ctx) => `Complete the task “${(await getTask(ctx, task_id)).title}”`,
  consequence: () => 'If you approve: 1 task is done.',
  needsPerson: async ({ task_id }, ctx, { subject, tainted, suggestion }) => {
    const task = await getTask(ctx, task_id)
    requireConcern(ctx, task, subject)
    return tainted && !suggestion && !isGivenTo(ctx, task)
      ? 'It is somebody else’s task, and the agent has read text from outside.'
      : undefined
  },
  safe_when_tainted: true,
  risk: 'low',
  reads: ({ task_id }) => [{ name: 'task', argument: task_id }],
  run: async (ctx, { task_id, note }, { subject }) => {
    requireConcern(ctx, await getTask(ctx, task_id), subject)
    const { title, next_id } = await completeTask(ctx, task_id, note)
    return { task_id, title, next_id }
  },
  undo: 'reopen_task',
})

const isGivenTo = ({ actor }: TxCtx, { assignee }: Task): boolean =>
  assignee?.kind === actor.kind && assignee.id === actor.id

/** @throws {DomainError} `other_task` */
const requireConcern = (ctx: TxCtx, task: Task, { kind, id }: Subject): void => {
  if (isGivenTo(ctx, task) || task.subjects.some((subject) => subject.kind === kind && subject.id === id))
    return
  throw invalid(
    'other_task',
    '/task_id',
    'This task is neither given to you nor about the record that you work.',
  )
}
