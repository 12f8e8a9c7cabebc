import { loggedTypes, toldOnCards } from './activity-types.ts'
import type { ActivityType } from './activities.ts'
import type { Actor, TxCtx } from './context.ts'
import type { RecordKind } from './records.ts'

/** What hangs on a record and would go to the archive with it unseen, though no field of it says so. */
export type Work = 'note' | 'task' | 'file' | 'message' | 'activity' | 'approval'

/** What people and agents made of a record, and who did so last. */
export type WorkOnRecord = {
  id: string
  work: Work[]
  last_by: Actor | null
  last_at: Date | null
}

/**
 * Which of these records of a kind have work on them; what was taken back itself is none.
 * @param shared tasks that do not count
 */
export const readWork = async (
  { tx, organization_id }: TxCtx,
  kind: RecordKind,
  ids: readonly string[],
  shared: readonly string[] = [],
): Promise<Map<string, WorkOnRecord>> => {
  if (ids.length === 0) return new Map()
  const rows = await tx<WorkOnRecord[]>`
    select h.id, h.work, l.actor as last_by, l.occurred_at as last_at from (
      select r.id, array_remove(array[
        case when exists (select from notes where organization_id = ${organization_id}
          and subject_kind = ${kind} and subject_id = r.id and archived_at is null) then 'note' end,
        case when exists (select from task_subjects s join tasks t on t.organization_id = s.organization_id and t.id = s.task_id
          where s.organization_id = ${organization_id} and s.kind = ${kind} and s.subject_id = r.id
            and t.archived_at is null and t.id <> all(${shared as string[]}::uuid[])) then 'task' end,
        case when exists (select from files where organization_id = ${organization_id}
          and subject_kind = ${kind} and subject_id = r.id and archived_at is null) then 'file' end,
        case when exists (select from messages where organization_id = ${organization_id}
          and record_kind = ${kind} and record_id = r.id) then 'message' end,
        case when exists (select from activity_subjects s where s.organization_id = ${organization_id} and s.kind = ${kind}
          and s.subject_id = r.id and s.type = any(${loggedTypes}::text[])
          and not exists (select from activity_revisions v where v.organization_id = s.organization_id
            and v.activity_id = s.activity_id and v.data is null
            and v.n = (select max(n) from activity_revisions l where l.organization_id = v.organization_id
              and l.activity_id = v.activity_id))) then 'activity' end,
        case when exists (select from approvals where organization_id = ${organization_id}
          and subject_kind = ${kind} and subject_id = r.id and status = any(${OPEN}::text[])) then 'approval' end
      ], null) as work
      from unnest(${ids as string[]}::uuid[]) as r (id)
    ) h
    left join lateral (
      select jsonb_build_object('kind', a.actor_kind, 'id', a.actor_id, 'name', a.actor_name) as actor, a.occurred_at
      from activity_subjects s join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
      where s.organization_id = ${organization_id} and s.kind = ${kind} and s.subject_id = h.id
        and s.type = any(${WORKING}::text[]) and a.undone_by is null
      order by a.id desc limit 1
    ) l on true
    where h.work <> '{}'`
  return new Map(rows.map((row) => [row.id, row]))
}

/** Approvals that still wait, or that nobody knows the end of. */
const OPEN = ['pending', 'stale', 'approved', 'executing', 'outcome_unknown']

const WORKING: readonly ActivityType[] = [
  ...toldOnCards,
  'note_edited',
  'email_drafted',
  'approval_requested',
]
