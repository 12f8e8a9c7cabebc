import { listActivities } from '../db/activities.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { createDeal, type NewDeal } from '../db/deals.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { defaultPipeline, type Pipeline, type Stage } from '../db/pipelines.ts'
import { anyReason } from './worked-lead.ts'

/** A deal at the entry of its pipeline. */
export const makeDeal = (ctx: Ctx, fields: Partial<NewDeal> = {}): Promise<Opportunity> =>
  createDeal(ctx, { name: 'Machines for 12 cafés', value_minor: 120_000, ...fields }, { door: 'api' })

/** A stage of the default pipeline: the won one, the lost one, or one of the open ones by its place. */
export const stageOf = async (
  ctx: Ctx,
  kind: Opportunity['kind'],
  which: 'won' | 'lost' | number,
): Promise<Stage> => stageIn(await defaultPipeline(ctx, kind), which)

export const stageIn = ({ stages }: Pipeline, which: 'won' | 'lost' | number): Stage => {
  const stage =
    typeof which === 'number'
      ? stages.filter(({ kind }) => kind === 'open')[which]
      : stages.find(({ kind }) => kind === which)
  if (!stage) throw new Error(`there is no stage ${which}`)
  return stage
}

/** The ids of a column's cards from top to bottom. */
export const columnOf = (ctx: Ctx, stage_id: string): Promise<string[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<{ id: string }[]>`
      select id from opportunities where organization_id = ${organization_id} and stage_id = ${stage_id}
      order by position, id`
    return rows.map(({ id }) => id)
  })

/** The same organization with an agent at work, without or with a person's yes. */
export const asAgent = (ctx: Ctx, approval_id?: string): Ctx => ({
  ...ctx,
  actor: { kind: 'agent', id: 'lead_worker', name: 'lead_worker', version: '1' },
  ...(approval_id ? { approval_id } : {}),
})

/** A deal in one of a pipeline's open stages, by its place. */
export const dealAt = (ctx: Ctx, pipeline: Pipeline, which: number): Promise<Opportunity> =>
  makeDeal(ctx, { pipeline_id: pipeline.id, stage_id: stageIn(pipeline, which).id })

/** A deal that was closed in a pipeline. */
export const closedDealAt = async (
  ctx: Ctx,
  pipeline: Pipeline,
  outcome: 'won' | 'lost',
): Promise<Opportunity> =>
  closeOpportunity(ctx, (await dealAt(ctx, pipeline, 0)).id, {
    outcome,
    ...(outcome === 'lost' ? { discard_reason_id: await anyReason(ctx) } : {}),
  })

/** Cards of a pipeline that lie in no stage of their own pipeline, and open ones in an archived pipeline: none, ever. */
export const unattachedCards = (ctx: Ctx): Promise<number> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<{ count: number }[]>`
      select count(*) as count from opportunities o
      left join stages s on s.organization_id = o.organization_id and s.id = o.stage_id and s.pipeline_id = o.pipeline_id
      left join pipelines p on p.organization_id = o.organization_id and p.id = o.pipeline_id
      where o.organization_id = ${organization_id} and (s.id is null or p.id is null or (s.kind = 'open' and p.archived_at is not null))`
    return row?.count ?? -1
  })

/** The id of the last line that was written about a pipeline. */
export const lastLineOf = async (ctx: Ctx, pipeline_id: string): Promise<string> => {
  const subject = { kind: 'pipeline', id: pipeline_id }
  const [line] = (await listActivities(ctx, { subject, limit: 1 })).data
  if (!line) throw new Error('nothing happened to this pipeline')
  return line.id
}
