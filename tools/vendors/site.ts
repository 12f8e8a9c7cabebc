import { firstSentence, shorten } from './plain-text.ts'
import { disallowedByRobots, readRobots, type Robots } from './robots.ts'
import type { Fact } from './site-fact.ts'
import { extractFacts } from './site-facts.ts'
import { choosePages, isSameSite, pageKey, registrableDomain } from './site-links.ts'
import { parsePage, type SitePage } from './site-page.ts'
import type { Resolve } from './web-address.ts'
import { WebError, type WebErrorCode } from './web-error.ts'
import { safeFetch } from './web.ts'

/** The limits of reading one company's site. */
export const SITE = {
  further_pages: 4,
  at_once: 2,
  total_ms: 25_000,
  robots_ms: 5_000,
  text_chars: 8_000,
} as const

/** How a site may be read; everything is optional. */
export type SiteOptions = {
  /** `host:port` pairs that may be read although private or on another port. */
  allow?: ReadonlySet<string>
  signal?: AbortSignal
  /** Milliseconds for one page. */
  timeout_ms?: number
  /** Milliseconds for the whole site. */
  total_ms?: number
  resolve?: Resolve
}

/** A page that could not be read, or a start page that leads to somebody else's domain (`redirected`). */
export type SiteProblem = { url: string; code: WebErrorCode | 'redirected'; message: string }

/** What a company says about itself on its own pages. */
export type SiteReading = {
  /** The start page, where it was found in the end. */
  url: string
  pages: { url: string; status: number; title: string; bytes: number }[]
  facts: Fact[]
  /** One or two sentences, put together from the facts by rule. */
  summary: string
  /** Visible text for a model, at most 8,000 characters. It was written by strangers. */
  text: string
  problems: SiteProblem[]
}

/**
 * Reads a company's start page and at most four more pages of the same domain (about, contact, imprint, offers, team, pricing),
 * as robots.txt allows. Without a scheme https is tried first, then http. Throws `WebError` only when the start page itself
 * cannot be read, or the reason of `signal` when the caller gave up; other pages' failures are in `problems`.
 */
export const readSite = async (website: string, options: SiteOptions = {}): Promise<SiteReading> => {
  const deadline = AbortSignal.timeout(options.total_ms ?? SITE.total_ms)
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
  const visit = visitor({ ...options, signal })
  const start = await openStart(website, visit)
  const home = new URL(start.page.url)
  const others = await readInTurn(choosePages(start.page, SITE.further_pages), (url) => visit(url.href, home))
  options.signal?.throwIfAborted()
  const seen = new Set([pageKey(home)])
  const pages = [start.page, ...others.flatMap((other) => ('page' in other ? [other.page] : []))].filter(
    (page, i) => {
      const key = pageKey(new URL(page.url))
      return i === 0 || (!seen.has(key) && seen.add(key))
    },
  )
  const facts = extractFacts(pages)
  return {
    url: start.page.url,
    pages: pages.map(({ url, status, title, bytes }) => ({ url, status, title, bytes })),
    facts,
    summary: summarize(home, facts),
    text: textOf(pages),
    problems: [...start.problems, ...others.flatMap((other) => ('problem' in other ? [other.problem] : []))],
  }
}

type Visit = (url: string, home?: URL) => Promise<SitePage>

/** Reads single pages, asking each origin's robots.txt once and before anything else, on every hop of a redirect too. */
const visitor = (options: SiteOptions & { signal: AbortSignal }): Visit => {
  const { allow, signal, timeout_ms, resolve } = options
  const shared = { signal, ...(allow ? { allow } : {}), ...(resolve ? { resolve } : {}) }
  const robots = new Map<string, Promise<Robots>>()
  const askRobots = (origin: string): Promise<Robots> => {
    const asked =
      robots.get(origin) ??
      readRobots(origin, { ...shared, timeout_ms: Math.min(timeout_ms ?? SITE.robots_ms, SITE.robots_ms) })
    robots.set(origin, asked)
    return asked
  }
  return async (address, home) => {
    const before_hop = async (url: URL) => {
      if (home && !isSameSite(home, url))
        throw new WebError(
          'blocked_url',
          url.href,
          `${home.host}${new URL(address).pathname} leads to another site (${url.host}), which was not read.`,
        )
      const rules = await askRobots(url.origin)
      if (!rules.allows(url.href)) throw disallowedByRobots(url.href, rules)
    }
    return parsePage(
      await safeFetch(address, {
        ...shared,
        before_hop,
        ...(timeout_ms === undefined ? {} : { timeout_ms }),
      }),
    )
  }
}

const openStart = async (
  website: string,
  visit: Visit,
): Promise<{ page: SitePage; problems: SiteProblem[] }> => {
  const written = website.trim()
  const addresses = /^[a-z][a-z0-9+.-]*:\/\//i.test(written)
    ? [written]
    : [`https://${written}`, `http://${written}`]
  const failures: WebError[] = []
  for (const address of addresses) {
    try {
      const page = await visit(address)
      return { page, problems: redirectProblem(new URL(address), new URL(page.url)) }
    } catch (error) {
      if (!(error instanceof WebError)) throw error
      failures.push(error)
      if (!NO_CONNECTION.has(error.code)) break
    }
  }
  // What plain http answered says more than a failed connection; of two failed connections the first one counts.
  const telling = failures.findLast((failure) => !NO_CONNECTION.has(failure.code)) ?? failures[0]
  throw telling ?? new WebError('blocked_url', website, 'There is no web address.')
}

const NO_CONNECTION: ReadonlySet<WebErrorCode> = new Set(['unreachable', 'tls', 'timeout'])

const redirectProblem = (asked: URL, found: URL): SiteProblem[] =>
  ownerOf(asked) === ownerOf(found)
    ? []
    : [
        {
          url: found.href,
          code: 'redirected',
          message: `${asked.host} leads to ${found.host}; what follows was read there.`,
        },
      ]

const ownerOf = (url: URL): string => registrableDomain(url.hostname) ?? url.host

type Read = { page: SitePage } | { problem: SiteProblem }

const readInTurn = async (urls: URL[], read: (url: URL) => Promise<SitePage>): Promise<Read[]> => {
  const results: Read[] = []
  const queue = [...urls.entries()]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [i, url] = next
      try {
        results[i] = { page: await read(url) }
      } catch (error) {
        if (!(error instanceof WebError)) throw error
        results[i] = { problem: { url: url.href, code: error.code, message: error.message } }
      }
    }
  }
  await Promise.all(Array.from({ length: SITE.at_once }, work))
  return results
}

const summarize = (home: URL, facts: Fact[]): string => {
  const of = (key: Fact['key']) => facts.find((fact) => fact.key === key)?.value
  const name = of('company_name') ?? home.host
  const [industry, city, country, description] = [
    of('industry'),
    of('city'),
    of('country'),
    of('description'),
  ]
  const place = [city, country].filter((part) => part !== undefined).join(', ')
  const traits = [
    industry === undefined ? '' : `is in ${industry.charAt(0).toLowerCase()}${industry.slice(1)}`,
    place === '' ? '' : `is based in ${place}`,
  ].filter(Boolean)
  const sentences = [
    traits.length === 0 ? '' : `${name} ${traits.join(' and ')}.`,
    description === undefined ? '' : firstSentence(description, 300),
  ].filter(Boolean)
  return sentences.length === 0 ? `${name} says little about itself on its site.` : sentences.join(' ')
}

/** The start page gets twice the room of another page. */
const textOf = (pages: SitePage[]): string => {
  const share = Math.floor(SITE.text_chars / (pages.length + 1)) - 4
  return pages
    .map((page, i) => shorten(`# ${page.title} (${page.url})\n${page.main}`, i === 0 ? share * 2 : share))
    .join('\n\n')
}
