import { MARKS } from './name-keys.ts'

const marks = new RegExp(MARKS, 'g')

/** Letters that do not decompose, and what people write who do not have them. */
const [LETTERS, PLAIN] = ['øłđðıς', 'olddiσ']
const PAIRS = { ß: 'ss', æ: 'ae', œ: 'oe' }

/**
 * Text as it is searched: without case and accents, so that “Dvořák”, “DVORAK” and “dvorak” find each other; its signs
 * stay, because addresses are made of them.
 */
export const searchText = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(marks, '')
    .toLowerCase()
    .replaceAll(/[øłđðıς]/g, (letter) => PLAIN[LETTERS.indexOf(letter)] ?? letter)
    .replaceAll(/[ßæœ]/g, (letter) => PAIRS[letter as keyof typeof PAIRS])

/** The same of an SQL expression of type text. */
export const searchTextOf = (expression: string): string =>
  Object.entries(PAIRS).reduce(
    (sql, [letter, plain]) => `replace(${sql}, '${letter}', '${plain}')`,
    `translate(lower(regexp_replace(normalize(${expression}, NFKD), '${MARKS}', '', 'g')), '${LETTERS}', '${PLAIN}')`,
  )

/** The expression of the columns `search_text`: these columns, and of a number that could not be read its digits. */
export const searchColumn = (...columns: string[]): string => {
  const texts = columns.map((column) =>
    column === 'phone'
      ? `coalesce(phone, regexp_replace(phone_original, '[^0-9]', '', 'g'), '')`
      : column === 'name'
        ? 'name'
        : `coalesce(${column}, '')`,
  )
  return searchTextOf(texts.map((text) => `' ' || ${text}`).join(' || '))
}

/**
 * The digits of a search that is a telephone number, however it is set, without what its country's trunk adds in front;
 * undefined for fewer than five, and for what is none.
 */
export const phoneDigits = (q: string): string | undefined => {
  if (!/^[+(\d][\d\s()./-]*$/.test(q.trim())) return undefined
  const digits = q.replace('(0)', '').replaceAll(/\D/g, '').replace(/^0+/, '')
  return digits.length < 5 ? undefined : digits
}
