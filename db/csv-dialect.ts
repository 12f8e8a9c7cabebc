import { z } from 'zod'
import { tellDelimiter, tellLineEnding } from './csv-delimiter.ts'
import { openDecoder } from './csv-decoding.ts'
import { dateStyles } from './csv-dates.ts'
import { csvEncodings, tellEncoding } from './csv-encoding.ts'
import { findHeader, isBlank } from './csv-header.ts'
import { emptyFile, refuseOtherFiles, refuseUnprintable } from './csv-refusals.ts'
import { csvLimits, firstRecords, openRecords } from './csv-records.ts'
import { watchStyles, type CellStyles } from './csv-styles.ts'
import { restoreCell } from './csv-cells.ts'

/** How a file is written: everything that reading it needs. */
export const CsvDialect = z.object({
  encoding: z.enum(csvEncodings),
  /** Whether it begins with the mark of its encoding. */
  bom: z.boolean(),
  delimiter: z
    .string()
    .length(1)
    .refine((one) => !/["'\r\n\w]/.test(one), 'one character that parts cells, such as a comma'),
  quote: z.enum(['"', "'"]),
  line_ending: z.enum(['crlf', 'lf', 'cr', 'mixed']),
  /** Whether its first row names the columns. */
  header: z.boolean(),
  /** The line of its first row, from 1; what comes before it is passed by. */
  first_line: z.int().min(1),
  /** Each name once. */
  columns: z.array(z.string().min(1)).min(1).max(csvLimits.columns),
  decimal: z.enum(['.', ',']),
  thousands: z.enum(['.', ',', ' ', "'", '']),
  /** The order of day, month and year in each column of dates, by its name. */
  dates: z.record(z.string(), z.enum(dateStyles)),
})
export type CsvDialect = z.infer<typeof CsvDialect>

/** What a person may say about a file instead of what was told by its content. */
export const CsvChoices = CsvDialect.pick({
  encoding: true,
  delimiter: true,
  quote: true,
  header: true,
  first_line: true,
  decimal: true,
  dates: true,
}).partial()
export type CsvChoices = z.infer<typeof CsvChoices>

/** One thing that was told about a file, for people. */
export type CsvReason = {
  about: 'encoding' | 'delimiter' | 'header' | 'decimal' | 'dates'
  choice: string
  /** 0 to 1; 1 for what was chosen. */
  confidence: number
  why: string
}

/** A column whose dates can all be read with the day or with the month first. */
export type AmbiguousDates = { column: string; assumed: 'dmy' | 'mdy'; why: string }

/** How a file is written, as told by its content, with reasons. */
export type Sniffed = {
  dialect: CsvDialect
  /** Its first rows, at most 100. */
  sample: string[][]
  /** That of the least certain reason. */
  confidence: number
  reasons: CsvReason[]
  ambiguous_dates: AmbiguousDates[]
  warnings: string[]
}

export type SniffOptions = {
  /** ISO 3166 code of the organization: how it writes dates where a file leaves it open. */
  country?: string | null | undefined
  /** Whether the sample is the whole file, so that nothing may be cut or missing. */
  whole?: boolean | undefined
}

/** How much of a file tells how it is written, in bytes. */
export const SAMPLE_BYTES = 1024 * 1024

/** How much of it is tried with each delimiter, in characters. */
const TRIED = 256 * 1024
const SAMPLE_ROWS = 100

/**
 * Tells how a file is written from its beginning: encoding, delimiter, quotes, names of columns, decimals, dates.
 * What is given is not told again.
 * @throws {DomainError} `csv_empty`, `csv_not_csv` naming what it is instead, `csv_not_text`, `csv_encoding_mixed`,
 * `csv_no_columns`, `csv_too_many_columns`, `csv_quote_open`, `csv_no_rows`
 */
export const sniffDialect = (
  sample: Uint8Array,
  given: CsvChoices = {},
  { country, whole = true }: SniffOptions = {},
): Sniffed => {
  refuseOtherFiles(sample)
  const told = tellEncoding(sample, whole, given.encoding)
  const encoding = given.encoding ?? told.encoding
  // A character that is cut at the end of a sample waits for the rest.
  const text = openDecoder(encoding).decode(sample, { stream: !whole })
  refuseUnprintable(text)
  if (whole && text.trim() === '') throw emptyFile()
  const separator = tellDelimiter(text.slice(0, TRIED), given, whole && text.length <= TRIED)
  const { delimiter, quote } = separator
  // What is cut off at the end of a sample is no record.
  const records = firstRecords(whole ? `${text}\n` : text, delimiter, quote)
  if (whole) openRecords(delimiter, quote).read(text, true)
  const first_line = given.first_line ?? separator.first_line
  const { columns, warnings, ...header } = findHeader(records, { header: given.header, first_line }, whole)
  const rows = records
    .filter((record) => record.line >= header.first_line && !isBlank(record))
    .slice(header.header ? 1 : 0)
    .map(({ cells }) => cells.map(restoreCell))
  const watch = watchStyles(columns, { delimiter, country })
  for (const row of rows) watch.observe(row)
  const reasons: CsvReason[] = [
    { about: 'encoding', choice: encoding, ...reasonOf(told, given.encoding) },
    { about: 'delimiter', choice: delimiter, ...reasonOf(separator, given.delimiter) },
    {
      about: 'header',
      choice: header.header ? columns.slice(0, 3).join(', ') : 'none',
      ...reasonOf(header, given.header),
    },
  ]
  if (text.includes('\ufffd')) warnings.push(REPLACED)
  const dialect: CsvDialect = {
    encoding,
    bom: told.bom,
    delimiter,
    quote,
    line_ending: tellLineEnding(text),
    header: header.header,
    first_line: header.first_line,
    columns,
    decimal: '.',
    thousands: '',
    dates: {},
  }
  return withStyles(
    { dialect, sample: rows.slice(0, SAMPLE_ROWS), confidence: 0, reasons, ambiguous_dates: [], warnings },
    watch.decide(),
    given,
  )
}

/** The same with the styles of its numbers and dates, as they were told from more rows. */
export const withStyles = (sniffed: Sniffed, styles: CellStyles, given: CsvChoices): Sniffed => {
  const decimal = given.decimal ?? styles.decimal
  const told = { confidence: styles.decimal_confidence, why: styles.decimal_why }
  const reasons: CsvReason[] = [
    ...sniffed.reasons.filter(({ about }) => about !== 'decimal' && about !== 'dates'),
    { about: 'decimal', choice: decimal, ...reasonOf(told, given.decimal) },
    ...styles.date_reasons.map(({ column, style, confidence, why }): CsvReason => {
      const chosen = given.dates?.[column]
      return {
        about: 'dates',
        choice: `${column}: ${chosen ?? style}`,
        ...reasonOf({ confidence, why }, chosen),
      }
    }),
  ]
  return {
    ...sniffed,
    dialect: {
      ...sniffed.dialect,
      decimal,
      thousands: styles.thousands === decimal ? '' : styles.thousands,
      dates: { ...styles.dates, ...given.dates },
    },
    reasons,
    confidence: Math.min(...reasons.map(({ confidence }) => confidence)),
    ambiguous_dates: styles.date_reasons.flatMap(({ column, style, why, ambiguous }) =>
      ambiguous && style !== 'ymd' && !given.dates?.[column] ? [{ column, assumed: style, why }] : [],
    ),
  }
}

const REPLACED =
  'Some characters of this file were lost before it came here (they read �): it was once saved in the wrong encoding.'

const reasonOf = (
  { confidence, why }: { confidence: number; why: string },
  chosen: unknown,
): { confidence: number; why: string } =>
  chosen === undefined ? { confidence, why } : { confidence: 1, why: 'it was chosen' }
