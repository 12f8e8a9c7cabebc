import { stylesOf } from './csv-dates.ts'
import { withoutCurrency } from './csv-money.ts'
import { isNumber } from './csv-numbers.ts'
import { countryCode, Currency, Email, normalisePhone, Website } from './lead-fields.ts'

/** What a cell looks like, whatever its column is called. */
export const cellKinds = [
  'blank',
  'email',
  'url',
  'domain',
  'date',
  'money',
  'number',
  'phone',
  'id',
  'currency',
  'country',
  'long_text',
  'text',
] as const
export type CellKind = (typeof cellKinds)[number]

/** What a cell looks like by itself: the first kind that fits. */
export const kindOfCell = (cell: string): CellKind => {
  const text = cell.trim()
  if (text === '') return 'blank'
  if (text.length > 300 || text.includes('\n')) return 'long_text'
  if (text.includes('@')) return Email.safeParse(text.replace(/^mailto:/i, '')).success ? 'email' : 'text'
  if (/^https?:\/\//i.test(text) || /^www\./i.test(text))
    return Website.safeParse(text).success ? 'url' : 'text'
  if (/\d/.test(text)) return kindOfFigures(text)
  if (/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(text) && !text.endsWith('.')) return 'domain'
  if (/^[A-Z]{3}$/.test(text) && Currency.safeParse(text).success) return 'currency'
  // "Bo" is a name, "BO" is Bolivia.
  if (text.length === 2 && text !== text.toUpperCase()) return 'text'
  return text.length <= 60 && countryCode(text) !== null ? 'country' : 'text'
}

const kindOfFigures = (text: string): CellKind => {
  if (UUID.test(text)) return 'id'
  if (stylesOf(text).length > 0) return 'date'
  if (/^\+\d/.test(text) || PHONE.test(text)) {
    if (text.startsWith('+') || text.startsWith('00')) return normalisePhone(text).phone ? 'phone' : 'text'
    return 'phone'
  }
  const { rest, currencies } = withoutCurrency(text)
  if (isNumber(rest)) return currencies ? 'money' : 'number'
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}$/i.test(text) ? 'domain' : 'text'
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** Groups of digits as nobody writes a number: a leading zero or bracket, or several joints. */
const PHONE =
  /^(?:00\d{7,}|0\d[\d\s/().-]{5,18}\d|\(\d{2,5}\)[\d\s/.-]{5,15}|\d{3}[-. ]\d{3}[-. ]\d{4}(?: ?x\d+)?)$/
