import type { Fault } from '../db/errors.ts'
import { Problem } from './problem.ts'

/** Bytes of a request body, unless a route says otherwise. */
export const BODY_LIMIT = 1_000_000

/** How deep JSON may nest: what serialises it later works recursively. */
const MAX_DEPTH = 64

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
 * @throws {Problem} 400 `invalid_json`, also when it nests deeper than 64
 */
export const parseJson = (bytes: Uint8Array): unknown => {
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(bytes))
  } catch {
    throw new Problem(400, 'invalid_json', 'The body is not JSON in UTF-8.')
  }
  if (deeperThan(value, MAX_DEPTH)) {
    throw new Problem(400, 'invalid_json', `The body nests deeper than ${MAX_DEPTH} levels.`)
  }
  return value
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

const deeperThan = (value: unknown, depth: number): boolean => {
  if (value === null || typeof value !== 'object') return false
  if (depth === 0) return true
  return Object.values(value).some((member) => deeperThan(member, depth - 1))
}
