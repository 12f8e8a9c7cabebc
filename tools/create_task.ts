import { z } from 'zod'
import { Moment } from '../db/lead-fields.ts'
import { createTask, taskPriorities } from '../db/tasks.ts'
import { defineTool } from './tool.ts'

/** Puts a follow-up on a person's list. */
export const create_task = defineTool({
  name: 'create_task',
  title: 'Create task',
  effect: 'write',
  description: 'Puts one follow-up about the lead on the team’s list: what must happen next, and until when.',
  input: z.object({
    lead_id: z.uuid(),
    title: z.string().trim().min(1).max(200),
    description: z.string().trim().max(2_000).optional(),
    due_at: Moment.optional(),
    priority: z.enum(taskPriorities).default('normal'),
  }),
  output: z.object({ task_id: z.string(), title: z.string() }),
  summary: ({ title }) => `Create the task “${title}”`,
  consequence: () => 'If you approve: 1 task.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [{ name: 'stage_kind' }, { name: 'archived' }],
  run: async (ctx, { lead_id, ...task }) => {
    const created = await createTask(ctx, { ...task, subjects: [{ kind: 'lead', id: lead_id }] })
    return { task_id: created.id, title: created.title }
  },
  undo: 'archive_task',
})
