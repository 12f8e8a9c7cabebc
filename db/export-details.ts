import type { ActivityType } from './activities.ts'
import { withheldSql, withheldSummary } from './activity-reading.ts'
import { describeActivity } from './activity-summary.ts'
import { joinList } from './csv-cells.ts'
import type { ExportColumn } from './export-columns.ts'
import { asItReads, type FilterKind } from './filter-fields.ts'
import { quoted } from './filter-kinds.ts'
import type { Reading } from './reading.ts'
import { tableOf } from './record-tables.ts'

/** What is selected for a column, as SQL over the alias of its row, and how it becomes the text of a cell; absent: as it is. */
type Detail = { sql: (a: string, reading: Reading | undefined) => string; text?: ExportColumn['text'] }

const column = (name: string): Detail => ({ sql: (a) => `${a}.${name}` })
const nameIn = (actor: string): Detail => ({ sql: (a) => `${a}.${actor}->>'name'` })

/** The name of a record by its kind and id. */
const nameOf = (a: string, kind: string, id: string): string =>
  `(case ${kind} ${Object.entries(tableOf)
    .map(
      ([one, table]) =>
        `when '${one}' then (select named.name from ${table} named where named.organization_id = ${a}.organization_id and named.id = ${id})`,
    )
    .join(' ')} end)`

const ofSubject: Record<string, Detail> = {
  subject_id: column('subject_id'),
  subject_name: { sql: (a) => nameOf(a, `${a}.subject_kind`, `${a}.subject_id`) },
}

/** What something is about, as `kind:id` and by name; `from` lists it as `about` with `kind`, `subject_id` and `n`. */
const ofSubjects = (from: (a: string) => string): Record<string, Detail> => ({
  subjects: {
    sql: (a) => `(select jsonb_agg(about.kind || ':' || about.subject_id order by about.n) from ${from(a)})`,
  },
  // Of kinds that may not be read, the id is all there is.
  subject_names: {
    sql: (a, reading) => `(select jsonb_agg(name order by n) from (
      select ${nameOf(a, 'about.kind', 'about.subject_id::uuid')} as name, about.n from ${from(a)}
      where about.kind not in (${quoted(['', ...Object.keys(reading?.hidden ?? {})])})) names where name is not null)`,
  },
})

/** Of what an agent or the record itself wrote there is no other reading than the first. */
const reads = (name: 'data' | 'subjects') => (a: string) =>
  `(case when ${a}.actor_kind in ('user', 'api_key') then ${asItReads(name)(a)} else ${a}.${name} end)`

/** Nothing of a line whose content is not for whoever asks. */
const unlessWithheld =
  (sql: (a: string) => string): Detail['sql'] =>
  (a, reading) =>
    reading ? `(case when not ${withheldSql(a, reading)} then ${sql(a)} end)` : sql(a)

const said = (name: string): [string, Detail] => [
  `data.${name}`,
  { sql: unlessWithheld((a) => `${reads('data')(a)}->'${name}'`) },
]

/** What the rows of a list have in its file beside the fields that it is filtered by, by the names of its JSON. */
const details: Partial<Record<FilterKind, Record<string, Detail>>> = {
  note: { ...ofSubject, author: nameIn('author') },
  file: { ...ofSubject, sha256: column('sha256'), uploaded_by: nameIn('uploaded_by') },
  task: {
    ...ofSubjects(
      (a) => `(select kind, subject_id, row_number() over (order by kind, subject_id) as n from task_subjects
        where organization_id = ${a}.organization_id and task_id = ${a}.id) about`,
    ),
    created_by: nameIn('created_by'),
  },
  activity: {
    ...ofSubjects(
      (a) => `(select one->>'kind' as kind, one->>'id' as subject_id, n
        from jsonb_array_elements(coalesce(${reads('subjects')(a)}, ${a}.subjects)) with ordinality as each (one, n)) about`,
    ),
    summary: {
      sql: (a, reading) => `jsonb_build_array(${a}.type, ${reads('data')(a)}, ${withheldSql(a, reading)})`,
      text: (value) => {
        const [type, data, withheld] = value as [ActivityType, Record<string, unknown> | null, boolean]
        if (withheld) return withheldSummary(type)
        return data ? describeActivity(type, data) : `${describeActivity(type, {})} (deleted)`
      },
    },
    reason: { sql: unlessWithheld(asItReads('reason')) },
    ...Object.fromEntries(
      ['subject', 'body', 'direction', 'duration_min', 'status', 'starts_at'].map((name) => said(name)),
    ),
  },
  submission: {
    lead_id: column('lead_id'),
    delivery_id: column('delivery_id'),
    problem: column('problem'),
    payload: column('payload'),
  },
  campaign: {
    description: column('description'),
    aliases: { sql: (a) => `to_jsonb(${a}.aliases)` },
    costs: {
      ...column('costs'),
      text: (value) =>
        joinList(
          (value as { on: string; amount_minor: number }[]).map((day) => `${day.on}:${day.amount_minor}`),
        ),
    },
  },
}

/** The names of a kind's further columns. */
export const detailNames = (kind: FilterKind): string[] => Object.keys(details[kind] ?? {})

/** A kind's further columns: what its rows belong to, and what was said. */
export const detailsOf = (
  kind: FilterKind,
  a: string,
  reading: Reading | undefined,
): { name: string; sql: string; text: ExportColumn['text'] | undefined }[] =>
  Object.entries(details[kind] ?? {}).map(([name, { sql, text }]) => ({ name, sql: sql(a, reading), text }))
