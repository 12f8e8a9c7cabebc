import { z } from 'zod'
import { Filter } from '../db/filters.ts'
import { Limit } from './route.ts'

/** `filter` in an address is a filter as JSON text. */
export const FilterText = z
  .string()
  .max(60_000)
  .transform((text, issues): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      issues.addIssue({
        code: 'custom',
        message: 'a filter as JSON, such as {"field":"score","op":"gte","value":60}',
      })
      return z.NEVER
    }
  })
  .pipe(Filter)

/** Where a page ended: the values that its order went by, of at most five fields. */
export const Cursor = z.string().max(20_000)

/** What every list of records takes. */
export const ListingQuery = z.object({
  q: z.string().max(200).optional().describe('Words that each record holds somewhere.'),
  filter: FilterText.optional().describe('JSON of the filter language.'),
  sort: z.string().max(200).optional().describe('Fields such as `-created_at,name`.'),
  limit: Limit,
  cursor: Cursor.optional(),
})
