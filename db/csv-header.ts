import { restoreCell } from './csv-cells.ts'
import { kindOfCell, type CellKind } from './csv-content.ts'
import { csvLimits, type CsvRecord } from './csv-records.ts'
import { invalid } from './errors.ts'
import { synonyms } from './import-synonyms.ts'
import { normaliseName } from './lead-keys.ts'
import { visibleText } from './text.ts'

/** Where a table begins, what its columns are called, and how sure that is. */
export type Header = {
  /** Whether the first row names the columns. */
  header: boolean
  /** The line of the first row of the table. */
  first_line: number
  /** Each name once, none empty. */
  columns: string[]
  confidence: number
  why: string
  warnings: string[]
}

/** Whether a record has nothing in it. */
export const isBlank = ({ cells }: CsvRecord): boolean =>
  cells.every((cell) => cell === '\u001a' || cell.trim() === '')

/**
 * Finds the row that names the columns among the first records of a file; lines of a report's title before it are passed by.
 * @throws {DomainError} `csv_too_many_columns` with the limit, `csv_no_rows` when nothing comes after the names
 */
export const findHeader = (
  records: readonly CsvRecord[],
  given: { header?: boolean | undefined; first_line?: number | undefined },
  whole: boolean,
): Header => {
  const rows = records.filter((record) => !isBlank(record))
  const at = firstOfTable(rows, given.first_line)
  const first = rows[at]
  if (!first) throw noRows()
  if (first.cells.length > csvLimits.columns) throw tooManyColumns(first)
  const below = rows.slice(at + 1, at + 101)
  const told = given.header === undefined ? tellHeader(first, below) : CHOSEN
  const header = given.header ?? told.header
  if (header && below.length === 0 && whole) throw noRows()
  const { columns, warnings } = header ? nameColumns(first.cells) : unnamed(first.cells.length)
  if (at > 0)
    warnings.unshift(`The first ${first.line - 1} lines are no part of the table and are passed by.`)
  return { header, first_line: first.line, columns, confidence: told.confidence, why: told.why, warnings }
}

const CHOSEN = { header: true, confidence: 1, why: 'it was chosen' }

/** The first row that is as wide as most rows. */
const firstOfTable = (rows: readonly CsvRecord[], first_line?: number): number => {
  if (first_line !== undefined) return rows.findIndex(({ line }) => line >= first_line)
  const among = rows.slice(0, 100)
  const counts = new Map<number, number>()
  for (const { cells } of among) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1)
  const width = [...counts].toSorted((a, b) => b[1] - a[1] || b[0] - a[0])[0]?.[0] ?? 1
  // Many programs end each row with a delimiter, and the row of names without one.
  const usual = Math.max(1, ...among.filter(({ cells }) => cells.length === width).map(widthWithoutEnd))
  // A title has few cells; rows that are merely uneven begin no table.
  const found = among.findIndex((row, n) => {
    const { cells } = row
    if (filled(cells) <= Math.min(usual, 3) / 2) return false
    return cells.length >= (usual > 3 ? usual - 1 : usual) || (usual === 3 && isOneShort(among.slice(n)))
  })
  return Math.max(0, found)
}

const filled = (cells: readonly string[]): number => cells.filter((cell) => cell.trim() !== '').length

/** How many cells there are before the last ones that are blank. */
const widthWithoutEnd = ({ cells }: CsvRecord): number =>
  cells.findLastIndex((cell) => cell.trim() !== '') + 1

/**
 * Whether the first of these names two of the three columns below it, rather than being a title: it holds words, rows follow
 * at once, and the first of those is no row of names itself. A title that is taken for names makes every row an error, which
 * is seen; names that are taken for a title would make the first row of the table names, which is not.
 */
const isOneShort = ([first, next, ...rest]: readonly CsvRecord[]): boolean =>
  first !== undefined &&
  next !== undefined &&
  first.cells.length === 2 &&
  next.line === first.line + 1 &&
  first.cells.every((cell) => kindOfCell(cell) === 'text') &&
  knownNames(first) >= knownNames(next) &&
  tellHeader(next, rest).confidence !== CERTAIN

/** How many cells are what columns are often called. */
const knownNames = ({ cells }: CsvRecord): number =>
  cells.filter((cell) => NAMES.has(normaliseName(cell))).length

const NAMES: ReadonlySet<string> = new Set([...synonyms.values()].flat())

/** How sure it is that a row of texts over columns of other values names them. */
const CERTAIN = 0.98

/** What names no column. */
const VALUES: ReadonlySet<CellKind> = new Set(['email', 'date', 'phone', 'money', 'id'])

const tellHeader = (
  first: CsvRecord,
  below: readonly CsvRecord[],
): { header: boolean; confidence: number; why: string } => {
  const kinds = first.cells.map(kindOfCell)
  const value = kinds.findIndex((kind) => VALUES.has(kind))
  if (value >= 0)
    return {
      header: false,
      confidence: 0.9,
      why: `its first row holds a value, “${first.cells[value]?.trim().slice(0, 60)}”, where a column's name would be`,
    }
  const named = kinds.filter((kind) => kind !== 'blank').length
  const figures = kinds.filter((kind) => kind === 'number' || kind === 'url').length
  if (figures > named / 2)
    return {
      header: false,
      confidence: 0.8,
      why: 'its first row holds figures where names of columns would be',
    }
  const differs = kinds.some(
    (kind, n) =>
      kind === 'text' && below.some(({ cells }) => !['text', 'blank'].includes(kindOfCell(cells[n] ?? ''))),
  )
  return {
    header: true,
    confidence: differs ? CERTAIN : 0.8,
    why: differs
      ? 'its first row holds texts over columns of other values'
      : 'its first row holds no values, as far as can be told',
  }
}

const nameColumns = (cells: readonly string[]): { columns: string[]; warnings: string[] } => {
  const warnings: string[] = []
  const taken = new Set<string>()
  const given = cells.map(nameOf)
  const columns = given.map((name, n) => {
    if (name === '') {
      const own = distinct(`Column ${n + 1}`, taken, new Set(given))
      warnings.push(`Column ${n + 1} has no name and is called “${own}”.`)
      return own
    }
    const own = distinct(name, taken, new Set(given))
    if (own !== name)
      warnings.push(`“${name}” names more than one column: the one at ${n + 1} is called “${own}”.`)
    return own
  })
  return { columns, warnings }
}

const nameOf = (cell: string): string => {
  const name = visibleText(restoreCell(cell))
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, csvLimits.name)
    .trim()
    .toWellFormed()
  // A mapping is an object by names.
  return name === '__proto__' ? '' : name
}

/** The name, with a number where it is taken. */
const distinct = (name: string, taken: Set<string>, given: ReadonlySet<string>): string => {
  let own = name
  for (let n = 2; taken.has(own) || (n > 2 && given.has(own)); n++) own = `${name} (${n})`
  taken.add(own)
  return own
}

const unnamed = (count: number): { columns: string[]; warnings: string[] } => ({
  columns: Array.from({ length: count }, (_, n) => `Column ${n + 1}`),
  warnings: ['The file has no row of names: its columns are numbered.'],
})

const noRows = () =>
  invalid(
    'csv_no_rows',
    '/file',
    'This file names its columns and holds no rows after that. Export it again with its rows, or choose another file.',
  )

const tooManyColumns = ({ line, cells }: CsvRecord) =>
  invalid(
    'csv_too_many_columns',
    '/file',
    `Line ${line} has ${cells.length.toLocaleString('en')} columns; at most ${csvLimits.columns} are read. Keep the columns that you want to import, or check which character parts them.`,
    { columns: csvLimits.columns },
  )
