import { isUtf8 } from 'node:buffer'
import {
  decoderOf,
  eachLine,
  invalidByte,
  mixed,
  undecodable,
  type CsvEncoding,
  type PieceDecoder,
} from './csv-encoding.ts'

/**
 * Text from bytes that come in pieces cut anywhere, without the mark at its beginning.
 * @throws {DomainError} `csv_encoding_mixed` naming line and byte, for what means nothing in the encoding
 */
export async function* decodeText(
  source: AsyncIterable<Uint8Array>,
  encoding: CsvEncoding,
): AsyncGenerator<string> {
  const decoder = openDecoder(encoding)
  for await (const piece of source) {
    const text = decoder.decode(piece, { stream: true })
    if (text !== '') yield text
  }
  const end = decoder.decode()
  if (end !== '') yield end
}

/**
 * A decoder of pieces; without a piece it ends.
 * @throws {DomainError} as `decodeText`
 */
export const openDecoder = (encoding: CsvEncoding): PieceDecoder =>
  encoding === 'utf-8-or-windows-1252' ? eitherDecoder() : strictDecoder(encoding)

/** Says on which line and byte it stopped. */
const strictDecoder = (encoding: CsvEncoding): PieceDecoder => {
  const decoder = decoderOf(encoding)
  let bytes = 0
  let lines = 0
  let tail: Uint8Array = new Uint8Array()
  return {
    decode: (piece = new Uint8Array(), options) => {
      try {
        const text = decoder.decode(piece, options)
        bytes += piece.length
        lines += endingsIn(piece)
        tail = Uint8Array.prototype.slice.call(piece.length < 4 ? Buffer.concat([tail, piece]) : piece, -3)
        return text
      } catch {
        const known = Buffer.concat([tail, piece])
        const place = encoding === 'utf-8' ? invalidIn(known) : firstRefused(known, encoding)
        const at = {
          line: lines + place.line - endingsIn(tail),
          byte: bytes - tail.length + place.byte,
          value: place.value,
        }
        throw encoding === 'utf-8' ? mixed(at) : undecodable(encoding, at)
      }
    },
  }
}

const endingsIn = (piece: Uint8Array): number => {
  let lines = 0
  for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines += 1
  return lines
}

const invalidIn = (bytes: Uint8Array): { line: number; byte: number; value: number } => {
  let place: { line: number; byte: number; value: number } | undefined
  eachLine(bytes, (line, from, number) => {
    // What a piece before it was cut off from says nothing.
    const begin = from === 0 ? line.findIndex((byte) => byte < 0x80 || byte >= 0xc0) : 0
    const own = line.subarray(Math.max(0, begin))
    if (!place && !isUtf8(own)) place = { line: number, ...invalidByte(own, from + Math.max(0, begin)) }
  })
  return place ?? { line: endingsIn(bytes) + 1, byte: bytes.length, value: bytes.at(-1) ?? 0 }
}

/** The first byte at which a decoder gives up, by halves. */
const firstRefused = (
  bytes: Uint8Array,
  encoding: CsvEncoding,
): { line: number; byte: number; value: number } => {
  const fits = (length: number): boolean => {
    try {
      decoderOf(encoding).decode(bytes.subarray(0, length), { stream: true })
      return true
    } catch {
      return false
    }
  }
  let low = 0
  let high = bytes.length
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  const at = Math.min(low, bytes.length - 1)
  return { line: endingsIn(bytes.subarray(0, at)) + 1, byte: at + 1, value: bytes[at] ?? 0 }
}

/** A line that is this long is none; it is read as it comes. */
const LONGEST_LINE = 1_000_000

/** Each line in its own encoding: UTF-8 where it is, Windows-1252 where it is not. */
const eitherDecoder = (): PieceDecoder => {
  let rest: Uint8Array = new Uint8Array()
  return {
    decode: (piece = new Uint8Array(), { stream = false } = {}) => {
      const bytes = rest.length > 0 ? Buffer.concat([rest, piece]) : piece
      const whole = !stream || bytes.length > LONGEST_LINE ? bytes.length : bytes.lastIndexOf(10) + 1
      rest = Uint8Array.prototype.slice.call(bytes, whole)
      return decodeEither(bytes.subarray(0, whole))
    },
  }
}

const decodeEither = (bytes: Uint8Array): string => {
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes)
  const parts: string[] = []
  eachLine(bytes, (line) => {
    parts.push(new TextDecoder(isUtf8(line) ? 'utf-8' : 'windows-1252').decode(line))
  })
  return parts.join('')
}
