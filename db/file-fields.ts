import { minorUnits } from './exchange-rates.ts'
import type { FieldKey } from './file-labels.ts'
import { isDate } from './file-patterns.ts'
import { factKeys, type FileFact } from './file-summary.ts'
import { isMailboxProvider, companyDomain } from './lead-duplicates.ts'
import { countryCode, Currency, Email, Line, normalisePhone, Website } from './lead-fields.ts'
import { findInstruction } from './lead-injection.ts'
import { fillableFields, isBlank } from './record-blanks.ts'
import type { RecordKind } from './records.ts'

/** A value for a blank field of a record, ready for it, and the fact that says so. */
export type Fill = { field: string; value: string | number; fact: FileFact }

/** What a value is read with. */
export type Terms = {
  /** ISO 3166 code of phones without a country of their own. */
  country: string | null
  /** ISO 4217 code that a sign such as $ may mean. */
  currency: string
  /** Today, `YYYY-MM-DD`: nothing is expected to close before it. */
  today: string
  /** The e-mail addresses of the organization's own people. */
  own_addresses: readonly string[]
}

/**
 * What facts of a file come to for the blank fields of a record: each value checked and normalised, and only where the file
 * says one thing. What is not what it should be, is the organization's own, or stands among words that are aimed at an
 * agent, is left out.
 */
export const fillsFrom = (
  kind: RecordKind,
  record: Record<string, unknown>,
  facts: readonly FileFact[],
  terms: Terms,
): Fill[] => {
  const wanted = new Set<string>(fillableFields[kind].filter((field) => isBlank(record, field)))
  const told = onlyReading('country', facts, terms)?.values['country']
  const named = record['country'] ?? told
  const home = (typeof named === 'string' ? countryCode(named) : null) ?? terms.country
  return factKeys.flatMap((key) => {
    const reading = onlyReading(key, facts, { ...terms, country: home })
    if (!reading) return []
    const { fact, values } = reading
    return Object.entries(values)
      .filter(([field]) => wanted.has(field))
      .map(([field, value]) => ({ field, value, fact }))
  })
}

type Values = Record<string, string | number>
type Reader = (text: string, terms: Terms) => Values | undefined
type Reading = { fact: FileFact; values: Values }

/** What the facts of one kind come to, where they agree. */
const onlyReading = (key: FileFact['key'], facts: readonly FileFact[], terms: Terms): Reading | undefined => {
  const [first, ...others] = facts.flatMap((fact): Reading[] => {
    if (fact.key !== key || findInstruction(fact.quote) !== undefined) return []
    const values = readers[key]?.(fact.value, terms)
    return values ? [{ fact, values }] : []
  })
  return others.some(({ values }) => first && !isSame(values, first.values)) ? undefined : first
}

const isSame = (a: Values, b: Values): boolean =>
  JSON.stringify(a).toLowerCase() === JSON.stringify(b).toLowerCase()

const words =
  (field: string) =>
  (text: string): Values | undefined => {
    const { data } = line.safeParse(text)
    return data && /\p{L}{2}/u.test(data) && findInstruction(data) === undefined
      ? { [field]: data }
      : undefined
  }

const line = Line(120)

/** Facts of other kinds belong to no field. */
const readers: Record<FieldKey, Reader> & Partial<Record<FileFact['key'], Reader>> = {
  email: (text, { own_addresses }) => {
    const { data: email } = Email.safeParse(text)
    return email === undefined || isOwn({ email }, own_addresses) ? undefined : { email }
  },
  phone: (text, { country }) => {
    const { phone } = normalisePhone(text, country)
    return phone === null ? undefined : { phone }
  },
  website: (text, { own_addresses }) => {
    const { data: website } = Website.safeParse(text)
    if (website === undefined || companyDomain({ website }) === null) return undefined
    return isOwn({ website }, own_addresses) ? undefined : { website }
  },
  company_name: words('company_name'),
  contact_name: words('contact_name'),
  title: words('title'),
  city: words('city'),
  state: words('state'),
  country: (text) => {
    const country = countryCode(text)
    return country === null ? undefined : { country }
  },
  industry: words('industry'),
  value: (text, { currency }) => readAmount(text, currency),
  expected_close_on: (text, { today }) => {
    const day = readDate(text)
    return day === undefined || day < today ? undefined : { expected_close_on: day }
  },
}

/** What we write on our own paper is not the customer's. */
const isOwn = (of: { email?: string; website?: string }, own_addresses: readonly string[]): boolean => {
  if (of.email !== undefined && own_addresses.includes(of.email)) return true
  const domain = companyDomain(of)
  return (
    domain !== null &&
    !isMailboxProvider(domain) &&
    own_addresses.some((email) => companyDomain({ email }) === domain)
  )
}

const SIGNS: Record<string, string[]> = {
  '€': ['EUR'],
  '£': ['GBP'],
  $: ['USD', 'CAD', 'AUD', 'NZD', 'SGD', 'HKD', 'MXN'],
  '¥': ['JPY', 'CNY'],
}

/** `12,400.00 EUR` in minor units; a sign that several currencies share counts as the organization's own, or not at all. */
const readAmount = (text: string, own_currency: string): Values | undefined => {
  const [sign = ''] = /[€$£¥]|[A-Z]{3}/.exec(text) ?? []
  const [digits = ''] = /\d(?:[\d.,' ]*\d)?/.exec(text) ?? []
  const meant = SIGNS[sign] ?? [sign]
  const currency = meant.length === 1 ? meant[0] : meant.find((code) => code === own_currency)
  if (currency === undefined || !Currency.safeParse(currency).success || digits === '') return undefined
  // The last point or comma parts the decimals where at most two digits follow; all others part thousands.
  const [, whole = '', decimals = ''] = /^(.*?)(?:[.,](\d{1,2}))?$/.exec(digits) ?? []
  const exponent = minorUnits(currency)
  const fraction = decimals.padEnd(exponent, '0')
  if (/[1-9]/.test(fraction.slice(exponent))) return undefined
  const value_minor = Number(`${whole.replaceAll(/\D/g, '')}${fraction.slice(0, exponent)}`)
  return Number.isSafeInteger(value_minor) && value_minor > 0 ? { value_minor, currency } : undefined
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const OTHER_MONTHS: Record<string, string> = { mär: 'mar', mai: 'may', okt: 'oct', dez: 'dec' }

/** A date as `YYYY-MM-DD`; one whose day and month could be taken for each other is none. */
const readDate = (text: string): string | undefined => {
  if (!isDate(text)) return undefined
  const iso = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (iso) return dayOf(iso[1], iso[2], iso[3])
  const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(text)
  if (dotted) return dayOf(dotted[3], dotted[2], dotted[1])
  const slashed = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text)
  if (slashed) {
    const [, a, b, year] = slashed
    if (a !== b && Number(a) <= 12 && Number(b) <= 12) return undefined
    return Number(a) > 12 ? dayOf(year, b, a) : dayOf(year, a, b)
  }
  const [year] = /\d{4}$/.exec(text) ?? []
  const [day] = /\d{1,2}(?!\d)/.exec(text) ?? []
  const name = /\p{L}{3,}/u.exec(text)?.[0].slice(0, 3).toLowerCase() ?? ''
  const month = MONTHS.indexOf(OTHER_MONTHS[name] ?? name) + 1
  return month === 0 ? undefined : dayOf(year, String(month), day)
}

const dayOf = (year = '', month = '', day = ''): string | undefined => {
  const written = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
  const at = new Date(`${written}T00:00:00Z`)
  return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== written ? undefined : written
}
