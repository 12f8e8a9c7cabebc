import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type Change, type Subject } from './activities.ts'
import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { comparisonsOf, type Filter } from './filters.ts'
import { Line, Lines, Moment } from './lead-fields.ts'
import { listRecords, type ListQuery } from './listing.ts'
import type { Page } from './page.ts'
import { requireReading } from './reading.ts'
import { addedSubjects, distinctSubjects, RecordRefs, requireRecordsInUse } from './records.ts'
import { Assignee, requireAssignee, wakeAssignee } from './task-assignees.ts'
import { Recurrence, startSeries } from './task-recurrence.ts'

export const taskPriorities = ['low', 'normal', 'high', 'urgent'] as const
export const taskStatuses = ['open', 'done', 'cancelled'] as const

export const NewTask = z.object({
  title: Line().pipe(z.string().min(1)),
  description: Lines(5_000).optional(),
  priority: z.enum(taskPriorities).default('normal'),
  due_at: Moment.optional(),
  remind_at: Moment.optional(),
  recurrence: Recurrence.optional(),
  assignee: Assignee.optional(),
  subjects: RecordRefs().default([]),
})
export type NewTask = z.infer<typeof NewTask>

export const TaskChange = z
  .object({
    title: Line().pipe(z.string().min(1)),
    description: Lines(5_000).nullable(),
    priority: z.enum(taskPriorities),
    due_at: Moment.nullable(),
    remind_at: Moment.nullable(),
    recurrence: Recurrence.nullable(),
    assignee: Assignee.nullable(),
    subjects: RecordRefs(),
  })
  .partial()
export type TaskChange = z.infer<typeof TaskChange>

export type Task = {
  id: string
  title: string
  description: string | null
  status: (typeof taskStatuses)[number]
  priority: (typeof taskPriorities)[number]
  due_at: Date | null
  remind_at: Date | null
  /** When the reminder was given. */
  reminded_at: Date | null
  recurrence: Recurrence | null
  /** The task that this one repeats, and the one that repeats this. */
  repeats_id: string | null
  next_id: string | null
  assignee: Assignee | null
  subjects: Subject[]
  created_by: Actor
  completed_at: Date | null
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/**
 * Puts one follow-up on a list, linked to the records it is about; an agent that gets it is woken.
 * @throws {DomainError} `assignee_unknown`, `recurrence_without_due`, `<kind>_not_found`, what `requireRecordInUse` refuses
 */
export const createTask = (ctx: Ctx, input: z.input<typeof NewTask>): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const { subjects, assignee, recurrence, ...task } = NewTask.parse(input)
    const series = startSeries(recurrence, task.due_at)
    await Promise.all([requireRecordsInUse(ctx, subjects), assignee && requireAssignee(ctx, assignee)])
    return addTask(ctx, { ...task, subjects, assignee, recurrence: series })
  })

/** Stores a task of which everything was checked. */
export const addTask = async (
  ctx: TxCtx,
  task: Pick<NewTask, 'title' | 'priority' | 'subjects' | 'assignee'> & {
    description?: string | null | undefined
    due_at?: string | Date | null | undefined
    remind_at?: string | Date | null | undefined
    recurrence: object | undefined
    repeats_id?: string
  },
): Promise<Task> => {
  const { tx, organization_id } = ctx
  const id = uuidv7()
  await tx`
    insert into tasks ${tx({
      organization_id,
      id,
      title: task.title,
      description: task.description ?? null,
      priority: task.priority,
      due_at: task.due_at ?? null,
      remind_at: task.remind_at ?? null,
      recurrence: task.recurrence ? tx.json(task.recurrence as never) : null,
      repeats_id: task.repeats_id ?? null,
      assignee_kind: task.assignee?.kind ?? null,
      assignee_id: task.assignee?.id ?? null,
      created_by: tx.json(ctx.actor),
    })}`
  await linkTask(ctx, id, task.subjects)
  await recordActivity(ctx, {
    type: 'task_created',
    subjects: [...task.subjects, { kind: 'task', id }],
    data: {
      task_id: id,
      title: task.title,
      ...(task.due_at ? { due_at: task.due_at } : {}),
      ...(task.repeats_id ? { repeats_id: task.repeats_id } : {}),
      undo: { tool: 'archive_task', input: { task_id: id } },
    },
  })
  // One that comes again wakes its agent when it is due.
  if (task.assignee && !task.repeats_id) await wakeAssignee(ctx, id, task.assignee, task.subjects)
  return getTask(ctx, id)
}

/**
 * Changes a task that was read at `version`; a reminder that is set anew is given anew, and an agent that gets the task
 * is woken.
 * @throws {DomainError} stale, `assignee_unknown`, `recurrence_without_due`, `<kind>_not_found`, what `requireRecordInUse` refuses
 */
export const updateTask = (
  ctx: Ctx,
  id: string,
  { version, changes: change, reason }: { version?: number; changes: TaskChange; reason?: string },
): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockTask(ctx, id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    const changes = changesOf(before, change)
    if (changes.length === 0) return before
    const isChanged = (field: keyof TaskChange): boolean => changes.some((one) => one.field === field)
    const { assignee, subjects, recurrence, ...plain } = change
    if (assignee && isChanged('assignee')) await requireAssignee(ctx, assignee)
    if (subjects && isChanged('subjects')) {
      await requireRecordsInUse(ctx, addedSubjects(before.subjects, subjects))
      await tx`delete from task_subjects where organization_id = ${organization_id} and task_id = ${id}`
      await linkTask(ctx, id, subjects)
    }
    const due_at = change.due_at === undefined ? before.due_at : change.due_at
    const repeats = recurrence === undefined ? before.recurrence : recurrence
    const series = startSeries(repeats ?? undefined, due_at ?? undefined)
    const values = Object.fromEntries(
      Object.entries(plain).filter(([field]) => isChanged(field as keyof TaskChange)),
    )
    await tx`
      update tasks set ${tx({
        ...values,
        updated_at: new Date(),
        version: before.version + 1,
        ...(isChanged('remind_at') ? { reminded_at: null } : {}),
        ...(isChanged('recurrence') || isChanged('due_at')
          ? { recurrence: series ? tx.json(series as never) : null }
          : {}),
        ...(isChanged('assignee')
          ? { assignee_kind: assignee?.kind ?? null, assignee_id: assignee?.id ?? null }
          : {}),
      })} where organization_id = ${organization_id} and id = ${id}`
    const after = await getTask(ctx, id)
    await recordActivity(ctx, {
      type: 'task_updated',
      subjects: everySubject(before, after),
      reason,
      record_version: after.version,
      data: {
        task_id: id,
        title: after.title,
        changes,
        undo: {
          tool: 'update_task',
          input: {
            task_id: id,
            values: Object.fromEntries(changes.map((one) => [one.field, one.before])),
          },
        },
      },
    })
    if (assignee && isChanged('assignee') && after.status === 'open')
      await wakeAssignee(ctx, id, assignee, after.subjects)
    return after
  })

/** One task with what it is about. */
export const getTask = (ctx: Ctx, id: string): Promise<Task> => readTask(ctx, id, false)

/** The same, held until the transaction ends. */
export const lockTask = (ctx: Ctx, id: string): Promise<Task> => readTask(ctx, id, true)

export type ListTasks = ListQuery & {
  /** Absent: open ones, unless the filter speaks of the state. */
  status?: Task['status'] | 'any' | undefined
  priority?: Task['priority'] | undefined
  assignee_kind?: Assignee['kind'] | undefined
  assignee_id?: string | undefined
  subject_kind?: string | undefined
  subject_id?: string | undefined
  overdue?: boolean | undefined
  due_from?: string | undefined
  /** Not included. */
  due_to?: string | undefined
}

/** Tasks, newest first unless sorted; closed and archived ones only where they are asked for. */
export const listTasks = async (ctx: Ctx, query: ListTasks): Promise<Page<Task>> => {
  const { status = speaksOfState(query.filter) ? 'any' : 'open', priority, overdue } = query
  const { assignee_kind, assignee_id, subject_kind, subject_id, due_from, due_to } = query
  if (subject_kind) requireReading(ctx, [{ kind: subject_kind }])
  return listRecords<Task>(
    ctx,
    {
      kind: 'task',
      default_sort: '-created_at',
      select: (tx, more) => tx`select ${taskColumns(tx)}, ${more} from tasks t`,
      where: (tx) => tx`true
        ${status === 'any' ? tx`` : tx`and t.status = ${status}`}
        ${priority ? tx`and t.priority = ${priority}` : tx``}
        ${assignee_kind ? tx`and t.assignee_kind = ${assignee_kind}` : tx``}
        ${assignee_id ? tx`and t.assignee_id = ${assignee_id}` : tx``}
        ${overdue === undefined ? tx`` : tx`and (t.status = 'open' and t.due_at is not null and t.due_at < now()) = ${overdue}`}
        ${due_from ? tx`and t.due_at >= ${due_from}` : tx``}
        ${due_to ? tx`and t.due_at < ${due_to}` : tx``}
        ${
          subject_id || subject_kind
            ? tx`and exists (select from task_subjects s where s.organization_id = t.organization_id and s.task_id = t.id
                ${subject_id ? tx`and s.subject_id = ${subject_id}` : tx``}
                ${subject_kind ? tx`and s.kind = ${subject_kind}` : tx``})`
            : tx``
        }`,
    },
    query,
  )
}

/** The records of both, and the task itself. */
const everySubject = (before: Task, after: Task): Subject[] =>
  distinctSubjects([...after.subjects, ...before.subjects, { kind: 'task', id: after.id }])

/** Whether a filter says itself which tasks are wanted: else the open ones are. */
export const speaksOfState = (filter: Filter | undefined): boolean =>
  filter !== undefined && comparisonsOf(filter).some(({ field }) => STATE_FIELDS.has(field))

const STATE_FIELDS = new Set(['status', 'is_open', 'completed_at'])

const readTask = (ctx: Ctx, id: string, lock: boolean): Promise<Task> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [task] = await tx<Task[]>`
      select ${taskColumns(tx)} from tasks t where t.organization_id = ${organization_id} and t.id = ${id}
      ${lock ? tx`for update of t` : tx``}`
    if (!task) throw notFound('task', id)
    requireReading(ctx, task.subjects)
    return task
  })

const linkTask = async ({ tx, organization_id }: TxCtx, task_id: string, subjects: Subject[]) => {
  if (subjects.length === 0) return
  await tx`
    insert into task_subjects ${tx(subjects.map(({ kind, id }) => ({ organization_id, task_id, kind, subject_id: id })))}`
}

const changesOf = (before: Task, change: TaskChange): Change[] =>
  Object.entries(change).flatMap(([field, after]) => {
    if (after === undefined) return []
    const [was, is] = [comparable(before[field as keyof TaskChange]), comparable(after)]
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [{ field, before: was, after: is }]
  })

/** A moment written in any zone is one moment, and the order of links says nothing. */
const comparable = (value: unknown): unknown => {
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'string' && Moment.safeParse(value).success) return new Date(value).toISOString()
  if (Array.isArray(value))
    return (value as Subject[])
      .map(({ kind, id }) => ({ kind, id }))
      .toSorted((a, b) => `${a.kind} ${a.id}`.localeCompare(`${b.kind} ${b.id}`))
  return value ?? null
}

const taskColumns = (tx: TxCtx['tx']) => tx`
  t.id, t.title, t.description, t.status, t.priority, t.due_at, t.remind_at, t.reminded_at, t.repeats_id,
  t.created_by, t.completed_at, t.archived_at, t.created_at, t.updated_at, t.version,
  t.recurrence - '{from,nth,remind_before_ms}'::text[] as recurrence,
  (select next.id from tasks next where next.organization_id = t.organization_id and next.repeats_id = t.id) as next_id,
  case when t.assignee_kind is not null then jsonb_build_object('kind', t.assignee_kind, 'id', t.assignee_id) end as assignee,
  coalesce((select jsonb_agg(jsonb_build_object('kind', s.kind, 'id', s.subject_id) order by s.kind, s.subject_id)
    from task_subjects s where s.organization_id = t.organization_id and s.task_id = t.id), '[]') as subjects`
