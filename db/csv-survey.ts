import { isAscii } from 'node:buffer'
import { decodeText } from './csv-decoding.ts'
import { SAMPLE_BYTES, sniffDialect, withStyles, type CsvChoices, type Sniffed } from './csv-dialect.ts'
import { tellEncoding, type EncodingReading } from './csv-encoding.ts'
import { rowsOf } from './csv-rows.ts'
import { watchStyles } from './csv-styles.ts'

/** What is told about a file after every row was looked at. */
export type CsvSurvey = Sniffed & {
  /** Rows that are not blank, without the row of names. */
  rows: number
  /** How many of them cannot be taken as they are. */
  faulty_rows: number
  bytes: number
}

/** How much text beyond ASCII tells an encoding that the beginning of a file left open. */
const LATE_BYTES = 64 * 1024

/**
 * Reads a whole file once, in bounded memory, and tells how it is written and how many rows it has. What it does not refuse,
 * `readRows` does not either.
 * @throws {DomainError} as `sniffDialect` and `readRows`
 */
export const surveyCsv = async (
  source: AsyncIterable<Uint8Array>,
  given: CsvChoices = {},
  { country }: { country?: string | null | undefined } = {},
): Promise<CsvSurvey> => {
  let bytes = 0
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      bytes += piece.length
      yield piece
    }
  }
  const pieces = counted()
  const head = await takeBytes(pieces, SAMPLE_BYTES)
  const sniffed = sniffDialect(head.bytes, given, { country, whole: head.whole })
  const { dialect } = sniffed
  const is_open = given.encoding === undefined && dialect.encoding === 'utf-8' && isAscii(head.bytes)
  let late: EncodingReading | undefined
  const all = before(head.bytes, pieces)
  const texts = is_open ? decodeOpen(all, (told) => (late = told)) : decodeText(all, dialect.encoding)
  const watch = watchStyles(dialect.columns, { delimiter: dialect.delimiter, country })
  let rows = 0
  let faulty_rows = 0
  for await (const batch of rowsOf(texts, dialect)) {
    rows += batch.length
    for (const { cells, fault } of batch) {
      if (fault) faulty_rows += 1
      else watch.observe(cells)
    }
  }
  const told = withStyles(late ? withEncoding(sniffed, late) : sniffed, watch.decide(), given)
  return { ...told, rows, faulty_rows, bytes }
}

const withEncoding = (sniffed: Sniffed, { encoding, confidence, why }: EncodingReading): Sniffed => ({
  ...sniffed,
  dialect: { ...sniffed.dialect, encoding },
  reasons: sniffed.reasons.map((reason) =>
    reason.about === 'encoding' ? { ...reason, choice: encoding, confidence, why } : reason,
  ),
})

/** The text of a file that is plain ASCII at first: its encoding is told by the first letters beyond. */
async function* decodeOpen(
  pieces: AsyncIterable<Uint8Array>,
  tell: (told: EncodingReading) => void,
): AsyncGenerator<string> {
  const rest = pieces[Symbol.asyncIterator]()
  for (;;) {
    const { value, done } = await rest.next()
    if (done) return
    if (isAscii(value)) {
      yield Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
      continue
    }
    const following: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => rest }
    const { bytes, whole } = await takeBytes(following, LATE_BYTES)
    const first = Buffer.concat([value, bytes])
    const told = tellEncoding(first, whole)
    tell(told)
    yield* decodeText(before(first, following), told.encoding)
    return
  }
}

/** The next bytes, at least so many unless the source ends; the source stays open. */
const takeBytes = async (
  source: AsyncIterable<Uint8Array>,
  wanted: number,
): Promise<{ bytes: Uint8Array; whole: boolean }> => {
  const taken: Uint8Array[] = []
  let size = 0
  const iterator = source[Symbol.asyncIterator]()
  while (size < wanted) {
    const { value, done } = await iterator.next()
    if (done) return { bytes: Buffer.concat(taken), whole: true }
    taken.push(value)
    size += value.length
  }
  return { bytes: Buffer.concat(taken), whole: false }
}

async function* before(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first
  yield* rest
}
