import { type Ctx, inTx } from './context.ts'
import type { Opportunity } from './opportunities.ts'
import type { Origin } from './origins.ts'
import { clip, visibleText } from './text.ts'

/**
 * Where the words of a citation stand: in what the lead wrote, or in what its website says. Nowhere: they were made up, or
 * are somebody else's.
 */
export const findCitation = (ctx: Ctx, lead: Opportunity, snippet: string): Origin | undefined => {
  const words = plain(snippet)
  if (words.length < SHORTEST) return undefined
  const found = { snippet: clip(visibleText(snippet), 300), ...(ctx.run_id ? { run_id: ctx.run_id } : {}) }
  const fact = (lead.enrichment?.facts ?? []).find((one) =>
    [one.snippet, one.value].some((text) => plain(text).includes(words)),
  )
  if (fact) return { kind: 'url', url: fact.source_url, ...found }
  if (!plain(lead.message ?? '').includes(words)) return undefined
  const { submission_id } = lead.origin
  return {
    kind: 'submission',
    name: 'what the lead wrote',
    ...(submission_id ? { submission_id } : {}),
    ...found,
  }
}

/** Shorter words stand everywhere. */
const SHORTEST = 3

const plain = (text: string): string => visibleText(text).toLowerCase().replaceAll(/\s+/g, ' ').trim()

/** Whether a person asked for the run that `ctx` acts in: then it may write over what is there. */
export const isAskedByPerson = (ctx: Ctx): Promise<boolean> =>
  inTx(ctx, async ({ tx, organization_id, run_id }) => {
    const rows = await tx`
      select 1 from runs where organization_id = ${organization_id} and id = ${run_id ?? null}
        and trigger ->> 'kind' = 'request' and requested_by ->> 'kind' = 'user'`
    return rows.length > 0
  })
