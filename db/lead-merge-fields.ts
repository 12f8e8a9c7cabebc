import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { DomainError, type Fault } from './errors.ts'
import { customFields } from './fields.ts'
import { nearest } from './filters.ts'
import type { Opportunity } from './opportunities.ts'
import { OpportunityFields } from './opportunity-fields.ts'

/**
 * Which fields take the duplicate's value: their names, custom ones as `custom.<key>`; or whose value each takes. What is
 * not named keeps the primary's, or the duplicate's where the primary has none.
 */
export const MergeFields = z.union([
  z.array(z.string().max(150)).max(200),
  z.record(z.string().max(150), z.enum(['primary', 'duplicate'])),
])
export type MergeFields = z.infer<typeof MergeFields>

/** Fields that go together: an amount is nothing without its currency, nor a number without how it was written. */
const TOGETHER: Record<string, readonly string[]> = {
  phone: ['phone_original'],
  value_minor: ['currency'],
}

/** What is the sum of both, whatever is chosen. */
const JOINED = ['tags']

const COLUMNS = Object.keys(OpportunityFields.shape).filter((field) => !JOINED.includes(field))

/**
 * The values that the primary does not have yet and takes over: columns, and custom values by key.
 * @throws {DomainError} `unknown_field` for every name that is no field, with the nearest one
 */
export const mergedFields = async (
  ctx: TxCtx,
  primary: Opportunity,
  duplicate: Opportunity,
  fields: MergeFields = [],
): Promise<{ values: Record<string, unknown>; custom: Record<string, unknown> }> => {
  const active = await customFields(ctx, 'lead')
  const keys = active.filter(({ archived_at }) => archived_at === null).map(({ key }) => key)
  const chosen = choose(fields, [...COLUMNS, ...keys.map((key) => `custom.${key}`)])
  const takes = (field: string, own: unknown, other: unknown): boolean => {
    if (isBlank(other))
      return chosen.get(field) === 'duplicate' && !isBlank(own) && field !== 'name' && field !== 'currency'
    return chosen.get(field) === 'duplicate' || (isBlank(own) && chosen.get(field) !== 'primary')
  }
  const values: Record<string, unknown> = {}
  for (const field of COLUMNS) {
    // An unreadable number is one, too.
    const holds = (lead: Opportunity): unknown =>
      field === 'phone' ? (lead.phone ?? lead.phone_original) : lead[field as keyof Opportunity]
    if (!takes(field, holds(primary), holds(duplicate))) continue
    for (const one of [field, ...(TOGETHER[field] ?? [])]) {
      const value = duplicate[one as keyof Opportunity] ?? null
      if (JSON.stringify(value) !== JSON.stringify(primary[one as keyof Opportunity] ?? null))
        values[one] = value
    }
  }
  const known = new Set(primary.tags.map((tag) => tag.toLowerCase()))
  const tags = duplicate.tags.filter((tag) => !known.has(tag.toLowerCase()))
  if (tags.length > 0) values['tags'] = [...primary.tags, ...tags]
  // Somebody switched the agents off for this person.
  if (duplicate.agents_paused && !primary.agents_paused) values['agents_paused'] = true
  const custom = Object.fromEntries(
    keys
      .filter((key) => takes(`custom.${key}`, primary.custom[key], duplicate.custom[key]))
      .map((key) => [key, duplicate.custom[key] ?? null]),
  )
  return { values, custom }
}

const isBlank = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)

const choose = (fields: MergeFields, known: readonly string[]): Map<string, 'primary' | 'duplicate'> => {
  const named = Array.isArray(fields)
    ? fields.map((field, n) => ({ field, pointer: `/fields/${n}`, from: 'duplicate' as const }))
    : Object.entries(fields).map(([field, from]) => ({ field, pointer: `/fields/${field}`, from }))
  const faults = named.flatMap(({ field, pointer }): Fault[] => {
    if (known.includes(field)) return []
    if (JOINED.includes(field))
      return [{ pointer, message: `${field} are joined; they are not chosen`, accepted: known }]
    return [
      {
        pointer,
        message: `a lead has no field “${field}”; the nearest is “${nearest(known, field)}”`,
        accepted: known,
      },
    ]
  })
  const [first] = faults
  if (first)
    throw new DomainError(
      'invalid',
      'unknown_field',
      `Some of these are no fields of a lead: ${first.message}.`,
      { errors: faults },
    )
  return new Map(named.map(({ field, from }) => [field, from]))
}
