import type { TransactionSql } from 'postgres'
import { invalid, type DomainError } from './errors.ts'
import {
  type FilterField,
  type FilterFields,
  type FilterKind,
  type Lookup,
  rankedBy,
} from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import { conditionOnDays, speaksOfDays } from './filter-days.ts'
import { operandOf, positiveCondition, valueTypes, type Fragment } from './filter-operands.ts'
import type { Meant } from './linked-activities.ts'
import { readingCondition, type Reading } from './reading.ts'
import {
  comparisonsOf,
  innerFilter,
  nearest,
  type Comparison,
  type Filter,
  type LinkedFilter,
  type Operator,
} from './filters.ts'

/** What a filter is read with: the transaction, the organization's own fields, and who asks. `filterScope` makes one. */
export type FilterScope = {
  tx: TransactionSql
  organization_id: string
  kind: FilterKind
  /** Standard and custom fields of a kind. */
  fieldsOf: (kind: FilterKind) => FilterFields
  /** The member who asks, or for whom an agent or key does. */
  me?: string | undefined
  /** What whoever asks may read; absent: everything. */
  reading?: Reading | undefined
  /** Which activities conditions on linked ones mean, where somebody looked. */
  meant?: ReadonlyMap<LinkedFilter, Meant>
}

/** More would be asked of the database than of the person who reads it. */
const MAX_LINKS_DEEP = 3

/**
 * The SQL condition of a filter on records that the statement calls `alias`.
 * @throws {DomainError} `unknown_field` naming the nearest known one, `invalid_filter` when a value has the wrong type
 */
export const filterCondition = (
  scope: FilterScope,
  filter: Filter,
  alias: string = filterKinds[scope.kind].alias,
  pointer = '/filter',
): Fragment => condition({ ...scope, alias, links_deep: 0 }, filter, pointer)

/**
 * The rows of a table that are records of a kind, of those that whoever asks may read. What is archived is among them only
 * when the filter says so.
 */
export const kindCondition = (
  scope: Pick<FilterScope, 'tx' | 'organization_id' | 'kind' | 'reading'>,
  filter: Filter | undefined,
  alias: string,
): { rows: Fragment[]; live: Fragment } => {
  const { tx, kind, reading } = scope
  const { rows, archives, about } = filterKinds[kind]
  const live = archives && !asksForArchived(filter) ? sqlText(tx, `${alias}.archived_at is null`) : tx`true`
  return {
    rows: rows.map((row) => sqlText(tx, row(alias))),
    live: reading && about ? tx`${live} and ${readingCondition(scope, about, alias)}` : live,
  }
}

/** Whether a filter says itself which of the archived records are wanted. */
export const asksForArchived = (filter: Filter | undefined): boolean =>
  filter !== undefined &&
  comparisonsOf(filter).some(({ field }) => /^(archived(_at)?|converted)$/.test(field))

/**
 * A field by its name.
 * @throws {DomainError} `unknown_field`, naming the nearest known one
 */
export const fieldNamed = (fields: FilterFields, name: string, pointer: string): FilterField => {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (field) return field
  throw unknown(
    'unknown_field',
    'field',
    Object.keys(fields).filter((key) => !fields[key]?.archived),
    name,
    pointer,
  )
}

/** The expression of a field over a record; of one that lives elsewhere, by a look-up. */
export const fieldExpression = (
  { tx }: Pick<FilterScope, 'tx'>,
  name: string,
  { sql, lookup }: FilterField,
  alias: string,
): Fragment => {
  if (!lookup) return sqlText(tx, sql ? sql(alias) : `${alias}.${name}`)
  return tx`(select ${sqlText(tx, lookup.column('looked'))} from ${lookedUp(tx, lookup, 'looked', alias)} limit 1)`
}

/** `table v where …` of a look-up. */
export const lookedUp = (tx: TransactionSql, lookup: Lookup, v: string, alias: string): Fragment => {
  const tenant = lookup.shared
    ? tx``
    : tx`${sqlText(tx, `${v}.organization_id = ${alias}.organization_id`)} and`
  return tx`${sqlText(tx, `${lookup.table} ${v}`)} where ${tenant} ${sqlText(tx, lookup.on(v, alias))} ${ofFields(tx, lookup, v)}`
}

/** `and field_id = …` where the look-up is of custom fields. */
export const ofFields = (tx: TransactionSql, { field_ids }: Lookup, v: string): Fragment => {
  if (!field_ids) return tx``
  const [only, ...others] = field_ids
  const column = sqlText(tx, `${v}.field_id`)
  // One id keeps the order of the index that it leads.
  return others.length === 0
    ? tx`and ${column} = ${only ?? null}::uuid`
    : tx`and ${column} = any(${field_ids}::uuid[])`
}

/** Text of ours as SQL: nothing that came from outside may reach it. */
export const sqlText = (tx: TransactionSql, text: string): Fragment => tx.unsafe(text) as unknown as Fragment

type Place = FilterScope & { alias: string; links_deep: number }

const condition = (at: Place, filter: Filter, pointer: string): Fragment => {
  const { tx } = at
  if ('and' in filter) return joined(at, filter.and, 'and', pointer)
  if ('or' in filter) return joined(at, filter.or, 'or', pointer)
  if ('not' in filter) return tx`not coalesce(${condition(at, filter.not, `${pointer}/not`)}, false)`
  return 'linked' in filter ? linked(at, filter, pointer) : comparison(at, filter, pointer)
}

const joined = (at: Place, parts: Filter[], word: 'and' | 'or', pointer: string): Fragment => {
  const { tx } = at
  if (parts.length === 0) return word === 'and' ? tx`true` : tx`false`
  return parts
    .map((part, n) => tx`(${condition(at, part, `${pointer}/${word}/${n}`)})`)
    .reduce((all, next) => (word === 'and' ? tx`${all} and ${next}` : tx`${all} or ${next}`))
}

const linked = (at: Place, filter: LinkedFilter, pointer: string): Fragment => {
  const { tx, alias } = at
  const { links } = filterKinds[at.kind]
  const link = Object.hasOwn(links, filter.linked) ? links[filter.linked] : undefined
  if (!link) {
    const known = Object.keys(links)
    if (known.length > 0) throw unknown('unknown_link', 'link', known, filter.linked, `${pointer}/linked`)
    throw invalid('unknown_link', `${pointer}/linked`, `Nothing is linked to a ${at.kind}.`, known)
  }
  if (at.links_deep >= MAX_LINKS_DEEP)
    throw invalid('invalid_filter', pointer, `Links are followed at most ${MAX_LINKS_DEEP} deep.`)
  const { table, alias: letter } = filterKinds[link.kind]
  const b = `${letter}${at.links_deep + 1}`
  const inner = innerFilter(filter)
  const { rows, live } = kindCondition({ ...at, kind: link.kind }, inner, b)
  const word = filter.some === undefined ? 'none' : 'some'
  const named = new Set(inner ? comparisonsOf(inner).map(({ field }) => field) : [])
  const wanted = tx`(${rows.reduce((all, next) => tx`${all} or ${next}`)}) and ${live}
    ${link.counts ? tx`and ${sqlText(tx, link.counts(b, named))}` : tx``}
    ${inner ? tx`and (${condition({ ...at, kind: link.kind, alias: b, links_deep: at.links_deep + 1 }, inner, `${pointer}/${word}`)})` : tx``}`
  const meant = at.meant?.get(filter)
  const [first, ...others] = [link, ...(link.others ?? [])].map(({ through, on }) => {
    const via = through
      ? tx`${sqlText(tx, `${through} join ${table} ${b} on ${b}.organization_id = via.organization_id`)}
          where ${sqlText(tx, `via.organization_id = ${alias}.organization_id`)}`
      : tx`${sqlText(tx, `${table} ${b} where ${b}.organization_id = ${alias}.organization_id`)}`
    const held = tx`from ${via} and ${sqlText(tx, on(alias, b))} and ${wanted}`
    // Asked of each record until the page is full, instead of all at once beforehand.
    if (meant === 'many') return tx`coalesce((select true ${held} limit 1), false)`
    if (meant?.length === 0) return tx`false`
    const found = tx`exists (select ${held} ${meant ? tx`and via.activity_id = any(${meant as string[]}::uuid[])` : tx``})`
    return word === 'some' ? found : tx`not ${found}`
  })
  const all = others.reduce<Fragment>(
    (all, next) => (word === 'some' ? tx`${all} or ${next}` : tx`${all} and ${next}`),
    first ?? tx`false`,
  )
  return tx`(${all})`
}

/** Each comparison is a positive one, negated or not: a record without a value is not equal, and empty. */
const NEGATED: ReadonlySet<Operator> = new Set(['ne', 'not_in', 'is_empty', 'none'])

const comparison = (at: Place, { field: name, op, value: given }: Comparison, pointer: string): Fragment => {
  const { tx, alias } = at
  const field = fieldNamed(at.fieldsOf(at.kind), name, `${pointer}/field`)
  const { operators } = valueTypes[field.type]
  if (!operators.includes(op))
    throw invalid('invalid_filter', `${pointer}/op`, `“${name}” cannot be compared by “${op}”.`, operators)
  const value = field.member ? withMember(at, given, `${pointer}/value`) : given
  const says = { field: name, op, value }
  if (field.ranks && COMPARES_RANKS.has(op)) return ofRanks(at, field.ranks, says, pointer)
  if (field.lookup) return inLookup(at, field, field.lookup, says, pointer)
  const column = fieldExpression(at, name, field, alias)
  if (field.type === 'tags') return ofTags(tx, column, says, pointer)
  // Plainly, so that a condition on other tables is joined, not asked of each record.
  if (field.type === 'boolean' && op === 'eq' && typeof value === 'boolean')
    return value ? column : tx`(${column}) is not true`
  const positive = conditionOf(at, field.type, column, says, pointer)
  return NEGATED.has(op) ? tx`(${positive}) is not true` : positive
}

/** A positive comparison of any type; of moments also with days. */
const conditionOf = (
  at: Place,
  type: FilterField['type'],
  column: Fragment,
  says: Comparison,
  pointer: string,
): Fragment =>
  type === 'time' && speaksOfDays(says)
    ? conditionOnDays(at, column, says, pointer)
    : positiveCondition(at, type, column, says, pointer)

const inLookup = (
  at: Place,
  { type }: FilterField,
  lookup: Lookup,
  says: Comparison,
  pointer: string,
): Fragment => {
  const { tx, alias } = at
  const column = sqlText(tx, lookup.column('looked'))
  const found = (one: Comparison): Fragment => {
    const positive = conditionOf(at, type, column, one, pointer)
    return lookup.key
      ? tx`${sqlText(tx, `${alias}.${lookup.key}`)} = any(array(select looked.id from ${sqlText(tx, `${lookup.table} looked`)}
          where looked.organization_id = ${at.organization_id} and ${positive}))`
      : tx`exists (select from ${lookedUp(tx, lookup, 'looked', alias)} and ${positive})`
  }
  if (says.op === 'all') {
    const values = textsOf(says, pointer)
    return values
      .map((value) => found({ ...says, op: 'any', value: [value] }))
      .reduce((all, next) => tx`${all} and ${next}`, tx`true`)
  }
  return NEGATED.has(says.op) ? tx`not ${found(says)}` : found(says)
}

const COMPARES_RANKS: ReadonlySet<Operator> = new Set(['lt', 'lte', 'gt', 'gte', 'between'])

const ofRanks = (at: Place, ranks: readonly string[], says: Comparison, pointer: string): Fragment => {
  const { tx, alias } = at
  const rankOf = (value: unknown, place = ''): number => {
    const rank = ranks.findIndex((known) => known === value)
    if (rank >= 0) return rank
    const named = new Intl.ListFormat('en').format(ranks)
    throw invalid(
      'invalid_filter',
      `${pointer}/value${place}`,
      `This is one of ${named}, from low to high.`,
      ranks,
    )
  }
  const { value } = says
  const compared = Array.isArray(value) ? value.map((one, n) => rankOf(one, `/${n}`)) : rankOf(value)
  const rank = rankedBy(says.field, ranks)
  const column = fieldExpression({ tx }, says.field, rank, alias)
  return positiveCondition(at, rank.type, column, { ...says, value: compared }, pointer)
}

/** A tag is one tag whatever its case, as where it is written; a list is folded as a whole, which is quicker than each. */
const ofTags = (tx: TransactionSql, column: Fragment, says: Comparison, pointer: string): Fragment => {
  const { op } = says
  if (op === 'is_empty') return tx`cardinality(${column}) = 0`
  if (op === 'is_not_empty') return tx`cardinality(${column}) > 0`
  const folded = tx`lower((${column})::text)::text[]`
  if (op === 'contains')
    return tx`lower(${operandOf('text', says.value, `${pointer}/value`) as string}) = any(${folded})`
  const texts = tx`lower(${textsOf(says, pointer)}::text[]::text)::text[]`
  if (op === 'all') return tx`${folded} @> ${texts}`
  return op === 'none' ? tx`not ${folded} && ${texts}` : tx`${folded} && ${texts}`
}

const textsOf = ({ op, value }: Comparison, pointer: string): string[] => {
  if (!Array.isArray(value))
    throw invalid('invalid_filter', `${pointer}/value`, `“${op}” takes a list of values.`)
  return value.map((item, n) => String(operandOf('text', item, `${pointer}/value/${n}`)))
}

const withMember = (at: Place, value: unknown, pointer: string): unknown => {
  if (Array.isArray(value)) return value.map((item) => withMember(at, item, pointer))
  if (value !== 'me') return value
  if (at.me) return at.me
  throw invalid('invalid_filter', pointer, 'Nobody is signed in who “me” could be. Name the member by id.')
}

const unknown = (code: string, what: string, known: string[], name: string, pointer: string): DomainError =>
  invalid(code, pointer, `There is no ${what} “${name}”. Did you mean “${nearest(known, name)}”?`, known)
