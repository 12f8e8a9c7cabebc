import robotsParser from 'robots-parser'
import { safeFetch, WEB, type FetchOptions } from './web.ts'
import { WebError } from './web-error.ts'

/** What a site's robots.txt lets us read. */
export type Robots = {
  allows: (url: string) => boolean
  /** The rules could not be read, so that nothing may be. */
  unreadable?: boolean
}

/**
 * Reads `/robots.txt` of an origin by RFC 9309: missing (4xx) allows everything, a server error or 429 forbids everything,
 * the first 500 KB count. A site that cannot be reached at all throws its `WebError`.
 */
export const readRobots = async (
  origin: string,
  options: Pick<FetchOptions, 'allow' | 'signal' | 'timeout_ms' | 'resolve' | 'ports'> = {},
): Promise<Robots> => {
  const url = new URL('/robots.txt', origin).href
  try {
    const { text } = await safeFetch(url, { ...options, accept: [], max_bytes: MAX_BYTES, truncate: true })
    const robots = parseRobots(url, text)
    return { allows: (page) => robots.isAllowed(page, WEB.user_agent) ?? true }
  } catch (error) {
    if (!(error instanceof WebError)) throw error
    if (error.code === 'too_many_redirects') return EVERYTHING
    if (error.code !== 'http_status') throw error
    return error.status === 429 || (error.status ?? 500) >= 500 ? NOTHING : EVERYTHING
  }
}

/** The refusal of a page that robots.txt keeps for people. */
export const disallowedByRobots = (url: string, robots: Robots): WebError =>
  new WebError(
    'robots_disallowed',
    url,
    robots.unreadable
      ? `${new URL(url).host} answers its robots.txt with an error, so nothing says what may be read; it was left alone.`
      : `${new URL(url).host} asks robots not to read ${new URL(url).pathname} (robots.txt), so it was left alone.`,
  )

// Its types describe an ES module while its code is CommonJS: the default import is the function itself.
const parseRobots = robotsParser as unknown as typeof robotsParser.default

const MAX_BYTES = 500 * 1024
const EVERYTHING: Robots = { allows: () => true }
const NOTHING: Robots = { allows: () => false, unreadable: true }
