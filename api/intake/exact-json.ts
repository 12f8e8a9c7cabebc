import { endOfString, parseJson } from '../body.ts'

/**
 * Reads bytes as JSON in which no digit of a number is lost: a number that JavaScript cannot hold, or would write
 * otherwise, is the text of it as it was sent, as is every whole number of 17 digits or more. Ids of other systems are
 * such numbers, and rounded they would be somebody else's.
 * @throws {Problem} 400 `invalid_json`, as `parseJson` does
 */
export const parseExactJson = (bytes: Uint8Array): unknown => {
  // First as it is: quotes could make JSON of what is none.
  const value = parseJson(bytes)
  const inexact = inexactNumbers(bytes)
  return inexact.length === 0 ? value : JSON.parse(utf8.decode(quoted(bytes, inexact)))
}

/** A double holds every number of so many digits, and none of two more that is whole. */
const EXACT_DIGITS = 15
/** No double is written in more characters. */
const MAX_WRITTEN = 40
/** Where powers of ten are neither cut nor written as powers again. */
const RANGE = [1e-300, 1e21] as const

/** Where numbers begin and end that would not be the same as doubles, one after the other. */
const inexactNumbers = (json: Uint8Array): number[] => {
  const places: number[] = []
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] ?? 0
    if (byte === QUOTE) at = endOfString(json, at + 1)
    else if (byte === MINUS || isDigit(byte)) {
      const start = at
      let digits = 0
      let whole = true
      let power = false
      for (; at < json.length && !ENDS_NUMBER[json[at] ?? 0]; at++) {
        const part = json[at] ?? 0
        if (isDigit(part)) digits += 1
        else if (part === E || part === CAPITAL_E) power = true
        else if (part === POINT) whole = false
      }
      if (digits > EXACT_DIGITS || power) {
        const long = at - start > MAX_WRITTEN || (whole && !power && digits > EXACT_DIGITS + 1)
        if (long || !isExact(json, start, at, digits)) places.push(start, at)
      }
      at -= 1
    }
  }
  return places
}

const isExact = (json: Uint8Array, start: number, end: number, digits: number): boolean => {
  const written = Buffer.from(json.buffer, json.byteOffset + start, end - start).toString('latin1')
  const value = Number(written)
  const size = Math.abs(value)
  if (digits <= EXACT_DIGITS && size > RANGE[0] && size < RANGE[1]) return true
  return String(value) === written
}

/** The same bytes with quotes around what lies between these places. */
const quoted = (json: Uint8Array, places: readonly number[]): Uint8Array => {
  const out = new Uint8Array(json.length + places.length)
  let from = 0
  for (const [n, place] of places.entries()) {
    // Byte by byte: the pieces are too short to be worth a call.
    for (; from < place; from++) out[from + n] = json[from] ?? 0
    out[place + n] = QUOTE
  }
  out.set(json.subarray(from), from + places.length)
  return out
}

const utf8 = new TextDecoder()

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE

const [QUOTE = 0, MINUS = 0, POINT = 0, E = 0, CAPITAL_E = 0, ZERO = 0, NINE = 0] = Buffer.from('"-.eE09')
/** By byte: everything that no number of JSON has. */
const ENDS_NUMBER = Array.from({ length: 256 }, (_, byte) => !/[-+.\deE]/.test(String.fromCharCode(byte)))
