import { z } from 'zod'
import type { TxCtx } from '../db/context.ts'
import { DomainError, staleVersion } from '../db/errors.ts'
import { lockRow } from '../db/row-sets.ts'
import { invalidInput, Problem } from './problem.ts'

/**
 * Takes `version` out of a body, or the version out of `If-Match`, where the operation asks for one or may be told one.
 * @param how `named`: the operation's own body has a `version`, which stays in it
 * @throws {Problem} 428 `version_required`, 422, 400 `invalid_if_match`
 */
export const splitVersion = (
  sent: unknown,
  { versioned, named }: { versioned?: boolean | 'optional' | undefined; named: boolean },
  request: Request | undefined,
): { value: unknown; version: number | undefined } => {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent))
    return { value: sent, version: undefined }
  if (!versioned) return { value: named ? withIfMatch(sent, request) : sent, version: undefined }
  const { version: inBody, ...value } = sent as Record<string, unknown>
  const header = ifMatch(request)
  if (inBody !== undefined) return { value, version: bothOf(parseVersion(inBody), header) }
  if (header !== undefined) return { value, version: parseVersion(header) }
  if (versioned === 'optional') return { value, version: undefined }
  throw new Problem(
    428,
    'version_required',
    'Send the version you read, as “version” in the body or as If-Match, so that nobody’s change is overwritten.',
    { errors: [{ pointer: '/version', message: 'the version of the record that you read' }] },
  )
}

const withIfMatch = (sent: object, request: Request | undefined): object => {
  const version = ifMatch(request)
  if (version === undefined) return sent
  return { ...sent, version: 'version' in sent ? bothOf(sent.version, version) : version }
}

/** The version that a body names, if the header names no other one: of two, one is not the current one. */
const bothOf = <Sent>(inBody: Sent, header: number | undefined): Sent | number =>
  header === undefined || header === inBody || !Version.safeParse({ version: inBody }).success
    ? inBody
    : NEVER_CURRENT

/**
 * The version that If-Match names; none for `*`, or without the header.
 * @throws {Problem} 400 `invalid_if_match`: a condition that was not understood must not be taken for none
 */
export const ifMatch = (request: Request | undefined): number | undefined => {
  const text = request?.headers.get('if-match')?.trim()
  if (text === undefined || text === '*') return undefined
  const version = /^(?:W\/)?"?(\d{1,15})"?$/.exec(text)?.[1]
  if (version !== undefined) return Number(version)
  throw new Problem(
    400,
    'invalid_if_match',
    'If-Match takes the ETag of the record as you read it, such as "3": its version in quotes.',
  )
}

/**
 * Holds what an address names without an id to If-Match: `*` asks that it is there, a version that it is the current one.
 * @throws {DomainError} stale with the current one, or with null
 */
export const requireMatch = (request: Request, current: { version: number } | undefined): void => {
  const version = ifMatch(request)
  if (!request.headers.has('if-match')) return
  if (!current)
    throw new DomainError(
      'stale',
      'version_mismatch',
      'Nothing is here that could have the version which If-Match names. To make it, send this without If-Match.',
      { extra: { current: null } },
    )
  if (version !== undefined && version !== current.version) throw staleVersion(current)
}

const parseVersion = (version: unknown): number => {
  const parsed = Version.safeParse({ version })
  if (!parsed.success) throw invalidInput(parsed.error, ['version'])
  return parsed.data.version
}

const MAX_VERSION = 2_147_483_647
/** No record comes to it. */
const NEVER_CURRENT = MAX_VERSION

const Version = z.object({
  version: z.int('the version that you read, a whole number').min(1).max(MAX_VERSION),
})

/** The record that an address is about: the first one in it. */
export const recordAddress = (path: string): string | undefined => /^.*?\/:id(?=\/|$)/.exec(path)?.[0]

/**
 * Holds the record that an operation is about to the version of If-Match, where its body takes none.
 * @param read answers the record
 * @throws {DomainError} stale with the current record
 */
export const requireCurrent = async (
  ctx: TxCtx,
  { path, id, version }: { path: string; id: string; version: number },
  read: (ctx: TxCtx) => Promise<unknown>,
): Promise<void> => {
  const noun = path.split('/').at(-2) ?? ''
  // Locked first: nobody changes it between the look and the act.
  await lockRow(ctx, TABLES[noun] ?? noun.replaceAll('-', '_'), id)
  const current = Versioned.safeParse(await read(ctx))
  if (current.success && current.data.version !== version) throw staleVersion(current.data)
}

const Versioned = z.looseObject({ version: z.int() })

/** The others are called like their nouns. */
const TABLES: Record<string, string> = {
  leads: 'opportunities',
  deals: 'opportunities',
}
