import { inTx, type Ctx } from '../db/context.ts'
import { createDeal, type NewDeal } from '../db/deals.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { defaultPipeline, type Pipeline, type Stage } from '../db/pipelines.ts'

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
