import { readDate, stylesOf } from './csv-dates.ts'
import { minorAmount, readMoney, withoutCurrency } from './csv-money.ts'
import { separatorOf } from './csv-numbers.ts'
import type { FieldKey } from './file-labels.ts'
import { factKeys, type FileFact } from './file-summary.ts'
import { isMailboxProvider, companyDomain } from './lead-keys.ts'
import { countryCode, Email, Line, normalisePhone, Website } from './lead-fields.ts'
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
    const day = readDay(text)
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

/** `12,400.00 EUR` in minor units; a sign that several currencies share counts as the organization's own, or not at all. */
const readAmount = (text: string, own_currency: string): Values | undefined => {
  const money = readMoney(text, separatorOf(withoutCurrency(text).rest)?.decimal ?? '.')
  if (!money?.currencies) return undefined
  const read = minorAmount(money, { fallback: own_currency })
  return 'value' in read && read.value > 0 ? { value_minor: read.value, currency: read.currency } : undefined
}

/** A date as `YYYY-MM-DD`; one whose day and month could be taken for each other is none. */
const readDay = (text: string): string | undefined => {
  // Whoever writes points writes the day first.
  const styles = /^\d{1,2}\./.test(text) ? (['dmy'] as const) : stylesOf(text)
  const [day, ...others] = new Set(styles.map((style) => readDate(text, style)))
  return others.length > 0 ? undefined : day
}
