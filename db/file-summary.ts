import { findPhoneNumbersInText } from 'libphonenumber-js/max'
import { clip, visibleText } from './text.ts'

/** What kinds of facts are read from a file. */
export const factKeys = ['amount', 'date', 'email', 'phone', 'party'] as const

/** One thing that a file says: what it is, its value, and the words it was read from. */
export type FileFact = {
  key: (typeof factKeys)[number]
  value: string
  quote: string
  /** From 1; absent where the file has no pages. */
  page?: number
}

/** What a file is about, as a suggestion; `by` says who made it: `rules` here, the name of a model where one did. */
export type FileSummary = {
  text: string
  facts: FileFact[]
  by: string
  /** Which words the model was told. */
  prompt_version?: string
  /** Why it is still that of the rules although a model was asked. */
  error?: { code: string; message: string }
}

/** What a model says of a file, of which nothing is believed yet. */
export type SaidSummary = { text: string; facts: Omit<FileFact, 'page'>[] }

const LIMITS = { lines: 5, text: 600, quote: 200, facts: 40, each: 10, line: 1_000, read: 100_000, said: 200 }

/**
 * An extract by rules: the first lines that say something, and the key facts, each with its quote and page.
 * @param pages visible text; one where the file has no pages
 */
export const summariseText = (pages: readonly string[]): FileSummary => {
  const lines = linesOf(pages)
  return { text: firstLines(lines), facts: factsOf(lines, pages.length > 1), by: 'rules' }
}

/**
 * Of what a model says, what may be kept: a short text, and the facts whose quote stands in the file word for word, with their
 * value in it. Lines may be broken elsewhere. The page is where the quote was found, not where the model says.
 */
export const keepQuoted = (pages: readonly string[], said: SaidSummary): Omit<FileSummary, 'by'> => {
  const texts = pages.map(onOneLine)
  const facts: FileFact[] = []
  const seen = new Set<string>()
  for (const { key, ...given } of said.facts.slice(0, LIMITS.said)) {
    const value = onOneLine(given.value)
    const quote = onOneLine(given.quote)
    const at = value !== '' && quote.includes(value) ? texts.findIndex((text) => text.includes(quote)) : -1
    const name = `${key} ${value.toLowerCase()}`
    if (at < 0 || value.length > LIMITS.quote || seen.has(name) || facts.length >= LIMITS.facts) continue
    seen.add(name)
    facts.push({ key, value, quote: quoteOf(quote, value), ...(pages.length > 1 ? { page: at + 1 } : {}) })
  }
  return { text: clip(visibleText(said.text).trim(), LIMITS.text), facts }
}

const onOneLine = (text: string): string => visibleText(text).replaceAll(/\s+/g, ' ').trim()

type Line = { text: string; page: number }

const linesOf = (pages: readonly string[]): Line[] => {
  let left = LIMITS.read
  return pages.flatMap((page, n) => {
    const part = page.slice(0, Math.max(0, left))
    left -= part.length
    return part
      .split('\n')
      .map((line) => ({ text: clip(line.replaceAll(/\s+/g, ' ').trim(), LIMITS.line), page: n + 1 }))
      .filter(({ text }) => text !== '')
  })
}

/** A line says something when it has words; page numbers and rules drawn with dashes do not. */
const isMeaningful = (line: string): boolean =>
  (line.match(/\p{L}{2,}/gu)?.length ?? 0) >= 2 && !/^(?:page|seite|página)\s+\d+/i.test(line)

const firstLines = (lines: readonly Line[]): string => {
  const seen = new Set<string>()
  const first: string[] = []
  for (const { text } of lines) {
    if (!isMeaningful(text) || seen.has(text)) continue
    seen.add(text)
    first.push(text)
    if (first.length === LIMITS.lines) break
  }
  return clip((first.length > 0 ? first : lines.slice(0, 1).map(({ text }) => text)).join('\n'), LIMITS.text)
}

const factsOf = (lines: readonly Line[], paged: boolean): FileFact[] => {
  const facts: FileFact[] = []
  const seen = new Set<string>()
  const counts: Partial<Record<FileFact['key'], number>> = {}
  for (const { text, page } of lines) {
    for (const { key, value } of readers.flatMap((read) => read(text))) {
      const name = `${key} ${value.toLowerCase()}`
      const count = counts[key] ?? 0
      if (seen.has(name) || count >= LIMITS.each || facts.length >= LIMITS.facts) continue
      seen.add(name)
      counts[key] = count + 1
      facts.push({ key, value, quote: quoteOf(text, value), ...(paged ? { page } : {}) })
    }
  }
  return facts
}

/** The words around a value. */
const quoteOf = (line: string, value: string): string => {
  const at = Math.max(0, line.indexOf(value))
  const from = Math.max(0, Math.min(at - 60, line.length - LIMITS.quote))
  return clip(line.slice(from).replace(from > 0 ? /^\S*\s/ : /^/, ''), LIMITS.quote)
}

type Found = { key: FileFact['key']; value: string }

const found = (key: FileFact['key'], values: Iterable<string | undefined>): Found[] =>
  [...values].flatMap((value) => (value ? [{ key, value: value.trim() }] : []))

const MONTHS =
  'jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|januar|februar|märz|mai|juni|juli|oktober|dezember'
const NUMBER = String.raw`\d{1,3}(?:[.,' ]\d{3})*(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?`
const CURRENCY = 'EUR|USD|GBP|CHF|PLN|SEK|NOK|DKK|CZK|JPY|CAD|AUD|BRL|INR|CNY'
const AMOUNT = new RegExp(
  String.raw`(?<![\w.,])(?:(?:[€$£¥]|${CURRENCY})\s?(?:${NUMBER})|(?:${NUMBER})\s?(?:[€£¥]|(?:${CURRENCY})\b))(?![\w]|[.,]\d)`,
  'g',
)
const DATE = new RegExp(
  String.raw`(?<![\w.])(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}|\d{1,2}\.? (?:${MONTHS})\.?,? \d{4}|(?:${MONTHS})\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})(?![\w-])`,
  'gi',
)
const EMAIL = /[\w.+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/gi
const LEGAL =
  'GmbH(?: & Co\\. KG)?|AG|SE|KG|UG|Ltd\\.?|Limited|LLC|LLP|Inc\\.?|Corp\\.?|PLC|S\\.?A\\.?S?\\.?|S\\.?L\\.?|S\\.?r\\.?l\\.?|B\\.?V\\.?|N\\.?V\\.?|Oy|AB|ApS|A/S|Sp\\. z o\\.o\\.'
const COMPANY = new RegExp(
  String.raw`(?<!\p{L})(?:\p{Lu}[\p{L}\p{N}&'’-]*\s){1,5}(?:${LEGAL})(?![\p{L}\p{N}])`,
  'gu',
)
/** `Client: Brightside Coffee`, as offers, orders and contracts name who they are between. */
const PARTY =
  /^(?:client|customer|buyer|seller|supplier|vendor|contractor|landlord|tenant|bill to|ship to|party [ab]|kunde|auftraggeber|auftragnehmer|lieferant|verkäufer|käufer)\s*:\s*(\S.{1,80})$/i

const readers: ((line: string) => Found[])[] = [
  (line) => found('amount', line.match(AMOUNT) ?? []),
  (line) => found('date', (line.match(DATE) ?? []).filter(isDate)),
  (line) =>
    found(
      'email',
      (line.match(EMAIL) ?? []).map((address) => address.toLowerCase()),
    ),
  (line) =>
    // Looking for numbers costs most, and a phone has at least seven digits.
    /\d(?:\D{0,3}\d){6}/.test(line)
      ? found(
          'phone',
          findPhoneNumbersInText(line).map(({ number }) => number.number),
        )
      : [],
  (line) => found('party', [PARTY.exec(line)?.[1], ...(line.match(COMPANY) ?? [])]),
]

/** Versions and section numbers look like dates, but have no such day or month. */
const isDate = (text: string): boolean => {
  const parts = /^(\d{1,4})[-./](\d{1,2})[-./](\d{1,4})$/.exec(text)
  if (!parts) return true
  const [a, b, c] = parts.slice(1).map(Number)
  const [day, month] = String(a).length === 4 ? [c, b] : [a, b]
  const fits = (day: number | undefined, month: number | undefined): boolean =>
    day !== undefined && month !== undefined && day >= 1 && day <= 31 && month >= 1 && month <= 12
  return fits(day, month) || fits(month, day)
}
