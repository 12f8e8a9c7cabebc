import type { z } from 'zod'
import type { Fault } from './errors.ts'
import { nearest } from './filters.ts'

/** What zod found wrong, place by place: what it is and what would be accepted. `known` are the names at the top. */
export const faultsOf = (error: z.ZodError, known: readonly string[]): Fault[] =>
  // Each is one fault at least: the rest need not be worded.
  error.issues
    .slice(0, MAX_FAULTS)
    .flatMap((issue) => faultsIn(issue, known))
    .slice(0, MAX_FAULTS)

const MAX_FAULTS = 50
const MAX_NAME = 60

const faultsIn = (issue: z.core.$ZodIssue, known: readonly string[]): Fault[] => {
  const pointer = pointerOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const accepted = issue.path.length === 0 ? known : []
    return issue.keys.slice(0, MAX_FAULTS).map((key) => {
      const name = key.slice(0, MAX_NAME)
      const near = nearest(accepted, name)
      return {
        pointer: pointerOf([...issue.path, key]),
        message: `There is no field “${name}” here.${near ? ` Did you mean “${near}”?` : ''}`,
        ...(accepted.length > 0 ? { accepted } : {}),
      }
    })
  }
  if (issue.code === 'invalid_value') {
    const message = `This takes one of: ${issue.values.map(String).join(', ')}.`
    return [{ pointer, message, accepted: issue.values }]
  }
  // Words of ours, written where the schema is, say it better.
  if (!OF_ZOD.test(issue.message)) return [{ pointer, message: issue.message }]
  const accepted = acceptedBy(issue)
  if (accepted === undefined) return [{ pointer, message: issue.message }]
  const missing = issue.message.endsWith('received undefined')
  return [{ pointer, message: `${missing ? 'This is missing; it' : 'This'} takes ${accepted}.`, accepted }]
}

/** How zod's own messages begin. */
const OF_ZOD = /^(Invalid|Too small|Too big)/

const acceptedBy = (issue: z.core.$ZodIssue): string | undefined => {
  if (issue.code === 'invalid_type') return TYPES[issue.expected]
  if (issue.code === 'invalid_format') return FORMATS[issue.format]
  if (issue.code === 'too_small')
    return `${issue.inclusive ? 'at least' : 'more than'} ${amountOf(issue.origin, issue.minimum)}`
  if (issue.code === 'too_big')
    return `${issue.inclusive ? 'at most' : 'less than'} ${amountOf(issue.origin, issue.maximum)}`
  return undefined
}

const TYPES: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  nonoptional: 'a value',
}

const FORMATS: Record<string, string> = {
  uuid: 'an id',
  date: 'a date as YYYY-MM-DD',
  datetime: 'a time with its zone, such as 2027-01-31T09:00:00+01:00',
  email: 'an e-mail address such as ana@example.com',
}

const amountOf = (origin: string, size: number | bigint): string => {
  const [one, many] = UNITS[origin] ?? ['', '']
  const unit = Number(size) === 1 ? one : many
  return unit ? `${size} ${unit}` : String(size)
}

const UNITS: Record<string, [one: string, many: string]> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
}

/** RFC 6901. */
const pointerOf = (path: PropertyKey[]): string =>
  path
    .map((step) => `/${String(step).slice(0, MAX_NAME).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('')
