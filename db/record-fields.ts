import { z } from 'zod'
import { countryCode, Line, normalisePhone, type Warning } from './lead-fields.ts'

/** An amount in whole minor units of its currency: 1250 is 12.50 EUR, and 1250 JPY. */
export const MinorUnits = z
  .number('a whole number of minor units, such as 1250 for 12.50')
  .int('a whole number of minor units, such as 1250 for 12.50')
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)

/** Tags as people type them: trimmed, and each once whatever its case. */
export const Tags = z
  .array(Line(60))
  .max(50)
  .transform((tags) => {
    const keys = tags.map((tag) => tag.toLowerCase())
    return tags.filter((tag, n) => tag !== '' && keys.indexOf(tag.toLowerCase()) === n)
  })

/** Ids of linked records, each once; the first one is the primary. */
export const LinkedIds = z
  .array(z.uuid())
  .max(200)
  .transform((ids) => [...new Set(ids)])

/** Values of custom fields by their key; null empties one. */
export const CustomValues = z.record(z.string().max(100), z.unknown())

/** What a change of any record says beside its fields. */
export const ChangeTerms = {
  custom: CustomValues.optional(),
  version: z.number().int().positive().optional(),
  /** Why, for the timeline. */
  reason: z.string().trim().min(1).max(2_000).optional(),
}

/** The fields of a record as a change takes them: absent ones stay, null empties one. */
export const changeOf = <Shape extends z.ZodRawShape>(fields: z.ZodObject<Shape>) =>
  z.object(
    Object.fromEntries(
      Object.entries(fields.shape).map(([key, field]) => [key, (field as z.ZodType).nullable().optional()]),
    ),
  ) as unknown as z.ZodObject<{ [Field in keyof Shape]: z.ZodOptional<z.ZodNullable<Shape[Field]>> }>

/** The fields of a record as a new one takes them: it may do without, and null is nothing. */
export const newOf = <Shape extends z.ZodRawShape>(fields: Shape) =>
  z.object(
    Object.fromEntries(
      Object.entries(fields).map(([key, field]) => [
        key,
        (field as z.ZodType).nullish().transform((value) => value ?? undefined),
      ]),
    ),
  ) as unknown as z.ZodObject<{ [Field in keyof Shape]: z.ZodOptional<Shape[Field]> }>

/** Values ready for their columns, and what of them could not be understood. */
export type ReadyFields = { values: Record<string, unknown>; warnings: Warning[] }

/**
 * Values ready for their columns: E.164 beside the phone as it was written, ISO 3166 countries, null for what is empty.
 * A phone that cannot be read becomes a warning, never an error.
 * @param fields names that are columns; others are left out
 * @param country ISO 3166 code assumed for a phone when the values name no country
 */
export const normaliseFields = (input: object, fields: object, country: string | null): ReadyFields => {
  const warnings: Warning[] = []
  const values: Record<string, unknown> = {}
  const named = 'country' in input && typeof input.country === 'string' ? input.country : undefined
  const own = named ? countryCode(named) : null
  for (const [field, value] of Object.entries(input)) {
    if (value === undefined || !(field in fields)) continue
    if (field === 'phone') {
      const { warning, ...phone } =
        typeof value === 'string' && value.trim() !== ''
          ? normalisePhone(value, own ?? country)
          : { phone: null, phone_original: null }
      Object.assign(values, phone)
      if (warning) warnings.push(warning)
    } else if (field === 'country' && typeof value === 'string') {
      values[field] = countryCode(value) ?? value
    } else if (field === 'tags') {
      values[field] = value ?? []
    } else {
      values[field] = value === '' ? null : value
    }
  }
  return { values, warnings }
}
