import {
  findPhoneNumbersInText,
  getCountries,
  isSupportedCountry,
  parsePhoneNumberFromString,
  type CountryCode,
} from 'libphonenumber-js/max'
import { sentenceAround } from './plain-text.ts'
import { fact, type Fact } from './site-fact.ts'
import { decodePercent, registrableDomain } from './site-links.ts'
import type { SitePage } from './site-page.ts'
import type { StructuredOrganization } from './site-structured.ts'

const EMAIL = /(?<![\w.+-])[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}(?![\w@])/gi
const EMAIL_ONLY = new RegExp(`^${EMAIL.source}$`, 'i')

/** True when a text is one e-mail address and nothing else. */
export const isEmail = (text: string): boolean => EMAIL_ONLY.test(text)

const NO_EMAIL =
  /\.(?:png|jpe?g|gif|svg|webp|css|js)$|@(?:example\.(?:com|org|net)|sentry\.|.*\.sentry\.io|.*wixpress\.com|domain\.com|email\.com)|^(?:no-?reply|donotreply|mailer-daemon|your|name|user|email)@/i

/** E-mail addresses on the pages: those of the site's own domain come first, then those that are links, then the rest. */
export const emails = (pages: SitePage[]): Fact[] => {
  const found = pages.flatMap((page) => [
    ...page.links
      .filter(({ url }) => url.protocol === 'mailto:')
      .flatMap(({ url, text }) =>
        decodePercent(url.pathname)
          .split(',')
          .filter((email) => isEmail(email.trim()))
          .map((email) => ({ rank: 1, email, page, snippet: `mailto link: ${text || email}` })),
      ),
    ...[...page.text.matchAll(EMAIL)].map((match) => ({
      rank: 2,
      email: match[0],
      page,
      snippet: sentenceAround(page.text, match.index, match[0].length),
    })),
  ])
  const own = registrableDomain(new URL(pages[0]?.url ?? 'http://localhost').hostname)
  return found
    .map((entry) => ({ ...entry, email: entry.email.trim().toLowerCase() }))
    .filter(({ email }) => !NO_EMAIL.test(email))
    .map((entry) =>
      own !== undefined && registrableDomain(entry.email.split('@')[1] ?? '') === own
        ? { ...entry, rank: 0 }
        : entry,
    )
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ email, page, snippet }) => fact('email', email, page, snippet))
}

/** Valid phone numbers of a page as E.164; national ones are read in the company's country. Fax numbers are left out. */
export const phones = (
  page: SitePage,
  declared: string[],
  declared_on: SitePage | undefined,
  country: CountryCode | undefined,
): Fact[] => {
  const valid = (text: string) => {
    const phone = parsePhoneNumberFromString(text, country)
    return phone?.isValid() ? phone.number : undefined
  }
  const from_data =
    page === declared_on
      ? declared.flatMap((text) =>
          valid(text) ? [fact('phone', valid(text) ?? '', page, `"telephone": "${text}"`)] : [],
        )
      : []
  const from_links = page.links
    .filter(({ url }) => url.protocol === 'tel:')
    .flatMap(({ url, text }) =>
      valid(decodePercent(url.pathname))
        ? [fact('phone', valid(decodePercent(url.pathname)) ?? '', page, `tel link: ${text || url.pathname}`)]
        : [],
    )
  const text = page.text.slice(0, 20_000)
  const from_text = findPhoneNumbersInText(text, { ...(country ? { defaultCountry: country } : {}) })
    .filter(
      ({ number, startsAt, endsAt }) =>
        number.isValid() &&
        isMeantAsPhone(text.slice(Math.max(0, startsAt - 30), startsAt), text.slice(startsAt, endsAt)),
    )
    .map(({ number, startsAt, endsAt }) =>
      fact('phone', number.number, page, sentenceAround(text, startsAt, endsAt - startsAt)),
    )
  return [...from_data, ...from_links, ...from_text]
}

/** Postal codes and years look like numbers too: a phone number is international, American in form, or announced by a word. */
const isMeantAsPhone = (before: string, number: string): boolean => {
  if (/fax[^\p{L}\n]{0,6}$/iu.test(before)) return false
  return (
    /^(?:\+|00)/.test(number) ||
    /^\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$/.test(number) ||
    /(?:tel|phone|call|fon|anruf|rufen|ruf|mobil|handy|téléphone|teléfono|llam|appel|☎|📞)[^\d\n]{0,24}$/iu.test(
      before,
    )
  )
}

const NETWORKS: [RegExp, RegExp][] = [
  [/(?:^|\.)linkedin\.com$/, /^\/(?:company|in|school|showcase)\/[^/]+/],
  [
    /(?:^|\.)(?:twitter|x)\.com$/,
    /^\/(?!(?:intent|share|home|search|hashtag|i|login|signup|privacy|tos)(?:\/|$))\w{1,15}(?=\/?$)/,
  ],
  [
    /(?:^|\.)facebook\.com$/,
    /^\/(?!(?:sharer|share|dialog|plugins|tr|login|policy|policies|privacy|help|events|hashtag|watch)(?:[./]|$))[\w.-]{2,}(?:\/[\w.-]+)?/,
  ],
  [
    /(?:^|\.)instagram\.com$/,
    /^\/(?!(?:p|reel|reels|explore|accounts|about|legal|developer)(?:\/|$))[\w.]{2,30}(?=\/?$)/,
  ],
  [/(?:^|\.)youtube\.com$/, /^\/(?:@[^/]+|(?:channel|c|user)\/[^/]+)/],
  [
    /^github\.com$/,
    /^\/(?!(?:features|pricing|about|login|topics|sponsors|marketplace|site)(?:\/|$))[\w-]{1,39}(?=\/?$)/,
  ],
  [/(?:^|\.)xing\.com$/, /^\/(?:companies|pages|profile)\/[^/]+/],
  [/(?:^|\.)tiktok\.com$/, /^\/@[\w.]+/],
]

/** Profiles in social networks, without share and login links. */
export const socialLinks = (page: SitePage, declared: string[]): Fact[] => {
  const profile = (url: URL): string | undefined => {
    const host = url.hostname.replace(/^www\./, '')
    const path = NETWORKS.find(([hosts]) => hosts.test(host))?.[1].exec(url.pathname)?.[0]
    return path === undefined
      ? undefined
      : `https://${url.hostname.replace(/^(?:m|mobile)\./, 'www.')}${path}`
  }
  const from_data = declared.flatMap((text) =>
    URL.canParse(text) ? [{ url: new URL(text), snippet: `"sameAs": "${text}"` }] : [],
  )
  const from_links = page.links.map(({ url, text }) => ({ url, snippet: `link: ${text || url.href}` }))
  return [...from_data, ...from_links].flatMap(({ url, snippet }) => {
    const address = /^https?:$/.test(url.protocol) ? profile(url) : undefined
    return address === undefined ? [] : [fact('social_link', address, page, snippet)]
  })
}

/** The country phone numbers are read in: the declared one, or the one of a national domain. */
export const countryOf = (
  organization: StructuredOrganization | undefined,
  start: SitePage | undefined,
): CountryCode | undefined => {
  const declared = organization?.country === undefined ? undefined : countryCode(organization.country)
  if (declared) return declared
  const suffix = start ? (new URL(start.url).hostname.split('.').at(-1) ?? '') : ''
  const code = suffix === 'uk' ? 'GB' : suffix.toUpperCase()
  return suffix.length === 2 && !SOLD_SUFFIXES.has(suffix) && isSupportedCountry(code) ? code : undefined
}

// Country suffixes that companies of any country use for their sound.
const SOLD_SUFFIXES = new Set([
  'ai',
  'ac',
  'ag',
  'cc',
  'cd',
  'co',
  'fm',
  'gg',
  'im',
  'io',
  'is',
  'la',
  'ly',
  'me',
  'sc',
  'sh',
  'so',
  'st',
  'to',
  'tv',
  'vc',
  'vg',
  'ws',
])

/** The ISO 3166 code of a country written as code or by name in English, German, French or Spanish. */
export const countryCode = (text: string): CountryCode | undefined => {
  const code = text.trim().toUpperCase()
  if (isSupportedCountry(code)) return code
  if (code === 'USA' || code === 'UK') return code === 'UK' ? 'GB' : 'US'
  countryNames ??= new Map(['en', 'de', 'fr', 'es'].flatMap((language) => namesIn(language)))
  return countryNames.get(text.trim().toLowerCase())
}

let countryNames: Map<string, CountryCode> | undefined

const namesIn = (language: string): [string, CountryCode][] => {
  const names = new Intl.DisplayNames([language], { type: 'region' })
  return getCountries().map((country) => [names.of(country)?.toLowerCase() ?? country, country])
}
