import { isAscii, isUtf8 } from 'node:buffer'
import { invalid, type DomainError } from './errors.ts'
import { naturalness } from './csv-letters.ts'

/**
 * Encodings that are told apart, named as in the WHATWG's Encoding Standard. Two are ours: `ibm850` (what Excel calls CSV for
 * MS-DOS), and `utf-8-or-windows-1252`, which reads each line as UTF-8 that is, and as Windows-1252 what is not.
 */
export const csvEncodings = [
  'utf-8',
  'utf-8-or-windows-1252',
  'utf-16le',
  'utf-16be',
  'windows-1252',
  'iso-8859-15',
  'windows-1250',
  'iso-8859-2',
  'windows-1251',
  'koi8-u',
  'ibm866',
  'iso-8859-5',
  'windows-1253',
  'windows-1254',
  'windows-1255',
  'windows-1256',
  'windows-1257',
  'macintosh',
  'ibm850',
  'shift_jis',
  'euc-jp',
  'gb18030',
  'big5',
  'euc-kr',
] as const
export type CsvEncoding = (typeof csvEncodings)[number]

/** How a text is written: as told by its mark or its bytes, and why. */
export type EncodingReading = { encoding: CsvEncoding; bom: boolean; confidence: number; why: string }

/** How many bytes of lines that are not plain ASCII are weighed. */
const EVIDENCE_BYTES = 16 * 1024

/**
 * Tells the encoding of a text by its bytes: its mark, zeros that betray UTF-16, strict UTF-8, and otherwise the encoding in
 * which its letters make the most natural words.
 * @param whole whether the bytes are the whole text; otherwise its last character may be cut
 * @param given what was chosen: only the mark is looked for then
 * @throws {DomainError} `csv_encoding_mixed` naming line and byte, where some lines are UTF-8 and others are not;
 * `csv_not_text` for UTF-32
 */
export const tellEncoding = (bytes: Uint8Array, whole: boolean, given?: CsvEncoding): EncodingReading => {
  const marked = markOf(bytes)
  if (given) return { encoding: given, bom: marked !== undefined, confidence: 1, why: 'it was chosen' }
  if (marked) return marked
  const wide = wideOf(bytes)
  if (wide) return wide
  if (isAscii(bytes))
    return { encoding: 'utf-8', bom: false, confidence: 1, why: 'every character is plain ASCII' }
  const text = whole ? bytes : bytes.subarray(0, lastWhole(bytes))
  if (isUtf8(text))
    return {
      encoding: 'utf-8',
      bom: false,
      confidence: 0.99,
      why: 'every character beyond ASCII is valid UTF-8',
    }
  const { high, valid, first_invalid } = weigh(text)
  // By chance, few lines of another encoding are UTF-8, too.
  if (valid > 0.5) throw mixed(first_invalid)
  const read = tellByLetters(high)
  if (valid > 0.05 && !isDoubleByte(read.encoding)) throw mixed(first_invalid)
  return read
}

/** Where a byte stands in a file; lines and bytes are counted from 1. */
export type PlaceOfByte = { line: number; byte: number; value: number }

/** The refusal of a file that is written in two encodings. */
export const mixed = ({ line, byte, value }: PlaceOfByte): DomainError =>
  invalid(
    'csv_encoding_mixed',
    '/file',
    `Line ${line} is not UTF-8, as other lines of the file are: byte ${byte} of the file is 0x${hex(value)}${guess(value)}. Save the file as UTF-8 from the program that made it, or read it as “utf-8-or-windows-1252”.`,
    ['utf-8', 'utf-8-or-windows-1252', 'windows-1252'],
  )

/** The refusal of bytes that mean nothing in the encoding that was chosen. */
export const undecodable = (encoding: CsvEncoding, { line, byte, value }: PlaceOfByte): DomainError =>
  invalid(
    'csv_encoding_mixed',
    '/file',
    `Line ${line} cannot be read as ${encoding}: byte ${byte} of the file is 0x${hex(value)}. Save the file as UTF-8 from the program that made it, or choose another encoding.`,
    csvEncodings.filter((one) => one !== encoding),
  )

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')

const guess = (value: number): string =>
  value >= 0xa0 ? `, in Windows-1252 “${String.fromCharCode(value)}”` : ''

const markOf = (bytes: Uint8Array): EncodingReading | undefined => {
  const [a, b, c, d] = bytes
  const marked = (encoding: CsvEncoding, name: string): EncodingReading => ({
    encoding,
    bom: true,
    confidence: 1,
    why: `it begins with the mark of ${name}`,
  })
  if (a === 0xef && b === 0xbb && c === 0xbf) return marked('utf-8', 'UTF-8')
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    throw invalid('csv_not_text', '/file', 'This file is written in UTF-32. Save it as UTF-8.', ['utf-8'])
  if (a === 0xff && b === 0xfe) return marked('utf-16le', 'UTF-16')
  if (a === 0xfe && b === 0xff) return marked('utf-16be', 'UTF-16')
  return undefined
}

/** UTF-16 without a mark: commas, digits and line ends of any language have a zero on the same side. */
const wideOf = (bytes: Uint8Array): EncodingReading | undefined => {
  let even = 0
  let odd = 0
  const length = Math.min(bytes.length, EVIDENCE_BYTES) & ~1
  let pairs = 0
  let controls = 0
  for (let at = 0; at < length; at += 2) {
    const [first = 0, second = 0] = [bytes[at], bytes[at + 1]]
    if (first === 0) even += 1
    if (second === 0) odd += 1
    if (isPlain(first) && isPlain(second)) pairs += 1
    if ((first === 0 && isControl(second)) || (second === 0 && isControl(first))) controls += 1
  }
  const most = Math.max(even, odd)
  if (most < 2 || most < length / 40 || Math.min(even, odd) * 10 > most) return undefined
  // Two plain characters beside each other are no letter of two bytes, where most are so.
  if (pairs > (length / 2 - most) / 2 || controls > length / 200) return undefined
  const encoding = odd > even ? 'utf-16le' : 'utf-16be'
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, length), { stream: true })
  } catch {
    return undefined
  }
  return {
    encoding,
    bom: false,
    confidence: 0.95,
    why: `every second byte of its plain characters is zero, as in UTF-16`,
  }
}

const isControl = (byte: number): boolean => byte < 9 || (byte > 13 && byte < 32)

const isPlain = (byte: number): boolean => byte >= 32 && byte < 127

/** Where the last UTF-8 character that was not cut ends. */
export const lastWhole = (bytes: Uint8Array): number => {
  for (let back = 1; back <= 4 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return bytes.length
    if (byte < 0xc0) continue
    const wanted = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return back < wanted ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** The lines beyond ASCII, the share of them that is UTF-8, and the first byte that is not. */
const weigh = (bytes: Uint8Array): { high: Uint8Array; valid: number; first_invalid: PlaceOfByte } => {
  const pieces: Uint8Array[] = []
  let size = 0
  let valid = 0
  let wrong = 0
  let first_invalid: PlaceOfByte | undefined
  eachLine(bytes, (line, from, number) => {
    if (isAscii(line)) return
    if (size < EVIDENCE_BYTES) {
      pieces.push(line)
      size += line.length
    }
    if (isUtf8(line)) return void (valid += 1)
    wrong += 1
    first_invalid ??= { line: number, ...invalidByte(line, from) }
  })
  return {
    high: Buffer.concat(pieces),
    valid: valid / (valid + wrong),
    first_invalid: first_invalid ?? { line: 1, byte: 1, value: 0 },
  }
}

/** Calls back with each line and its ending, where it begins, and its number from 1. */
export const eachLine = (
  bytes: Uint8Array,
  visit: (line: Uint8Array, from: number, number: number) => void,
): void => {
  // An old Macintosh ends lines with a carriage return alone.
  const end = bytes.includes(10) ? 10 : 13
  for (let from = 0, number = 1; from < bytes.length; number++) {
    const found = bytes.indexOf(end, from)
    const next = found < 0 ? bytes.length : found + 1
    visit(bytes.subarray(from, next), from, number)
    from = next
  }
}

/** The first byte of a line that begins no UTF-8 character. */
export const invalidByte = (line: Uint8Array, from: number): { byte: number; value: number } => {
  // The longest beginning that is whole and valid ends before it.
  let low = 0
  let high = line.length
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (isUtf8(line.subarray(0, lastWhole(line.subarray(0, middle))))) low = middle
    else high = middle - 1
  }
  const at = Math.min(lastWhole(line.subarray(0, low)), line.length - 1)
  return { byte: from + at + 1, value: line[at] ?? 0 }
}

const isDoubleByte = (encoding: CsvEncoding): boolean =>
  ['shift_jis', 'euc-jp', 'gb18030', 'big5', 'euc-kr'].includes(encoding)

const tellByLetters = (high: Uint8Array): EncodingReading => {
  const scored = csvEncodings
    .filter((encoding) => !encoding.startsWith('utf-'))
    .flatMap((encoding) => {
      const text = decoded(high, encoding)
      return text === undefined ? [] : [{ encoding, text, score: naturalness(text, encoding) }]
    })
    .toSorted((a, b) => b.score - a.score)
  const [best] = scored
  if (!best) return { encoding: 'windows-1252', bom: false, confidence: 0.1, why: 'no encoding fits well' }
  const rival = scored.find(({ text }) => text !== best.text)
  const lead = rival ? best.score - rival.score : 4
  const word = /[^\s,;"|]*[^\p{ASCII}][^\s,;"|]*/u.exec(best.text)?.[0]
  return {
    encoding: best.encoding,
    bom: false,
    confidence: Math.round(Math.min(0.98, 0.5 + lead / 4) * 100) / 100,
    why: `it is no UTF-8, and its letters make the most natural words in this encoding${word ? `, such as “${word.slice(0, 40)}”` : ''}`,
  }
}

const decoded = (bytes: Uint8Array, encoding: CsvEncoding): string | undefined => {
  try {
    return decoderOf(encoding).decode(bytes, { stream: true })
  } catch {
    return undefined
  }
}

/** What turns bytes into text, piece by piece; what cannot be read is an error. */
export type PieceDecoder = { decode: (bytes?: Uint8Array, options?: { stream?: boolean }) => string }

/** The decoder of an encoding that is one all along. A mark at the beginning is left out. */
export const decoderOf = (encoding: CsvEncoding): PieceDecoder =>
  encoding === 'ibm850'
    ? { decode: (bytes = new Uint8Array()) => decode850(bytes) }
    : new TextDecoder(encoding === 'utf-8-or-windows-1252' ? 'utf-8' : encoding, { fatal: true })

/** What code page 850 has from 0x80 on; no platform decoder knows it. */
const UPPER_850 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0'

const decode850 = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/[\u0080-\u00ff]/g, (high) => UPPER_850[high.charCodeAt(0) - 0x80] ?? high)
