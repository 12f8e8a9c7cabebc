import type { ActivityRow, ActivityType, Subject } from './activities.ts'
import { inTx, type Ctx } from './context.ts'

/** What a reader of `/api/events` is told of one activity. */
export type Event = {
  id: number
  /** An activity’s, or what passes: how far an act on many records has come is told, not kept. */
  type: ActivityType | `${string}_progress`
  subject: Subject
  subjects: Subject[]
  version: number | null
  run_id: string | null
  approval_id: string | null
}

/** Sealed activities after `seq`, in order: a reader that resumes misses none. */
export const listEventsAfter = (ctx: Ctx, seq: number, limit: number): Promise<Event[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<ActivityRow[]>`
      select * from activities where organization_id = ${organization_id} and seq > ${seq} order by seq limit ${limit}`
    return rows.map((row) => ({
      id: row.seq ?? 0,
      type: row.type,
      subject: row.subjects[0] ?? { kind: 'organization', id: organization_id },
      subjects: row.subjects,
      version: row.record_version,
      run_id: row.run_id,
      approval_id: row.approval_id,
    }))
  })

/** Where an event reader stands: the newest sealed number, and the oldest that is still told (7 days). */
export const eventBounds = (ctx: Ctx): Promise<{ newest: number; oldest: number }> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [head] = await tx<{ seq: number }[]>`
      select seq from audit_heads where organization_id = ${organization_id}`
    const [old] = await tx<{ seq: number | null }[]>`
      select seq from activities where organization_id = ${organization_id} and seq is not null
        and coalesce(recorded_at, occurred_at) < now() - interval '7 days' order by seq desc limit 1`
    return { newest: head?.seq ?? 0, oldest: (old?.seq ?? 0) + 1 }
  })
