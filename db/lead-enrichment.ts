import type { Change } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { type Ctx, inTx } from './context.ts'
import { pairLeads } from './duplicate-pairs.ts'
import { writeKeys } from './lead-duplicates.ts'
import { rescoreLead } from './lead-scoring.ts'
import { lockLead } from './leads.ts'
import { type Fact, getOpportunity } from './opportunities.ts'
import { type Origin, writeOrigins } from './origins.ts'
import { requireRecordInUse } from './records.ts'
import { storableJson } from './text.ts'

/**
 * Fields that were found outside, each with where; what is filled already stays. Answers what was filled.
 * @throws {DomainError} `record_archived`
 */
export const fillBlanks = (
  ctx: Ctx,
  id: string,
  found: {
    field: 'company_name' | 'industry' | 'phone' | 'email' | 'city' | 'state' | 'country' | 'website'
    value: string
    origin: Origin
  }[],
): Promise<Change[]> =>
  inTx(ctx, async (ctx) => {
    const before = await lockLead(ctx, id)
    requireRecordInUse(before)
    const blanks = found.filter(
      ({ field }, n) => before[field] === null && found.findIndex((other) => other.field === field) === n,
    )
    if (blanks.length === 0) return []
    const { tx, organization_id } = ctx
    const values = Object.fromEntries(blanks.map(({ field, value }) => [field, value]))
    await tx`
      update opportunities set ${tx(values)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    for (const { field, origin } of blanks) writeOrigins(ctx, { kind: 'lead', id }, [field], origin)
    await rescoreLead(ctx, id)
    const after = await getOpportunity(ctx, id)
    writeKeys(ctx, [after])
    await pairLeads(ctx, [id])
    await recheckApprovals(ctx, { kind: 'lead', id })
    return blanks.map(({ field, value }) => ({ field, before: null, after: value }))
  })

/** What a lead's website said, kept beside the lead. */
export const saveEnrichment = (
  ctx: Ctx,
  lead_id: string,
  reading: {
    website: string
    summary: string
    facts: Fact[]
    pages: { url: string; title: string | null; status: number }[]
  },
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, run_id } = ctx
    await tx`
      insert into enrichments ${tx({
        organization_id,
        opportunity_id: lead_id,
        website: reading.website,
        summary: reading.summary,
        facts: tx.json(storableJson(reading.facts) as never),
        pages: tx.json(storableJson(reading.pages) as never),
        run_id: run_id ?? null,
      })}
      on conflict (organization_id, opportunity_id) do update set website = excluded.website, summary = excluded.summary,
        facts = excluded.facts, pages = excluded.pages, run_id = excluded.run_id, read_at = now()`
    await rescoreLead(ctx, lead_id, ['enrichment'])
  })
