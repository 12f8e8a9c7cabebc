import { crc32 } from 'node:zlib'
import { openPromise, type Entry, type ZipFile } from 'yauzl'
import { type DomainError, invalid } from './errors.ts'

/** An archive that is open: what is in it, by name. */
export type OpenArchive = { zip: ZipFile; entries: Map<string, Entry> }

/** @throws {DomainError} `archive_unreadable`, `archive_damaged` */
export const openArchive = async (path: string): Promise<OpenArchive> => {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false }).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined)
      throw invalid('archive_unreadable', '/file', `${path} cannot be opened (${code}). Check where it is.`)
    throw unreadable('it is no ZIP file, or its end is missing. If it was copied, copy it again')
  })
  try {
    const entries = new Map<string, Entry>()
    for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry)
    return { zip, entries }
  } catch (error) {
    zip.close()
    throw damaged('its list of contents', error)
  }
}

/**
 * What stands under a name, in pieces; read to its end, it is what was put there.
 * @throws {DomainError} `archive_damaged`
 */
export async function* contentOf({ zip, entries }: OpenArchive, name: string): AsyncGenerator<Buffer> {
  const entry = entries.get(name)
  if (!entry) throw damaged(name, 'it is missing')
  let sum = 0
  try {
    for await (const piece of await zip.openReadStreamPromise(entry)) {
      sum = crc32(piece as Buffer, sum)
      yield piece as Buffer
    }
  } catch (error) {
    throw damaged(name, error)
  }
  if (sum !== entry.crc32) throw damaged(name, 'it is not what was written (its checksum differs)')
}

/** The lines of a text that comes in pieces, so many at a time, without blank ones. */
export async function* linesOf(pieces: AsyncIterable<Buffer>, at_once: number): AsyncGenerator<string[]> {
  const decoder = new TextDecoder()
  let batch: string[] = []
  let rest = ''
  const take = function* (text: string): Generator<string[]> {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') continue
      batch.push(line)
      if (batch.length < at_once) continue
      yield batch
      batch = []
    }
  }
  for await (const piece of pieces) yield* take(decoder.decode(piece, { stream: true }))
  yield* take(`${decoder.decode()}\n`)
  if (batch.length > 0) yield batch
}

/** The refusal of what is something else. */
export const unreadable = (why: string): DomainError =>
  invalid('archive_unreadable', '/file', `This is no archive of Leadhand: ${why}.`)

/** The refusal of an archive that is not as it was written. */
export const damaged = (where: string, why: unknown): DomainError =>
  invalid(
    'archive_damaged',
    '/file',
    `This archive is damaged, in ${where}: ${why instanceof Error ? why.message : String(why)}. Nothing of it was restored. Copy it again from where it was made, or export it anew.`,
  )
