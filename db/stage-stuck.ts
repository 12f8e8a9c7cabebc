import { recordActivities } from './activities.ts'
import type { Database } from './client.ts'
import { inTx, type Ctx } from './context.ts'
import { listWokenBy } from './models.ts'
import type { Overdue } from './overdue.ts'
import { queueRuns } from './runs.ts'

/** How many cards one look tells of, over all organizations: a threshold may be set on a stage that holds very many. */
export const stuckLimits = { cards: 500 }

/** Which kind of record the agents work. */
const WORKED = 'lead'

/**
 * Stages, over all organizations, that hold stuck cards nobody was told of yet, those with the oldest first; each with its
 * share of what one look tells of.
 */
export const findStuckStages = async (db: Database): Promise<(Overdue & { at_most: number })[]> => {
  const stages = await db.sql<Overdue[]>`select * from finder.stuck_stages(${stuckLimits.cards})`
  return stages.map((stage) => ({ ...stage, at_most: Math.floor(stuckLimits.cards / stages.length) }))
}

/**
 * Tells of open cards that have been in a stage for longer than its `rot_days`, the oldest first: one line on the timeline
 * of each, once per stay, however many look. An agent that is to be woken by it proposes next steps for a lead. Answers how
 * many it told of.
 */
export const tellOfStuck = (ctx: Ctx, stage_id: string, at_most: number): Promise<number> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const [stage] = await tx<{ label: string; rot_days: number }[]>`
      select label, rot_days from stages
      where organization_id = ${organization_id} and id = ${stage_id} and kind = 'open' and rot_days is not null`
    if (!stage) return 0
    // A card that somebody changes just now is told of by the next look: waiting for it could hold up who changes it.
    // Not a change that an editor has to know of: the version stays.
    const cards = await tx<{ id: string; kind: string; days: number; agents_paused: boolean }[]>`
      with stuck as (
        select id from opportunities
        where organization_id = ${organization_id} and stage_id = ${stage_id}
          and archived_at is null and told_stuck_since is distinct from stage_entered_at
          and stage_entered_at < now() - ${stage.rot_days}::int * interval '1 day'
        order by stage_entered_at limit ${at_most} for no key update skip locked
      )
      update opportunities o set told_stuck_since = o.stage_entered_at from stuck
      where o.organization_id = ${organization_id} and o.id = stuck.id
      returning o.id, o.kind, o.agents_paused,
        floor(extract(epoch from now() - o.stage_entered_at) / 86400)::int as days`
    const lines = recordActivities(
      ctx,
      cards.map(({ id, kind, days }) => ({
        type: 'stage_stuck',
        subjects: [{ kind, id }],
        data: { stage_id, stage: stage.label, days, rot_days: stage.rot_days },
      })),
    )
    const agents = await listWokenBy(ctx, 'stage.stuck')
    const wanted = cards.flatMap(({ id, kind, agents_paused }, n) =>
      kind !== WORKED || agents_paused
        ? []
        : agents.map((agent) => ({
            agent,
            subject: { kind, id },
            trigger: { kind: 'stage.stuck' as const, activity_id: lines[n], ask: 'suggest' as const },
            requested_by: actor,
          })),
    )
    await queueRuns(ctx, wanted)
    return cards.length
  })
