import { type Ctx, inTx } from './context.ts'

/** A stage of a pipeline for leads. */
export type LeadStage = { id: string; label: string; pipeline: string }

/** The stages that a lead can be in, by pipeline and order. */
export const leadStages = (ctx: Ctx): Promise<LeadStage[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<LeadStage[]>`
      select s.id, s.label, p.name as pipeline from stages s
      join pipelines p on p.organization_id = s.organization_id and p.id = s.pipeline_id
      where s.organization_id = ${organization_id} and p.record_kind = 'lead' and p.archived_at is null
      order by p.position collate "C", s.position`
    return [...rows]
  })

/** What stages were called that are no more: how they are named outlives them. */
export const formerLabels = (ctx: Ctx, ids: readonly string[]): Promise<Map<string, string>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    if (ids.length === 0) return new Map()
    const rows = await tx<{ stage_id: string; label: string }[]>`
      select distinct on (stage_id) stage_id, label from stage_probabilities
      where organization_id = ${organization_id} and stage_id = any(${ids as string[]}::uuid[])
      order by stage_id, since desc`
    return new Map(rows.map(({ stage_id, label }) => [stage_id, label]))
  })
