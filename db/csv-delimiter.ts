import type { CsvChoices, CsvDialect } from './csv-dialect.ts'
import { isBlank } from './csv-header.ts'
import { firstRecords } from './csv-records.ts'
import { invalid } from './errors.ts'

/** What parts the cells of a file, and how sure that is. */
export type Separator = {
  delimiter: string
  quote: CsvDialect['quote']
  /** The first line after one that names the delimiter for Excel (`sep=;`). */
  first_line: number | undefined
  confidence: number
  why: string
}

const COMMON = [',', ';', '\t', '|'] as const
const RARE = ['^', '~', '\u001f', '\u0001'] as const

/** How delimiters are named to people. */
const NAMES: Record<string, string> = { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'vertical bar' }

/** Below this share of rows of one width, or of rows that are parted at all under a row of names, lines are no table. */
const LEAST = 0.6
const ROWS = 300

/**
 * Tells what parts the cells: what cuts the rows into equally many, without quotes where none can stand.
 * @throws {DomainError} `csv_no_columns` for text that nothing cuts into a table
 */
export const tellDelimiter = (text: string, given: CsvChoices, whole: boolean): Separator => {
  const named = /^"?sep=([^\w\r\n"'])"?[^\S\t\n\r]*\r?\n/i.exec(text)?.[1]
  const quote = given.quote ?? tellQuote(text)
  const base = { quote, first_line: named === undefined ? undefined : 2 }
  if (given.delimiter !== undefined)
    return { ...base, delimiter: given.delimiter, confidence: 1, why: 'it was chosen' }
  if (named !== undefined) return { ...base, delimiter: named, confidence: 1, why: 'the first line names it' }
  const tries = [...COMMON, ...RARE].map((delimiter) =>
    tryDelimiter(whole ? `${text}\n` : text, delimiter, quote),
  )
  const [best, rival] = tries.toSorted((a, b) => b.score - a.score)
  if (best && best.width > 1 && (best.share >= LEAST || best.named >= LEAST))
    return {
      ...base,
      delimiter: best.delimiter,
      confidence: Math.round(Math.max(0.3, best.share - (rival?.score ?? 0) / best.score / 4) * 100) / 100,
      why: `a ${NAMES[best.delimiter] ?? best.delimiter} parts ${best.share === 1 ? 'every row' : `${Math.floor(best.share * 100)} % of the rows`} into ${best.width} cells`,
    }
  if (isOneColumn(text, quote))
    return { ...base, delimiter: ',', confidence: 0.6, why: 'nothing parts its lines: it has one column' }
  throw invalid(
    'csv_no_columns',
    '/file',
    `No ${Object.values(NAMES).join(', ')} parts the lines of this file into equally many cells, so it is no table. Save it as CSV, or name its delimiter.`,
    Object.values(NAMES),
  )
}

/** `named` is the share of rows with several cells where the first row could be names, however uneven the others are. */
type Try = { delimiter: string; width: number; share: number; named: number; score: number }

const tryDelimiter = (text: string, delimiter: string, quote: string): Try => {
  const nothing = { delimiter, width: 1, share: 0, named: 0, score: 0 }
  if (!text.includes(delimiter)) return nothing
  const rows = firstRecords(text, delimiter, quote)
    .filter((record) => !isBlank(record))
    .slice(0, ROWS)
  const counts = new Map<number, number>()
  for (const { cells } of rows) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1)
  const [width = 1, count = 0] = [...counts].toSorted((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? []
  if (width < 2) return nothing
  const share = count / rows.length
  const strays = rows.filter(({ stray_quote }) => stray_quote !== undefined).length / rows.length
  const parted = rows.filter(({ cells }) => cells.length > 1).length / rows.length
  const named = rows[0]?.cells.every((cell) => /^\S.{0,40}$/.test(cell) && !/[.!?]$/.test(cell)) ? parted : 0
  const usual = (RARE as readonly string[]).includes(delimiter) ? 0.8 : 1
  return {
    delimiter,
    width,
    share,
    named,
    score: share * share * (1 - strays) * (1 + Math.min(width, 20) / 20) * usual,
  }
}

/** Double quotes, unless cells stand in single ones. */
const tellQuote = (text: string): CsvDialect['quote'] => {
  const head = text.slice(0, 20_000)
  const cells = (quote: string): number =>
    head.match(new RegExp(`(?:^|[,;\\t|])${quote}[^${quote}\\r\\n]*${quote}(?=[,;\\t|\\r\\n]|$)`, 'gm'))
      ?.length ?? 0
  const single = cells("'")
  return single > 3 * cells('"') && single >= head.split('\n').length / 2 ? "'" : '"'
}

/** A list of one column has short lines of one kind; prose has long ones. */
const isOneColumn = (text: string, quote: string): boolean => {
  const rows = firstRecords(`${text}\n`, COMMON[0], quote)
    .filter((record) => !isBlank(record))
    .slice(0, ROWS)
  const parted = rows.filter(({ cells }) => cells.length > 1 || /[;\t|]/.test(cells[0] ?? '')).length
  const words = rows.reduce((sum, { cells }) => sum + cells.join(' ').trim().split(/\s+/).length, 0)
  return parted <= rows.length / 10 && words / rows.length <= (rows.length > 1 ? 5 : 1)
}

/** How its lines end. */
export const tellLineEnding = (text: string): CsvDialect['line_ending'] => {
  const both = text.match(/\r\n/g)?.length ?? 0
  const feeds = (text.match(/\n/g)?.length ?? 0) - both
  const carriages = text.match(/\r(?!\n)/g)?.length ?? 0
  const kinds = [both, feeds, carriages].filter((count) => count > 0).length
  if (kinds > 1) return 'mixed'
  if (both > 0) return 'crlf'
  return carriages > 0 ? 'cr' : 'lf'
}
