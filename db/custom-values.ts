import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { z } from 'zod'
import type { Change } from './activities.ts'
import { type Ctx, inTx, sendStatement, type TxCtx } from './context.ts'
import { DomainError, type Fault } from './errors.ts'
import { customFields, valueColumns, type CustomField, type CustomType } from './fields.ts'
import { nearest } from './filters.ts'
import { Day, Line, Lines } from './lead-fields.ts'
import type { RecordKind } from './records.ts'
import { bringBackOptions } from './removed-options.ts'
import { insertRows } from './row-sets.ts'

type SqlPart = PendingQuery<Row[]>

/** A custom value as it is answered: several choices are a list. */
export type CustomValue = string | number | string[]

/**
 * The custom values of a record as `{key: value}`, each in the type of its field, for a `select`. Values of archived fields
 * are hidden unless `archived`.
 */
export const selectCustom = (
  tx: TransactionSql,
  organization_id: SqlPart,
  record_id: SqlPart,
  { archived = false }: { archived?: boolean } = {},
) => tx`
  coalesce((
    select jsonb_object_agg(each.key, each.value) from (
      select f.key, case f.type
        when 'multi_select' then jsonb_agg(v.text_value order by v.n)
        when 'integer' then to_jsonb(min(v.number_value))
        when 'decimal' then to_jsonb(min(v.number_value))
        when 'date' then to_jsonb(min(v.date_value))
        when 'long_text' then to_jsonb(min(v.long_value))
        else to_jsonb(min(v.text_value)) end as value
      from custom_values v
      join fields f on f.organization_id = v.organization_id and f.id = v.field_id
        ${archived ? tx`` : tx`and f.archived_at is null`}
      where v.organization_id = ${organization_id} and v.record_id = ${record_id}
      group by f.id, f.key, f.type
    ) as each
  ), '{}')`

/** The custom values of records as they are kept, those of archived fields too, by record and key. */
export const readKeptValues = async (
  { tx, organization_id }: TxCtx,
  ids: readonly string[],
): Promise<Map<string, Record<string, CustomValue>>> => {
  const rows = await tx<{ id: string; custom: Record<string, CustomValue> }[]>`
    select r.id, ${selectCustom(tx, tx`${organization_id}::uuid`, tx`r.id`, { archived: true })} as custom
    from unnest(${ids as string[]}::uuid[]) as r (id)`
  return new Map(rows.map(({ id, custom }) => [id, custom]))
}

/** Those of one record. */
export const keptValuesOf = (ctx: Ctx, id: string): Promise<Record<string, CustomValue>> =>
  inTx(ctx, async (ctx) => (await readKeptValues(ctx, [id])).get(id) ?? {})

/**
 * Sets custom values of a record by the keys of its kind's fields; null, an empty text and an empty list clear one. What
 * takes an act back also puts back the values of fields that were archived since, and choices that were retired or removed.
 * Answers what changed, as the caller's activity says it: `custom.<key>`. The caller holds the record's lock and raises
 * its version.
 * @throws {DomainError} `invalid_custom_value` with every wrong value, its type and what is accepted; `unknown_field`
 * naming the nearest key
 */
export const writeCustomValues = async (
  ctx: TxCtx,
  record_kind: RecordKind,
  record_id: string,
  values: Record<string, unknown>,
): Promise<Change[]> => {
  const [changes = []] = await writeCustomValuesOf(ctx, record_kind, [{ id: record_id, custom: values }])
  return changes
}

/** The same for many records of one kind, each once. */
export const writeCustomValuesOf = async (
  ctx: TxCtx,
  record_kind: RecordKind,
  records: readonly { id: string; custom?: Record<string, unknown> | undefined }[],
): Promise<Change[][]> => {
  const given = records.map(({ custom = {} }) =>
    Object.entries(custom).filter(([, value]) => value !== undefined),
  )
  const touched = records.filter((_, n) => given[n]?.length).map(({ id }) => id)
  if (touched.length === 0) return records.map(() => [])
  const { tx, organization_id } = ctx
  const takes_back = ctx.recording?.takes_back ?? false
  const known = await customFields(ctx, record_kind)
  const fields = takes_back
    ? await bringBackOptions(
        ctx,
        known,
        records.map(({ custom = {} }) => custom),
      )
    : known
  const standing = await readKeptValues(ctx, touched)
  const changed = records.map(({ id }, n) => {
    const before = standing.get(id) ?? {}
    return parseCustomValues(record_kind, fields, given[n] ?? [], before, takes_back)
      .map((value) => ({ ...value, before: before[value.field.key] ?? null }))
      .filter(({ before, value }) => JSON.stringify(before) !== JSON.stringify(value))
  })
  const pairs = records.flatMap(
    ({ id }, n) => changed[n]?.map(({ field }) => ({ id, field_id: field.id })) ?? [],
  )
  if (pairs.length > 0)
    sendStatement(
      ctx,
      tx`
        delete from custom_values v using unnest(${pairs.map(({ id }) => id)}::uuid[], ${pairs.map(({ field_id }) => field_id)}::uuid[])
          as gone (record_id, field_id)
        where v.organization_id = ${organization_id} and v.record_id = gone.record_id and v.field_id = gone.field_id`,
    )
  insertRows(
    ctx,
    'custom_values',
    records.flatMap(({ id }, n) => changed[n]?.flatMap(({ field, value }) => rowsOf(id, field, value)) ?? []),
  )
  return changed.map((changes) =>
    changes.map(({ field, before, value }) => ({ field: `custom.${field.key}`, before, after: value })),
  )
}

/**
 * The custom values of records that were made in this transaction, all in one statement. Answers the names of the fields
 * that each was given, `custom.<key>`.
 * @throws {DomainError} as `writeCustomValues`, for the first record that has a wrong one
 */
export const insertCustomValues = async (
  ctx: TxCtx,
  record_kind: RecordKind,
  records: readonly NewValues[],
): Promise<string[][]> => {
  const parsed = await parseNew(ctx, record_kind, records)
  insertRows(ctx, 'custom_values', rowsOfNew(records, parsed))
  return parsed.map((values) => values.map(({ field }) => `custom.${field.key}`))
}

/**
 * The rows of `custom_values` that records will have which are about to be made.
 * @throws {DomainError} as `insertCustomValues`
 */
export const customRowsOf = async (
  ctx: TxCtx,
  record_kind: RecordKind,
  records: readonly NewValues[],
): Promise<object[]> => rowsOfNew(records, await parseNew(ctx, record_kind, records))

/**
 * Custom values as a record will have them that is about to be made.
 * @throws {DomainError} as `insertCustomValues`
 */
export const readNewValues = async (
  ctx: TxCtx,
  record_kind: RecordKind,
  custom: Record<string, unknown>,
): Promise<Record<string, unknown>> => {
  const [parsed = []] = await parseNew(ctx, record_kind, [{ id: '', custom }])
  return Object.fromEntries(parsed.map(({ field, value }) => [field.key, value]))
}

/** Whether a field that is in use takes a value as it is. */
export const fitsCustomField = (field: CustomField, value: unknown): boolean =>
  field.archived_at === null && schemaOf(field, undefined).safeParse(value).success

type NewValues = { id: string; custom?: Record<string, unknown> | undefined }

type Parsed = { field: CustomField; value: CustomValue | null }

const parseNew = async (
  ctx: TxCtx,
  record_kind: RecordKind,
  records: readonly NewValues[],
): Promise<Parsed[][]> => {
  if (records.every(({ custom }) => custom === undefined)) return records.map(() => [])
  const fields = await customFields(ctx, record_kind)
  return records.map(({ custom = {} }) =>
    parseCustomValues(
      record_kind,
      fields,
      Object.entries(custom).filter(([, value]) => value !== undefined),
      {},
    ).filter(({ value }) => value !== null),
  )
}

const rowsOfNew = (records: readonly NewValues[], parsed: readonly Parsed[][]) =>
  records.flatMap(({ id }, n) => parsed[n]?.flatMap(({ field, value }) => rowsOf(id, field, value)) ?? [])

const parseCustomValues = (
  record_kind: RecordKind,
  fields: readonly CustomField[],
  given: [key: string, value: unknown][],
  before: Record<string, CustomValue>,
  takes_back = false,
): Parsed[] => {
  const faults: (Fault & { code: string })[] = []
  const parsed = given.flatMap(([key, value]): Parsed[] => {
    const pointer = `/custom/${key}`
    const field = fields.find((one) => one.key === key)
    if (!field || (field.archived_at && !takes_back)) {
      faults.push({ ...unknownKey(record_kind, fields, key, field), pointer })
      return []
    }
    const result = schemaOf(field, before[key], takes_back).safeParse(value === '' ? null : value)
    if (result.success) return [{ field, value: result.data }]
    const accepted = acceptedBy(field)
    if (field.type === 'multi_select' && Array.isArray(value) && value.length <= MAX_CHOICES) {
      const one = z.array(schemaOf({ ...field, type: 'select' }, before[key]).refine((each) => each !== null))
      for (const { path } of one.safeParse(value).error?.issues ?? []) {
        const n = Number(path[0])
        faults.push({
          code: 'invalid_custom_value',
          pointer: `${pointer}/${n}`,
          message: `“${field.label}” takes a list of ${accepted?.join(', ')}; ${nameOf(value[n])} is none of them.`,
          accepted,
        })
      }
      return []
    }
    const message = `“${field.label}” takes ${TYPES[field.type].name}${accepted ? ` of ${accepted.join(', ')}` : ''}; this is ${nameOf(value)}.`
    faults.push({
      code: 'invalid_custom_value',
      pointer,
      message,
      accepted: accepted ?? TYPES[field.type].name,
    })
    return []
  })
  const [first] = faults
  if (!first) return parsed
  throw new DomainError('invalid', first.code, first.message, {
    errors: faults.map(({ code: _, ...fault }) => fault),
  })
}

const unknownKey = (
  record_kind: RecordKind,
  fields: readonly CustomField[],
  key: string,
  archived: CustomField | undefined,
): Omit<Fault, 'pointer'> & { code: string } => {
  if (archived)
    return {
      code: 'field_archived',
      message: `“${archived.label}” is archived: restore the field before you set it.`,
    }
  const known = fields.filter(({ archived_at }) => !archived_at).map((field) => field.key)
  const meant = nearest(known, key)
  return {
    code: 'unknown_field',
    message: `A ${record_kind} has no custom field “${key}”.${meant ? ` Did you mean “${meant}”?` : ''}`,
    accepted: known,
  }
}

/** What is told about a type, and how its values are read; one that is kept already may be sent back, retired or not. */
const TYPES: Record<CustomType, { name: string; schema: (options: Set<string>) => z.ZodType<CustomValue> }> =
  {
    short_text: { name: 'a short text (at most 300 characters, one line)', schema: () => Line() },
    long_text: { name: 'a text (at most 20,000 characters)', schema: () => Lines() },
    integer: { name: 'a whole number', schema: () => z.number().int() },
    decimal: { name: 'a number', schema: () => z.number() },
    date: {
      name: 'a date as YYYY-MM-DD',
      schema: () => Day,
    },
    select: { name: 'one', schema: (options) => choice(options) },
    multi_select: { name: 'a list', schema: (options) => z.array(choice(options)).max(MAX_CHOICES) },
  }

const MAX_CHOICES = 100

const choice = (options: Set<string>) => z.string().refine((value) => options.has(value))

const schemaOf = (
  field: CustomField,
  kept: CustomValue | undefined,
  takes_back = false,
): z.ZodType<CustomValue | null> => {
  const values = [
    ...field.options.filter(({ retired }) => takes_back || !retired).map(({ value }) => value),
    ...[kept ?? []].flat(),
  ]
  const order = field.options.map(({ value }) => value)
  return TYPES[field.type]
    .schema(new Set(values.map(String)))
    .nullable()
    .transform((value) => {
      if (value === '') return null
      if (!Array.isArray(value)) return value
      // In the order of the field's choices, each once: the same choices are the same value.
      const chosen = [...new Set(value)].toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
      return chosen.length > 0 ? chosen : null
    })
}

const acceptedBy = ({ type, options }: CustomField): string[] | undefined =>
  type === 'select' || type === 'multi_select'
    ? options.filter(({ retired }) => !retired).map(({ value }) => value)
    : undefined

const nameOf = (value: unknown): string => {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return value.length > 60 ? 'a text' : `the text “${value}”`
  if (typeof value === 'number') return `the number ${value}`
  return typeof value === 'boolean' ? String(value) : 'an object'
}

/** Every row names every column, so that one insert takes rows of different types. */
const EMPTY = { text_value: null, long_value: null, number_value: null, date_value: null }

const rowsOf = (record_id: string, { id, type }: CustomField, value: CustomValue | null) => {
  if (value === null) return []
  return [value].flat().map((one, n) => ({ record_id, field_id: id, n, ...EMPTY, [valueColumns[type]]: one }))
}
