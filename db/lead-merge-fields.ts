import { z } from 'zod'
import type { Ctx } from './context.ts'
import { DomainError, type Fault, invalid } from './errors.ts'
import { type FieldUnit, unitOf } from './field-units.ts'
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

/** What is of both, whatever is chosen. */
const TAGS = 'tags'
const PAUSED = 'agents_paused'

const COLUMNS = Object.keys(OpportunityFields.shape).filter((field) => field !== TAGS)

/** Which of two leads a field's value is of. */
export type Chosen = ReadonlyMap<string, 'primary' | 'duplicate'>

/** Values of a lead by their columns, those of custom fields as `custom.<key>`. */
export type MergedValues = Record<string, unknown>

/** What a merge makes of the primary's values of one unit. */
export const mergeUnit = (
  { field, columns }: FieldUnit,
  own: MergedValues,
  other: MergedValues,
  chosen: Chosen,
): MergedValues => {
  if (field === TAGS) return { tags: joinTags(own[TAGS], other[TAGS]) }
  // Somebody switched the agents off for this person.
  if (field === PAUSED) return { agents_paused: own[PAUSED] === true || other[PAUSED] === true }
  // An unreadable number is one, too.
  const held = (values: MergedValues): unknown =>
    field === 'phone' ? (values['phone'] ?? values['phone_original']) : values[field]
  const [mine, theirs] = [held(own), held(other)]
  const wanted = chosen.get(field)
  const takes = isBlank(theirs)
    ? wanted === 'duplicate' && !isBlank(mine) && field !== 'name'
    : wanted === 'duplicate' || (isBlank(mine) && wanted !== 'primary')
  const from = takes ? other : own
  const merged = Object.fromEntries(columns.map((column) => [column, from[column] ?? null]))
  const currency = chosen.get('currency')
  // Without an amount it is anybody's; with one it is that one's, as `choose` sees to.
  if (field === 'value_minor' && currency && isBlank(merged['value_minor']))
    merged['currency'] = (currency === 'duplicate' ? other : own)['currency'] ?? null
  return merged
}

/** What the primary's tags and the duplicate's come to: each once, whatever its case. */
const joinTags = (own: unknown, other: unknown): string[] => {
  const [mine, theirs] = [tagsOf(own), tagsOf(other)]
  const known = new Set(mine.map((tag) => tag.toLowerCase()))
  return [...mine, ...theirs.filter((tag) => !known.has(tag.toLowerCase()))]
}

/** The tags of a value that holds some. */
export const tagsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((tag): tag is string => typeof tag === 'string') : []

/**
 * The values that the primary does not have yet and takes over: columns, and custom values by key.
 * @throws {DomainError} `unknown_field` for every name that is no field, with the nearest one; `currency_of_other_amount`
 * where a currency is chosen without the amount that it is of
 */
export const mergedFields = async (
  ctx: Ctx,
  primary: Opportunity,
  duplicate: Opportunity,
  fields: MergeFields = [],
): Promise<{ values: Record<string, unknown>; custom: Record<string, unknown> }> => {
  const active = await customFields(ctx, 'lead')
  const keys = active.filter(({ archived_at }) => archived_at === null).map(({ key }) => key)
  const custom_columns = keys.map((key) => `${CUSTOM}${key}`)
  const chosen = choose(fields, [...COLUMNS, ...custom_columns])
  const [own, other] = [valuesOf(primary), valuesOf(duplicate)]
  const units = [...COLUMNS, TAGS, PAUSED, ...custom_columns]
    .map((column) => unitOf('lead', column))
    .filter((unit, n, all) => all.findIndex(({ field }) => field === unit.field) === n)
  const changed = units.flatMap((unit) =>
    Object.entries(mergeUnit(unit, own, other, chosen)).filter(
      ([column, value]) => JSON.stringify(value ?? null) !== JSON.stringify(own[column] ?? null),
    ),
  )
  requireOneAmount(fields, chosen, own, other, Object.fromEntries(changed))
  return {
    values: Object.fromEntries(changed.filter(([column]) => !column.startsWith(CUSTOM))),
    custom: Object.fromEntries(
      changed
        .filter(([column]) => column.startsWith(CUSTOM))
        .map(([column, value]) => [column.slice(CUSTOM.length), value ?? null]),
    ),
  }
}

/** How custom values are told from columns. */
export const CUSTOM = 'custom.'

/** A lead's values as they are merged. */
export const valuesOf = (lead: object & { custom?: unknown }): MergedValues => ({
  ...lead,
  ...Object.fromEntries(Object.entries(lead.custom ?? {}).map(([key, value]) => [`${CUSTOM}${key}`, value])),
})

/** Whose value was chosen for what, of a merge that is done. */
export const chosenIn = (fields: MergeFields = []): Chosen =>
  new Map(
    Array.isArray(fields) ? fields.map((field) => [field, 'duplicate' as const]) : Object.entries(fields),
  )

/** @throws {DomainError} `currency_of_other_amount`: 500.00 EUR do not become 50,000 JPY because a currency was chosen */
const requireOneAmount = (
  fields: MergeFields,
  chosen: Chosen,
  own: MergedValues,
  other: MergedValues,
  changed: MergedValues,
): void => {
  const currency = chosen.get('currency')
  if (!currency) return
  const merged = { ...own, ...changed }
  const wanted = (currency === 'duplicate' ? other : own)['currency']
  if (isBlank(merged['value_minor']) || merged['currency'] === wanted) return
  throw invalid(
    'currency_of_other_amount',
    Array.isArray(fields) ? `/fields/${fields.indexOf('currency')}` : '/fields/currency',
    `The amount stays in ${String(merged['currency'])}: a currency is not chosen without the amount that it is of. Choose \`value_minor\` of the same lead, or leave \`currency\` out.`,
    Array.isArray(fields) ? ['value_minor'] : { value_minor: currency },
  )
}

const isBlank = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)

const choose = (fields: MergeFields, known: readonly string[]): Chosen => {
  const named = Array.isArray(fields)
    ? fields.map((field, n) => ({ field, pointer: `/fields/${n}`, from: 'duplicate' as const }))
    : Object.entries(fields).map(([field, from]) => ({ field, pointer: `/fields/${field}`, from }))
  const faults = named.flatMap(({ field, pointer }): Fault[] => {
    if (known.includes(field)) return []
    if (field === TAGS)
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
