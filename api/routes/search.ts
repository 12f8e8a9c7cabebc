import { z } from 'zod'
import { recordKinds } from '../../db/records.ts'
import { search as searchRecords } from '../../db/search.ts'
import type { Permission } from '../permissions.ts'
import { Limit, route } from '../route.ts'
import { Id, listOf, Text } from '../shapes.ts'

const SearchQuery = z.object({
  q: z.string().max(200).default(''),
  kinds: z
    .string()
    .transform((text) => text.split(',').map((kind) => kind.trim()))
    .pipe(z.array(z.enum(recordKinds, `kinds are ${recordKinds.join(', ')}, with commas between them`)))
    .optional()
    .describe(`Some of ${recordKinds.join(', ')}, with commas between them.`),
  limit: Limit,
})

/** A record that was found. */
export const SearchResultShape = z
  .object({
    kind: z.enum(recordKinds),
    id: Id,
    name: z.string(),
    detail: Text,
    likeness: z
      .number()
      .describe('1 is the address or number itself; 0 holds the words and is named otherwise.'),
  })
  .meta({ id: 'SearchResult' })

const READS = {
  lead: 'leads:read',
  deal: 'leads:read',
  account: 'accounts:read',
  contact: 'contacts:read',
} as const

/** Looking for a record of any kind. */
export const search = [
  route(
    {
      method: 'GET',
      path: '/api/search',
      summary: 'Find leads, deals, accounts and contacts',
      description:
        'Those with exactly this e-mail address, phone number or domain first, then those that hold every word, the most alike first. Words of three letters and more are found inside others, shorter ones where a word begins; without words the newest records are answered. Kinds that you may not read are left out.',
      query: SearchQuery,
      response: listOf(SearchResultShape),
    },
    async ({ ctx, query, principal }) => {
      const permitted: readonly Permission[] = principal.permissions
      const kinds = (query.kinds ?? recordKinds).filter((kind) => permitted.includes(READS[kind]))
      const data = await searchRecords(ctx, { q: query.q, kinds, limit: query.limit })
      return { data, next_cursor: null }
    },
  ),
]
