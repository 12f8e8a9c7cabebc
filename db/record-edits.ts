import { isDeepStrictEqual } from 'node:util'
import type { Change } from './activities.ts'
import type { Actor, TxCtx } from './context.ts'
import { besides } from './field-units.ts'
import { changesOf } from './inverse.ts'
import type { RecordKind, RecordRef } from './records.ts'

/** A line of the timeline that says that a record was made or changed. */
export type Edit = {
  /** Of the line. */
  activity_id: string
  /** Of the record. */
  id: string
  type: string
  /** The import that wrote it, or took it back. */
  import_id: string | null
  actor: Actor
  occurred_at: Date
  changes: Change[]
  /** What it changed, or what it is where that is no field. */
  fields: string[]
  /** Whether the record is another one since: notes, calls and tasks change nothing of it. */
  counts: boolean
}

/** Who made and changed these records, in order; what was taken back since is as if it had never been. */
export const readEdits = async (
  { tx, organization_id }: TxCtx,
  refs: readonly RecordRef[],
): Promise<Edit[]> => {
  const rows = await tx<
    {
      activity_id: string
      id: string
      type: string
      record_version: number | null
      actor: Actor
      occurred_at: Date
      data: Record<string, unknown>
    }[]
  >`
    select a.id as activity_id, s.subject_id as id, a.type, a.record_version, a.occurred_at,
      jsonb_build_object('kind', a.actor_kind, 'id', a.actor_id, 'name', a.actor_name) as actor,
      jsonb_build_object('changes', a.data -> 'changes', 'import_id', a.data -> 'import_id') as data
    from unnest(${refs.map(({ kind }) => kind)}::text[], ${refs.map(({ id }) => id)}::uuid[]) as w (kind, id)
    join activity_subjects s on s.organization_id = ${organization_id} and s.kind = w.kind and s.subject_id = w.id
    join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
    left join imports i on i.organization_id = a.organization_id and i.id::text = a.data ->> 'import_id'
    where (a.record_version is not null or a.type = any(${LINKS}))
      and not exists (select from jsonb_array_elements(a.subjects) h where h ->> 'kind' = any(${HANGING}::text[]))
      and a.undone_by is null and not a.data ? 'undoes' and i.status is distinct from 'undone'
    order by a.id`
  return rows.map(({ activity_id, id, type, record_version, actor, occurred_at, data }) => {
    const changes = changesOf(data)
    const fields = changes.map(({ field }) => field)
    const { import_id } = data
    return {
      activity_id,
      id,
      type,
      import_id: typeof import_id === 'string' ? import_id : null,
      actor,
      occurred_at,
      changes,
      fields: fields.length > 0 ? fields : [type],
      counts: record_version !== null || LINKS.includes(type),
    }
  })
}

/**
 * What is one value with these fields, was left alone with them by an act, and was changed since: as it was then, and as it
 * is now.
 * @param standing the record's values
 * @param since what was done to the record after the act, in order
 */
export const editedBeside = (
  kind: RecordKind,
  fields: readonly string[],
  standing: Readonly<Record<string, unknown>>,
  since: readonly Edit[],
): { field: string; left: unknown; now: unknown }[] => {
  const later = since.flatMap(({ changes }) => changes)
  return besides(kind, fields).flatMap((field) => {
    const first = later.find((change) => change.field === field)
    const [left, now] = [first?.before ?? null, standing[field] ?? null]
    return first === undefined || JSON.stringify(left) === JSON.stringify(now) ? [] : [{ field, left, now }]
  })
}

/** What is done to a note, a task or a file is on the timeline of its record, and changes nothing of that. */
const HANGING = ['note', 'task', 'file']

const LINKS = ['record_linked', 'record_unlinked']

/** Whether a line that changed `said` is the one that made these changes. */
export const saysAll = (said: readonly Change[], changes: readonly Change[]): boolean =>
  changes.every((change) => said.some((one) => isDeepStrictEqual(one, change)))

/** Whether this import made the record. */
export const isMadeHere = (edits: readonly Edit[], id: string, import_id: string): boolean =>
  edits.some((edit) => edit.id === id && edit.import_id === import_id && MAKING.has(edit.type))

const MAKING = new Set(['lead_imported', 'record_created'])

/** Which of these accounts or contacts something that is in use is linked with. */
export const readHolders = async (
  { tx, organization_id }: TxCtx,
  kind: RecordKind,
  ids: readonly string[],
): Promise<Set<string>> => {
  if (ids.length === 0 || (kind !== 'account' && kind !== 'contact')) return new Set()
  const member = tx(`${kind}_id`)
  const rows = await tx<{ id: string }[]>`
    select l.${member} as id from ${tx(`opportunity_${kind}s`)} l
    join opportunities o on o.organization_id = l.organization_id and o.id = l.opportunity_id and o.archived_at is null
    where l.organization_id = ${organization_id} and l.${member} = any(${ids as string[]}::uuid[])
    ${
      kind === 'account'
        ? tx`
          union
          select l.account_id from account_contacts l
          join contacts p on p.organization_id = l.organization_id and p.id = l.contact_id and p.archived_at is null
          where l.organization_id = ${organization_id} and l.account_id = any(${ids as string[]}::uuid[])`
        : tx``
    }`
  return new Set(rows.map(({ id }) => id))
}
