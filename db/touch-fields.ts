import { clip, visibleText } from './text.ts'

/** What is known of one time that somebody came by; nothing of it says who. */
export type Touch = {
  campaign: string | null
  source: string | null
  medium: string | null
  term: string | null
  content: string | null
  /** Origin and path. */
  landing_page: string | null
  /** Origin and path. */
  referrer: string | null
  /** What advertisers mark a click with. */
  click_ids: Record<string, string>
}

/** Characters; what is longer is cut, never refused. */
const LIMITS = { text: 300, page: 1_000, click_id: 200 }

/** Advertisers' marks of a click, and whose they are. What else stands in an address is not kept: it may say who somebody is. */
const CLICK_IDS: Record<string, { source: string; medium: string }> = {
  gclid: { source: 'google', medium: 'cpc' },
  gbraid: { source: 'google', medium: 'cpc' },
  wbraid: { source: 'google', medium: 'cpc' },
  dclid: { source: 'google', medium: 'display' },
  msclkid: { source: 'bing', medium: 'cpc' },
  fbclid: { source: 'facebook', medium: 'social' },
  ttclid: { source: 'tiktok', medium: 'social' },
  twclid: { source: 'twitter', medium: 'social' },
  li_fat_id: { source: 'linkedin', medium: 'social' },
}

/** Each with the names that it comes by, the preferred first. `utm_` names are also looked for in the landing page's address. */
const NAMES = {
  campaign: ['campaign', 'utm_campaign'],
  source: ['utm_source', 'source'],
  medium: ['utm_medium', 'medium'],
  term: ['utm_term', 'term'],
  content: ['utm_content', 'content'],
  landing_page: ['landing_page', 'page_url', 'page'],
  referrer: ['referrer', 'referer'],
} as const

/**
 * Reads a touch from what was sent, by the names that websites and advertisers use. Where nobody says where a visit came
 * from, the mark of the click or the page before it does: search engines are `organic`, other sites `referral`.
 */
export const readTouch = (sent: Record<string, unknown>): Touch => {
  const address = textOf(sent, NAMES.landing_page)
  const asked = queryOf(address)
  const named = (names: readonly string[]): string | null =>
    line(
      textOf(sent, names) ??
        textOf(
          asked,
          names.filter((name) => name.startsWith('utm_')),
        ),
    )
  const click_ids = clickIdsOf(sent, asked)
  const landing_page = pageOf(address)
  const before = pageOf(textOf(sent, NAMES.referrer))
  // From one page of a site to another is no way in.
  const referrer = [undefined, hostOf(landing_page)].includes(hostOf(before)) ? null : before
  const [source, medium] = [named(NAMES.source), named(NAMES.medium)]
  const way = ofClick(click_ids) ?? (source === null && medium === null ? ofReferrer(referrer) : undefined)
  return {
    campaign: named(NAMES.campaign),
    source: source ?? way?.source ?? null,
    medium: medium ?? way?.medium ?? null,
    term: named(NAMES.term),
    content: named(NAMES.content),
    landing_page,
    referrer,
    click_ids,
  }
}

/** What a form says of where somebody came from, beside its own fields: a field called `content` is a text, no campaign's. */
export const tellingOf = (extra: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(extra).filter(([name]) => /^(?:utm_\w+|referr?er)$/.test(name) || name in CLICK_IDS),
  )

/** Whether a touch says anything of where somebody came from, `source` alone included unless told otherwise. */
export const saysAnything = (
  { click_ids, source, ...rest }: Touch,
  { beyond_source = false }: { beyond_source?: boolean } = {},
): boolean =>
  Object.keys(click_ids).length > 0 ||
  Object.values(rest).some((value) => value !== null) ||
  (source !== null && !beyond_source)

/** The visitor that a form's hidden field names, or nobody. */
export const visitorOf = (sent: Record<string, unknown>): string | null => {
  const id = textOf(sent, ['leadhand_visitor'])
  return id !== undefined && VISITOR_ID.test(id) ? id : null
}

/** How a website may call a visitor. */
export const VISITOR_ID = /^[\w-]{8,64}$/

const textOf = (sent: Record<string, unknown>, names: readonly string[]): string | undefined => {
  for (const name of names) {
    const value = sent[name]
    if (typeof value === 'string' && value.trim() !== '') return value.trim()
  }
  return undefined
}

const line = (text: string | undefined): string | null =>
  text === undefined ? null : clip(visibleText(text).replaceAll(/\s+/g, ' ').trim(), LIMITS.text) || null

const queryOf = (address: string | undefined): Record<string, string> => {
  const [, query = ''] = /\?([^#]*)/.exec(address ?? '') ?? []
  return Object.fromEntries(new URLSearchParams(query))
}

const clickIdsOf = (...sent: Record<string, unknown>[]): Record<string, string> =>
  Object.fromEntries(
    Object.keys(CLICK_IDS).flatMap((name) => {
      const found = sent
        .flatMap((one) => [one, one['click_ids']])
        .flatMap((one) => (isObject(one) ? (textOf(one, [name]) ?? []) : []))[0]
      return found === undefined ? [] : [[name, clip(visibleText(found), LIMITS.click_id)]]
    }),
  )

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Origin and path: what follows may hold anything, also who somebody is. */
const pageOf = (address: string | undefined): string | null => {
  if (address === undefined) return null
  const [bare = ''] = visibleText(address).split(/[?#]/, 1)
  const url = URL.parse(bare)
  if (url && !/^https?:$/.test(url.protocol)) return null
  return clip(url ? `${url.origin}${url.pathname}` : bare, LIMITS.page).trim() || null
}

const hostOf = (page: string | null): string | undefined =>
  page === null ? undefined : URL.parse(page)?.hostname.replace(/^www\./, '')

type Way = Pick<Touch, 'source' | 'medium'>

const ofClick = (click_ids: Record<string, string>): Way | undefined => {
  const [first] = Object.keys(click_ids)
  return first === undefined ? undefined : CLICK_IDS[first]
}

const SEARCH_ENGINES =
  /(?:^|\.)(google|bing|duckduckgo|yahoo|ecosia|qwant|startpage|yandex|baidu|kagi)\.(?:[a-z]{2,3}\.)?[a-z]{2,3}$/

const ofReferrer = (referrer: string | null): Way | undefined => {
  const host = hostOf(referrer)
  if (host === undefined) return undefined
  const engine = SEARCH_ENGINES.exec(host)?.[1]
  return engine
    ? { source: engine, medium: 'organic' }
    : { source: clip(host, LIMITS.text), medium: 'referral' }
}
