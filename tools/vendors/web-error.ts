/** Why a page could not be read, as a stable code. */
export type WebErrorCode =
  | 'blocked_address'
  | 'blocked_url'
  | 'timeout'
  | 'unreachable'
  | 'too_large'
  | 'not_html'
  | 'http_status'
  | 'too_many_redirects'
  | 'robots_disallowed'
  | 'tls'

/** A page that could not be read; `message` is a sentence for the person who works the lead. */
export class WebError extends Error {
  override readonly name = 'WebError'
  readonly code: WebErrorCode
  readonly url: string
  readonly status: number | undefined

  constructor(
    code: WebErrorCode,
    url: string,
    message: string,
    details: { status?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.code = code
    this.url = url
    this.status = details.status
  }
}

/** Says what a status code means to someone who does not know status codes: `404 (page not found)`. */
export const describeStatus = (status: number): string => {
  const meaning =
    STATUS_MEANINGS[status] ?? (status >= 500 ? 'the site has an error' : 'the site refused to show the page')
  return `${status} (${meaning})`
}

/** Turns whatever a connection or a body failed with into a `WebError`. */
export const explainFailure = (
  error: unknown,
  url: string,
  limits: { timeout_ms: number; max_bytes: number },
): WebError => {
  const known = causes(error).find((cause) => cause instanceof WebError)
  if (known) return known
  const host = hostOf(url)
  const codes = causes(error).flatMap((cause) =>
    'code' in cause && typeof cause.code === 'string' ? [cause.code, cause.name] : [cause.name],
  )
  const has = (...wanted: string[]) => codes.some((code) => wanted.includes(code))
  if (
    has(
      'TimeoutError',
      'UND_ERR_CONNECT_TIMEOUT',
      'UND_ERR_HEADERS_TIMEOUT',
      'UND_ERR_BODY_TIMEOUT',
      'ETIMEDOUT',
    )
  ) {
    return new WebError(
      'timeout',
      url,
      `${host} did not answer within ${Math.ceil(limits.timeout_ms / 1000)} seconds.`,
      { cause: error },
    )
  }
  if (has('UND_ERR_RES_EXCEEDED_MAX_SIZE')) return tooLarge(url, limits.max_bytes)
  if (has('ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME')) {
    return new WebError(
      'unreachable',
      url,
      `No website was found under ${host}: the name does not exist or does not answer.`,
      { cause: error },
    )
  }
  if (codes.some((code) => TLS_CODE.test(code))) {
    return new WebError('tls', url, `${host} has no security certificate that can be trusted.`, {
      cause: error,
    })
  }
  return new WebError(
    'unreachable',
    url,
    `${host} could not be reached: the connection was refused or broke off.`,
    { cause: error },
  )
}

/** The page is larger than is read of any page. */
export const tooLarge = (url: string, max_bytes: number): WebError =>
  new WebError(
    'too_large',
    url,
    `The page on ${hostOf(url)} is larger than ${formatBytes(max_bytes)}, which is the most that is read.`,
  )

/** The host of an address for use in a sentence, or the shortened text where it is no address. */
export const hostOf = (url: string): string =>
  URL.canParse(url) ? new URL(url).host || url.slice(0, 80) : url.slice(0, 80)

const STATUS_MEANINGS: Record<number, string> = {
  401: 'the page asks for a password',
  403: 'the site does not let robots in',
  404: 'page not found',
  410: 'the page was removed',
  429: 'the site asks for fewer visits',
  503: 'the site is out of service',
}

const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA)/

const formatBytes = (bytes: number): string =>
  bytes >= 1024 * 1024 ? `${Math.floor(bytes / 1024 / 1024)} MB` : `${Math.ceil(bytes / 1024)} KB`

/** Errors of fetch hide the reason some causes deep, and a connection to several addresses fails with several. */
const causes = (error: unknown, depth = 0): Error[] => {
  if (!(error instanceof Error) || depth > 5) return []
  const parts = error instanceof AggregateError ? error.errors.slice(0, 8) : []
  return [error, ...[error.cause, ...parts].flatMap((cause) => causes(cause, depth + 1))]
}
