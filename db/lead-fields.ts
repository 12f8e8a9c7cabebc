import parsePhoneNumber, { isSupportedCountry } from 'libphonenumber-js/max'
import { z } from 'zod'
import { storableText, visibleText } from './text.ts'

/** Something that could not be understood; the value is kept as it came. */
export type Warning = { field: string; message: string; record_id?: string }

/** A phone as E.164, or null with the original kept when its country cannot be told. */
export type NormalisedPhone = { phone: string | null; phone_original: string | null; warning?: Warning }

/**
 * Writes a phone number as E.164.
 * @param country ISO 3166 code assumed for numbers without a country code; none assumes nothing
 */
export const normalisePhone = (text: string, country?: string | null): NormalisedPhone => {
  const original = visibleText(text).trim()
  const international = original.replace(/^\s*00(?=[1-9])/, '+')
  const home = country && isSupportedCountry(country) ? country : undefined
  const number = parsePhoneNumber(international, home)
  if (number?.isPossible() && (number.isValid() || international.startsWith('+'))) {
    return { phone: number.number, phone_original: original }
  }
  return { phone: null, phone_original: original, warning: unreadable(original) }
}

/** What is said beside a phone that is kept as it was written. */
export const unreadPhone = (row: { phone: string | null; phone_original: string | null }): Warning[] =>
  row.phone === null && row.phone_original !== null ? [unreadable(row.phone_original)] : []

const unreadable = (original: string): Warning => ({
  field: 'phone',
  message: `“${original}” could not be read as a phone number with its country. Write it with the country code, such as +49 30 1234567.`,
})

/** ISO 3166 code of a country given by its code or its English or own name; null when it is none. */
export const countryCode = (text: string): string | null => {
  const wanted = text.trim()
  const code = wanted.toUpperCase()
  return COUNTRY_CODES.has(code) ? code : (COUNTRIES.get(wanted.toLowerCase()) ?? null)
}

/** Codes that ISO 3166 withdrew and name tables still carry, and those that name no country. */
const NO_COUNTRIES = new Set(
  'AC AN BU CP CS DD DG DY EA EU EZ FX HV IC NH NT QO RH SU TA TP UK UN VD XA XB YD YU ZR ZZ'.split(' '),
)

const COUNTRIES = new Map<string, string>()
for (const language of ['en', 'de', 'fr', 'es', 'it', 'nl', 'pt']) {
  const names = new Intl.DisplayNames([language], { type: 'region' })
  for (let a = 65; a <= 90; a++) {
    for (let b = 65; b <= 90; b++) {
      const code = String.fromCharCode(a, b)
      const name = names.of(code)
      if (name && name !== code && !NO_COUNTRIES.has(code)) COUNTRIES.set(name.toLowerCase(), code)
    }
  }
}
const COUNTRY_CODES = new Set(COUNTRIES.values())
for (const [name, code] of [
  ['usa', 'US'],
  ['u.s.a.', 'US'],
  ['united states of america', 'US'],
  ['uk', 'GB'],
  ['great britain', 'GB'],
  ['england', 'GB'],
  ['scotland', 'GB'],
  ['wales', 'GB'],
  ['the netherlands', 'NL'],
  ['holland', 'NL'],
  ['turkey', 'TR'],
  ['czech republic', 'CZ'],
  ['russian federation', 'RU'],
  ['south korea', 'KR'],
  ['macedonia', 'MK'],
  ['ivory coast', 'CI'],
] as const)
  COUNTRIES.set(name, code)

/** One line of text from outside: trimmed, whole and visible. */
export const Line = (length = 300) =>
  z
    .string()
    .transform((text) => visibleText(text).replaceAll(/\s+/g, ' ').trim())
    .pipe(z.string().max(length))

/** Several lines of text from outside. */
export const Lines = (length = 20_000) =>
  z
    .string()
    .transform((text) => storableText(visibleText(text)).trim())
    .pipe(z.string().max(length))

/** A day that a column can hold: there is no year 0. */
export const Day = z.iso
  .date()
  .refine((date) => !date.startsWith('0000'), 'a date as YYYY-MM-DD, from the year 0001 on')

/** A moment with its zone that a column can hold and a calendar shows: of the years 1 to 9999, wherever it is read. */
export const Moment = z.iso.datetime({ offset: true }).refine((text) => {
  const year = new Date(text).getUTCFullYear()
  // What is no moment at all is told of already.
  return Number.isNaN(year) || (year >= 1 && year <= 9_999)
}, 'a time with its zone, of the years 0001 to 9999, such as 2027-01-31T09:00:00+01:00')

/** An e-mail address, trimmed and lower-cased. */
export const Email = z
  .string()
  .transform((text) => visibleText(text).trim().toLowerCase())
  .pipe(z.email('an e-mail address such as ana@example.com').max(254))

/** An ISO 4217 code that is in use. */
export const Currency = z.string().refine((code) => CURRENCIES.has(code), 'an ISO 4217 code such as EUR')

/** ISO 4217, list one. `Intl` cannot be asked: it lacks some and knows some that are withdrawn. */
const CURRENCIES = new Set(
  'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG'.split(
    ' ',
  ),
)

/** A website, with scheme and port kept; one without a scheme gets none. */
export const Website = z
  .string()
  .transform((text) => visibleText(text).trim())
  .pipe(z.string().max(2_000).refine(isWebsite, 'an address such as https://example.com'))

function isWebsite(text: string): boolean {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`)
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== ''
}
