const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g
/** Zero-width, bidirectional and tag characters: they hide text from the person who reads an approval. */
const INVISIBLE =
  /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu

/** Most texts: nothing in them hides, and nothing has to be looked for. */
const PLAIN = /^[\t\n\u0020-\u007e\u00a0-\u00ac\u00ae-\u02ff]*$/

/** Text that a person can see whole: no control, zero-width or bidirectional characters, no lone surrogates. */
export const visibleText = (text: string): string =>
  PLAIN.test(text)
    ? text
    : text.toWellFormed().replace(CONTROL, '').replace(INVISIBLE, '').replaceAll('\r\n', '\n')

/** A JSON value as PostgreSQL can store it: NUL characters and lone surrogates are replaced, nothing else changes. */
export const storableJson = (value: unknown): unknown => {
  if (typeof value === 'string') return storableText(value)
  if (Array.isArray(value)) return value.map(storableJson)
  if (value !== null && typeof value === 'object') {
    if (value instanceof Date) return value.toISOString()
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => [storableText(key), storableJson(member)]),
    )
  }
  return value
}

/** Text as PostgreSQL can store it. */
export const storableText = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\ufffd')

/** Text as people compare it: without case, accents and doubled spaces. */
export const foldText = (text: string): string =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll('ß', 'ss')
    .replaceAll(/\s+/g, ' ')
    .trim()

/** Cuts at a number of characters, with an ellipsis where something was cut; never in the middle of a character. */
export const clip = (text: string, length: number): string =>
  text.length <= length
    ? text
    : `${text
        .slice(0, Math.max(0, length - 1))
        .replace(/[\ud800-\udbff]$/, '')
        .trimEnd()}…`

/** In which encoding a text is written, by its mark or by whether it is UTF-8; otherwise that of Western Windows. */
export const encodingOf = (head: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252' => {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le'
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be'
  try {
    // Cut anywhere: what a character's rest would be is not looked at.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return 'utf-8'
  } catch {
    return 'windows-1252'
  }
}
