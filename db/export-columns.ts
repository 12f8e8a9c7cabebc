import type { TransactionSql } from 'postgres'
import type { TxCtx } from './context.ts'
import { joinList } from './csv-cells.ts'
import { unmistakable, writeNumber } from './csv-numbers.ts'
import type { CustomValue } from './custom-values.ts'
import { minorUnits } from './exchange-rates.ts'
import { detailNames, detailsOf } from './export-details.ts'
import { customFields, type CustomField } from './fields.ts'
import { fieldExpression, fieldNamed, sqlText, type FilterScope } from './filter-condition.ts'
import type { FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import type { Fragment } from './filter-operands.ts'
import { importTargets } from './import-targets.ts'
import { type RecordKind, recordKinds } from './records.ts'

/** A column of an export: its name, what is selected for it, and how that becomes the text of a cell. */
export type ExportColumn = {
  name: string
  sql: Fragment
  text: (value: unknown) => string
  /** The join that it needs, of at most one row. */
  join?: Fragment
}

/**
 * The columns that an export of a kind has unless told otherwise. Of records: what an import takes, `id` and `external_id`
 * first, money in major units, so that the file can be imported back. Of the rest: every field that has a name, and what
 * stands beside those.
 */
export const columnNames = async (ctx: TxCtx, kind: FilterKind): Promise<string[]> => {
  if (!isRecord(kind) && kind !== 'opportunity')
    return [...new Set([...Object.keys(filterKinds[kind].fields), ...detailNames(kind)])]
  const fields = await customFields(ctx)
  const names = (isRecord(kind) ? [kind] : (['lead', 'deal'] as const)).flatMap((one) =>
    importTargets(one, fields).map(({ field }) => field),
  )
  const exported = [...new Set(names)].filter((name) => !STOOD_FOR.has(name) && !FIRST.includes(name))
  return [...FIRST, ...(kind === 'opportunity' ? ['kind'] : []), ...exported]
}

const FIRST = ['id', 'external_id']
/** `value`, `revenue` and `owner` say the same for people. */
const STOOD_FOR = new Set(['value_minor', 'revenue_minor', 'owner_id'])

const isRecord = (kind: FilterKind): kind is RecordKind => (recordKinds as readonly string[]).includes(kind)

/**
 * The columns by their names: of an import, or of a filter.
 * @throws {DomainError} `unknown_field` naming the nearest known one
 */
export const exportColumns = (
  scope: FilterScope,
  names: readonly string[],
  alias: string,
): ExportColumn[] => {
  const { kind, tx } = scope
  const fields = scope.fieldsOf(kind)
  const special = { ...specialColumns(tx, kind, alias), ...detailColumns(scope, alias) }
  return names.map((name) => {
    const own = Object.hasOwn(special, name) ? special[name] : undefined
    if (own) return { name, ...own }
    if (name.startsWith(CUSTOM)) {
      fieldNamed(fields, name, '/columns')
      const key = name.slice(CUSTOM.length)
      // All custom values of a record are read at once; `exportRows` hands each its own.
      return { name, sql: tx`null`, text: (value) => customText((value as Record<string, unknown>)[key]) }
    }
    const known = {
      ...fields,
      ...Object.fromEntries(Object.keys(special).map((one) => [one, { type: 'text' as const }])),
    }
    const field = fieldNamed(known, name, '/columns')
    // An order of several values goes by the first; a file has them all.
    return field.type === 'tags' && field.lookup
      ? { name, sql: allOf(scope, field.lookup, alias), text: cellText }
      : { name, sql: fieldExpression(scope, name, field, alias), text: cellText }
  })
}

export const CUSTOM = 'custom.'

const detailColumns = ({ kind, tx, reading }: FilterScope, alias: string) =>
  Object.fromEntries(
    detailsOf(kind, alias, reading).map(({ name, sql, text = cellText }) => [
      name,
      { sql: sqlText(tx, sql), text },
    ]),
  )

/** The custom values of a record as `[field_id, value]`, several of a field in their order. */
export const customOf = ({ tx }: FilterScope, a: string): Fragment =>
  sqlText(
    tx,
    `(select jsonb_agg(jsonb_build_array(v.field_id, coalesce(to_jsonb(v.text_value), to_jsonb(v.number_value),
        to_jsonb(v.date_value), to_jsonb(v.long_value))) order by v.field_id, v.n)
      from custom_values v where v.organization_id = ${a}.organization_id and v.record_id = ${a}.id)`,
  )

/** The same by the keys of these fields, several choices as a list. */
export const customByKey = (
  fields: ReadonlyMap<string, CustomField>,
  values: readonly [field_id: string, value: string | number][],
): Record<string, CustomValue> => {
  const byKey: Record<string, CustomValue> = {}
  for (const [id, value] of values) {
    const field = fields.get(id)
    if (!field) continue
    if (field.type !== 'multi_select') byKey[field.key] = value
    else byKey[field.key] = [...((byKey[field.key] as string[] | undefined) ?? []), String(value)]
  }
  return byKey
}

const allOf = (
  { tx }: FilterScope,
  lookup: NonNullable<ReturnType<FilterScope['fieldsOf']>[string]['lookup']>,
  alias: string,
): Fragment =>
  tx`(select jsonb_agg(${sqlText(tx, lookup.column('looked'))} order by ${sqlText(tx, lookup.column('looked'))})
    from ${sqlText(tx, `${lookup.table} looked where looked.organization_id = ${alias}.organization_id and ${lookup.on('looked', alias)}`)})`

/** Columns that tell of linked records. */
export const linkedColumns = ['account', 'contact'] as const

/** What an import names by words that people know. */
const specialColumns = (
  tx: TransactionSql,
  kind: FilterKind,
  a: string,
): Record<string, Omit<ExportColumn, 'name'>> => {
  const sql = (text: string): Fragment => sqlText(tx, text)
  const own = (text: string) => ({ sql: sql(text), text: cellText })
  const named = (text: string) => ({ sql: sql(text), text: listOfNames })
  const money = (column: string) => ({
    sql: sql(`jsonb_build_array(${a}.${column}, ${a}.currency)`),
    text: majorUnits,
  })
  const looked = (column: string, table: string, name: string, key: string) => ({
    sql: sql(`of_${column}.${name}`),
    text: cellText,
    join: sql(`left join ${table} of_${column} on of_${column}.id = ${a}.${key}
      ${table.includes('.') ? '' : `and of_${column}.organization_id = ${a}.organization_id`}`),
  })
  const owner = looked('owner', 'identity.users', 'email', 'owner_id')
  const phone = own(`coalesce(${a}.phone, ${a}.phone_original)`)
  if (kind === 'account') return { owner, phone, revenue: money('revenue_minor') }
  if (kind === 'contact')
    return { owner, phone, account: named(linked(a, 'account', 'account_contacts', 'contact_id')) }
  if (kind !== 'lead' && kind !== 'deal' && kind !== 'opportunity') return {}
  return {
    owner,
    phone,
    value: money('value_minor'),
    pipeline: looked('pipeline', 'pipelines', 'name', 'pipeline_id'),
    stage: looked('stage', 'stages', 'label', 'stage_id'),
    discard_reason: looked('discard_reason', 'discard_reasons', 'label', 'discard_reason_id'),
    account: named(linked(a, 'account', 'opportunity_accounts', 'opportunity_id')),
    contact: named(linked(a, 'contact', 'opportunity_contacts', 'opportunity_id')),
  }
}

/** The linked accounts or contacts, the primary first: each by its name while that is nobody else's, else by its id. */
const linked = (a: string, kind: 'account' | 'contact', links: string, holder: string): string => `(
  select jsonb_agg(case when exists (select from ${kind}s namesake where namesake.organization_id = m.organization_id
    and namesake.name = m.name and namesake.id <> m.id and namesake.archived_at is null) then m.id::text else m.name end
    order by l.is_primary desc, l.linked_at, m.id)
  from ${links} l join ${kind}s m on m.organization_id = l.organization_id and m.id = l.${kind}_id
  where l.organization_id = ${a}.organization_id and l.${holder} = ${a}.id and m.archived_at is null)`

/** A value of JSON as the text of a cell: nothing is nothing, several are a list. */
export const cellText = (value: unknown): string => {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return joinList(value.map((one) => cellText(one)))
  return JSON.stringify(value)
}

const customText = (value: unknown): string =>
  typeof value === 'number' ? writeNumber(value) : cellText(value)

/** Names in a cell; one alone is in quotes when it would be read as several, or as a quoted one. */
const listOfNames = (value: unknown): string => {
  if (!Array.isArray(value) || value.length !== 1) return cellText(value)
  const name = cellText(value[0])
  return /;|^\s*"/.test(name) ? joinList([name]) : name
}

/** Minor units of a currency as an amount: 125050 EUR is `1250.50`. */
const majorUnits = (value: unknown): string => {
  const [minor, currency] = value as [number | null, string]
  if (minor === null) return ''
  const digits = minorUnits(currency)
  const text = String(minor).padStart(digits + 1, '0')
  return digits === 0 ? text : unmistakable(`${text.slice(0, -digits)}.${text.slice(-digits)}`)
}
