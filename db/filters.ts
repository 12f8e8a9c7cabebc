import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { z } from 'zod'
import { invalid } from './errors.ts'
import { storableText } from './text.ts'

/** Comparisons of the filter language. */
export const operators = [
  'eq',
  'ne',
  'in',
  'not_in',
  'lt',
  'lte',
  'gt',
  'gte',
  'between',
  'contains',
  'starts_with',
  'is_empty',
  'is_not_empty',
  'any',
  'all',
  'none',
  'within_last',
  'before_last',
] as const
export type Operator = (typeof operators)[number]

const Duration = z
  .object({
    n: z.number().int().positive().max(10_000),
    unit: z.enum(['minute', 'hour', 'day', 'week', 'month', 'year']),
  })
  .refine(({ n, unit }) => unit !== 'year' || n <= 1_000, 'at most 1,000 years')

type FilterNode =
  | { and: FilterNode[] }
  | { or: FilterNode[] }
  | { not: FilterNode }
  | { field: string; op: Operator; value?: unknown }

/** Deeper than a person builds one, shallower than a stack. */
const MAX_DEPTH = 10

/** A filter as it comes over the wire; which fields there are is said by the record it is applied to. */
export const Filter: z.ZodType<FilterNode> = z
  .unknown()
  .refine((filter) => depthOf(filter) <= MAX_DEPTH, `a filter is nested at most ${MAX_DEPTH} deep`)
  .pipe(z.lazy(() => Node))

const Node: z.ZodType<FilterNode> = z.lazy(() =>
  z.union([
    z.strictObject({ and: z.array(Node).max(50) }),
    z.strictObject({ or: z.array(Node).max(50) }),
    z.strictObject({ not: Node }),
    z.strictObject({ field: z.string().max(100), op: z.enum(operators), value: z.unknown().optional() }),
  ]),
)

const depthOf = (filter: unknown, depth = 0): number => {
  if (depth > MAX_DEPTH || filter === null || typeof filter !== 'object') return depth
  const parts =
    'not' in filter ? [filter.not] : 'and' in filter ? filter.and : 'or' in filter ? filter.or : []
  return Array.isArray(parts) ? Math.max(depth, ...parts.map((part) => depthOf(part, depth + 1))) : depth
}
export type Filter = FilterNode

type FieldType = 'text' | 'number' | 'time' | 'date' | 'uuid' | 'tags' | 'boolean'

/** What can be filtered and sorted by: name → column expression and type. */
export type FilterFields = Record<string, { column: string; type: FieldType; sortable?: boolean }>

type Fragment = PendingQuery<Row[]>

/**
 * The SQL condition of a filter.
 * @throws {DomainError} invalid when a field is unknown (the nearest known one is named) or a value has the wrong type
 */
export const filterCondition = (
  tx: TransactionSql,
  fields: FilterFields,
  filter: Filter,
  pointer = '/filter',
): Fragment => {
  if ('and' in filter) return joined(tx, fields, filter.and, 'and', `${pointer}/and`)
  if ('or' in filter) return joined(tx, fields, filter.or, 'or', `${pointer}/or`)
  if ('not' in filter)
    return tx`not coalesce(${filterCondition(tx, fields, filter.not, `${pointer}/not`)}, false)`
  return comparison(tx, fields, filter, pointer)
}

/** `-created_at,name` → what to order by, checked against the fields. */
export const parseSort = (
  fields: FilterFields,
  sort: string,
): { name: string; column: string; type: FieldType; descending: boolean }[] =>
  sort.split(',').map((part) => {
    const descending = part.startsWith('-')
    const name = part.replace(/^[-+]/, '').trim()
    const field = fieldNamed(fields, name)
    if (!field || field.type === 'tags') throw unknownField(fields, name, '/sort')
    return { name, column: field.column, type: field.type, descending }
  })

/** The known name that is spelled most like this one. */
export const nearest = (known: readonly string[], name: string): string | undefined =>
  known.toSorted((a, b) => distance(a, name) - distance(b, name))[0]

const joined = (
  tx: TransactionSql,
  fields: FilterFields,
  parts: Filter[],
  word: 'and' | 'or',
  pointer: string,
): Fragment => {
  if (parts.length === 0) return word === 'and' ? tx`true` : tx`false`
  return parts
    .map((part, n) => tx`(${filterCondition(tx, fields, part, `${pointer}/${n}`)})`)
    .reduce((all, next) => (word === 'and' ? tx`${all} and ${next}` : tx`${all} or ${next}`))
}

const comparison = (
  tx: TransactionSql,
  fields: FilterFields,
  { field: name, op, value }: { field: string; op: Operator; value?: unknown },
  pointer: string,
): Fragment => {
  const field = fieldNamed(fields, name)
  if (!field) throw unknownField(fields, name, `${pointer}/field`)
  if (!OPERATORS[field.type].has(op)) {
    const accepted = [...OPERATORS[field.type]]
    throw invalid('invalid_filter', `${pointer}/op`, `“${name}” cannot be compared by “${op}”.`, accepted)
  }
  const column = tx.unsafe(field.column) as unknown as Fragment
  // A number goes as int8, so that one beyond the column's range compares instead of failing.
  const one = (): Fragment => {
    const operand = parseOperand(field.type, value, `${pointer}/value`) as never
    return field.type === 'number' ? tx`${operand}::int8` : tx`${operand}`
  }
  const many = (): never[] => {
    if (!Array.isArray(value))
      throw invalid('invalid_filter', `${pointer}/value`, `“${op}” takes a list of values.`)
    return value.map(
      (item, n) =>
        parseOperand(field.type === 'tags' ? 'text' : field.type, item, `${pointer}/value/${n}`) as never,
    )
  }
  const arrayType = tx.unsafe(ARRAYS[field.type]) as unknown as Fragment
  const like = (pattern: string): Fragment => tx`${column}::text ilike ${pattern}`
  const plain = (): string =>
    String(parseOperand('text', value, `${pointer}/value`)).replaceAll(/[\\%_]/g, '\\$&')
  switch (op) {
    case 'eq':
      return tx`${column} = ${one()}`
    case 'ne':
      return tx`${column} is distinct from ${one()}`
    case 'in':
      return tx`${column} = any(${many()}::${arrayType})`
    case 'not_in':
      return tx`(${column} is null or not ${column} = any(${many()}::${arrayType}))`
    case 'lt':
      return tx`${column} < ${one()}`
    case 'lte':
      return tx`${column} <= ${one()}`
    case 'gt':
      return tx`${column} > ${one()}`
    case 'gte':
      return tx`${column} >= ${one()}`
    case 'between': {
      const [from, to, ...rest] = many()
      if (from === undefined || to === undefined || rest.length > 0) {
        throw invalid('invalid_filter', `${pointer}/value`, '“between” takes a list of two values.')
      }
      return field.type === 'number'
        ? tx`${column} between ${from}::int8 and ${to}::int8`
        : tx`${column} between ${from} and ${to}`
    }
    case 'contains':
      return field.type === 'tags' ? tx`${one()} = any(${column})` : like(`%${plain()}%`)
    case 'starts_with':
      return like(`${plain()}%`)
    case 'is_empty':
      return field.type === 'tags'
        ? tx`cardinality(${column}) = 0`
        : tx`(${column} is null or ${column}::text = '')`
    case 'is_not_empty':
      return field.type === 'tags'
        ? tx`cardinality(${column}) > 0`
        : tx`(${column} is not null and ${column}::text <> '')`
    case 'any':
      return tx`${column} && ${many()}::text[]`
    case 'all':
      return tx`${column} @> ${many()}::text[]`
    case 'none':
      return tx`not ${column} && ${many()}::text[]`
    case 'within_last':
    case 'before_last': {
      const duration = Duration.safeParse(value)
      if (!duration.success) {
        throw invalid(
          'invalid_filter',
          `${pointer}/value`,
          `“${op}” takes a duration such as {"n": 7, "unit": "day"}.`,
        )
      }
      const interval = `${duration.data.n} ${duration.data.unit}`
      return op === 'within_last'
        ? tx`${column} >= now() - ${interval}::interval`
        : tx`${column} < now() - ${interval}::interval`
    }
  }
}

const ARRAYS: Record<FieldType, string> = {
  text: 'text[]',
  tags: 'text[]',
  number: 'int8[]',
  boolean: 'boolean[]',
  uuid: 'uuid[]',
  date: 'date[]',
  time: 'timestamptz[]',
}

const EMPTINESS = ['is_empty', 'is_not_empty'] as const
const EQUALITY = ['eq', 'ne', 'in', 'not_in', ...EMPTINESS] as const
const ORDER = [...EQUALITY, 'lt', 'lte', 'gt', 'gte', 'between'] as const
const MOMENT = [...ORDER, 'within_last', 'before_last'] as const

/** Which comparisons make sense for which kind of value. */
const OPERATORS: Record<FieldType, ReadonlySet<Operator>> = {
  text: new Set([...ORDER, 'contains', 'starts_with']),
  tags: new Set([...EMPTINESS, 'contains', 'any', 'all', 'none']),
  number: new Set(ORDER),
  boolean: new Set(EQUALITY),
  uuid: new Set(EQUALITY),
  date: new Set(MOMENT),
  time: new Set(MOMENT),
}

const fieldNamed = (fields: FilterFields, name: string): FilterFields[string] | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined

const Text = z.string().transform(storableText)

const OPERANDS: Record<FieldType, { schema: z.ZodType; name: string }> = {
  text: { schema: Text, name: 'a text' },
  tags: { schema: Text, name: 'a text' },
  number: { schema: z.number().int(), name: 'a whole number' },
  boolean: { schema: z.boolean(), name: 'true or false' },
  uuid: { schema: z.uuid(), name: 'an id' },
  date: { schema: z.iso.date(), name: 'a date as YYYY-MM-DD' },
  time: { schema: z.union([z.iso.datetime({ offset: true }), z.iso.date()]), name: 'a time as ISO 8601' },
}

const parseOperand = (type: FieldType, value: unknown, pointer: string): unknown => {
  const { schema, name } = OPERANDS[type]
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw invalid('invalid_filter', pointer, `This field takes ${name}.`)
  return parsed.data
}

const unknownField = (fields: FilterFields, name: string, pointer: string) => {
  const known = Object.keys(fields)
  return invalid(
    'unknown_field',
    pointer,
    `There is no field “${name}”. Did you mean “${nearest(known, name)}”?`,
    known,
  )
}

/** Levenshtein distance. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      )
    }
    row = next
  }
  return row[b.length] ?? 0
}
