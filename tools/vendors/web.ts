import { Agent } from 'undici'
import { checkUrl, guardedConnector, systemResolve, type Reach, type Resolve } from './web-address.ts'
import { describeStatus, explainFailure, hostOf, tooLarge, WebError } from './web-error.ts'

/** The limits of every fetch and how it introduces itself. */
export const WEB = {
  user_agent: 'LeadhandBot/1.0',
  timeout_ms: 10_000,
  max_bytes: 5 * 1024 * 1024,
  max_redirects: 3,
  ports: new Set([80, 443]) as ReadonlySet<number>,
  html: ['text/html', 'application/xhtml+xml'],
} as const

/** What a fetch may do differently from the defaults in `WEB`. */
export type FetchOptions = {
  /** `host:port` pairs that may be reached although private or on another port. */
  allow?: ReadonlySet<string>
  /** Media types that are read; an empty list reads anything. Web pages by default. */
  accept?: readonly string[]
  max_bytes?: number
  /** Milliseconds for everything together: names, connections, redirects and the body. */
  timeout_ms?: number
  max_redirects?: number
  /** Keep the first `max_bytes` of a longer body instead of failing with `too_large`. */
  truncate?: boolean
  signal?: AbortSignal
  /** Called for each address before it is asked for, redirects included; throws to stop there. */
  before_hop?: (url: URL) => Promise<void>
  resolve?: Resolve
  ports?: ReadonlySet<number>
}

/** A body that was read, decoded to text by its declared charset. */
export type Fetched = {
  /** Where it was found in the end, after redirects. */
  url: string
  status: number
  headers: Headers
  content_type: string
  text: string
  bytes: number
  redirects: string[]
}

/**
 * Reads one page of the public web and nothing else: http(s) on standard ports, no credentials, no private address
 * on any hop, bounded in time, size (compressed and not) and redirects. Throws `WebError`,
 * or the reason of `signal` when the caller gave up.
 */
export const safeFetch = async (url: string, options: FetchOptions = {}): Promise<Fetched> => {
  const { timeout_ms = WEB.timeout_ms, max_bytes = WEB.max_bytes, ports = WEB.ports } = options
  const reach: Reach = { allow: options.allow ?? new Set(), ports, resolve: options.resolve ?? systemResolve }
  const timeout = AbortSignal.timeout(timeout_ms)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  // One agent per call: no pooled connection outlives the permission it was opened with.
  const agent = new Agent({
    connect: guardedConnector(reach, timeout_ms),
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    maxResponseSize: options.truncate ? WEB.max_bytes : max_bytes,
  })
  try {
    return await follow(url, { ...options, max_bytes, reach, signal, agent })
  } catch (error) {
    if (options.signal?.aborted && !isTimeout(options.signal.reason)) throw options.signal.reason
    throw explainFailure(error, url, { timeout_ms, max_bytes })
  } finally {
    await agent.destroy()
  }
}

type Hop = FetchOptions & { max_bytes: number; reach: Reach; signal: AbortSignal; agent: Agent }

const isTimeout = (reason: unknown): boolean => reason instanceof Error && reason.name === 'TimeoutError'

const REDIRECTS = new Set([301, 302, 303, 307, 308])

const follow = async (start: string, options: Hop): Promise<Fetched> => {
  const { accept = WEB.html, max_redirects = WEB.max_redirects, reach, signal, agent } = options
  const redirects: string[] = []
  let url = checkUrl(start, reach)
  for (;;) {
    await options.before_hop?.(url)
    const response = await request(url, { accept, signal, agent })
    if (!REDIRECTS.has(response.status)) return readBody(response, url, redirects, { ...options, accept })
    const location = response.headers.get('location')
    await response.body?.cancel()
    if (!location)
      throw new WebError(
        'http_status',
        url.href,
        `${url.host} forwards to nowhere (${response.status} without an address).`,
        { status: response.status },
      )
    if (redirects.length >= max_redirects) {
      throw new WebError(
        'too_many_redirects',
        url.href,
        `${hostOf(start)} forwards more than ${max_redirects} times without showing a page.`,
      )
    }
    redirects.push(url.href)
    url = checkUrl(URL.canParse(location, url.href) ? new URL(location, url).href : location, reach)
  }
}

const request = (
  url: URL,
  { accept, signal, agent }: { accept: readonly string[]; signal: AbortSignal; agent: Agent },
): Promise<Response> => {
  const headers = {
    'user-agent': WEB.user_agent,
    accept: accept.length > 0 ? `${accept.join(',')};q=1` : '*/*',
    'accept-language': 'en,*;q=0.5',
  }
  const init: RequestInit & { dispatcher: Agent } = { redirect: 'manual', headers, signal, dispatcher: agent }
  return fetch(url, init)
}

const readBody = async (
  response: Response,
  url: URL,
  redirects: string[],
  options: Hop & { accept: readonly string[] },
): Promise<Fetched> => {
  const refuse = async (error: WebError): Promise<never> => {
    await response.body?.cancel()
    throw error
  }
  if (!response.ok) {
    return refuse(
      new WebError('http_status', url.href, `${url.host} answered ${describeStatus(response.status)}.`, {
        status: response.status,
      }),
    )
  }
  const content_type = response.headers.get('content-type') ?? ''
  const media_type = content_type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (options.accept.length > 0 && media_type !== '' && !options.accept.includes(media_type)) {
    return refuse(
      new WebError(
        'not_html',
        url.href,
        `${url.host} answers with a file (${media_type.slice(0, 60)}), not with a web page.`,
      ),
    )
  }
  const declared = Number(response.headers.get('content-length') ?? 0)
  if (declared > options.max_bytes && !options.truncate) return refuse(tooLarge(url.href, options.max_bytes))
  const body = await readBounded(response, url, options)
  const text = decodeText(body, content_type)
  if (options.accept.length > 0 && media_type === '' && !/^\s*</.test(text)) {
    throw new WebError('not_html', url.href, `${url.host} answers with something that is not a web page.`)
  }
  return {
    url: url.href,
    status: response.status,
    headers: response.headers,
    content_type,
    text,
    bytes: body.byteLength,
    redirects,
  }
}

const readBounded = async (
  response: Response,
  url: URL,
  { max_bytes, truncate }: Hop,
): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > max_bytes) {
      if (!truncate) throw tooLarge(url.href, max_bytes)
      chunks.push(chunk.subarray(0, chunk.byteLength - (bytes - max_bytes)))
      break
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The charset comes from the byte order mark, the header or the page's own declaration, in this order (WHATWG encoding sniffing). */
const decodeText = (body: Uint8Array, content_type: string): string => {
  const head = new TextDecoder('latin1').decode(body.subarray(0, 1024))
  const declared = /charset\s*=\s*["']?\s*([\w:-]{2,40})/i
  const label = byteOrderMark(body) ?? declared.exec(content_type)?.[1] ?? declared.exec(head)?.[1]
  const decoder = label === undefined ? undefined : decoderFor(label)
  if (decoder) return decoder.decode(body)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    // Undeclared and not UTF-8: what browsers assume for western pages.
    return new TextDecoder('windows-1252').decode(body)
  }
}

const byteOrderMark = (body: Uint8Array): string | undefined => {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) return 'utf-8'
  if (body[0] === 0xfe && body[1] === 0xff) return 'utf-16be'
  if (body[0] === 0xff && body[1] === 0xfe) return 'utf-16le'
  return undefined
}

const decoderFor = (label: string): InstanceType<typeof TextDecoder> | undefined => {
  try {
    return new TextDecoder(label)
  } catch {
    return undefined // an encoding nobody knows is treated as undeclared
  }
}
