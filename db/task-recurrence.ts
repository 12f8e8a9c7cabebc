import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { invalid } from './errors.ts'

/** How a task comes again: every `n` units after its first due date, until a day (included) if one is given. */
export const Recurrence = z.strictObject({
  every: z.strictObject(
    {
      n: z.int().min(1).max(1_000),
      unit: z.enum(['day', 'week', 'month', 'year']),
    },
    'how often, such as {"n": 1, "unit": "month"}; units are day, week, month and year',
  ),
  until: z.iso.date('a day as YYYY-MM-DD').optional(),
})
export type Recurrence = z.infer<typeof Recurrence>

/**
 * A recurrence as it is stored: counted from the series' first due date, so that the 31st comes back after February and
 * the hour after a change of clocks. The reminder is so much before it by the clock on the wall, which a task that falls
 * into the hour that a change of clocks leaves out cannot say itself.
 */
const Series = Recurrence.extend({
  from: z.string(),
  nth: z.number().int(),
  remind_before_ms: z.number().optional(),
})
type Series = z.infer<typeof Series>

/**
 * The series that a due date begins.
 * @throws {DomainError} `recurrence_without_due`
 */
export const startSeries = (
  recurrence: Recurrence | undefined,
  due_at: Date | string | undefined,
): Series | undefined => {
  if (!recurrence) return undefined
  if (due_at === undefined) {
    throw invalid(
      'recurrence_without_due',
      '/due_at',
      'A task that comes again needs a due date to count from.',
    )
  }
  return { ...recurrence, from: new Date(due_at).toISOString(), nth: 0 }
}

/**
 * When a task of a series is due next, and reminded of as long before as this one, unless a change of clocks moved that:
 * in the organization's own time. Undefined after its last one, and after 9999.
 */
export const nextInSeries = async (
  { tx, organization_id }: TxCtx,
  task_id: string,
): Promise<{ due_at: Date; remind_at: Date | null; recurrence: Series } | undefined> => {
  const [row] = await tx<{ recurrence: unknown }[]>`
    select recurrence from tasks where organization_id = ${organization_id} and id = ${task_id}`
  if (!row?.recurrence) return undefined
  const series = Series.parse(row.recurrence)
  const { every, until, from, nth, remind_before_ms = null } = series
  const after = (count: number): string => `${every.n * count} ${every.unit}`
  const [next] = await tx<{ due_at: Date; remind_at: Date | null; before_ms: number | null; day: string }[]>`
    select due at time zone zone as due_at, due::date::text as day,
      (due - before) at time zone zone as remind_at, (extract(epoch from before) * 1000)::float8 as before_ms
    from tasks t
    join settings s on s.organization_id = t.organization_id,
    lateral (select s.timezone as zone, ${from}::timestamptz at time zone s.timezone as first,
      ${remind_before_ms}::float8 * interval '1 millisecond' as kept) as series,
    lateral (select first + ${after(nth)}::interval as this, first + ${after(nth + 1)}::interval as due) as meant,
    -- What is kept holds until somebody sets the reminder to another time.
    lateral (select case when (this - kept) at time zone zone = t.remind_at then kept
      else (t.due_at at time zone zone) - (t.remind_at at time zone zone) end as before) as reminder
    where t.organization_id = ${organization_id} and t.id = ${task_id} and due at time zone zone < '10000-01-01T00:00:00Z'`
  if (!next || (until !== undefined && next.day > until)) return undefined
  const { due_at, remind_at, before_ms } = next
  return {
    due_at,
    remind_at,
    recurrence: { ...series, nth: nth + 1, remind_before_ms: before_ms ?? undefined },
  }
}
