import { inTx, type Ctx, type TxCtx } from './context.ts'
import { csvLine } from './csv-writing.ts'
import {
  columnNames,
  CUSTOM,
  customByKey,
  customOf,
  exportColumns,
  type ExportColumn,
} from './export-columns.ts'
import { customFields } from './fields.ts'
import type { FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import type { Fragment } from './filter-operands.ts'
import { filterScope } from './filter-scope.ts'
import { inOrderOf, type ListQuery, matching, parseSort } from './listing.ts'
import { readAhead } from './read-ahead.ts'

/** What an export is asked for: a list's question, without its pages. */
export type ExportQuery = Pick<ListQuery, 'filter' | 'sort' | 'q'> & {
  /** Names of columns, those of archived fields too; absent: those that an import takes. */
  columns?: string[] | undefined
  /** Which of those are left out when no columns are named. */
  without?: readonly string[] | undefined
}

type Row = { cells: unknown[]; custom: Parameters<typeof customByKey>[1] | null }

/** How many rows are read and written at a time. */
const CHUNK = 1_000

/** Where the lines of an export go; resolves when there is room for more. */
export type Sink = (text: string) => Promise<void>

/**
 * Writes every record of a list as CSV, as it stood at one moment: the names of the columns, then a line for each record.
 * Reads as it writes, so that no size of list takes more memory. Answers how many records there were.
 * @throws {DomainError} `unknown_field`, `invalid_filter`, `invalid_sort`, before anything is written
 */
export const exportRecords = (ctx: Ctx, kind: FilterKind, query: ExportQuery, write: Sink): Promise<number> =>
  inTx(ctx, async (ctx) => {
    const { tx } = ctx
    const { alias, table } = filterKinds[kind]
    const scope = await filterScope(ctx, kind)
    const { without = [] } = query
    const usual = async () => (await columnNames(ctx, kind)).filter((name) => !without.includes(name))
    const columns = exportColumns(scope, query.columns ?? (await usual()), alias)
    const order = parseSort(scope.fieldsOf(kind), query.sort ?? defaultSort(kind))
    const { condition } = await matching(ctx, kind, query)
    const custom = columns.some(({ name }) => name.startsWith(CUSTOM)) ? customOf(scope, alias) : tx`null`
    // Those of archived fields only where somebody names them.
    const fields = new Map(
      (await customFields(ctx))
        .filter(({ archived_at }) => query.columns || !archived_at)
        .map((field) => [field.id, field]),
    )
    // A column that is named twice is looked up once.
    const joins = [...new Map(columns.map(({ name, join }) => [name, join])).values()].flatMap(
      (join) => join ?? [],
    )
    const rows = tx<Row[]>`
      select ${cellsOf(tx, columns)} as cells, ${custom} as custom
      from ${tx(table)} ${tx(alias)} ${joins.reduce((all, next) => tx`${all} ${next}`, tx``)}
      where ${condition} order by ${inOrderOf(scope, order, alias)}`
    let count = 0
    let begun = false
    for await (const chunk of readAhead(rows.cursor(CHUNK))) {
      const head = begun ? '' : csvLine(columns.map(({ name }) => name))
      begun = true
      count += chunk.length
      const lines = chunk.map(({ cells, custom }) =>
        lineOf(columns, cells, customByKey(fields, custom ?? [])),
      )
      await write(head + lines.join(''))
    }
    if (!begun) await write(csvLine(columns.map(({ name }) => name)))
    return count
  })

/** A function takes a hundred arguments at most. */
const ARGUMENTS = 90

const cellsOf = (tx: TxCtx['tx'], columns: ExportColumn[]): Fragment => {
  const parts: Fragment[] = []
  for (let n = 0; n < columns.length; n += ARGUMENTS) {
    const cells = columns.slice(n, n + ARGUMENTS).map(({ sql }) => sql)
    parts.push(tx`jsonb_build_array(${cells.reduce((all, next) => tx`${all}, ${next}`)})`)
  }
  return parts.reduce((all, next) => tx`${all} || ${next}`)
}

const lineOf = (
  columns: ExportColumn[],
  cells: readonly unknown[],
  custom: Readonly<Record<string, unknown>>,
): string => csvLine(columns.map(({ name, text }, n) => text(name.startsWith(CUSTOM) ? custom : cells[n])))

const defaultSort = (kind: FilterKind): string => {
  const { fields } = filterKinds[kind]
  return 'created_at' in fields ? '-created_at' : '-id'
}
