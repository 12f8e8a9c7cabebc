import { z } from 'zod'
import { activityId, getActivity, recordActivity, type Activity } from './activities.ts'
import { loggedTypes, type LoggedType } from './activity-types.ts'
import { INBOUND, recheckApprovals } from './approval-reads.ts'
import { inTx, type Ctx } from './context.ts'
import { Line, Lines, Moment } from './lead-fields.ts'
import { rescoreAfter } from './lead-scoring.ts'
import { reachLogged } from './logged-milestones.ts'
import { RecordRefs, requireRecordsInUse } from './records.ts'

export const meetingStatuses = ['scheduled', 'held', 'cancelled'] as const

/** What an entry says: what it was about, what was said, how long it took. */
export const LoggedData = z.strictObject({
  subject: Line(300).optional(),
  body: Lines(20_000).optional(),
  duration_min: z.int().min(0).max(10_000).optional(),
  direction: z.enum(['inbound', 'outbound']).optional(),
  status: z.enum(meetingStatuses).optional(),
  starts_at: Moment.optional(),
})
export type LoggedData = z.infer<typeof LoggedData>

/** Ids begin in 1970; what has not occurred yet is a task, or a meeting that is scheduled. */
const Occurred = Moment.refine(
  (at) => Date.parse(at) >= 0 && Date.parse(at) <= Date.now() + CLOCK_LEEWAY_MS,
  'a moment that is over, from 1970 on; what is still to happen is a task, or a meeting with status scheduled and starts_at',
)
const CLOCK_LEEWAY_MS = 60_000

const Entry = z.object({
  type: z.enum(loggedTypes),
  subjects: RecordRefs(1),
  occurred_at: Occurred.optional(),
  data: LoggedData,
  reason: Line(1_000).optional(),
})

/** One entry that somebody makes by hand, with its type and what it was about. */
export const NewEntry = Entry.superRefine(({ type, data }, issues) => {
  for (const { path, message } of faultsOf(type, data))
    issues.addIssue({ code: 'custom', path: ['data', path], message })
})
export type NewEntry = z.infer<typeof NewEntry>

/** What can be changed of an entry: everything but what it is. A member of `data` that is null is taken out. */
export const EntryChange = z
  .object({
    subjects: RecordRefs(1),
    occurred_at: Occurred,
    data: z.strictObject(
      Object.fromEntries(Object.entries(LoggedData.shape).map(([name, schema]) => [name, schema.nullable()])),
    ),
    reason: Line(1_000).nullable(),
  })
  .partial()
export type EntryChange = z.infer<typeof EntryChange>

/** What does not go together in an entry of this type. */
export const faultsOf = (
  type: LoggedType,
  data: LoggedData,
): { path: keyof LoggedData; message: string }[] => {
  const faults: { path: keyof LoggedData; message: string }[] = []
  const refuse = (path: keyof LoggedData, message: string) => faults.push({ path, message })
  if (!data.subject && !data.body) refuse('subject', 'what it was about: send a subject, a body, or both')
  if (type !== 'meeting_logged') {
    if (data.status) refuse('status', 'only a meeting has one')
    if (data.starts_at) refuse('starts_at', 'only a meeting has one')
  } else if (data.status === 'scheduled' && !data.starts_at) {
    refuse('starts_at', 'a meeting that is scheduled begins at a time')
  }
  if (data.direction && type !== 'call_logged')
    refuse('direction', 'only a call has one; the others say it by their type')
  if (data.duration_min !== undefined && type !== 'call_logged' && type !== 'meeting_logged')
    refuse('duration_min', 'only a call or a meeting has one')
  return faults
}

/**
 * Writes down what happened, on every record that it is about. A meeting that is scheduled and an e-mail that was sent by
 * hand are milestones of the cards among them.
 * @throws {DomainError} `<kind>_not_found`, `record_archived`, `lead_merged`, `lead_converted`
 */
export const logActivity = (ctx: Ctx, input: NewEntry): Promise<Activity> =>
  inTx(ctx, async (ctx) => {
    const { type, subjects, data, reason } = input
    await requireRecordsInUse(ctx, subjects)
    const occurred_at = input.occurred_at === undefined ? new Date() : new Date(input.occurred_at)
    const id = activityId(occurred_at)
    await recordActivity(ctx, {
      id,
      type,
      occurred_at,
      recorded_at: input.occurred_at === undefined ? undefined : new Date(),
      subjects,
      reason,
      data: { ...data, ...BY_HAND, undo: { tool: 'delete_activity', input: { activity_id: id } } },
    })
    await reachLogged(
      ctx,
      { id, type, subjects, data },
      input.occurred_at === undefined ? undefined : occurred_at,
    )
    await rescoreAfter(ctx, type, subjects)
    if (isInbound(type)) {
      // One connection: they would queue up anyway.
      for (const subject of subjects) await recheckApprovals(ctx, subject)
    }
    return getActivity(ctx, id)
  })

const isInbound = (type: LoggedType): boolean => INBOUND.some((inbound) => inbound === type)

/** What tells an entry that somebody made from what the record saw itself. */
export const BY_HAND = { logged: true }
