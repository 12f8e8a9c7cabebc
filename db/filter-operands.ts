import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { z } from 'zod'
import { invalid } from './errors.ts'
import type { Comparison, Operator } from './filters.ts'
import { storableText } from './text.ts'

/** A piece of SQL. Never awaited: that would send it. */
export type Fragment = PendingQuery<Row[]>

/**
 * Kinds of value that a field has. `number` is an int8; `integer` and `decimal` are float8, as custom fields are;
 * `tags` are several texts.
 */
export type FieldType =
  | 'text'
  | 'number'
  | 'integer'
  | 'decimal'
  | 'time'
  | 'date'
  | 'uuid'
  | 'tags'
  | 'boolean'

const EMPTINESS = ['is_empty', 'is_not_empty'] as const
const EQUALITY = ['eq', 'ne', 'in', 'not_in', ...EMPTINESS] as const
const ORDER = [...EQUALITY, 'lt', 'lte', 'gt', 'gte', 'between'] as const
const MOMENT = [...ORDER, 'within_last', 'before_last'] as const

type TypeOfValue = {
  operators: readonly Operator[]
  schema: z.ZodType
  /** What it takes, for people. */
  name: string
  sql: string
}

const Text = z.string().transform(storableText)
const texts = { schema: Text, name: 'a text', sql: 'text' }

/** What each kind of value can be compared by, and what with. */
export const valueTypes: Record<FieldType, TypeOfValue> = {
  text: { ...texts, operators: [...ORDER, 'contains', 'starts_with'] },
  tags: { ...texts, operators: [...EMPTINESS, 'contains', 'any', 'all', 'none'] },
  // int8, so that one beyond the column's range compares instead of failing
  number: { operators: ORDER, schema: z.number().int(), name: 'a whole number', sql: 'int8' },
  integer: { operators: ORDER, schema: z.number().int(), name: 'a whole number', sql: 'float8' },
  decimal: { operators: ORDER, schema: z.number(), name: 'a number', sql: 'float8' },
  boolean: { operators: EQUALITY, schema: z.boolean(), name: 'true or false', sql: 'boolean' },
  uuid: { operators: EQUALITY, schema: z.uuid(), name: 'an id', sql: 'uuid' },
  date: {
    operators: MOMENT,
    schema: z.iso.date().refine(hasYear),
    name: 'a date as YYYY-MM-DD',
    sql: 'date',
  },
  time: {
    operators: MOMENT,
    schema: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).refine(hasYear),
    name: 'a time as ISO 8601',
    sql: 'timestamptz',
  },
}

/** A value of this type, checked. @throws {DomainError} `invalid_filter` saying what the field takes */
export const operandOf = (type: FieldType, value: unknown, pointer: string): unknown => {
  const { schema, name } = valueTypes[type]
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw invalid('invalid_filter', pointer, `This field takes ${name}.`, name)
  return parsed.data
}

/** There is no year 0. */
function hasYear(date: string): boolean {
  return !date.startsWith('0000')
}

const DURATION_UNITS = ['minute', 'hour', 'day', 'week', 'month', 'year'] as const

const Duration = z
  .object({
    n: z.number().int().positive().max(10_000),
    // As it is said: 1 day, 7 days.
    unit: z
      .string()
      .transform((unit) => unit.replace(/s$/, ''))
      .pipe(z.enum(DURATION_UNITS)),
  })
  .refine(({ n, unit }) => unit !== 'year' || n <= 1_000, 'at most 1,000 years')

/**
 * What a comparison says when it is not negated (`ne` is `eq` here, `is_empty` is `is_not_empty`, …), of one value.
 * @throws {DomainError} `invalid_filter`
 */
export const positiveCondition = (
  at: { tx: TransactionSql; organization_id: string },
  type: FieldType,
  column: Fragment,
  { op, value }: Comparison,
  pointer: string,
): Fragment => {
  const { tx } = at
  const { sql } = valueTypes[type]
  const cast = tx.unsafe(sql) as unknown as Fragment
  const operand = (given: unknown, place = ''): Fragment =>
    tx`${operandOf(type, given, `${pointer}/value${place}`) as never}::${cast}`
  const list = (): unknown[] => {
    if (!Array.isArray(value))
      throw invalid('invalid_filter', `${pointer}/value`, `“${op}” takes a list of values.`)
    return value
  }
  const oneOf = (): Fragment => {
    const values = list().map((item, n) => String(operandOf(type, item, `${pointer}/value/${n}`)))
    // As texts: the driver takes a list of booleans for one.
    return tx`${column} = any(${values}::text[]::${tx.unsafe(`${sql}[]`)})`
  }
  const like = (before: string, after: string): Fragment => {
    const plain = String(operandOf('text', value, `${pointer}/value`)).replaceAll(/[\\%_]/g, '\\$&')
    return tx`${column} ilike ${`${before}${plain}${after}`}`
  }
  switch (op) {
    case 'eq':
    case 'ne':
      return tx`${column} = ${operand(value)}`
    case 'in':
    case 'not_in':
    case 'any':
    case 'none':
    case 'all':
      return oneOf()
    case 'lt':
      return tx`${column} < ${operand(value)}`
    case 'lte':
      return tx`${column} <= ${operand(value)}`
    case 'gt':
      return tx`${column} > ${operand(value)}`
    case 'gte':
      return tx`${column} >= ${operand(value)}`
    case 'between': {
      const [from, to, ...rest] = list()
      if (from === undefined || to === undefined || rest.length > 0)
        throw invalid('invalid_filter', `${pointer}/value`, '“between” takes a list of two values.')
      return tx`${column} between ${operand(from, '/0')} and ${operand(to, '/1')}`
    }
    case 'contains':
      return type === 'tags' ? tx`${column} = ${operand(value)}` : like('%', '%')
    case 'starts_with':
      return like('', '%')
    case 'is_empty':
    case 'is_not_empty':
      return type === 'text' || type === 'tags' ? tx`${column} <> ''` : tx`${column} is not null`
    case 'within_last':
    case 'before_last':
      return relative(at, type, column, { op, value }, pointer)
  }
}

const relative = (
  { tx, organization_id }: { tx: TransactionSql; organization_id: string },
  type: FieldType,
  column: Fragment,
  { op, value }: { op: Operator; value?: unknown },
  pointer: string,
): Fragment => {
  const duration = Duration.safeParse(value)
  if (!duration.success) {
    throw invalid(
      'invalid_filter',
      `${pointer}/value`,
      `“${op}” takes a duration such as {"n": 7, "unit": "day"}.`,
      DURATION_UNITS.map((unit) => ({ n: 7, unit })),
    )
  }
  const interval = tx`${`${duration.data.n} ${duration.data.unit}`}::interval`
  if (type === 'date') {
    // Today is where the organization is.
    const today = tx`(now() at time zone (select timezone from settings where organization_id = ${organization_id}))::date`
    return op === 'within_last'
      ? tx`${column} >= (${today} - ${interval})::date and ${column} <= ${today}`
      : tx`${column} < (${today} - ${interval})::date`
  }
  // The clock of another machine may be a little ahead of the database's.
  return op === 'within_last'
    ? tx`${column} >= now() - ${interval} and ${column} <= now() + interval '1 minute'`
    : tx`${column} < now() - ${interval}`
}
