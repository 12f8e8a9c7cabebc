import { normaliseName } from './lead-keys.ts'

/** The order in which a date of digits is written: year, month and day, each by its first letter. */
export const dateStyles = ['ymd', 'dmy', 'mdy'] as const
export type DateStyle = (typeof dateStyles)[number]

/** The style in which each is written to people. */
export const dateExamples: Record<DateStyle, string> = {
  ymd: '2026-03-31',
  dmy: '31.03.2026 or 31/03/2026',
  mdy: '03/31/2026',
}

/**
 * A date as YYYY-MM-DD, of a date or a moment written in digits in this style, with the year first, or with the name of its
 * month; undefined when it is none. A moment counts by the day that is written. Years of two digits are 1969 to 2068.
 */
export const readDate = (text: string, style: DateStyle): string | undefined => {
  const parts = partsOf(text)
  if (!parts) return undefined
  return 'month' in parts ? calendarDate(parts.year, parts.month, parts.day) : ordered(parts, style)
}

/** In which styles a date of digits can be read; all of them where its parts are told apart otherwise; none for no date. */
export const stylesOf = (text: string): readonly DateStyle[] => {
  const parts = partsOf(text)
  if (!parts) return []
  if ('month' in parts) return calendarDate(parts.year, parts.month, parts.day) ? dateStyles : []
  if (parts.digits[0].length === 4) return ordered(parts, 'ymd') ? dateStyles : []
  const fitting = dateStyles.filter((style) => ordered(parts, style) !== undefined)
  // A short year comes last unless nothing else makes a date.
  return fitting.length > 1 ? fitting.filter((style) => style !== 'ymd') : fitting
}

/** What was probably meant by a cell that is no date in its column's style. */
export const nearestDate = (text: string, style: DateStyle): string | undefined => {
  const parts = partsOf(text)
  if (parts && 'month' in parts) return lastDay(parts.year, parts.month, parts.day)
  if (parts) {
    const [other] = stylesOf(text)
    if (other) return ordered(parts, other)
    const { year, month, day } = named(parts, style)
    return lastDay(yearOf(year), Number(month), Number(day))
  }
  // The number that a spreadsheet keeps instead of a date: days since the end of 1899.
  if (/^\d{5}(?:[.,]\d+)?$/.test(text.trim()))
    return new Date(Date.UTC(1899, 11, 30) + Math.floor(Number(text.trim().replace(',', '.'))) * DAY_MS)
      .toISOString()
      .slice(0, 10)
  return undefined
}

const DAY_MS = 86_400_000

type InDigits = { digits: [string, string, string] }
type InWords = { year: number; month: number; day: number }

const TIME = String.raw`(?:[T,\s]\s*\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d{1,9})?)?\s*(?:[ap]\.?\s?m\.?)?\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?`
const DIGITS = new RegExp(String.raw`^(\d{1,4})([./-])\s?(\d{1,2})\2\s?(\d{1,4})\.?${TIME}$`, 'i')
const COMPACT = /^((?:19|20)\d\d)(\d\d)(\d\d)$/
const ORDINAL = '(?:st|nd|rd|th|er|re|e|º|ª|\\.)?'
const DAY_FIRST = new RegExp(
  String.raw`^(\d{1,2})${ORDINAL}[\s/-]*(?:de\s+)?(\p{L}{3,})\.?[\s/,-]+(?:del?\s+)?(\d{2}|\d{4})${TIME}$`,
  'iu',
)
const MONTH_FIRST = new RegExp(
  String.raw`^(\p{L}{3,})\.?[\s/-]+(\d{1,2})${ORDINAL}[\s/,-]+(\d{4})${TIME}$`,
  'iu',
)

const partsOf = (given: string): InDigits | InWords | undefined => {
  const text = given.trim()
  // Nothing shorter or longer is a date: most cells are told apart here.
  if (text.length < 6 || text.length > 45) return undefined
  const digits = DIGITS.exec(text)
  if (digits) return { digits: [digits[1] ?? '', digits[3] ?? '', digits[4] ?? ''] }
  const compact = COMPACT.exec(text)
  if (compact) return { digits: [compact[1] ?? '', compact[2] ?? '', compact[3] ?? ''] }
  const [, day, name = '', year] = DAY_FIRST.exec(text) ?? []
  if (day) return inWords(year, name, day)
  const [, month = '', of, in_year] = MONTH_FIRST.exec(text) ?? []
  return of ? inWords(in_year, month, of) : undefined
}

const inWords = (year = '', name: string, day: string): InWords | undefined => {
  const month = MONTHS.get(normaliseName(name))
  return month === undefined ? undefined : { year: yearOf(year), month, day: Number(day) }
}

const named = ({ digits: [a, b, c] }: InDigits, style: DateStyle) => {
  if (a.length === 4 || style === 'ymd') return { year: a, month: b, day: c }
  return style === 'dmy' ? { year: c, month: b, day: a } : { year: c, month: a, day: b }
}

const ordered = (parts: InDigits, style: DateStyle): string | undefined => {
  const { year, month, day } = named(parts, style)
  if (year.length !== 4 && year.length !== 2) return undefined
  if (month.length > 2 || day.length > 2) return undefined
  return calendarDate(yearOf(year), Number(month), Number(day))
}

const yearOf = (year: string): number => {
  const number = Number(year)
  if (year.length !== 2) return number
  return number < 69 ? 2000 + number : 1900 + number
}

const calendarDate = (year: number, month: number, day: number): string | undefined =>
  day >= 1 && day <= daysIn(year, month) ? written(year, month, day) : undefined

const lastDay = (year: number, month: number, day: number): string | undefined => {
  const days = daysIn(year, month)
  return days > 0 && day > days && day <= 31 ? written(year, month, days) : undefined
}

/** 0 for what is no month of a year that people write. */
const daysIn = (year: number, month: number): number =>
  year >= 1000 && year <= 9999 && month >= 1 && month <= 12
    ? new Date(Date.UTC(year, month, 0)).getUTCDate()
    : 0

const written = (year: number, month: number, day: number): string =>
  [String(year), String(month).padStart(2, '0'), String(day).padStart(2, '0')].join('-')

/** The names of months, long and short, as they are written in each language, without accents. */
const MONTHS = new Map<string, number>()
for (const language of ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'cs', 'sv', 'da', 'ru'])
  for (const month of ['long', 'short'] as const) {
    const format = new Intl.DateTimeFormat(language, { month, day: 'numeric', timeZone: 'UTC' })
    for (let n = 0; n < 12; n++) {
      const part = format.formatToParts(Date.UTC(2026, n, 15)).find(({ type }) => type === 'month')
      const name = normaliseName(part?.value ?? '')
      if (name.length >= 3 && !MONTHS.has(name)) MONTHS.set(name, n + 1)
    }
  }
MONTHS.set('sept', 9)
