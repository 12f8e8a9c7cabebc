import { isDeepStrictEqual } from 'node:util'
import type { Change } from './activities.ts'
import type { TxCtx } from './context.ts'
import { besides } from './field-units.ts'
import { changesOf } from './inverse.ts'
import { saysAll } from './record-edits.ts'
import type { RecordKind } from './records.ts'

/** What a line of the timeline wrote; of an import that was taken back, when that was. */
type Line = {
  id: string
  changes: Change[]
  import_id: string | null
  occurred_at: Date
  undone_at: Date | null
}

/** What was beneath what an import changed of a record, as `changes` with other values before. */
export type Beneath = (id: string, changes: readonly Change[]) => Change[]

/**
 * Reads what an import that is taken back has to put back: what it found, unless that was of an import that lay beneath it
 * and was taken back since, which could not put back its own then. So imports are taken back in any order. What is one value
 * with such a one goes along.
 */
export const readBeneath = async (
  ctx: TxCtx,
  import_id: string,
  kind: RecordKind,
  ids: readonly string[],
): Promise<Beneath> => {
  const lines = Map.groupBy(await readLines(ctx, kind, ids), ({ id }) => id)
  return (id, changes) => {
    const about = lines.get(id) ?? []
    const own = about.findIndex((line) => line.import_id === import_id && saysAll(line.changes, changes))
    if (own === -1) return [...changes]
    const found = changes.map((change) => ({
      ...change,
      before: beneath(about, own, change.field, change.before),
    }))
    const followed = found.filter(({ before }, n) => !isSame(before, changes[n]?.before))
    const fields = followed.map(({ field }) => field)
    const along = besides(kind, fields).flatMap((field): Change[] => {
      const last = about.findLastIndex((line) => changeOf(line, field))
      const standing = about[last] && changeOf(about[last], field)?.after
      // What the import or somebody later wrote is theirs.
      if (last === -1 || last >= own) return []
      const before = beneath(about, own, field, standing)
      return isSame(before, standing) ? [] : [{ field, before, after: standing }]
    })
    return [...found, ...along]
  }
}

/** What a field would hold before the line at `at` without the imports that were taken back after it. */
const beneath = (about: readonly Line[], at: number, field: string, value: unknown): unknown => {
  const last = about.slice(0, at).findLastIndex((line) => changeOf(line, field))
  const [line, later] = [about[last], about[at]]
  const change = line && changeOf(line, field)
  if (!change || !later || !line.undone_at || line.undone_at <= later.occurred_at) return value
  return isSame(change.after, value) ? beneath(about, last, field, change.before) : value
}

const changeOf = ({ changes }: Line, field: string): Change | undefined =>
  changes.find((change) => change.field === field)

const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one ?? null, other ?? null)

const readLines = async (
  { tx, organization_id }: TxCtx,
  kind: RecordKind,
  ids: readonly string[],
): Promise<Line[]> => {
  if (ids.length === 0) return []
  const rows = await tx<(Omit<Line, 'changes'> & { data: Record<string, unknown> })[]>`
    select s.subject_id as id, jsonb_build_object('changes', a.data -> 'changes') as data, a.data ->> 'import_id' as import_id,
      a.occurred_at, case when a.type = 'record_updated' and i.status = 'undone' then i.finished_at end as undone_at
    from activity_subjects s
    join activities a on a.organization_id = s.organization_id and a.id = s.activity_id
    left join imports i on i.organization_id = a.organization_id and i.id::text = a.data ->> 'import_id'
    where s.organization_id = ${organization_id} and s.kind = ${kind} and s.subject_id = any(${ids as string[]}::uuid[])
      and a.record_version is not null and a.data ? 'changes'
    order by a.id`
  return rows.map(({ data, ...line }) => ({ ...line, changes: changesOf(data) }))
}
