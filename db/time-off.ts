import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type NewActivity } from './activities.ts'
import { aboutMember, memberNamed } from './availability.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid, notFound } from './errors.ts'
import { Day, Line } from './lead-fields.ts'
import { page, type Page } from './page.ts'

/** Days on which a member is away, both included, where the organization is. */
export const NewTimeOff = z.object({ from_on: Day, until_on: Day, note: Line(500).nullable().optional() })
export type NewTimeOff = z.infer<typeof NewTimeOff>

export type TimeOff = {
  id: string
  user_id: string
  from_on: string
  until_on: string
  note: string | null
  archived_at: Date | null
  created_at: Date
}

/** The time off of a member, what was entered last first. @throws {DomainError} `member_not_found` */
export const listTimeOff = (
  ctx: Ctx,
  member_id: string,
  query: { cursor?: string | undefined; limit: number },
): Promise<Page<TimeOff>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { user_id } = await memberNamed(ctx, member_id)
    const rows = await tx<TimeOff[]>`
      select id, user_id, from_on, until_on, note, archived_at, created_at from time_off
      where organization_id = ${organization_id} and user_id = ${user_id} and archived_at is null
        ${query.cursor ? tx`and id < ${query.cursor}` : tx``}
      order by id desc limit ${query.limit + 1}`
    return page([...rows], query.limit, ({ id }) => id)
  })

/** One time off, taken back or not. @throws {DomainError} `time_off_not_found` */
export const getTimeOff = (ctx: Ctx, id: string): Promise<TimeOff> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<TimeOff[]>`
      select id, user_id, from_on, until_on, note, archived_at, created_at from time_off
      where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('time_off', id)
    return row
  })

/**
 * Enters when a member is away: routing passes them over on these days.
 * @throws {DomainError} `member_not_found`; `days_reversed` when it ends before it begins
 */
export const addTimeOff = (ctx: Ctx, member_id: string, input: NewTimeOff): Promise<TimeOff> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { user_id, name } = await memberNamed(ctx, member_id)
    const { from_on, until_on, note = null } = input
    if (until_on < from_on)
      throw invalid('days_reversed', '/until_on', `It ends before it begins: give a day from ${from_on} on.`)
    const id = uuidv7()
    await tx`insert into time_off ${tx({ organization_id, id, user_id, from_on, until_on, note: note || null })}`
    await recordTimeOff(
      ctx,
      { user_id, name, from_on, until_on },
      {
        changes: [{ field: 'time_off', before: null, after: { from_on, until_on } }],
        undo: { tool: 'remove_time_off', input: { user_id, time_off_id: id } },
      },
    )
    return getTimeOff(ctx, id)
  })

/** Takes a time off of a member back. Twice is once. @throws {DomainError} `member_not_found`, `time_off_not_found` */
export const removeTimeOff = (ctx: Ctx, member_id: string, id: string): Promise<void> =>
  setRemoved(ctx, member_id, id, true)

/** Enters a time off again that was taken back. @throws {DomainError} `member_not_found`, `time_off_not_found` */
export const restoreTimeOff = (ctx: Ctx, member_id: string, id: string): Promise<void> =>
  setRemoved(ctx, member_id, id, false)

const setRemoved = (ctx: Ctx, member_id: string, id: string, removed: boolean): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { user_id, name } = await memberNamed(ctx, member_id)
    await tx`select 1 from time_off where organization_id = ${organization_id} and id = ${id} for update`
    const before = await getTimeOff(ctx, id)
    if (before.user_id !== user_id) throw notFound('time_off', id)
    if ((before.archived_at !== null) === removed) return
    await tx`
      update time_off set archived_at = ${removed ? new Date() : null}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    const { from_on, until_on } = before
    const days = { from_on, until_on }
    await recordTimeOff(
      ctx,
      { user_id, name, ...days },
      {
        changes: [{ field: 'time_off', before: removed ? days : null, after: removed ? null : days }],
        undo: { tool: removed ? 'restore_time_off' : 'remove_time_off', input: { user_id, time_off_id: id } },
      },
    )
  })

/** The note is the member’s own affair: no line repeats it. */
const recordTimeOff = (
  ctx: TxCtx,
  { user_id, name, from_on, until_on }: { user_id: string; name: string; from_on: string; until_on: string },
  data: NonNullable<NewActivity['data']>,
): Promise<string> =>
  recordActivity(ctx, {
    type: 'settings_changed',
    subjects: aboutMember(ctx, user_id),
    data: { what: `the time off of ${name} (${from_on} to ${until_on})`, ...data },
  })
