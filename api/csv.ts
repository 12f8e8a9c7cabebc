import { joinList } from '../db/csv-cells.ts'
import { CSV_BOM, csvLine } from '../db/csv-writing.ts'
import { cellText } from '../db/export-columns.ts'
import type { Sink } from '../db/exports.ts'
import { log } from '../log.ts'
import { Problem } from './problem.ts'

/** A download holds a connection to the database: so many at once, and each only while somebody reads it. */
const DOWNLOADS = { at_once: 4, patience_ms: 60_000, buffer_bytes: 500_000 }
let running = 0

/** The headers of a file that a browser keeps and never shows. */
export const attachment = (name: string, media_type: string): Record<string, string> => ({
  'content-type': media_type,
  'content-disposition': `attachment; filename="${name.replaceAll(/[^\w .()-]/g, '_')}"`,
  'content-security-policy': "sandbox; default-src 'none'",
  'cache-control': 'private, no-store',
})

/**
 * Answers with what `produce` writes, as it writes it: it waits for whoever reads. What fails before the first word is a
 * refusal like any other; later the connection breaks, so that nobody takes half a file for a whole one.
 * @throws {Problem} 503 `downloads_busy`
 */
export const streamFile = async (
  produce: (write: (bytes: Uint8Array) => Promise<void>) => Promise<unknown>,
  headers: Record<string, string>,
): Promise<Response> => {
  if (running >= DOWNLOADS.at_once) {
    throw new Problem(503, 'downloads_busy', 'Several downloads are running right now. Try again shortly.', {
      headers: { 'retry-after': '5' },
    })
  }
  running += 1
  // What is small is written whether somebody reads it or not.
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    undefined,
    new ByteLengthQueuingStrategy({ highWaterMark: DOWNLOADS.buffer_bytes }),
    new ByteLengthQueuingStrategy({ highWaterMark: DOWNLOADS.buffer_bytes }),
  )
  const writer = writable.getWriter()
  const first = Promise.withResolvers<void>()
  const produced = produce(async (bytes) => {
    first.resolve()
    await patiently(writer.ready)
    // Its failure is that of the next `ready`.
    writer.write(bytes).catch(() => {})
  })
    .then(() => writer.close())
    .finally(() => {
      running -= 1
    })
  produced.catch((error: unknown) => {
    log.warn({ err: error }, 'a download ended early')
    writer.abort(error).catch(() => {})
  })
  await Promise.race([first.promise, produced])
  return new Response(readable, { headers })
}

/** Rejects when nobody reads on. */
const patiently = async (ready: Promise<void>): Promise<void> => {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(
    () => late.reject(new Error(`nobody read on for ${DOWNLOADS.patience_ms / 1_000} s`)),
    DOWNLOADS.patience_ms,
  )
  try {
    await Promise.race([ready, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Answers with a CSV file. */
export const streamCsv = (name: string, produce: (write: Sink) => Promise<unknown>): Promise<Response> => {
  const encoder = new TextEncoder()
  let begun = false
  return streamFile(
    (write) =>
      produce((text) => {
        const bytes = encoder.encode(begun ? text : CSV_BOM + text)
        begun = true
        return write(bytes)
      }),
    attachment(name, CSV_TYPE),
  )
}

const CSV_TYPE = 'text/csv; charset=utf-8'

/** Whether an answer is wanted as CSV rather than as JSON. */
export const wantsCsv = (request: Request): boolean =>
  /\btext\/csv\b/i.test(request.headers.get('accept') ?? '')

/** A report as CSV: a line for each of its rows; what stands above a row is said on each of its lines. */
export const answerCsv = (name: string, report: unknown): Response => {
  const rows = rowsOf(report)
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))]
  return new Response(CSV_BOM + lines.map((line) => csvLine(line)).join(''), {
    headers: attachment(name, CSV_TYPE),
  })
}

type Row = Record<string, string>

/** Objects within become `outer.inner`, a list of objects becomes lines. */
const rowsOf = (value: unknown, prefix = ''): Row[] => {
  if (typeof value !== 'object' || value === null || value instanceof Date)
    return [{ [prefix]: textOf(value) }]
  const own: Row = {}
  const below: Row[][] = []
  for (const [key, part] of Object.entries(value)) {
    const name = prefix === '' || prefix === 'data' ? key : `${prefix}.${key}`
    if (Array.isArray(part) && part.some((one) => typeof one === 'object' && one !== null))
      below.push(part.flatMap((one) => rowsOf(one, name)))
    else if (Array.isArray(part)) own[name] = joinList(part.map((one) => textOf(one)))
    else if (typeof part === 'object' && part !== null && !(part instanceof Date))
      Object.assign(own, ...rowsOf(part, name))
    else if (name !== 'next_cursor') own[name] = textOf(part)
  }
  return below.length === 0 ? [own] : below.flatMap((rows) => rows.map((row) => ({ ...own, ...row })))
}

const textOf = (value: unknown): string => (value instanceof Date ? value.toISOString() : cellText(value))
