import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, sendStatement, type Actor, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { getOpportunity, lockOpportunity, type Opportunity } from './opportunities.ts'
import { requireUpon } from './opportunity-stages.ts'

/** What a card reaches on its way, each by the event it names. */
export const milestones = [
  'sent_at',
  'accepted_at',
  'qualifying_started_at',
  'qualified_at',
  'scheduled_at',
  'won_at',
  'lost_at',
] as const
export type Milestone = (typeof milestones)[number]

/** One reaching of a milestone. */
export type MilestoneReached = { id: string; milestone: Milestone; reached_at: Date; actor: Actor }

/**
 * Says that a card reached a milestone: the card keeps the first time, every time is kept in its history. Never raises the
 * card's version; the event that it comes with has the line on the timeline.
 * @param at when it happened, if not now; an agent cannot say
 * @throws {DomainError} `backdating_refused`
 */
export const reachMilestone = (
  ctx: Ctx,
  opportunity_id: string,
  milestone: Milestone,
  at?: Date,
): Promise<void> =>
  inTx(ctx, (ctx) => {
    refuseBackdating(ctx, at)
    reach(ctx, opportunity_id, milestone, at ?? new Date())
    return Promise.resolve()
  })

const reach = (ctx: TxCtx, opportunity_id: string, milestone: Milestone, reached_at: Date): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update opportunities set ${tx(milestone)} = ${reached_at}
      where organization_id = ${organization_id} and id = ${opportunity_id} and ${tx(milestone)} is null`,
  )
  noteMilestone(ctx, opportunity_id, milestone, reached_at)
}

const refuseBackdating = (ctx: Ctx, at: Date | undefined): void => {
  if (at === undefined || ctx.actor.kind !== 'agent') return
  throw invalid(
    'backdating_refused',
    '/reached_at',
    'An agent cannot say when something happened: leave it out, and it is now.',
  )
}

/** The history's row alone: the caller sets the card's own column in a statement of its own. */
export const noteMilestone = (
  ctx: TxCtx,
  opportunity_id: string,
  milestone: Milestone,
  reached_at: Date,
): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      insert into milestones ${tx({
        organization_id,
        id: uuidv7(),
        opportunity_id,
        milestone,
        reached_at,
        actor: tx.json(ctx.actor),
      })}`,
  )
}

export const SetMilestone = z.object({
  milestone: z.enum(milestones),
  /** When it was, if not now. */
  reached_at: z.iso.datetime({ offset: true }).optional(),
  version: z.number().int().positive().optional(),
})
export type SetMilestone = z.infer<typeof SetMilestone>

/** What closing sets, nobody sets by hand. */
const OF_CLOSING: readonly Milestone[] = ['won_at', 'lost_at']

/**
 * Sets a milestone that happened where nothing of ours could see it, such as an accepted invitation.
 * @throws {DomainError} `milestone_of_closing`, `reached_at_in_future`, `backdating_refused`, and what `requireUpon` refuses
 */
export const setMilestone = (ctx: Ctx, id: string, input: SetMilestone): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { milestone } = input
    if (OF_CLOSING.includes(milestone)) {
      throw invalid(
        'milestone_of_closing',
        '/milestone',
        'A card is won or lost by closing it.',
        milestones.filter((candidate) => !OF_CLOSING.includes(candidate)),
      )
    }
    const at = input.reached_at ? new Date(input.reached_at) : undefined
    refuseBackdating(ctx, at)
    if (at && at.getTime() > Date.now()) {
      throw invalid('reached_at_in_future', '/reached_at', 'This is in the future; it has not happened yet.')
    }
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, input.version)
    const reached_at = at ?? new Date()
    reach(ctx, id, milestone, reached_at)
    const first = before[milestone] === null
    if (first) {
      sendStatement(
        ctx,
        tx`
          update opportunities set version = version + 1, updated_at = now()
          where organization_id = ${organization_id} and id = ${id}`,
      )
    }
    await recordActivity(ctx, {
      type: 'milestone_reached',
      subjects: [{ kind: before.kind, id }],
      record_version: before.version + (first ? 1 : 0),
      data: {
        milestone,
        reached_at: reached_at.toISOString(),
        ...(first
          ? {
              changes: [{ field: milestone, before: null, after: reached_at.toISOString() }],
              undo: { tool: 'clear_milestone', input: { opportunity_id: id, milestone } },
            }
          : {}),
      },
    })
    return getOpportunity(ctx, id)
  })

/**
 * Takes a milestone off the card that was set by mistake; its history stays.
 * @throws {DomainError} `record_archived`
 */
export const clearMilestone = (ctx: Ctx, id: string, milestone: Milestone): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, undefined)
    if (before[milestone] === null) return before
    sendStatement(
      ctx,
      tx`
        update opportunities set ${tx(milestone)} = null, version = version + 1, updated_at = now()
        where organization_id = ${organization_id} and id = ${id}`,
    )
    const reached_at = before[milestone].toISOString()
    await recordActivity(ctx, {
      type: 'record_updated',
      subjects: [{ kind: before.kind, id }],
      record_version: before.version + 1,
      data: {
        changes: [{ field: milestone, before: reached_at, after: null }],
        undo: { tool: 'set_milestone', input: { opportunity_id: id, milestone, reached_at } },
      },
    })
    return getOpportunity(ctx, id)
  })

/** Every milestone that a card reached, the newest first, also those that a reopening took off the card. */
export const listMilestones = (ctx: Ctx, opportunity_id: string): Promise<MilestoneReached[]> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await getOpportunity(ctx, opportunity_id)
    const rows = await tx<MilestoneReached[]>`
      select id, milestone, reached_at, actor from milestones
      where organization_id = ${organization_id} and opportunity_id = ${opportunity_id} order by id desc`
    return [...rows]
  })
