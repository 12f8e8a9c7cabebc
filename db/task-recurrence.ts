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
 * the hour after a change of clocks.
 */
const Series = Recurrence.extend({ from: z.string(), nth: z.number().int() })
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

/** When a task of a series is due next, in the organization's own time; undefined after its last one, and after 9999. */
export const nextInSeries = async (
  { tx, organization_id }: TxCtx,
  task_id: string,
): Promise<{ due_at: Date; remind_at: Date | null; recurrence: Series } | undefined> => {
  const [row] = await tx<{ recurrence: unknown }[]>`
    select recurrence from tasks where organization_id = ${organization_id} and id = ${task_id}`
  if (!row?.recurrence) return undefined
  const series = Series.parse(row.recurrence)
  const { every, until, from, nth } = series
  const step = `${every.n * (nth + 1)} ${every.unit}`
  const [next] = await tx<{ due_at: Date; remind_at: Date | null; day: string }[]>`
    select due at time zone zone as due_at, due::date::text as day,
      (due - ((t.due_at at time zone zone) - (t.remind_at at time zone zone))) at time zone zone as remind_at
    from tasks t
    join settings s on s.organization_id = t.organization_id,
    lateral (select s.timezone as zone, (${from}::timestamptz at time zone s.timezone) + ${step}::interval as due) as n
    where t.organization_id = ${organization_id} and t.id = ${task_id} and due at time zone zone < '10000-01-01T00:00:00Z'`
  if (!next || (until !== undefined && next.day > until)) return undefined
  return {
    due_at: next.due_at,
    remind_at: next.remind_at,
    recurrence: { ...series, nth: nth + 1 },
  }
}
