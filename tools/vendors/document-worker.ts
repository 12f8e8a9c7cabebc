// A thread of its own: reads one document and says what is in it. `document.ts` starts it, watches it and ends it.
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Transform, type Readable } from 'node:stream'
import { parentPort, workerData } from 'node:worker_threads'
import { parse as parseCsv } from 'csv-parse'
import { Parser } from 'htmlparser2'
import { getDocumentProxy } from 'unpdf'
import { openPromise } from 'yauzl'
import { encodingOf } from '../../db/text.ts'
import type { DocumentKind, DocumentReading, documentLimits } from './document.ts'

type Task = { path: string; kind: DocumentKind; limits: typeof documentLimits }

// Given by `document.ts` alone.
const { path, kind, limits } = workerData as Task

/** Collects text up to the limit; `full` ends the reading. */
const collector = () => {
  const pages: string[] = []
  let left = limits.characters
  return {
    pages,
    get full() {
      return left <= 0
    },
    add: (text: string): void => {
      const kept = text.slice(0, Math.max(0, left)).toWellFormed()
      left -= kept.length
      pages.push(kept)
    },
    /** Says so when there was more. */
    notice: (more?: string): string | undefined =>
      more ??
      (left <= 0
        ? `Only its first ${limits.characters.toLocaleString('en')} characters were read.`
        : undefined),
  }
}

const readPdf = async (): Promise<DocumentReading> => {
  const pdf = await getDocumentProxy(new Uint8Array(await readFile(path)), {
    disableFontFace: true,
    useSystemFonts: false,
    maxImageSize: 1,
    verbosity: 0,
  })
  const text = collector()
  const last = Math.min(pdf.numPages, limits.pages)
  for (let n = 1; n <= last && !text.full; n++) {
    // Page after page, so that one is in memory at a time.
    const page = await pdf.getPage(n)
    // See above.
    const { items } = await page.getTextContent()
    text.add(items.map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : '')).join(''))
    page.cleanup()
  }
  const cut =
    pdf.numPages > limits.pages
      ? `Only its first ${limits.pages} of ${pdf.numPages} pages were read.`
      : undefined
  return { pages: text.pages, notice: text.notice(cut) }
}

/** Word's paragraphs become lines, its cells are parted by tabs; entities that a document declares itself are never expanded. */
const readDocx = async (): Promise<DocumentReading> => {
  const archive = await openPromise(path)
  try {
    for await (const entry of archive.eachEntry()) {
      if (entry.fileName !== 'word/document.xml') continue
      if (entry.isEncrypted()) return { error: 'It is protected by a password.' }
      if (entry.uncompressedSize > limits.unpacked_bytes) return { error: TOO_LARGE }
      const part = await archive.openReadStreamPromise(entry)
      return await textOfDocx(part)
    }
    return { error: 'It is broken: it has no text part.' }
  } finally {
    archive.close()
  }
}

const textOfDocx = async (part: Readable): Promise<DocumentReading> => {
  const text = collector()
  let inside = false
  let cells = 0
  let depth = 0
  let line = ''
  const end = (): void => {
    const words = line.replaceAll(/ ?\t$| $/g, '').replaceAll(' \t', '\t')
    if (words !== '') text.add(`${words}\n`)
    line = ''
  }
  const parser = new Parser(
    {
      onopentagname: (name) => {
        depth += 1
        if (depth > limits.depth) throw new Error('its parts lie too deep in each other')
        if (name === 'w:t') inside = true
        else if (name === 'w:tc') cells += 1
        else if (name === 'w:tab') line += '\t'
        else if (name === 'w:br' || name === 'w:cr') line += '\n'
      },
      onclosetag: (name) => {
        depth -= 1
        if (name === 'w:t') inside = false
        else if (name === 'w:tc') {
          cells -= 1
          line += '\t'
        } else if (name === 'w:p' && cells > 0) line += ' '
        else if (name === 'w:p' || name === 'w:tr') end()
      },
      ontext: (words) => {
        if (inside && line.length < limits.characters) line += words
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  const decoder = new TextDecoder('utf-8')
  for await (const piece of part) {
    parser.write(decoder.decode(piece as Uint8Array, { stream: true }))
    if (text.full) break
  }
  end()
  return { pages: [text.pages.join('')], notice: text.notice() }
}

const readCsv = async (): Promise<DocumentReading> => {
  const encoding = await encodingOfFile()
  const rows = decoded(encoding).pipe(
    parseCsv({
      delimiter: await delimiterOf(encoding),
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: limits.characters,
      to: limits.rows,
    }),
  )
  const text = collector()
  for await (const row of rows) {
    text.add(`${(row as string[]).map((cell) => cell.replaceAll(/\s+/g, ' ').trim()).join('\t')}\n`)
    if (text.full) break
  }
  const cut =
    text.pages.length >= limits.rows
      ? `Only its first ${limits.rows.toLocaleString('en')} rows were read.`
      : undefined
  return { pages: [text.pages.join('')], notice: text.notice(cut) }
}

const readText = async (): Promise<DocumentReading> => {
  const text = collector()
  for await (const piece of decoded(await encodingOfFile())) {
    text.add(String(piece))
    if (text.full) break
  }
  return { pages: text.pages.join('').split('\f'), notice: text.notice() }
}

const headOfFile = async (): Promise<Uint8Array> => {
  const pieces: Buffer[] = []
  for await (const piece of createReadStream(path, { end: 65_535 })) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

const encodingOfFile = async (): Promise<string> => encodingOf(await headOfFile())

const decoded = (encoding: string): Transform => {
  const decoder = new TextDecoder(encoding)
  return createReadStream(path).pipe(
    new Transform({
      decodeStrings: false,
      encoding: 'utf8',
      transform: (piece: Uint8Array, _, done) => done(null, decoder.decode(piece, { stream: true })),
      flush: (done) => done(null, decoder.decode()),
    }),
  )
}

/** The separator that the first line has most of. */
const delimiterOf = async (encoding: string): Promise<string> => {
  const [first = ''] = new TextDecoder(encoding).decode(await headOfFile()).split('\n', 1)
  const count = (character: string): number => first.split(character).length
  return [',', ';', '\t', '|'].toSorted((a, b) => count(b) - count(a))[0] ?? ','
}

const TOO_LARGE = 'It unpacks to more than a document holds.'

/** Library errors as people can use them. */
const explained = (error: unknown): string => {
  if (!(error instanceof Error)) return 'It is broken.'
  if (error.name === 'PasswordException') return 'It is protected by a password.'
  if (/too many bytes in the stream/i.test(error.message)) return TOO_LARGE
  return `It is broken: ${error.message}`
}

const readers: Record<DocumentKind, () => Promise<DocumentReading>> = {
  pdf: readPdf,
  docx: readDocx,
  csv: readCsv,
  text: readText,
}

const reading = await readers[kind]().catch((error: unknown): DocumentReading => ({
  error: explained(error),
}))
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin, unlike a window
parentPort?.postMessage(reading)
