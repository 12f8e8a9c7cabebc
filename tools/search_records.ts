import { z } from 'zod'
import { recordKinds } from '../db/records.ts'
import { search } from '../db/search.ts'
import { clip, visibleText } from '../db/text.ts'
import { defineTool } from './tool.ts'

/** Finds records of any kind. Names that strangers gave are among the answers: what is found taints the run. */
export const search_records = defineTool({
  name: 'search_records',
  title: 'Search records',
  effect: 'read',
  description:
    'Finds leads, deals, accounts and contacts by words of their name or company, an e-mail address, a phone number or a domain. Answers what each is called and its id, for read_record.',
  input: z.object({
    query: z.string().trim().min(1).max(200),
    kinds: z.array(z.enum(recordKinds)).min(1).optional().describe('Absent: all of them.'),
    limit: z.int().min(1).max(20).default(10),
  }),
  output: z.object({
    found: z.array(
      z.object({
        kind: z.enum(recordKinds),
        id: z.string(),
        name: z.string(),
        detail: z.string().nullable(),
      }),
    ),
  }),
  summary: ({ query }) => `Search for “${clip(visibleText(query), 80)}”`,
  consequence: () => 'Nothing changes.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: async (ctx, { query, kinds, limit }) => {
    const found = await search(ctx, { q: query, kinds, limit })
    return {
      found: found.map(({ kind, id, name, detail }) => ({
        kind,
        id,
        name: clip(visibleText(name), 200),
        detail: detail === null ? null : clip(visibleText(detail), 200),
      })),
    }
  },
  taints: ({ found }) => found.map(({ id }) => ({ kind: 'record', id })),
  irreversible: 'Looking changes nothing.',
})
