/**
 * The text of a cell that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe before it, and
 * so does one that already has apostrophes there. `restoreCell` takes it away again: for every text, the original.
 */
export const neutraliseCell = (text: string): string => (LIVE.test(text) ? `'${text}` : text)

/** The text that `neutraliseCell` was given; a cell of any other origin loses only an apostrophe that hides a formula. */
export const restoreCell = (cell: string): string =>
  cell.charCodeAt(0) === APOSTROPHE && HIDDEN.test(cell) ? cell.slice(1) : cell

const APOSTROPHE = 39
/** What programs take for the beginning of a formula, also after blanks and invisible characters, and at full width. */
const FORMULA = String.raw`(?:[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|[\t\r\n])`
const LIVE = new RegExp(`^'*${FORMULA}`, 'u')
const HIDDEN = new RegExp(`^'+${FORMULA}`, 'u')

/**
 * Several texts in one cell: parted by a semicolon; one that holds a separator, a quote or outer blanks stands in quotes.
 * `splitList` reads it back: for every list without empty texts, the same list.
 */
export const joinList = (items: readonly string[]): string =>
  items.map((item) => (ASKS_FOR_QUOTES.test(item) ? `"${item.replaceAll('"', '""')}"` : item)).join('; ')

/** The texts in a cell, parted by semicolons, commas, pipes or line ends; what stands in quotes is one text. */
export const splitList = (cell: string): string[] => partsOf(cell).map(({ text }) => text)

/** One text of those in a cell, and where it stands there. */
export type CellPart = { text: string; from: number; to: number }

/** The texts in a cell, as `splitList` tells them, with their places. */
export const partsOf = (cell: string): CellPart[] =>
  [...cell.matchAll(ITEMS)]
    .map(({ 0: { length }, 1: quoted, 2: plain = '', index }) => ({
      text: quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'),
      from: index,
      to: index + length,
    }))
    .filter(({ text }) => text !== '')

/** What parts texts in a text, one after the other. */
export const separatorsOf = (text: string): string => text.replaceAll(/[^;,|\r\n]+/g, '')

const ASKS_FOR_QUOTES = /[;,|"\r\n]|^\s|\s$/
const ITEMS = /\s*"((?:[^"]|"")*)"\s*(?=[;,|\r\n]|$)|([^;,|\r\n]+)/g
