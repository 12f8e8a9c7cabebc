import { neutraliseCell } from './csv-cells.ts'

/** Tells every program that the file is UTF-8. */
export const CSV_BOM = '\uFEFF'

/**
 * A line of CSV (RFC 4180, ends with CRLF) whose cells no spreadsheet takes for a formula. A cell that holds a sign by which
 * any program could part it stands in quotes.
 */
export const csvLine = (cells: readonly string[]): string => `${cells.map(cellOf).join(',')}\r\n`

const cellOf = (text: string): string => {
  const cell = neutraliseCell(text)
  return ASKS_FOR_QUOTES.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

const ASKS_FOR_QUOTES = /[,;\t|"'\r\n]|^\s|\s$/
