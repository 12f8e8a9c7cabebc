import type { TxCtx } from './context.ts'
import type { ScorableLead } from './score-inputs.ts'
import type { Needs } from './score-needs.ts'
import { readScorable } from './score-reading.ts'

/** A closed lead as it was when it was closed, as far as that is known, and what came of it. */
export type ClosedLead = { id: string; lead: ScorableLead; won: boolean; closed_at: Date }

/**
 * Closed leads behind `after`, along their ids. A lead is won when a closing of its own or of a deal that came of it says
 * so, and lost when one says that and none the other.
 */
export const readHistory = async (
  ctx: TxCtx,
  needs: Needs,
  after: string | null,
  limit: number,
): Promise<ClosedLead[]> => {
  const { tx, organization_id } = ctx
  const closings = await tx<
    { id: string; won: boolean; closed_at: Date; stage_id: string; stage_label: string }[]
  >`
    select o.id, c.won, c.closed_at, c.stage_id, c.stage_label from opportunities o
    cross join lateral (
      select bool_or(each.outcome = 'won') over () as won, each.closed_at, each.stage_id, each.stage_label from (
        select c.outcome, c.closed_at, c.from_stage_id as stage_id, c.from_stage_label as stage_label, true as own
        from closings c
        where c.organization_id = o.organization_id and c.opportunity_id = o.id and c.reopened_at is null
        union all
        select c.outcome, c.closed_at, o.stage_id, '', false from opportunities d
        join closings c on c.organization_id = d.organization_id and c.opportunity_id = d.id and c.reopened_at is null
        where d.organization_id = o.organization_id and d.source_lead_id = o.id
      ) as each
      order by each.own desc, each.closed_at limit 1
    ) as c
    where o.organization_id = ${organization_id} and o.kind = 'lead' ${after === null ? tx`` : tx`and o.id > ${after}`}
    order by o.id limit ${limit}`
  const known = new Map(closings.map((closing) => [closing.id, closing]))
  const leads = await readScorable(
    ctx,
    needs,
    tx`o.organization_id = ${organization_id} and o.id = any(${[...known.keys()]}::uuid[]) order by o.id`,
    (id) => known.get(id)?.closed_at ?? new Date(),
  )
  return leads.flatMap(({ id, lead }) => {
    const closing = known.get(id)
    if (!closing) return []
    const { won, closed_at, stage_id, stage_label } = closing
    const stage = lead.stage && {
      id: stage_id,
      label: stage_label === '' ? lead.stage.label : stage_label,
      kind: 'open',
    }
    return [{ id, lead: { ...lead, ...(stage ? { stage } : {}) }, won, closed_at }]
  })
}
