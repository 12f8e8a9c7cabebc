import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { Problem } from '../problem.ts'

/** A field of a form: its text, or the name, size and type of the file in it. */
export type FormField = [name: string, value: string | { file: string; size: number; type: string }]

/** More than any form has; each costs time in which others wait. */
const MAX_FIELDS = 5_000

/**
 * The fields of a form in the order they were sent. Their charset is what the part says, the field `_charset_`, or the
 * content type; where none is said, or UTF-8 is, what is no UTF-8 is read as windows-1252, field by field.
 * @throws {Problem} 400 `invalid_form`, `unknown_charset`, naming the field
 */
export const readForm = (bytes: Uint8Array, content_type: string): FormField[] => {
  // One character per byte: nothing is lost before its charset is known.
  const body = latin1(bytes)
  const parts = /^\s*multipart\//i.test(content_type) ? partsOf(body, content_type) : pairsOf(body)
  const chosen = parts.find(({ name, file }) => name === CHOICE && file === undefined)?.value.trim()
  // Of a multipart form the parts say it; its content type has no charset of its own.
  const common = chosen
    ? decoderOf(chosen, `/${CHOICE}`)
    : decoderOf(parameterOf(content_type, 'charset'), '/Content-Type')
  return parts.map((part) => {
    const name = decode(part.name, common, '')
    const pointer = pointerOf(name)
    if (part.file === undefined) {
      const decoder = part.charset === undefined ? common : decoderOf(part.charset, pointer)
      return [name, decode(part.value, decoder, pointer)]
    }
    return [name, { file: decode(part.file, common, pointer), size: part.value.length, type: part.type }]
  })
}

/** The field in which a page says how its form was written (HTML, `accept-charset`). */
const CHOICE = '_charset_'

/** All of it as characters that are the bytes. */
type Part = { name: string; value: string; charset?: string | undefined; file?: string; type: string }

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

const pairsOf = (body: string): Part[] => {
  const pairs = body.split('&', MAX_FIELDS + 1)
  refuseMany(pairs.length)
  return pairs.filter(Boolean).map((pair) => {
    const at = pair.indexOf('=')
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    return { name: unescaped(name), value: unescaped(value), type: '' }
  })
}

/** Byte by byte: a replacement for each of a hundred thousand escapes would take its time. */
const unescaped = (text: string): string => {
  if (!text.includes('%')) return text.replaceAll('+', ' ')
  const bytes = Buffer.from(text, 'latin1')
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    const high = byte === PERCENT ? hexAt(bytes, at + 1) : -1
    const low = high < 0 ? -1 : hexAt(bytes, at + 2)
    if (low >= 0) at += 2
    bytes[length] = low >= 0 ? high * 16 + low : byte === PLUS ? BLANK : byte
    length += 1
  }
  return bytes.toString('latin1', 0, length)
}

const hexAt = (bytes: Uint8Array, at: number): number => HEX[bytes[at] ?? 0] ?? -1

/** By byte; -1 for what is no hexadecimal digit. */
const HEX = Array.from({ length: 256 }, (_, byte) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase()),
)
const [PERCENT, PLUS, BLANK = 32] = Buffer.from('%+ ')

const partsOf = (body: string, content_type: string): Part[] => {
  const boundary = parameterOf(content_type, 'boundary')
  if (!boundary) throw unlike()
  // What stands before the first part and after the last one is nothing.
  const [, ...pieces] = `\r\n${body}`.split(`\r\n--${boundary}`, MAX_FIELDS + 3)
  refuseMany(pieces.length - 1)
  if (!pieces.pop()?.startsWith('--')) throw unlike()
  return pieces.map((piece) => {
    const opening = /^[ \t]*\r\n/.exec(piece)?.[0]
    const empty = piece.indexOf('\r\n\r\n')
    if (opening === undefined || empty < 0) throw unlike()
    return partOf(piece.slice(opening.length, empty), piece.slice(empty + 4))
  })
}

const partOf = (head: string, content: string): Part => {
  const headers = new Map(
    head.split('\r\n').map((line) => {
      const at = line.indexOf(':')
      return [line.slice(0, Math.max(at, 0)).trim().toLowerCase(), line.slice(at + 1).trim()]
    }),
  )
  const disposition = headers.get('content-disposition') ?? ''
  const name = parameterOf(disposition, 'name')
  if (!/^form-data\s*;/i.test(disposition) || name === undefined) throw unlike()
  const type = headers.get('content-type') ?? 'text/plain'
  const file = parameterOf(disposition, 'filename')
  const value =
    headers.get('content-transfer-encoding')?.toLowerCase() === 'base64'
      ? latin1(Buffer.from(content, 'base64'))
      : content
  return {
    name: unquoted(name),
    value,
    charset: parameterOf(type, 'charset'),
    type: type.toLowerCase(),
    ...(file === undefined ? {} : { file: unquoted(file) }),
  }
}

/** Browsers write three characters of a name like this, so that it stays in its quotes. */
const unquoted = (name: string): string =>
  name.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n')

const parameterOf = (header: string, name: string): string | undefined => {
  const found = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^;\\s]*))`, 'i').exec(header)
  return found?.[1] ?? found?.[2]
}

const UTF_8 = new TextDecoder()
const WINDOWS_1252 = new TextDecoder('windows-1252')

const decoderOf = (charset: string | undefined, pointer: string): TextDecoder => {
  if (!charset) return UTF_8
  try {
    const decoder = new TextDecoder(charset, { fatal: true })
    return decoder.encoding === UTF_8.encoding ? UTF_8 : decoder
  } catch {
    const said = `“${charset.slice(0, 60)}”`
    throw new Problem(
      400,
      'unknown_charset',
      `The form says that it is written in ${said}, which is no charset that is known. Send it in UTF-8.`,
      {
        errors: [
          { pointer, message: `${said} is no charset of the WHATWG’s Encoding Standard`, accepted: ACCEPTED },
        ],
      },
    )
  }
}

const ACCEPTED = ['utf-8', 'windows-1252', 'iso-8859-15', 'windows-1250', 'shift_jis', 'gb18030']

const decode = (characters: string, decoder: TextDecoder, pointer: string): string => {
  const bytes = Buffer.from(characters, 'latin1')
  if (decoder === UTF_8) return (isUtf8(bytes) ? UTF_8 : WINDOWS_1252).decode(bytes)
  try {
    return decoder.decode(bytes)
  } catch {
    throw new Problem(400, 'invalid_form', `The form is not the ${decoder.encoding} that it says it is.`, {
      errors: [{ pointer, message: `text that can be read as ${decoder.encoding}, or the form in UTF-8` }],
    })
  }
}

const pointerOf = (name: string): string =>
  `/${name.slice(0, 60).replaceAll('~', '~0').replaceAll('/', '~1')}`

const refuseMany = (fields: number): void => {
  if (fields <= MAX_FIELDS) return
  throw new Problem(400, 'invalid_form', `The form has more than ${MAX_FIELDS.toLocaleString('en')} fields.`)
}

const unlike = (): Problem =>
  new Problem(400, 'invalid_form', 'The body is not the form that its content type announces.')
