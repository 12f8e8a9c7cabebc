import { z } from 'zod'
import { completeTask, createTask, getTask, listTasks, NewTask } from '../../db/tasks.ts'
import { ById, Paged, route } from '../route.ts'
import { Actor, Id, listOf, Subject, Text, Time } from '../shapes.ts'

/** One follow-up on a list. */
export const TaskShape = z
  .object({
    id: Id,
    title: z.string(),
    description: Text,
    status: z.enum(['open', 'done', 'cancelled']),
    priority: z.string(),
    due_at: Time.nullable(),
    assignee: z.object({ kind: z.string(), id: z.string() }).nullable(),
    subjects: z.array(Subject),
    created_by: Actor,
    completed_at: Time.nullable(),
    created_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Task' })

/** Follow-ups. */
export const tasks = [
  route(
    {
      method: 'GET',
      path: '/api/tasks',
      permission: 'tasks:read',
      summary: 'Tasks, newest first',
      query: Paged.extend({
        subject_id: z.uuid().optional(),
        status: z.enum(['open', 'done', 'cancelled']).optional(),
      }),
      response: listOf(TaskShape),
    },
    ({ ctx, query }) => listTasks(ctx, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/tasks',
      permission: 'tasks:write',
      summary: 'Put a follow-up on a list',
      body: NewTask,
      example: {
        title: 'Call back',
        subjects: [{ kind: 'lead', id: '01990000-0000-7000-8000-000000000000' }],
      },
      response: TaskShape,
      status: 201,
    },
    ({ ctx, body }) => createTask(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/tasks/:id',
      permission: 'tasks:read',
      summary: 'One task',
      params: ById,
      response: TaskShape,
    },
    ({ ctx, params }) => getTask(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/tasks/:id/complete',
      permission: 'tasks:write',
      summary: 'Mark a task done',
      params: ById,
      response: TaskShape,
    },
    ({ ctx, params }) => completeTask(ctx, params.id),
  ),
]
