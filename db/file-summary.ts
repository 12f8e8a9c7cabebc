import { findPhoneNumbersInText } from 'libphonenumber-js/max'
import { stylesOf } from './csv-dates.ts'
import { fieldKeys, labelledIn, labelledInTable } from './file-labels.ts'
import { AMOUNT, COMPANY, DATE, EMAIL } from './file-patterns.ts'
import { clip, visibleText } from './text.ts'

/** What kinds of facts are read from a file: those that are fields of a record, and what else matters in it. */
export const factKeys = ['amount', 'date', 'party', ...fieldKeys] as const

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

/** `cells` are more than one where it is a row. */
type Line = { text: string; page: number; cells: string[] }

const linesOf = (pages: readonly string[]): Line[] => {
  let left = LIMITS.read
  return pages.flatMap((page, n) => {
    const part = page.slice(0, Math.max(0, left))
    left -= part.length
    return part
      .split('\n')
      .map((line) => {
        const text = clip(line.replaceAll(/\s+/g, ' ').trim(), LIMITS.line)
        return {
          text,
          page: n + 1,
          cells: line
            .slice(0, LIMITS.line - 1)
            .split('\t')
            .map(onOneLine),
        }
      })
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

/** In the order of the file; where there are too many, what it names itself comes first. */
const factsOf = (lines: readonly Line[], paged: boolean): FileFact[] => {
  const facts: { fact: FileFact; at: number }[] = []
  const seen = new Set<string>()
  const counts: Partial<Record<FileFact['key'], number>> = {}
  const add = (at: number, { key, value }: Found): void => {
    const { text, page } = lines[at] ?? { text: '', page: 1 }
    const name = `${key} ${value.toLowerCase()}`
    const count = counts[key] ?? 0
    if (seen.has(name) || count >= LIMITS.each || facts.length >= LIMITS.facts) return
    seen.add(name)
    counts[key] = count + 1
    facts.push({ at, fact: { key, value, quote: quoteOf(text, value), ...(paged ? { page } : {}) } })
  }
  const plain = lines.map((line) => readers.flatMap((read) => read(line)))
  for (const [at, found] of namedIn(lines).entries()) {
    // The same number, already as it is dialled.
    for (const one of found)
      if (one.key !== 'phone' || !plain[at]?.some(({ key }) => key === 'phone')) add(at, one)
  }
  for (const [at, found] of plain.entries()) for (const one of found) add(at, one)
  return facts.toSorted((a, b) => a.at - b.at).map(({ fact }) => fact)
}

/** What each line names itself, or the row of labels above it. */
const namedIn = (lines: readonly Line[]): Found[][] => {
  const rows = Map.groupBy(
    lines.filter(({ cells }) => cells.length > 1),
    ({ page }) => page,
  )
  const below = new Map(
    [...rows.values()].map((table) => [table[1], labelledInTable(table.map(({ cells }) => cells))]),
  )
  return lines.map((line) => {
    const found = below.get(line) ?? []
    return found.length > 0 ? found : labelledIn(line.cells)
  })
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

/** `Client: Brightside Coffee`, as offers, orders and contracts name who they are between. */
const PARTY =
  /^(?:client|customer|buyer|seller|supplier|vendor|contractor|landlord|tenant|bill to|ship to|party [ab]|kunde|auftraggeber|auftragnehmer|lieferant|verkäufer|käufer)\s*:\s*(\S.{1,80})$/i

const readers: ((line: Line) => Found[])[] = [
  ({ text }) => found('amount', text.match(AMOUNT) ?? []),
  ({ text }) =>
    found(
      'date',
      (text.match(DATE) ?? []).filter((date) => stylesOf(date).length > 0),
    ),
  ({ text }) =>
    found(
      'email',
      (text.match(EMAIL) ?? []).map((address) => address.toLowerCase()),
    ),
  // What stands in the next cell is no part of a number.
  ({ cells }) => found('phone', cells.flatMap(phonesIn)),
  ({ text }) => found('party', [PARTY.exec(text)?.[1], ...(text.match(COMPANY) ?? [])]),
]

const phonesIn = (text: string): string[] =>
  // Looking for numbers costs most, and a phone has at least seven digits.
  /\d(?:\D{0,3}\d){6}/.test(text)
    ? findPhoneNumbersInText(text)
        .filter(({ startsAt }) => !/fax\W{0,5}$/i.test(text.slice(0, startsAt)))
        .map(({ number }) => number.number)
    : []
