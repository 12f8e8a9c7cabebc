import { open, type FileHandle } from 'node:fs/promises'
import { fileTypeFromBuffer } from 'file-type'
import { fromFdPromise, type Entry } from 'yauzl'
import { DomainError } from './errors.ts'
import { clip, encodingOf, visibleText } from './text.ts'

/** A type of file that is taken, with the endings its name may have, and whether its text can be read. */
type FileType = { media_type: string; endings: readonly string[]; has_text: boolean }

const OFFICE = 'application/vnd.openxmlformats-officedocument'

/** Every type that is taken. Nothing that a browser or a system would run is among them. */
export const fileTypes = {
  pdf: { media_type: 'application/pdf', endings: ['pdf'], has_text: true },
  docx: { media_type: `${OFFICE}.wordprocessingml.document`, endings: ['docx'], has_text: true },
  xlsx: { media_type: `${OFFICE}.spreadsheetml.sheet`, endings: ['xlsx'], has_text: false },
  pptx: { media_type: `${OFFICE}.presentationml.presentation`, endings: ['pptx'], has_text: false },
  odt: { media_type: 'application/vnd.oasis.opendocument.text', endings: ['odt'], has_text: false },
  ods: { media_type: 'application/vnd.oasis.opendocument.spreadsheet', endings: ['ods'], has_text: false },
  odp: { media_type: 'application/vnd.oasis.opendocument.presentation', endings: ['odp'], has_text: false },
  rtf: { media_type: 'application/rtf', endings: ['rtf'], has_text: false },
  csv: { media_type: 'text/csv', endings: ['csv', 'tsv'], has_text: true },
  md: { media_type: 'text/markdown', endings: ['md', 'markdown'], has_text: true },
  txt: {
    media_type: 'text/plain',
    endings: ['txt', 'text', 'log', 'eml', 'json', 'yaml', 'yml', 'ics', 'vcf'],
    has_text: true,
  },
  png: { media_type: 'image/png', endings: ['png'], has_text: false },
  jpg: { media_type: 'image/jpeg', endings: ['jpg', 'jpeg'], has_text: false },
  gif: { media_type: 'image/gif', endings: ['gif'], has_text: false },
  webp: { media_type: 'image/webp', endings: ['webp'], has_text: false },
  avif: { media_type: 'image/avif', endings: ['avif'], has_text: false },
  heic: { media_type: 'image/heic', endings: ['heic'], has_text: false },
  tif: { media_type: 'image/tiff', endings: ['tif', 'tiff'], has_text: false },
  mp3: { media_type: 'audio/mpeg', endings: ['mp3'], has_text: false },
  m4a: { media_type: 'audio/x-m4a', endings: ['m4a'], has_text: false },
  wav: { media_type: 'audio/wav', endings: ['wav'], has_text: false },
  ogg: { media_type: 'audio/ogg', endings: ['ogg', 'oga'], has_text: false },
  mp4: { media_type: 'video/mp4', endings: ['mp4', 'm4v'], has_text: false },
  mov: { media_type: 'video/quicktime', endings: ['mov'], has_text: false },
  webm: { media_type: 'video/webm', endings: ['webm'], has_text: false },
} as const satisfies Record<string, FileType>
export type FileTypeName = keyof typeof fileTypes

/** What archives of office documents may come to when they are unpacked; a document that people write is far below. */
const ARCHIVE = { unpacked_bytes: 1_000_000_000, ratio: 200, counted_from: 20_000_000, entries: 20_000 }

const HEAD_BYTES = 64 * 1024
const TAIL_BYTES = 66_000
const TEXT_STEP = 1024 * 1024

/**
 * What a file is, by its content: its name only tells kinds of plain text apart, which are all harmless.
 * @param path where it lies
 * @throws {DomainError} `file_type_unsupported` with the types that are taken, `file_ambiguous` for one that is two things at
 * once, `file_bomb` for one that unpacks to far more than it is, `file_empty`
 */
export const tellFileType = async (path: string, name: string): Promise<FileTypeName> => {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size === 0) throw refused('file_empty', 'This file is empty.')
    const head = await readAt(file, 0, Math.min(size, HEAD_BYTES))
    const type = await typeOf(file, head, size, name)
    await refuseTwoInOne(file, type, head, size)
    return type
  } finally {
    await file.close()
  }
}

/** A file's type by its media type. */
export const fileTypeOf = (media_type: string): FileTypeName | undefined =>
  typeNames.find((name) => fileTypes[name].media_type === media_type)

/** Whether what a file says can be read. */
export const hasText = (type: FileTypeName): boolean => fileTypes[type].has_text

/** The name that a file is kept under: one line, no path, an ending that fits what it is. */
export const ownName = (given: string, type: FileTypeName): string => {
  const last = visibleText(given).split(/[/\\]/).at(-1) ?? ''
  const plain = last.replaceAll(/[\s<>:"|?*\u0000-\u001f]+/g, ' ').replace(/^[. ]+|[. ]+$/g, '')
  const ending = endingOf(plain)
  const { endings } = fileTypes[type]
  const fits = (endings as readonly string[]).includes(ending)
  const base = clip(fits ? plain.slice(0, -ending.length - 1) : plain, MAX_NAME).trim()
  return `${base === '' ? 'file' : base}.${fits ? ending : endings[0]}`
}

const MAX_NAME = 180

const typeNames = Object.keys(fileTypes) as FileTypeName[]

const endingOf = (name: string): string => /\.([a-z0-9]{1,10})$/i.exec(name)?.[1]?.toLowerCase() ?? ''

const typeOf = async (
  file: FileHandle,
  head: Uint8Array,
  size: number,
  name: string,
): Promise<FileTypeName> => {
  // A few kilobytes tell; more of an archive would be unpacked for nothing.
  const told = await fileTypeFromBuffer(head.subarray(0, 4_100))
  if (startsWith(head, 'PK')) return typeOfArchive(file, size)
  if (!told || TEXTS.test(told.mime)) return typeOfText(file, head, size, name)
  const type = typeNames.find((type) => fileTypes[type].media_type === told.mime || type === told.ext)
  if (!type) throw unsupported(`“${told.mime}” is not taken`)
  return type
}

/** Kinds of text that are told by their first line. */
const TEXTS = /^text\/|^application\/xml$/

/** Which office document an archive is, by its table of contents; nothing is unpacked. */
const typeOfArchive = async (file: FileHandle, size: number): Promise<FileTypeName> => {
  const names = new Set<string>()
  let unpacked = 0
  for (const entry of await entriesOf(file)) {
    names.add(entry.fileName)
    unpacked += entry.uncompressedSize
    if (
      unpacked > ARCHIVE.unpacked_bytes ||
      (unpacked > ARCHIVE.counted_from && unpacked > size * ARCHIVE.ratio)
    )
      throw refused(
        'file_bomb',
        'This file unpacks to far more than a document holds. Nothing of it was kept; save it anew from the program that made it.',
      )
  }
  if ([...names].some((name) => /vbaProject\.bin$|\.exe$|\.dll$|\.js$/i.test(name)))
    throw unsupported('it holds macros or programs; save it without them')
  if (names.has('[Content_Types].xml')) {
    if (names.has('word/document.xml')) return 'docx'
    if (names.has('xl/workbook.xml')) return 'xlsx'
    if (names.has('ppt/presentation.xml')) return 'pptx'
  }
  if (names.has('mimetype') && names.has('content.xml')) {
    const stored = Buffer.from(await readAt(file, 30, 128)).toString('latin1')
    const kind =
      /^mimetypeapplication\/vnd\.oasis\.opendocument\.(text|spreadsheet|presentation)(?![\w-])/.exec(stored)
    const found = { text: 'odt', spreadsheet: 'ods', presentation: 'odp' } as const
    if (kind) return found[kind[1] as keyof typeof found]
  }
  throw unsupported('an archive is not taken; send the files in it')
}

const entriesOf = async (file: FileHandle): Promise<Entry[]> => {
  const entries: Entry[] = []
  try {
    // The handle stays ours.
    const archive = await fromFdPromise(file.fd, { autoClose: false })
    for await (const entry of archive.eachEntry()) {
      entries.push(entry)
      if (entries.length > ARCHIVE.entries) throw new Error('too many entries')
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : 'broken'
    throw unsupported(`its table of contents cannot be read (${why})`)
  }
  return entries
}

/** Plain text holds no control characters, and begins like no page, drawing or script. */
const typeOfText = async (
  file: FileHandle,
  head: Uint8Array,
  size: number,
  name: string,
): Promise<FileTypeName> => {
  for (let at = 0; at < size; at += TEXT_STEP) {
    // Piece after piece, so that a large file takes no memory.
    const piece = await readAt(file, at, Math.min(TEXT_STEP, size - at))
    if (!isText(piece, hasMark(head))) throw unsupported('its content is of no known type')
  }
  const begin = new TextDecoder(encodingOf(head))
    .decode(head.subarray(0, 4_096))
    .replaceAll(/<!--[\s\S]*?-->/g, '')
    .trimStart()
  if (LIVE.test(begin))
    throw unsupported('pages, drawings and scripts are not taken; send a PDF or plain text')
  const ending = endingOf(name)
  if ((fileTypes.csv.endings as readonly string[]).includes(ending)) return 'csv'
  return (fileTypes.md.endings as readonly string[]).includes(ending) ? 'md' : 'txt'
}

const LIVE = /^(?:<(?:!doctype|html|head|body|svg|script|iframe|\?xml|\?php|math)\b|#!|%!PS)/i

const hasMark = (head: Uint8Array): boolean => encodingOf(head.subarray(0, 2)).startsWith('utf-16')

const isText = (piece: Uint8Array, wide: boolean): boolean =>
  wide || piece.every((byte) => byte >= 32 || (byte >= 9 && byte <= 13) || byte === 27)

/** A file that two programs take for two things gets past what each of them checks. */
const refuseTwoInOne = async (
  file: FileHandle,
  type: FileTypeName,
  head: Uint8Array,
  size: number,
): Promise<void> => {
  const begin = Buffer.from(head.subarray(0, 1_024)).toString('latin1')
  const isArchive = startsWith(head, 'PK')
  if (type !== 'pdf' && begin.includes('%PDF-')) throw twoInOne('PDF')
  if (!isArchive && (await endsAsArchive(file, size))) throw twoInOne('archive')
  const isDrawn = fileTypes[type].media_type.startsWith('image/')
  if (isDrawn && /<(?:script|html|svg|!doctype html|\?php)/i.test(begin)) throw twoInOne('page')
}

/** Whether a ZIP's last record ends exactly where the file ends, as unpackers look for it. */
const endsAsArchive = async (file: FileHandle, size: number): Promise<boolean> => {
  const length = Math.min(size, TAIL_BYTES)
  const tail = Buffer.from(await readAt(file, size - length, length))
  for (let at = tail.lastIndexOf(END_OF_ARCHIVE); at >= 0; at = tail.lastIndexOf(END_OF_ARCHIVE, at - 1)) {
    if (at + 22 <= tail.length && at + 22 + tail.readUInt16LE(at + 20) === tail.length) return true
    if (at === 0) break
  }
  return false
}

const END_OF_ARCHIVE = Buffer.from('PK\u0005\u0006', 'latin1')

const startsWith = (head: Uint8Array, text: string): boolean =>
  Buffer.from(head.subarray(0, text.length)).toString('latin1') === text

const readAt = async (file: FileHandle, position: number, length: number): Promise<Uint8Array> => {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

const refused = (code: string, detail: string): DomainError =>
  new DomainError('unsupported', code, detail, {
    errors: [{ pointer: '/file', message: detail }],
    extra: { supported: typeNames },
  })

const unsupported = (because: string): DomainError =>
  refused(
    'file_type_unsupported',
    `This file is not taken, because ${because}. Taken are: ${typeNames.join(', ')}.`,
  )

const twoInOne = (other: string): DomainError =>
  refused(
    'file_ambiguous',
    `This file is ${other === 'archive' ? 'an' : 'a'} ${other} as well as what it looks like. Save it anew from the program that made it.`,
  )
