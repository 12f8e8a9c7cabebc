import { restoreCell } from './csv-cells.ts'
import { decodeText } from './csv-decoding.ts'
import type { CsvDialect } from './csv-dialect.ts'
import { isBlank } from './csv-header.ts'
import { csvLimits, openRecords, type CsvRecord } from './csv-records.ts'

/** Why a row cannot be taken as it is; the others can. */
export type RowFault = {
  code: 'row_too_short' | 'row_too_long' | 'quote_stray' | 'cell_too_long' | 'nul_character'
  message: string
}

/** One row of a file. */
export type CsvRow = {
  /** Its number among the rows that are not blank, from 1. */
  n: number
  /** The line of the file that it begins on, from 1. */
  line: number
  /** One for each column, whatever is wrong with the row: what is missing is empty, what is too many is left out. */
  cells: string[]
  fault?: RowFault
}

/**
 * The rows of a file in batches, in order; blank ones are left out and not counted. What was hidden from spreadsheets is
 * restored (`restoreCell`). Holds one batch and one piece of the source at a time. Cells share the memory of the piece that
 * they were cut from: whoever keeps one longer than its batch copies it.
 * @param options.after rows up to this number are passed by: where a reader stopped before
 * @throws {DomainError} `csv_quote_open`, `csv_row_too_long` and `csv_encoding_mixed`, naming the line
 */
export const readRows = (
  source: AsyncIterable<Uint8Array>,
  dialect: CsvDialect,
  options: RowOptions = {},
): AsyncGenerator<CsvRow[]> => rowsOf(decodeText(source, dialect.encoding), dialect, options)

export type RowOptions = { batch_rows?: number; after?: number }

/** The rows of a text that comes in pieces; as `readRows`. */
export async function* rowsOf(
  texts: AsyncIterable<string>,
  dialect: Pick<CsvDialect, 'delimiter' | 'quote' | 'first_line' | 'header' | 'columns'>,
  { batch_rows = 500, after = 0 }: RowOptions = {},
): AsyncGenerator<CsvRow[]> {
  const reader = openRecords(dialect.delimiter, dialect.quote)
  let passed = dialect.header ? 0 : 1
  let n = 0
  let has_nul = false
  let batch: CsvRow[] = []
  const take = (records: CsvRecord[]): CsvRow[][] => {
    const full: CsvRow[][] = []
    for (const record of records) {
      if (record.line < dialect.first_line || isBlank(record)) continue
      passed += 1
      // The row of names.
      if (passed === 1) continue
      n += 1
      if (n <= after) continue
      batch.push({ n, line: record.line, ...readRecord(record, dialect.columns.length, has_nul) })
      if (batch.length < batch_rows) continue
      full.push(batch)
      batch = []
    }
    return full
  }
  for await (const text of texts) {
    has_nul ||= text.includes('\0')
    yield* take(reader.read(text))
  }
  yield* take(reader.read('', true))
  if (batch.length > 0) yield batch
}

const readRecord = (
  { cells, stray_quote }: CsvRecord,
  columns: number,
  has_nul: boolean,
): Pick<CsvRow, 'cells' | 'fault'> => {
  let long = -1
  cells.forEach((cell, n) => {
    if (cell.length > csvLimits.cell && long < 0) long = n
    if (cell.startsWith("'")) cells[n] = restoreCell(cell)
  })
  // Files that were put together carry the mark of each.
  if (cells[0]?.startsWith('\ufeff')) cells[0] = cells[0].slice(1)
  const fault = faultOf(cells, { columns, stray_quote, long, has_nul })
  if (cells.length > columns) cells.length = columns
  while (cells.length < columns) cells.push('')
  return fault ? { cells, fault } : { cells }
}

const faultOf = (
  cells: string[],
  at: { columns: number; stray_quote: number | undefined; long: number; has_nul: boolean },
): RowFault | undefined => {
  if (at.stray_quote !== undefined)
    return {
      code: 'quote_stray',
      message: `On line ${at.stray_quote} a quote stands within a quoted cell. Double it where it belongs to the text.`,
    }
  if (cells.length < at.columns)
    return {
      code: 'row_too_short',
      message: `This row has ${cells.length} cell${cells.length === 1 ? '' : 's'}; the file has ${at.columns} columns.`,
    }
  if (cells.length > at.columns && cells.slice(at.columns).some((cell) => cell.trim() !== ''))
    return {
      code: 'row_too_long',
      message: `This row has ${cells.length} cells; the file has ${at.columns} columns. Put a cell that holds the delimiter in quotes.`,
    }
  if (at.long >= 0)
    return {
      code: 'cell_too_long',
      message: `Cell ${at.long + 1} has ${(cells[at.long] ?? '').length.toLocaleString('en')} characters; at most ${csvLimits.cell.toLocaleString('en')} are read.`,
    }
  const nul = at.has_nul ? cells.findIndex((cell) => cell.includes('\0')) : -1
  return nul < 0
    ? undefined
    : {
        code: 'nul_character',
        message: `Cell ${nul + 1} holds a NUL character, which no text has. Remove it.`,
      }
}
