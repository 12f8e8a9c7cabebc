import { z } from 'zod'
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
  const version = inBody === undefined ? ifMatch(request) : inBody
  if (version !== undefined) return { value, version: parseVersion(version) }
  if (versioned === 'optional') return { value, version }
  throw new Problem(
    428,
    'version_required',
    'Send the version you read, as “version” in the body or as If-Match, so that nobody’s change is overwritten.',
    { errors: [{ pointer: '/version', message: 'the version of the record that you read' }] },
  )
}

const withIfMatch = (sent: object, request: Request | undefined): object => {
  const version = 'version' in sent ? undefined : ifMatch(request)
  return version === undefined ? sent : { ...sent, version }
}

/** @throws {Problem} 400 `invalid_if_match`: a condition that was not understood must not be taken for none */
const ifMatch = (request: Request | undefined): number | undefined => {
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

const parseVersion = (version: unknown): number => {
  const parsed = Version.safeParse({ version })
  if (!parsed.success) throw invalidInput(parsed.error, ['version'])
  return parsed.data.version
}

const MAX_VERSION = 2_147_483_647

const Version = z.object({
  version: z.int('the version that you read, a whole number').min(1).max(MAX_VERSION),
})
