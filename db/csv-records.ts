import { invalid } from './errors.ts'

/** What a table may come to; what is larger is refused with the limit. */
export const csvLimits = {
  columns: 500,
  /** Characters. */
  cell: 100_000,
  record: 1_000_000,
  name: 200,
}

/** One record of a file as it is written; lines are counted from 1. */
export type CsvRecord = {
  /** The line that it begins on. */
  line: number
  cells: string[]
  /** The line of a quote inside a quoted cell that is not doubled: where the cell was meant to end is a guess. */
  stray_quote?: number
}

/** Cuts text that comes in pieces into records. */
export type RecordReader = {
  /** The records that are whole by now. `last`: nothing follows. */
  read: (piece: string, last?: boolean) => CsvRecord[]
}

/** Text is cut when this much is there: larger pieces cost memory, smaller ones time. */
const PIECE = 64 * 1024

/**
 * A reader of records as RFC 4180 writes them, any line ending, which also takes what other programs write: spaces around
 * quoted cells, quotes within unquoted ones. Holds one piece and one record at a time.
 * @throws {DomainError} `csv_quote_open` naming the line on which a quote opens that does not close within the limit of a
 * record, `csv_row_too_long`
 */
export const openRecords = (delimiter: string, quote: string): RecordReader => {
  let rest = ''
  let line = 1
  let wanted = PIECE
  return {
    read: (piece, last = false) => {
      rest += piece
      if (!last && rest.length < wanted) return []
      const cut = cutRecords(rest, { delimiter, quote, line, last })
      rest = rest.slice(cut.end)
      line = cut.line
      if (rest.length > csvLimits.record && !last) throw tooLong(line)
      // What is open is looked at again when twice as much is there, so that its length costs no square.
      wanted = Math.max(PIECE, rest.length * 2)
      return cut.records
    },
  }
}

/** The records at the beginning of a text; one that is not whole is left out. */
export const firstRecords = (text: string, delimiter: string, quote: string): CsvRecord[] =>
  cutRecords(text, { delimiter, quote, line: 1, last: false }).records

type Cutting = { delimiter: string; quote: string; line: number; last: boolean }

const cutRecords = (text: string, cutting: Cutting): { records: CsvRecord[]; end: number; line: number } => {
  const { delimiter, quote, last } = cutting
  const records: CsvRecord[] = []
  const next = { feed: -1, carriage: -1, quote: -1 }
  let { line } = cutting
  let at = 0
  while (at < text.length) {
    if (next.feed < at) next.feed = positionOf(text, '\n', at)
    if (next.carriage < at) next.carriage = positionOf(text, '\r', at)
    if (next.quote < at) next.quote = positionOf(text, quote, at)
    const end = Math.min(next.feed, next.carriage, text.length)
    if (next.quote < end) {
      const record = cutQuoted(text, at, { ...cutting, line })
      if (!record) break
      records.push(record.record)
      line += record.lines
      at = record.end
      continue
    }
    if (!last && end >= text.length - 1 && (end === text.length || text[end] === '\r')) break
    if (end - at > csvLimits.record) throw tooLong(line)
    records.push({ line, cells: text.slice(at, end).split(delimiter) })
    line += 1
    at = end + (text.startsWith('\r\n', end) ? 2 : 1)
  }
  return { records, end: Math.min(at, text.length), line }
}

const positionOf = (text: string, wanted: string, from: number): number => {
  const found = text.indexOf(wanted, from)
  return found < 0 ? Number.POSITIVE_INFINITY : found
}

type Cut = { record: CsvRecord; lines: number; end: number }
type Cell = { text: string; end: number; stray?: number }

/** A record with quotes in it, cell by cell; undefined when its end is not there yet. */
const cutQuoted = (text: string, from: number, cutting: Cutting): Cut | undefined => {
  const { delimiter, line, last } = cutting
  const cells: string[] = []
  let stray: number | undefined
  let at = from
  for (;;) {
    const cell = cutCell(text, at, from, cutting)
    if (!cell) return undefined
    if (cell.end - from > csvLimits.record) throw tooLong(line)
    stray ??= cell.stray
    cells.push(cell.text)
    if (text[cell.end] === delimiter) {
      at = cell.end + 1
      continue
    }
    if (!last && cell.end >= text.length - 1 && text[cell.end] !== '\n') return undefined
    const end = cell.end + (text.startsWith('\r\n', cell.end) ? 2 : 1)
    const lines = linesIn(text, from, cell.end) + 1
    const record = {
      line,
      cells,
      ...(stray === undefined ? {} : { stray_quote: line + linesIn(text, from, stray) }),
    }
    return { record, lines, end }
  }
}

/** One cell up to the delimiter or line ending after it; undefined when that is not there yet. */
const cutCell = (text: string, from: number, record_from: number, cutting: Cutting): Cell | undefined => {
  const { delimiter, quote, line, last } = cutting
  const open = skipBlanks(text, from, delimiter)
  if (text[open] !== quote) {
    const end = endOfCell(text, from, delimiter)
    return end === text.length && !last ? undefined : { text: text.slice(from, end), end }
  }
  let doubled = false
  let stray: number | undefined
  let at = open + 1
  for (;;) {
    const found = text.indexOf(quote, at)
    const unclosed = found < 0 ? text.length : found
    if (unclosed - record_from > csvLimits.record || (found < 0 && last))
      throw quoteOpen(line + linesIn(text, record_from, open), quote)
    if (found < 0) return undefined
    const isDoubled = text[found + 1] === quote
    const after = skipBlanks(text, found + (isDoubled ? 2 : 1), delimiter)
    if (after >= text.length - 1 && !last && text[after] !== '\n') return undefined
    const closes =
      after >= text.length || text[after] === delimiter || text[after] === '\n' || text[after] === '\r'
    if (isDoubled && !(stray !== undefined && closes)) {
      doubled = true
      at = found + 2
    } else if (closes) {
      const inner = text.slice(open + 1, isDoubled ? found + 1 : found)
      return {
        text: doubled ? inner.replaceAll(quote + quote, quote) : inner,
        end: after,
        ...(stray === undefined ? {} : { stray }),
      }
    } else {
      stray ??= found
      at = found + 1
    }
  }
}

const skipBlanks = (text: string, from: number, delimiter: string): number => {
  let at = from
  while (text[at] === ' ' || (text[at] === '\t' && delimiter !== '\t')) at += 1
  return at
}

const endOfCell = (text: string, from: number, delimiter: string): number => {
  const parts = delimiter.charCodeAt(0)
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === parts || code === 10 || code === 13) break
  }
  return at
}

const linesIn = (text: string, from: number, to: number): number => {
  let lines = 0
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at)
    if (code === 10 || (code === 13 && text.charCodeAt(at + 1) !== 10)) lines += 1
  }
  return lines
}

const quoteOpen = (line: number, quote: string) =>
  invalid(
    'csv_quote_open',
    '/file',
    `The quote that opens on line ${line} is never closed: what follows it would all be one cell. Close it with ${quote}, or double it (${quote}${quote}) if it belongs to the text.`,
  )

const tooLong = (line: number) =>
  invalid(
    'csv_row_too_long',
    '/file',
    `The row that begins on line ${line} is longer than ${csvLimits.record.toLocaleString('en')} characters. A table has a row on each line: look for a missing line ending, or a quote that opens and never closes.`,
    { characters: csvLimits.record },
  )
