/**
 * Text as a person would see it: normalised, on one line, without control, format, bidirectional, private or other
 * invisible characters (variation selectors and tag characters included), which can hide instructions from a reader.
 */
export const plainText = (text: string): string => plainBlock(text).replace(/\s+/g, ' ').trim()

/** Like `plainText`, but keeps line breaks. */
export const plainBlock = (text: string): string =>
  text
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\t\v\f\r\u0085\u2028\u2029]/g, ' ')
    .replace(INVISIBLE, '')

/** Cuts to a length at a word, with an ellipsis where something is missing. */
export const shorten = (text: string, max_length: number): string => {
  if (text.length <= max_length) return text
  const cut = text
    .slice(0, max_length - 1)
    .toWellFormed()
    .replace(/\uFFFD$/, '')
  const word = cut.lastIndexOf(' ')
  return `${cut.slice(0, word > max_length / 2 ? word : undefined).trimEnd()}…`
}

/** The sentence or line around a match, at most `max_length` characters, the match inside it. */
export const sentenceAround = (
  text: string,
  index: number,
  length: number,
  max_length = SNIPPET_LENGTH,
): string => {
  const room = Math.max(0, max_length - length - 2)
  const before = text.slice(Math.max(0, index - Math.floor(room / 2)), index)
  const after = text.slice(index + length, index + length + Math.ceil(room / 2))
  const start = Math.max(
    ...[...before.matchAll(SENTENCE_END)].map((end) => end.index + end[0].length),
    before.lastIndexOf('\n') + 1,
    0,
  )
  const end = /[.!?…](?=\s|$)/.exec(after)
  const stop = Math.min(
    end ? end.index + 1 : after.length,
    after.includes('\n') ? after.indexOf('\n') : after.length,
  )
  return plainText(
    before.slice(start) + text.slice(index, index + length).slice(0, max_length) + after.slice(0, stop),
  )
}

/** The first sentence of a text. */
export const firstSentence = (text: string, max_length: number): string => {
  const end = /[.!?…](?=\s|$)/.exec(text.slice(40))
  return shorten(end ? text.slice(0, 40 + end.index + 1) : text, max_length)
}

/** The longest snippet that is kept as evidence. */
export const SNIPPET_LENGTH = 200

// Beside the Unicode categories: fillers and joiners that are letters by category, and variation selectors.
const INVISIBLE =
  /(?!\n)(?:[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\u{E0000}-\u{E0FFF}]|\p{Variation_Selector}|\p{Default_Ignorable_Code_Point}|\u2800)/gu
const SENTENCE_END = /[.!?…]\s+/g
