import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import {
  fieldExpression,
  fieldNamed,
  filterCondition,
  kindCondition,
  ofFields,
  sqlText,
  type FilterScope,
} from './filter-condition.ts'
import { type FilterField, type FilterFields, type FilterKind, rankedBy } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import { valueTypes, type Fragment } from './filter-operands.ts'
import { filterScope } from './filter-scope.ts'
import { comparesCustom, type Filter } from './filters.ts'
import { lookThrough } from './linked-activities.ts'
import { page, packCursor, unpackCursor, type Page, type Position } from './page.ts'
import { searchCondition } from './search-condition.ts'

/** What every list is asked for. */
export type ListQuery = {
  filter?: Filter | undefined
  /** `-created_at,name`; nothing: the list's own order. */
  sort?: string | undefined
  /** Words that each record holds somewhere. */
  q?: string | undefined
  cursor?: string | undefined
  limit: number
}

/** A list: which records, how each is read, and in which order they come unless told otherwise. */
export type ListSource = {
  kind: FilterKind
  default_sort: string
  /**
   * `select … from <table> <alias> join …` without a condition: table and alias are those of the kind in `filterKinds`,
   * every join leaves one row per record. `more` are columns to be selected too.
   */
  select: (tx: TxCtx['tx'], more: Fragment) => Fragment
  /** What holds for all of them beside the kind: a subject, a pipeline. */
  where?: (tx: TxCtx['tx'], alias: string) => Fragment
}

/**
 * One page of a list. Its order is total and a cursor is a position in it, so pages neither repeat nor miss a record while
 * others are added. The page's ids are found first, in the order of an index where there is one; only they are read whole.
 * @throws {DomainError} `unknown_field`, `invalid_filter`, `invalid_sort`, `invalid_cursor`
 */
export const listRecords = <T>(ctx: Ctx, source: ListSource, query: ListQuery): Promise<Page<T>> =>
  inTx(ctx, async (ctx) => {
    const wanted = { filter: query.filter, sort: query.sort ?? source.default_sort }
    const scope = await lookThrough(ctx, await filterScope(ctx, source.kind, wanted), query.filter)
    const sort = parseSort(scope.fieldsOf(source.kind), wanted.sort)
    const position = query.cursor === undefined ? undefined : unpackCursor(query.cursor, sort)
    const { alias } = filterKinds[source.kind]
    if (looksUpCustom(query)) planAnew(ctx)
    const search = await searchCondition(ctx, source.kind, query, alias)
    const order: Order = {
      scope,
      sort,
      alias,
      limit: query.limit + 1,
      filter: query.filter,
      where: (tx) => tx`${search.condition} and ${source.where ? source.where(tx, alias) : tx`true`}`,
    }
    const rows: Listed<T>[] = []
    for (const phase of phasesFrom(sort, position)) {
      const after = phase === phaseOf(position) ? position : undefined
      // The second is read only where the first did not fill the page.
      rows.push(
        ...(await readPhase<T>(ctx, source, { ...order, limit: order.limit - rows.length }, phase, after)),
      )
      if (rows.length >= order.limit) break
    }
    const listed = page(rows, query.limit, (row) => packCursor(row.sort_position, sort))
    return {
      data: listed.data.map(({ sort_position: _, ...record }) => record as T),
      next_cursor: listed.next_cursor,
    }
  })

/**
 * What selects exactly the records that a list would: of the kind, not archived unless the filter asks for those, found by
 * the words. In an object, because SQL that is awaited would be sent.
 */
export const matching = async (
  ctx: TxCtx,
  kind: FilterKind,
  query: Pick<ListQuery, 'filter' | 'q'>,
  alias: string = filterKinds[kind].alias,
): Promise<{ condition: Fragment }> => {
  const scope = await lookThrough(ctx, await filterScope(ctx, kind, { filter: query.filter }), query.filter)
  const search = await searchCondition(ctx, kind, query, alias)
  const { rows, live } = kindCondition(scope, query.filter, alias)
  const { tx } = ctx
  return {
    condition: tx`${sqlText(tx, alias)}.organization_id = ${ctx.organization_id}
      and (${rows.reduce((all, next) => tx`${all} or ${next}`)}) and ${live} and ${search.condition}
      and ${query.filter ? tx`(${filterCondition(scope, query.filter, alias)})` : tx`true`}`,
  }
}

const looksUpCustom = ({ filter, sort }: ListQuery): boolean =>
  /\bcustom\./.test(sort ?? '') || (filter !== undefined && comparesCustom(filter))

/**
 * Has the rest of the transaction planned for the values at hand: one plan for every custom field would be a poor one for
 * most, because how many records hold a value differs by a factor of a hundred thousand.
 */
const planAnew = (ctx: TxCtx): void =>
  sendStatement(ctx, ctx.tx`select set_config('plan_cache_mode', 'force_custom_plan', true)`)

/** One part of an order. */
export type SortPart = FilterField & { name: string; descending: boolean }

/** A person reads no order of more. */
const MAX_SORT = 5

/**
 * `-created_at,name` → what to order by, the id last so that no two records are equal.
 * @throws {DomainError} `unknown_field`, `invalid_sort`
 */
export const parseSort = (fields: FilterFields, sort: string): SortPart[] => {
  const parts = sort.split(',').map((part): SortPart => {
    const descending = part.startsWith('-')
    const name = part.replace(/^[-+]/, '').trim()
    const field = fieldNamed(fields, name, '/sort')
    const sortable = field.type !== 'boolean' && (field.type !== 'tags' || field.lookup?.first)
    if (!sortable)
      throw invalid('invalid_sort', '/sort', `Nothing is put in an order of “${name}”.`, sortableIn(fields))
    const opposite = field.opposite_of === undefined ? undefined : fields[field.opposite_of]
    if (opposite) return { ...opposite, name: field.opposite_of ?? name, descending: !descending }
    return { ...(field.ranks ? rankedBy(name, field.ranks) : beginningOf(name, field)), name, descending }
  })
  if (parts.length > MAX_SORT) throw invalid('invalid_sort', '/sort', `At most ${MAX_SORT} fields.`)
  // In the direction of the first: one index serves both.
  return [...parts, { name: 'id', type: 'uuid', required: true, descending: parts[0]?.descending ?? false }]
}

/** By so much of a text pages are told apart, which each cursor has to carry; those that begin alike go by their ids. */
const BEGINNING = 200

const beginningOf = (name: string, field: FilterField): FilterField => {
  if (!field.long) return field
  const { sql = (a: string) => `${a}.${name}`, lookup } = field
  const begins = (text: string): string => `left(${text}, ${BEGINNING})`
  return lookup
    ? { ...field, lookup: { ...lookup, column: (v) => begins(lookup.column(v)) } }
    : { ...field, sql: (a) => begins(sql(a)) }
}

/** What follows `order by`, for all records at once: those without a value come last. */
export const inOrderOf = (scope: FilterScope, sort: readonly SortPart[], alias: string): Fragment => {
  const { tx } = scope
  return sort
    .map((part) => inOrder(tx, part, fieldExpression(scope, part.name, part, alias), false))
    .reduce((all, next) => tx`${all}, ${next}`)
}

const sortableIn = (fields: FilterFields): string[] =>
  Object.entries(fields)
    .filter(([, { type, archived }]) => type !== 'boolean' && type !== 'tags' && !archived)
    .map(([name]) => name)

type Listed<T> = T & { sort_position: Position }

type Order = {
  scope: FilterScope
  sort: SortPart[]
  alias: string
  limit: number
  filter: Filter | undefined
  where: (tx: TxCtx['tx']) => Fragment
}

/** Records with a value in the first column come first, in the order of its index; then those without, by what follows. */
type Phase = 'with' | 'without'

const phasesFrom = (sort: SortPart[], position: Position | undefined): Phase[] => {
  if (sort[0]?.required) return ['with']
  return phaseOf(position) === 'without' ? ['without'] : ['with', 'without']
}

const phaseOf = (position: Position | undefined): Phase => (position?.[0] === null ? 'without' : 'with')

const readPhase = async <T>(
  ctx: TxCtx,
  source: ListSource,
  order: Order,
  phase: Phase,
  after: Position | undefined,
): Promise<Listed<T>[]> => {
  const { tx, organization_id } = ctx
  const a = sqlText(tx, order.alias)
  const ids = tx`array(select page.id from page)`
  const position = tx`(select page.position from page where page.id = ${a}.id) as sort_position`
  const rows = await tx<Listed<T>[]>`
    with page as materialized (${pageOf(order, phase, after)})
    ${source.select(tx, position)}
    where ${a}.organization_id = ${organization_id} and ${a}.id = any(${ids}) order by array_position(${ids}, ${a}.id)`
  return rows
}

/** The ids of a page with their positions: nothing but the table and what the order needs is read for them. */
const pageOf = (order: Order, phase: Phase, after: Position | undefined): Fragment => {
  const { scope, sort, alias, filter } = order
  const { tx } = scope
  const [first, ...rest] = sort
  if (!first) throw new Error('an order has at least the id')
  const { table } = filterKinds[scope.kind]
  const driver = phase === 'with' && first.lookup?.id !== undefined ? first.lookup : undefined
  const firstColumn = driver
    ? sqlText(tx, driver.column('v'))
    : fieldExpression(scope, first.name, first, alias)
  const id = sqlText(tx, driver ? `v.${driver.id}` : `${alias}.id`)
  const columns = [
    firstColumn,
    ...rest.slice(0, -1).map((part) => fieldExpression(scope, part.name, part, alias)),
    id,
  ]
  const parts = sort.map((part, n): Ordered => ({ part, column: columns[n] ?? id, at: after?.[n] ?? null }))
  const counted = phase === 'with' ? parts : parts.slice(1)
  const from = driver
    ? tx`${sqlText(tx, `${driver.table} v join ${table} ${alias} on ${alias}.organization_id = v.organization_id and ${driver.on('v', alias)}`)}`
    : sqlText(tx, `${table} ${alias}`)
  const tenant = sqlText(tx, driver ? 'v' : alias)
  const value = phase === 'with' ? tx`${firstColumn} is not null` : tx`${firstColumn} is null`
  const { rows, live } = kindCondition(scope, filter, alias)
  const limit = sqlText(tx, String(order.limit))
  const branches = rows.map(
    (row) => tx`
      select ${id} as id, jsonb_build_array(${listOf(parts.map(({ part, column }) => positionOf(tx, part, column)))}) as position
        ${rows.length > 1 ? tx`, ${listOf(counted.map(({ column }, n) => tx`${column} as ${sqlText(tx, `sort_${n}`)}`))}` : tx``}
      from ${from}
      where ${tenant}.organization_id = ${scope.organization_id} and ${row} and ${live}
        ${driver ? ofFields(tx, driver, 'v') : tx``} ${driver?.first ? tx`and ${sqlText(tx, driver.first('v'))}` : tx``}
        ${first.required ? tx`` : tx`and ${value}`}
        and ${order.where(tx)}
        ${filter ? tx`and (${filterCondition(scope, filter, alias)})` : tx``}
        ${after ? tx`and ${beyond(tx, counted, phase === 'with')}` : tx``}
      order by ${listOf(counted.map(({ part, column }, n) => inOrder(tx, part, column, n === 0 && phase === 'with')))}
      limit ${limit}`,
  )
  const [only] = branches
  if (only && branches.length === 1) return only
  const sorted = counted.map(({ part }, n) => inOrder(tx, part, sqlText(tx, `sort_${n}`), false))
  return tx`select id, position from (${branches.map((branch) => tx`(${branch})`).reduce((all, next) => tx`${all} union all ${next}`)}) as branches
    order by ${listOf(sorted)} limit ${limit}`

  function listOf(fragments: Fragment[]): Fragment {
    return fragments.reduce((all, next) => tx`${all}, ${next}`)
  }
}

type Ordered = { part: SortPart; column: Fragment; at: Position[number] }

const inOrder = (
  tx: TxCtx['tx'],
  { descending, required }: SortPart,
  column: Fragment,
  has_value: boolean,
) => {
  const direction = descending ? tx`desc` : tx`asc`
  return required || has_value ? tx`${column} ${direction}` : tx`${column} ${direction} nulls last`
}

/** Times go as text: a JavaScript date would cut them to milliseconds. */
const positionOf = (tx: TxCtx['tx'], { type }: SortPart, column: Fragment): Fragment =>
  type === 'time' || type === 'date' ? tx`${column}::text` : column

/** Rows after a position. The first column has a value, so that it bounds an index; others may have none, and come last. */
const beyond = (tx: TxCtx['tx'], parts: Ordered[], first_has_value: boolean): Fragment => {
  const [first, ...rest] = parts
  if (!first) return tx`false`
  const { part, column, at } = first
  const sign = part.descending ? tx`<` : tx`>`
  const operand = tx`${at}::text::${sqlText(tx, valueTypes[part.type].sql)}`
  const [second] = rest
  if (!second) return tx`${column} ${sign} ${operand}`
  const further = beyond(tx, rest, false)
  if (part.required || first_has_value) {
    // The id goes the way of the first column, which may not be this one's.
    const together = rest.length === 1 && second.part.descending === part.descending
    return together
      ? tx`(${column}, ${second.column}) ${sign} (${operand}, ${second.at}::text::uuid)`
      : tx`${column} ${sign}= ${operand} and (${column} ${sign} ${operand} or (${column} = ${operand} and ${further}))`
  }
  return at === null
    ? tx`(${column} is null and ${further})`
    : tx`(${column} ${sign} ${operand} or ${column} is null or (${column} = ${operand} and ${further}))`
}
