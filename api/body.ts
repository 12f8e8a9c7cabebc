import type { Fault } from '../db/errors.ts'
import { Problem } from './problem.ts'

/** Bytes of a request body, unless a route says otherwise. */
export const BODY_LIMIT = 1_000_000

/** How JSON may be built: what parses, checks and serialises it works value by value, and others wait meanwhile. */
const MAX_DEPTH = 64
const MAX_VALUES = 50_000
const MAX_MEMBERS = 5_000

/**
 * Reads a request's body, and no more of it than is accepted.
 * @throws {Problem} 413 `body_too_large`, before the rest is read
 */
export const readBody = async (request: Request, limit = BODY_LIMIT): Promise<Uint8Array> => {
  const announced = request.headers.get('content-length')
  if (announced !== null && Number(announced) > limit) throw tooLarge(limit)
  // Announced and within the limit: the server reads no more than was announced.
  if (announced !== null || request.body === null) return new Uint8Array(await request.arrayBuffer())
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of request.body) {
    length += part.byteLength
    if (length > limit) throw tooLarge(limit)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/**
 * Reads bytes as JSON text in UTF-8.
 * @throws {Problem} 400 `invalid_json`, also when it nests deeper than 64, holds more than 50,000 values, or an object
 * of more than 5,000 members
 */
export const parseJson = (bytes: Uint8Array): unknown => {
  refuseUnwieldy(bytes)
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    throw new Problem(400, 'invalid_json', 'The body is not JSON in UTF-8.')
  }
}

/**
 * Reads bytes as JSON text whose every text a database column can hold.
 * @throws {Problem} 400 `invalid_json`; 422 `invalid_input`, naming each place that cannot be stored
 */
export const parseStorableJson = (bytes: Uint8Array): unknown => {
  const value = parseJson(bytes)
  // What is whole in UTF-8 holds such text only where it is spelled out: \u0000, \ud800.
  const errors = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('\\u')
    ? unstorableTexts(value)
    : []
  if (errors.length === 0) return value
  throw new Problem(422, 'invalid_input', 'The body holds text that cannot be stored.', {
    errors: errors.slice(0, 50),
  })
}

/** Texts that no database column holds: NUL characters and halves of surrogate pairs, each with its place. */
export const unstorableTexts = (value: unknown, pointer = ''): Fault[] => {
  if (typeof value === 'string') return isStorable(value) ? [] : [{ pointer, message: UNSTORABLE }]
  if (Array.isArray(value)) return value.flatMap((item, n) => unstorableTexts(item, `${pointer}/${n}`))
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, member]) =>
    isStorable(key)
      ? unstorableTexts(member, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
      : [{ pointer, message: `A name in it: ${UNSTORABLE}` }],
  )
}

/** Whether PostgreSQL can hold a text. */
export const isStorable = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed()

const UNSTORABLE = 'This holds a NUL character or half of a surrogate pair; send whole Unicode text.'

const utf8 = new TextDecoder('utf-8', { fatal: true })

const tooLarge = (limit: number): Problem =>
  new Problem(413, 'body_too_large', `The body is larger than ${limit.toLocaleString('en')} bytes.`, {
    headers: { connection: 'close' },
    extra: { limit_bytes: limit },
  })

/** Known before anything is made of the text: a parser would take its time over brackets that nobody wants. */
const refuseUnwieldy = (bytes: Uint8Array): void => {
  let depth = 0
  let values = 0
  /** Of the object that is open at a depth; none of a list. */
  const members: (number | undefined)[] = []
  const count = (): void => {
    values += 1
    if (values > MAX_VALUES) throw unwieldy(`holds more than ${MAX_VALUES.toLocaleString('en')} values`)
  }
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfString(bytes, at + 1)
    else if (byte === COMMA) {
      count()
      const before = members[depth]
      if (before === undefined) continue
      members[depth] = before + 1
      if (before > MAX_MEMBERS)
        throw unwieldy(`holds an object of more than ${MAX_MEMBERS.toLocaleString('en')} members`)
    } else if (byte === BRACE || byte === BRACKET) {
      count()
      depth += 1
      members[depth] = byte === BRACE ? 1 : undefined
      if (depth > MAX_DEPTH) throw unwieldy(`nests deeper than ${MAX_DEPTH} levels`)
    } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) depth -= 1
  }
}

/** Where a string of JSON ends that begins at `from`, behind its quote. */
export const endOfString = (bytes: Uint8Array, from: number): number => {
  let at = from
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}

const [QUOTE, BACKSLASH, COMMA, BRACE, CLOSING_BRACE, BRACKET, CLOSING_BRACKET] = Buffer.from('"\\,{}[]')

const unwieldy = (what: string): Problem => new Problem(400, 'invalid_json', `The body ${what}.`)
