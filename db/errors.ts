/** How a refusal is answered: the HTTP status follows from it, once, in `api/app.ts`. */
export type RefusalKind = 'not_found' | 'conflict' | 'stale' | 'invalid' | 'forbidden' | 'unsupported'

/** One wrong place in what was sent: where, what, and what would be accepted. */
export type Fault = { pointer: string; message: string; accepted?: unknown }

/**
 * A refusal by a rule of the record. `code` is stable and free to choose; `detail` tells a person what to do next.
 * Any other error is a bug: logged, answered 500, or retried.
 */
export class DomainError extends Error {
  readonly kind: RefusalKind
  readonly code: string
  readonly errors: Fault[]
  /** Members that the problem document carries beside the standard ones (`count`, `current`, `state`, …). */
  readonly extra: Record<string, unknown>
  /** What was not found. */
  readonly missing: string | undefined

  constructor(
    kind: RefusalKind,
    code: string,
    detail: string,
    more: { errors?: Fault[]; extra?: Record<string, unknown>; missing?: string | undefined } = {},
  ) {
    super(detail)
    this.name = 'DomainError'
    this.kind = kind
    this.code = code
    this.errors = more.errors ?? []
    this.extra = more.extra ?? {}
    this.missing = more.missing
  }
}

/** The record is not there, or belongs to somebody else: the two are told apart by nobody. */
export const notFound = (what: string, id?: string): DomainError =>
  new DomainError(
    'not_found',
    `${what}_not_found`,
    `There is no ${what.replaceAll('_', ' ')}${id ? ` ${id}` : ''}.`,
    { missing: id },
  )

/** One field of the input is wrong. */
export const invalid = (code: string, pointer: string, message: string, accepted?: unknown): DomainError =>
  new DomainError('invalid', code, message, {
    errors: [{ pointer, message, ...(accepted === undefined ? {} : { accepted }) }],
  })

/** What the caller read is no longer what is there; `current` is. */
export const staleVersion = (current: { version: number }): DomainError =>
  new DomainError(
    'stale',
    'version_mismatch',
    `Somebody changed this record after you read it: it is at version ${current.version} now. Read it again and repeat your change.`,
    { extra: { current } },
  )

/** Names the place in what was sent of something that was not found, if it stands there and nothing was named. */
export const placeMissing = (error: unknown, sent: unknown): void => {
  if (!(error instanceof DomainError) || error.missing === undefined || error.errors.length > 0) return
  const pointer = pointerTo(sent, error.missing)
  if (pointer !== undefined) error.errors.push({ pointer, message: error.message })
}

const pointerTo = (value: unknown, wanted: string): string | undefined => {
  if (value === wanted) return ''
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, member] of Object.entries(value)) {
    const below = pointerTo(member, wanted)
    if (below !== undefined) return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}${below}`
  }
  return undefined
}
