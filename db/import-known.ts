import type { TxCtx } from './context.ts'
import { type CustomField, customFields, valueColumns } from './fields.ts'
import { CUSTOM, type Draft, type RowTerms } from './import-drafts.ts'
import { readCandidates } from './lead-duplicates.ts'
import { companyDomain, isSomebodyElse, keysOf, type LeadKey } from './lead-keys.ts'
import { recordNameKey } from './name-keys.ts'
import { type RecordKind, tableOf } from './records.ts'

/** One way in which a row can name a record that is there. */
export type RowKey = {
  /** A field, or the kind of a lead's key. */
  by: string
  value: string
  /** One record has it: several are told to the person. */
  single: boolean
}

/** A record that a key of a row may mean. */
export type Candidate = {
  id: string
  name: string
  archived: boolean
  email?: string | null
  contact_name?: string | null
  domain?: string | null
}

/** Whom the rows of a piece may mean: by `by` and value. */
export type Candidates = Map<string, Candidate[]>

export const keyOf = ({ by, value }: Pick<RowKey, 'by' | 'value'>): string => `${by} ${value}`

/**
 * By what a row is recognised, the strongest first: its id; the field that was chosen; its external id; what each kind has
 * of its own.
 * @param values normalised, with the defaults
 */
export const keysOfRow = (
  { kind, request: { match_by } }: Pick<RowTerms, 'kind' | 'request'>,
  own: Record<string, unknown>,
  values: Record<string, unknown>,
): RowKey[] => {
  const id = textOf(own['id'])
  if (id !== undefined) return [{ by: 'id', value: id, single: true }]
  if (match_by !== undefined && match_by !== 'id') {
    const chosen = chosenValue(kind, match_by, { ...own, ...values })
    if (chosen !== undefined) return [{ by: match_by, value: chosen, single: true }]
  }
  return [...externalKey(values), ...naturalKeys[kind](values)]
}

/** What a record has for the field that it is found by; the domain of an account is that of its website. */
const chosenValue = (
  kind: RecordKind,
  match_by: string,
  values: Record<string, unknown>,
): string | undefined => {
  const value =
    match_by === 'domain' ? companyDomain({ website: textOf(values['website']) }) : values[match_by]
  const text = typeof value === 'number' ? String(value) : textOf(value)
  return text !== undefined && columnOf(kind, match_by) === 'name_key' ? recordNameKey(text) : text
}

/** The column that has what is looked for. */
const columnOf = (kind: RecordKind, by: string): string =>
  by === 'name' && (kind === 'account' || kind === 'contact') ? 'name_key' : by

const externalKey = (values: Record<string, unknown>): RowKey[] => {
  const external_id = textOf(values['external_id'])
  return external_id === undefined ? [] : [{ by: 'external_id', value: external_id, single: true }]
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** What records of each kind are known by when nobody numbered them. */
const naturalKeys: Record<RecordKind, (values: Record<string, unknown>) => RowKey[]> = {
  lead: (values) => keysOf(values).map(({ kind, value }) => ({ by: kindOfKey(kind), value, single: false })),
  // Two deals with one customer are two deals.
  deal: () => [],
  account: (values) => {
    const domain = companyDomain({ website: textOf(values['website']) })
    const name = textOf(values['name'])
    return [
      ...(domain === null ? [] : [{ by: 'domain', value: domain, single: false }]),
      ...(name === undefined ? [] : [{ by: 'name', value: recordNameKey(name), single: false }]),
    ]
  },
  contact: (values) =>
    (['email', 'phone'] as const).flatMap((by) => {
      const value = textOf(values[by])
      return value === undefined ? [] : [{ by, value, single: false }]
    }),
}

/** Keys of open leads, told apart from the fields that have the same names. */
const kindOfKey = (kind: LeadKey['kind']): string => `lead_${kind}`
const OF_LEADS = /^lead_/

/** What a record is found by in an import, whatever row made or changed it. */
export const keysOfRecord = (
  { kind, request: { match_by } }: Pick<RowTerms, 'kind' | 'request'>,
  values: Record<string, unknown>,
  is_open: boolean,
): string[] => {
  const natural = kind === 'lead' && !is_open ? [] : naturalKeys[kind](values)
  const chosen = match_by === undefined ? undefined : chosenValue(kind, match_by, values)
  return [
    ...externalKey(values),
    ...natural,
    ...(chosen === undefined || match_by === undefined ? [] : [{ by: match_by, value: chosen }]),
  ].map(keyOf)
}

/**
 * Reads whom the keys of these rows may mean. With `lock`, whoever brings the same people through another door waits until
 * the transaction ends; without, nobody does.
 */
export const readKnown = async (
  ctx: TxCtx,
  { kind }: Pick<RowTerms, 'kind'>,
  keys: readonly RowKey[],
  lock: boolean,
): Promise<Candidates> => {
  const wanted = Map.groupBy(keys, ({ by }) => (OF_LEADS.test(by) ? 'lead' : by))
  const found = await Promise.all(
    [...wanted].map(([by, among]) => {
      const values = [...new Set(among.map(({ value }) => value))]
      if (by === 'lead') return readLeads(ctx, among, lock)
      return by.startsWith(CUSTOM) ? readByCustom(ctx, kind, by, values) : readByColumn(ctx, kind, by, values)
    }),
  )
  return Map.groupBy(found.flat(), ({ key }) => key)
}

type Found = Candidate & { key: string }

const readLeads = async (ctx: TxCtx, keys: readonly RowKey[], lock: boolean): Promise<Found[]> => {
  const distinct = [...new Map(keys.map((key) => [keyOf(key), key])).values()]
  const candidates = await readCandidates(
    ctx,
    distinct.map(({ by, value }, place) => ({
      kind: by.replace(OF_LEADS, '') as LeadKey['kind'],
      value,
      place,
    })),
    { lock },
  )
  return candidates.flatMap(({ place, id, name, email, contact_name }) => {
    const key = distinct[place]
    return key
      ? [
          {
            key: keyOf(key),
            id,
            name,
            archived: false,
            email: email ?? null,
            contact_name: contact_name ?? null,
          },
        ]
      : []
  })
}

const readByColumn = async (
  { tx, organization_id }: TxCtx,
  kind: RecordKind,
  by: string,
  values: string[],
): Promise<Found[]> => {
  const table = tableOf[kind]
  const column = columnOf(kind, by)
  const compared = by === 'id' ? tx`id = any(${values}::uuid[])` : comparison(tx, column, values)
  const rows = await tx<(Candidate & { value: string })[]>`
    select id, name, archived_at is not null as archived, ${tx(column)}::text as value
      ${kind === 'account' ? tx`, domain` : kind === 'contact' ? tx`, email, name as contact_name` : tx`, email, contact_name`}
    from ${tx(table)}
    where organization_id = ${organization_id} and ${compared}
      ${table === 'opportunities' ? tx`and kind = ${kind}` : tx``}
      ${by === 'id' ? tx`` : tx`and archived_at is null`}
    order by id`
  return rows.map(({ value, ...row }) => ({ ...row, key: keyOf({ by, value }) }))
}

/** Numbers and dates are compared as such, so that their index is used. */
const comparison = (tx: TxCtx['tx'], by: string, values: string[]) => {
  if (NUMBERS.has(by)) return tx`${tx(by)} = any(${values}::int8[])`
  if (DATES.has(by)) return tx`${tx(by)} = any(${values}::date[])`
  return tx`${tx(by)} = any(${values}::text[])`
}

const NUMBERS = new Set(['value_minor', 'revenue_minor', 'size', 'health'])
const DATES = new Set(['expected_close_on'])

const readByCustom = async (ctx: TxCtx, kind: RecordKind, by: string, values: string[]): Promise<Found[]> => {
  const { tx, organization_id } = ctx
  const field = (await customFields(ctx, kind)).find(({ key }) => `${CUSTOM}${key}` === by)
  if (!field) return []
  const column = valueColumns[field.type]
  const rows = await tx<(Candidate & { value: string })[]>`
    select r.id, r.name, false as archived, v.${tx(column)}::text as value
    from custom_values v
    join ${tx(tableOf[kind])} r on r.organization_id = v.organization_id and r.id = v.record_id
    where v.organization_id = ${organization_id} and v.field_id = ${field.id}
      and v.${tx(column)} = any(${values}::${tx.unsafe(castOf(field))}) and r.archived_at is null
    order by r.id`
  return rows.map(({ value, ...row }) => ({ ...row, key: keyOf({ by, value }) }))
}

const castOf = ({ type }: CustomField): string =>
  type === 'integer' || type === 'decimal' ? 'float8[]' : type === 'date' ? 'date[]' : 'text[]'

/** Whether a candidate is who the row says; what a telephone, a shared mailbox or a domain alone does not tell. */
export const isMeant = (
  kind: RecordKind,
  by: string,
  candidate: Candidate,
  values: Record<string, unknown>,
): boolean => {
  if (kind === 'lead' || kind === 'contact')
    return !isSomebodyElse(matchName(by) as LeadKey['kind'], candidate, {
      email: textOf(values['email']),
      contact_name: textOf(kind === 'contact' ? values['name'] : values['contact_name']),
    })
  if (kind !== 'account' || (by !== 'domain' && by !== 'name')) return true
  // A company's branches share its website, and two companies a name.
  const domain = companyDomain({ website: textOf(values['website']) })
  const same_name = recordNameKey(candidate.name) === recordNameKey(textOf(values['name']) ?? candidate.name)
  return same_name && (domain === null || !candidate.domain || domain === candidate.domain)
}

/** How people are told by what a row was recognised. */
export const matchLabel = (by: string): string =>
  ({
    lead_email: 'e-mail address',
    lead_phone: 'phone number',
    lead_external_id: 'external id',
    lead_domain_name: 'company domain and name',
  })[by] ?? by.replace(OF_LEADS, '').replace(CUSTOM, '').replaceAll('_', ' ')

/** What is kept of how a row was recognised. */
export const matchName = (by: string): string => by.replace(OF_LEADS, '')

/** So many earlier imports of a row are looked at, the latest ones: they name the record that is there now. */
const EARLIER = 20

/** An imported row that said the same, and its record. */
export type SaidBefore = { file_name: string; line: number; record_id: string; same_import: boolean }

/**
 * Which rows were imported before, by their fingerprints: whatever became of the record, short of being archived. One that
 * was merged or converted is there in another form.
 */
export const readFingerprints = async (
  { tx, organization_id }: TxCtx,
  drafts: readonly Draft[],
  { kind, import_id, flagging }: { kind: RecordKind; import_id: string; flagging: boolean },
): Promise<Map<string, SaidBefore>> => {
  const wanted = drafts.map(({ fingerprint }) => fingerprint).filter((one) => one !== '')
  if (wanted.length === 0) return new Map()
  // Each is looked up by itself: until statistics tell of an import, the planner would read all there is.
  const prints = await tx<{ fingerprint: string; import_id: string; line: number; record_id: string }[]>`
    select r.* from unnest(${wanted}::uuid[]) as w (fingerprint)
    cross join lateral (
      select s.fingerprint, s.import_id, s.line, s.record_id from import_rows s
      where s.organization_id = ${organization_id} and s.fingerprint = w.fingerprint and s.record_id is not null
      order by s.import_id desc limit ${EARLIER}
    ) as r`
  if (prints.length === 0) return new Map()
  const rows = await tx<(SaidBefore & { fingerprint: string })[]>`
    select r.fingerprint, i.file_name, r.line, r.record_id, r.import_id = ${import_id} as same_import
    from jsonb_to_recordset(${tx.json(prints)}) as r (fingerprint uuid, import_id uuid, line int, record_id uuid)
    join imports i on i.organization_id = ${organization_id} and i.id = r.import_id
    join ${tx(tableOf[kind])} o on o.organization_id = i.organization_id and o.id = r.record_id
    ${kind === 'lead' ? tx`left join conversions c on c.organization_id = o.organization_id and c.lead_id = o.id and c.reversed_at is null` : tx``}
    where (o.archived_at is null ${kind === 'lead' ? tx`or o.merged_into is not null or c.id is not null` : tx``})
      ${flagging ? tx`and r.import_id <> ${import_id} and i.request ->> 'mode' = 'create_and_flag'` : tx``}
    order by r.import_id, r.line desc`
  // Of the latest import, its first line.
  return new Map(rows.map(({ fingerprint, ...row }) => [fingerprint, row]))
}
