import { recheckApprovals } from './approval-reads.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { lockLead } from './leads.ts'
import { type RoutableLead, recordRoutings, routeLeads, type RoutingDecision } from './lead-routing.ts'
import { getOpportunity, type Opportunity } from './opportunities.ts'
import type { Origin } from './origins.ts'

/**
 * Routes a lead again of which more is known now. Only an open lead that the fallback or nobody took: never one that a
 * person, a key or a rule gave to somebody, or that a person took from its owner. What the fallback has goes to a rule's
 * owner, not round the fallback.
 */
export const rerouteLead = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const lead = await lockLead(ctx, id)
    if (lead.archived_at !== null || lead.stage.kind !== 'open' || !(await isUnclaimed(ctx, lead))) return
    const decision = await routed(ctx, lead)
    if (decision.by === 'rule' || (decision.by === 'fallback' && lead.owner_id === null))
      await giveLead(ctx, lead, decision)
  })

/** Routes a lead whose person wrote again, where nobody owns it; the caller holds its lock. Answers the lead as it is then. */
export const routeUnowned = async (ctx: TxCtx, lead: Opportunity): Promise<Opportunity> => {
  if (lead.owner_id !== null) return lead
  const decision = await routed(ctx, lead)
  if (decision.owner_id === null) return lead
  await giveLead(ctx, lead, decision)
  return getOpportunity(ctx, lead.id)
}

/** A lead that is there, as routing looks at it. */
export const routableOf = (lead: Opportunity): RoutableLead => ({
  id: lead.id,
  values: { ...lead, industry: lead.industry ?? industryFound(lead) },
  score: lead.score,
})

const industryFound = ({ enrichment }: Opportunity): string | null =>
  enrichment?.facts.find(({ key }) => key === 'industry')?.value ?? null

const routed = async (ctx: TxCtx, lead: Opportunity): Promise<RoutingDecision> => {
  const [decision] = await routeLeads(ctx, [routableOf(lead)])
  if (!decision) throw new Error('nothing was decided about a lead')
  return decision
}

/** Whether nobody decided yet who has it, or only the fallback did. */
const isUnclaimed = async (
  { tx, organization_id }: TxCtx,
  { id, owner_id }: Opportunity,
): Promise<boolean> => {
  const [row] = await tx<{ origin: Origin }[]>`
    select origin from record_origins
    where organization_id = ${organization_id} and record_kind = 'lead' and record_id = ${id} and field = 'owner_id'`
  if (!row) return owner_id === null
  return row.origin.kind === 'system' && row.origin.name === 'routing' && row.origin.rule_id === undefined
}

const giveLead = async (ctx: TxCtx, lead: Opportunity, decision: RoutingDecision): Promise<void> => {
  const { tx, organization_id } = ctx
  const { id, owner_id, version } = lead
  if (decision.owner_id !== owner_id)
    await tx`
      update opportunities set owner_id = ${decision.owner_id}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
  recordRoutings(ctx, [{ id, before: { owner_id, version }, decision }])
  await recheckApprovals(ctx, { kind: 'lead', id })
}
