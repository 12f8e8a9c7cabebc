import type { TxCtx } from './context.ts'
import type { ActivityType } from './activities.ts'
import { customFields, type CustomField } from './fields.ts'
import type { ScoreReason, SqlPart } from './opportunities.ts'
import type { Countable } from './score-definition.ts'
import { countKey, type InputNeed, type ScorableLead } from './score-inputs.ts'
import type { Needs } from './score-needs.ts'

/** A lead as it is scored, and the score it has. */
export type Scorable = { id: string; lead: ScorableLead; standing: Standing | null }

/** A score as it stands; `scored_at` to the microsecond, so that nobody's newer one is written over. */
export type Standing = {
  score: number
  reasons: ScoreReason[]
  formula: string
  verdict: string | null
  scored_at: string
}

/**
 * Reads leads with what a formula needs of them, in one query, and two more where it looks at custom fields or counts what
 * happened.
 * @param which what follows `where`, over `o`, with its order and limit
 * @param as_of the moment that counts are as of, for all of them or by their id
 */
export const readScorable = async (
  ctx: TxCtx,
  needs: Needs,
  which: SqlPart,
  as_of: AsOf,
): Promise<Scorable[]> => {
  const { tx } = ctx
  const { fields } = needs
  const columns = [...fields].flatMap((field) => (COLUMNS[field] === undefined ? [] : [COLUMNS[field]]))
  const rows = await tx<(Scorable & { read: Read })[]>`
    select o.id, ${
      // Names of our own, never anybody's words.
      tx.unsafe(`jsonb_build_object(${columns.map(([name, sql]) => `'${name}', ${sql}`).join(', ')})`)
    } as read,
      case when sc.opportunity_id is not null then jsonb_build_object('score', sc.score, 'reasons', sc.reasons,
        'formula', sc.formula, 'verdict', sc.verdict, 'scored_at', sc.scored_at::text) end as standing
    from opportunities o
    left join opportunity_scores sc on sc.organization_id = o.organization_id and sc.opportunity_id = o.id
    ${fields.has('stage') ? tx`join stages s on s.organization_id = o.organization_id and s.id = o.stage_id` : tx``}
    ${
      fields.has('enrichment')
        ? tx`left join enrichments e on e.organization_id = o.organization_id and e.opportunity_id = o.id`
        : tx``
    }
    where ${which}`
  const ids = rows.map(({ id }) => id)
  const [custom, counts] = await Promise.all([
    readCustom(ctx, needs.custom, ids),
    readCounts(ctx, needs, ids, as_of),
  ])
  return rows.map(({ id, read, standing }) => ({
    id,
    lead: leadOf(read, custom?.get(id), counts?.get(id), momentFor(as_of, id)),
    standing,
  }))
}

type AsOf = Date | ((id: string) => Date)

const momentFor = (as_of: AsOf, id: string): Date => (as_of instanceof Date ? as_of : as_of(id))

/** As JSON gives it. */
type Read = Omit<ScorableLead, 'created_at' | 'stage_entered_at' | 'last_activity'> & {
  created_at?: string
  stage_entered_at?: string
}

type Counted = { counts: Record<string, number>; last?: Date | undefined }

const leadOf = (
  { created_at, stage_entered_at, ...read }: Read,
  custom: ScorableLead['custom'],
  counted: Counted | undefined,
  at: Date,
): ScorableLead => {
  const begun = created_at === undefined ? at : new Date(created_at)
  return {
    ...read,
    enrichment: read.enrichment ?? null,
    ...(created_at === undefined ? {} : { created_at: begun }),
    ...(stage_entered_at === undefined ? {} : { stage_entered_at: new Date(stage_entered_at) }),
    ...(custom ? { custom } : {}),
    ...(counted ? { counts: counted.counts, last_activity: counted.last ?? begun } : {}),
  }
}

/** Where each thing is read; the rest comes by queries of its own. */
const COLUMNS: { readonly [Field in InputNeed]?: readonly [name: string, sql: string] } = {
  ...Object.fromEntries(
    [
      'contact_name',
      'company_name',
      'title',
      'email',
      'phone',
      'website',
      'city',
      'state',
      'country',
      'industry',
      'message',
      'source',
      'campaign',
      'landing_page',
      'currency',
      'tags',
      'value_minor',
      'expected_close_on',
      'stage_entered_at',
      'created_at',
    ].map((name) => [name, [name, `o.${name}`]]),
  ),
  door: ['door', `o.origin ->> 'door'`],
  // It is counted from there when nothing happened yet.
  last_activity: ['created_at', 'o.created_at'],
  stage: ['stage', `jsonb_build_object('id', s.id, 'label', s.label, 'kind', s.kind)`],
  enrichment: [
    'enrichment',
    `case when e.opportunity_id is not null then jsonb_build_object('summary', e.summary, 'facts', e.facts) end`,
  ],
}

/** The custom fields of leads that a formula looks at and that are in use. */
export const fieldsInUse = async (ctx: TxCtx, keys: readonly string[]): Promise<readonly CustomField[]> =>
  keys.length === 0
    ? []
    : (await customFields(ctx, 'lead')).filter(({ key, archived_at }) => !archived_at && keys.includes(key))

type Custom = NonNullable<ScorableLead['custom']>

const readCustom = async (
  ctx: TxCtx,
  keys: readonly string[],
  ids: string[],
): Promise<Map<string, Custom> | undefined> => {
  const fields = await fieldsInUse(ctx, keys)
  if (keys.length === 0) return undefined
  const custom = new Map(
    ids.map((id): [string, Custom] => [id, Object.fromEntries(fields.map(({ key }) => [key, null]))]),
  )
  if (fields.length === 0) return custom
  const { tx, organization_id } = ctx
  const rows = await tx<
    {
      record_id: string
      field_id: string
      text_value: string | null
      long_value: string | null
      number_value: number | null
      date_value: string | null
    }[]
  >`
    select record_id, field_id, text_value, long_value, number_value, date_value from custom_values
    where organization_id = ${organization_id} and record_id = any(${ids}::uuid[])
      and field_id = any(${fields.map(({ id }) => id)}::uuid[])
    order by record_id, field_id, n`
  const known = new Map(fields.map((field) => [field.id, field]))
  for (const row of rows) {
    const [field, values] = [known.get(row.field_id), custom.get(row.record_id)]
    if (!field || !values) continue
    const one = row.text_value ?? row.long_value ?? row.number_value ?? row.date_value
    values[field.key] =
      field.type === 'multi_select'
        ? [values[field.key] ?? []]
            .flat()
            .concat(row.text_value ?? [])
            .map(String)
        : field.type === 'date' && row.date_value !== null
          ? new Date(row.date_value)
          : one
  }
  return custom
}

/** What counts as what, on the lead's own timeline. */
const COUNTED: Record<Countable, readonly ActivityType[]> = {
  replies: ['email_received', 'sms_received', 'whatsapp_received'],
  calls: ['call_logged'],
  meetings: ['meeting_logged'],
  submissions: ['submission_joined'],
  emails_sent: ['email_sent'],
}
/** After which a lead is fresh again. */
const FRESH: readonly ActivityType[] = [
  ...COUNTED.replies,
  ...COUNTED.calls,
  ...COUNTED.meetings,
  ...COUNTED.submissions,
]

/** Whether a line of this kind may change a score that counts. */
export const isCounted = (type: ActivityType): boolean => Object.values(COUNTED).flat().includes(type)

const readCounts = async (
  ctx: TxCtx,
  { fields, counts }: Needs,
  ids: string[],
  as_of: AsOf,
): Promise<Map<string, Counted> | undefined> => {
  const wants_last = fields.has('last_activity')
  if (counts.length === 0 && !wants_last) return undefined
  const { tx, organization_id } = ctx
  const types = [...new Set([...counts.flatMap(({ count }) => COUNTED[count]), ...(wants_last ? FRESH : [])])]
  const rows = await tx<
    { subject_id: string; type: ActivityType; activity_id: string; edited: Date | null }[]
  >`
    select s.subject_id, s.type, s.activity_id, r.occurred_at as edited from activity_subjects s
    left join lateral (
      select r.data, r.occurred_at from activity_revisions r
      where r.organization_id = s.organization_id and r.activity_id = s.activity_id order by r.n desc limit 1
    ) as r on true
    where s.organization_id = ${organization_id} and s.kind = 'lead' and s.subject_id = any(${ids}::uuid[])
      and s.type = any(${types}) and (r.occurred_at is null or r.data is not null)`
  const found = Map.groupBy(rows, ({ subject_id }) => subject_id)
  return new Map(
    ids.map((id) => {
      const at = momentFor(as_of, id)
      const lines = (found.get(id) ?? [])
        .map(({ type, activity_id, edited }) => ({ type, at: edited?.getTime() ?? momentOf(activity_id) }))
        .filter((line) => line.at <= at.getTime())
      const since = (days: number | undefined): number =>
        days === undefined ? -Infinity : at.getTime() - days * 86_400_000
      const fresh = lines.filter(({ type }) => FRESH.includes(type)).map((line) => line.at)
      return [
        id,
        {
          counts: Object.fromEntries(
            counts.map(({ count, days }) => [
              countKey(count, days),
              lines.filter((line) => COUNTED[count].includes(line.type) && line.at >= since(days)).length,
            ]),
          ),
          last: fresh.length > 0 ? new Date(Math.max(...fresh)) : undefined,
        },
      ]
    }),
  )
}

/** When an activity occurred: ids are UUIDv7. */
const momentOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
