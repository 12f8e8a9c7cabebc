import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { buildConnector } from 'undici'
import { hostOf, WebError } from './web-error.ts'

/** Finds every address of a host name; the system's resolver unless a test stands in for it. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

/** What a fetch may connect to besides the public web's standard ports. */
export type Reach = {
  /** `host:port` pairs that may be reached although private, as `URL` spells them, port always given. */
  allow: ReadonlySet<string>
  ports: ReadonlySet<number>
  resolve: Resolve
}

/** All addresses of a name from the operating system. */
export const systemResolve: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })

/**
 * True only for addresses of the public internet. Default deny: private, loopback, link-local, CGNAT, multicast,
 * documentation, mapped, NAT64, 6to4, Teredo and everything outside 2000::/3 is not public (IANA special-purpose registries).
 */
export const isPublicAddress = (address: string): boolean => {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST)
}

/** Parses an address and refuses what no website has: other schemes, credentials, odd ports, private literals. */
export const checkUrl = (raw: string, reach: Reach): URL => {
  const url = raw.length <= MAX_URL_LENGTH && URL.canParse(raw) ? new URL(raw) : undefined
  if (!url)
    throw new WebError('blocked_url', raw.slice(0, 200), `“${raw.slice(0, 80)}” is not a web address.`)
  const shown = url.href
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new WebError(
      'blocked_url',
      shown,
      `“${shown.slice(0, 80)}” is not a web page: only http and https are read.`,
    )
  }
  if (url.username || url.password) {
    throw new WebError(
      'blocked_url',
      shown,
      `The address on ${url.host} contains a user name or password and is not opened.`,
    )
  }
  if (reach.allow.has(endpointOf(url))) return url
  if (!reach.ports.has(portOf(url))) {
    throw new WebError(
      'blocked_url',
      shown,
      `${url.host} is not a public website: only the ports 80 and 443 are read.`,
    )
  }
  const literal = unbracket(url.hostname)
  if (isIP(literal) !== 0 && !isPublicAddress(literal)) throw blockedAddress(shown)
  return url
}

/**
 * A connector that resolves the name itself, refuses the connection when any of its addresses is not public,
 * and connects to exactly the addresses it checked: a name that changes its mind afterwards changes nothing.
 */
export const guardedConnector = (reach: Reach, timeout_ms: number): buildConnector.connector => {
  const connectAnywhere = buildConnector({
    timeout: timeout_ms,
    lookup: lookupWith(reach.resolve, () => true),
  })
  const connectPublic = buildConnector({
    timeout: timeout_ms,
    lookup: lookupWith(reach.resolve, isPublicAddress),
  })
  return (options, callback) => {
    const url = `${options.protocol}//${options.hostname.includes(':') && !options.hostname.startsWith('[') ? `[${options.hostname}]` : options.hostname}:${options.port || (options.protocol === 'https:' ? 443 : 80)}`
    try {
      const checked = checkUrl(url, reach)
      const connect = reach.allow.has(endpointOf(checked)) ? connectAnywhere : connectPublic
      connect(options, callback)
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null)
    }
  }
}

/** `host:port` with the port always written out, the form of `allow`. */
export const endpointOf = (url: URL): string => `${url.hostname}:${portOf(url)}`

const MAX_URL_LENGTH = 2048
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')

const portOf = (url: URL): number => (url.port ? Number(url.port) : url.protocol === 'https:' ? 443 : 80)

const unbracket = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

const blockedAddress = (url: string): WebError =>
  new WebError('blocked_address', url, `${hostOf(url)} leads into a private network, which is never read.`)

/** Node asks with `all: true`, so the answer is a list: every element is checked, one bad address refuses the name. */
const lookupWith =
  (resolve: Resolve, permitted: (address: string) => boolean): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname).then(
      (found) => {
        const addresses =
          options.family === 4 || options.family === 6
            ? found.filter(({ family }) => family === options.family)
            : found
        const first = addresses[0]
        if (!first)
          return callback(Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND' }), [])
        if (!found.every(({ address }) => permitted(address)))
          return callback(blockedAddress(`http://${hostname}/`), [])
        return options.all ? callback(null, addresses) : callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
