import { z } from 'zod'
import { Moment } from '../../db/lead-fields.ts'
import { Assignee } from '../../db/task-assignees.ts'
import { Recurrence } from '../../db/task-recurrence.ts'
import {
  archiveTask,
  cancelTask,
  completeTask,
  editTask,
  reopenTask,
  restoreTask,
  TaskEdit,
} from '../../db/task-states.ts'
import { createTask, getTask, listTasks, NewTask, taskPriorities, taskStatuses } from '../../db/tasks.ts'
import { ListingQuery } from '../listing.ts'
import { ById, route } from '../route.ts'
import { Actor, Id, listOf, Subject, Text, Time } from '../shapes.ts'

/** One follow-up on a list. */
export const TaskShape = z
  .object({
    id: Id,
    title: z.string(),
    description: Text,
    status: z.enum(taskStatuses),
    priority: z.enum(taskPriorities),
    due_at: Time.nullable(),
    remind_at: Time.nullable(),
    reminded_at: Time.nullable(),
    recurrence: Recurrence.nullable(),
    repeats_id: Id.nullable(),
    next_id: Id.nullable(),
    assignee: Assignee.nullable(),
    subjects: z.array(Subject),
    created_by: Actor,
    completed_at: Time.nullable(),
    archived_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Task' })

const Why = z.object({ reason: z.string().trim().min(1).max(1_000).optional() })

const anAct = (act: string, summary: string, carryOut: typeof completeTask) =>
  route(
    {
      method: 'POST',
      path: `/api/tasks/:id/${act}`,
      permission: 'tasks:write',
      summary,
      params: ById,
      body: Why,
      example: { reason: 'They called back.' },
      response: TaskShape,
    },
    ({ ctx, params, body }) => carryOut(ctx, params.id, body.reason),
  )

/** Follow-ups. */
export const tasks = [
  route(
    {
      method: 'GET',
      path: '/api/tasks',
      permission: 'tasks:read',
      summary: 'Tasks, newest first unless sorted',
      description:
        'Open ones, unless `status` or the filter says otherwise; archived ones where the filter asks for them (`archived`).',
      query: ListingQuery.extend({
        status: z.enum([...taskStatuses, 'any']).optional(),
        priority: z.enum(taskPriorities).optional(),
        assignee_kind: Assignee.shape.kind.optional(),
        assignee_id: z.string().max(100).optional(),
        subject_kind: z.string().max(50).optional(),
        subject_id: z.uuid().optional(),
        overdue: z.stringbool({ truthy: ['true'], falsy: ['false'] }).optional(),
        due_from: Moment.optional(),
        due_to: Moment.optional(),
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
      description:
        'About up to 20 records, for a member or an agent. With `recurrence`, completing it makes the next one.',
      body: NewTask,
      example: {
        title: 'Call back',
        due_at: '2027-01-31T09:00:00+01:00',
        recurrence: { every: { n: 1, unit: 'month' } },
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
      method: 'PATCH',
      path: '/api/tasks/:id',
      permission: 'tasks:write',
      summary: 'Change a task',
      description:
        'Absent fields stay, null empties one. `status` completes, cancels or reopens it, by the rules of those acts.',
      params: ById,
      body: TaskEdit,
      example: { version: 1, priority: 'high', assignee: { kind: 'agent', id: 'lead_worker' } },
      response: TaskShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => editTask(ctx, params.id, { version, changes: body }),
  ),
  anAct('complete', 'Mark a task done', completeTask),
  anAct(
    'reopen',
    'Put a task that was done or cancelled back on the list; one that came of completing it is archived, unless it was changed',
    reopenTask,
  ),
  anAct('cancel', 'Mark a task as one that nobody will do', cancelTask),
  route(
    {
      method: 'DELETE',
      path: '/api/tasks/:id',
      permission: 'tasks:write',
      summary: 'Archive a task',
      params: ById,
      status: 204,
    },
    ({ ctx, params }) => archiveTask(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/tasks/:id/restore',
      permission: 'tasks:write',
      summary: 'Put an archived task back',
      params: ById,
      response: TaskShape,
    },
    ({ ctx, params }) => restoreTask(ctx, params.id),
  ),
]
