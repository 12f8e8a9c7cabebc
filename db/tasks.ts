import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type Subject } from './activities.ts'
import { inTx, type Actor, type Ctx } from './context.ts'
import { Line, Lines } from './lead-fields.ts'
import { notFound } from './errors.ts'
import { getOpportunity } from './opportunities.ts'
import { page, type Page } from './page.ts'

export const taskPriorities = ['low', 'normal', 'high', 'urgent'] as const

export const NewTask = z.object({
  title: Line().pipe(z.string().min(1)),
  description: Lines(5_000).optional(),
  priority: z.enum(taskPriorities).default('normal'),
  due_at: z.iso.datetime({ offset: true }).optional(),
  assignee: z.object({ kind: z.enum(['user', 'agent']), id: z.string().min(1).max(100) }).optional(),
  subjects: z
    .array(z.object({ kind: z.literal('lead'), id: z.uuid() }))
    .min(1)
    .max(20),
})
export type NewTask = z.infer<typeof NewTask>

export type Task = {
  id: string
  title: string
  description: string | null
  status: 'open' | 'done' | 'cancelled'
  priority: (typeof taskPriorities)[number]
  due_at: Date | null
  assignee: { kind: string; id: string } | null
  subjects: Subject[]
  created_by: Actor
  completed_at: Date | null
  created_at: Date
  version: number
}

/** Puts one follow-up on a list, linked to the records it is about. */
export const createTask = (ctx: Ctx, input: NewTask): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    for (const { id, kind } of input.subjects) await getOpportunity(ctx, id, kind)
    const id = uuidv7()
    await tx`
      insert into tasks ${tx({
        organization_id,
        id,
        title: input.title,
        description: input.description ?? null,
        priority: input.priority,
        due_at: input.due_at ?? null,
        assignee_kind: input.assignee?.kind ?? null,
        assignee_id: input.assignee?.id ?? null,
        created_by: tx.json(ctx.actor),
      })}`
    await tx`
      insert into task_subjects ${tx(input.subjects.map((subject) => ({ organization_id, task_id: id, kind: subject.kind, subject_id: subject.id })))}`
    await recordActivity(ctx, {
      type: 'task_created',
      subjects: [...input.subjects, { kind: 'task', id }],
      data: {
        task_id: id,
        title: input.title,
        ...(input.due_at ? { due_at: input.due_at } : {}),
        undo: { tool: 'archive_task', input: { task_id: id } },
      },
    })
    return getTask(ctx, id)
  })

/** Marks a task done; the timeline says so. Twice is once. */
export const completeTask = (ctx: Ctx, id: string): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const rows = await tx`
      update tasks set status = 'done', completed_at = now(), version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and status = 'open' returning id`
    const task = await getTask(ctx, id)
    if (rows.length > 0) {
      await recordActivity(ctx, {
        type: 'task_completed',
        subjects: [...task.subjects, { kind: 'task', id }],
        data: { task_id: id, title: task.title },
      })
    }
    return task
  })

/** Takes a task off every list. Twice is once. */
export const archiveTask = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const archived = await tx`
      update tasks set archived_at = now(), version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and archived_at is null returning id`
    if (archived.length === 0) return
    const task = await getTask(ctx, id)
    await recordActivity(ctx, {
      type: 'undone',
      subjects: [...task.subjects, { kind: 'task', id }],
      data: { summary: `the task “${task.title}”`, task_id: id },
    })
  })

/** One task with what it is about. */
export const getTask = (ctx: Ctx, id: string): Promise<Task> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<
      Task[]
    >`${selectTask(tx)} where t.organization_id = ${organization_id} and t.id = ${id}`
    if (!row) throw notFound('task', id)
    return row
  })

/** Tasks that are not archived, newest first. */
export const listTasks = (
  ctx: Ctx,
  filter: {
    status?: Task['status'] | undefined
    subject_id?: string | undefined
    cursor?: string | undefined
    limit: number
  },
): Promise<Page<Task>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<Task[]>`
      ${selectTask(tx)} where t.organization_id = ${organization_id} and t.archived_at is null
        ${filter.status ? tx`and t.status = ${filter.status}` : tx``}
        ${
          filter.subject_id
            ? tx`and exists (select 1 from task_subjects s where s.organization_id = t.organization_id
                and s.task_id = t.id and s.subject_id = ${filter.subject_id})`
            : tx``
        }
        ${filter.cursor ? tx`and t.id < ${filter.cursor}` : tx``}
      order by t.id desc limit ${filter.limit + 1}`
    return page([...rows], filter.limit, (task) => task.id)
  })

const selectTask = (tx: NonNullable<Ctx['tx']>) => tx`
  select t.id, t.title, t.description, t.status, t.priority, t.due_at, t.created_by, t.completed_at, t.created_at, t.version,
    case when t.assignee_kind is not null then jsonb_build_object('kind', t.assignee_kind, 'id', t.assignee_id) end as assignee,
    coalesce((select jsonb_agg(jsonb_build_object('kind', s.kind, 'id', s.subject_id)) from task_subjects s
      where s.organization_id = t.organization_id and s.task_id = t.id), '[]') as subjects
  from tasks t`
