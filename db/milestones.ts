import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { type Change, type Inverse, recordActivity } from './activities.ts'
import { inTx, sendStatement, type Actor, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { Moment } from './lead-fields.ts'
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
export type MilestoneReached = {
  id: string
  milestone: Milestone
  reached_at: Date
  actor: Actor
  /** The entry on the timeline that it was reached by, where somebody logged it. */
  activity_id: string | null
  /** When what it was reached by was taken back: it counts for nothing since. */
  withdrawn_at: Date | null
  withdrawn_by: Actor | null
}

/**
 * Says that a card reached a milestone: the card keeps the first time, every time is kept in its history. Never raises the
 * card's version; the event that it comes with has the line on the timeline.
 * @param at when it happened, if not now; an agent cannot say
 * @param activity_id the logged entry that says so: with it the milestone is taken back
 * @throws {DomainError} `backdating_refused`
 */
export const reachMilestone = (
  ctx: Ctx,
  opportunity_id: string,
  milestone: Milestone,
  at?: Date,
  activity_id?: string,
): Promise<void> =>
  inTx(ctx, (ctx) => {
    refuseBackdating(ctx, at)
    reach(ctx, opportunity_id, milestone, at ?? new Date(), activity_id)
    return Promise.resolve()
  })

const reach = (
  ctx: TxCtx,
  opportunity_id: string,
  milestone: Milestone,
  reached_at: Date,
  activity_id?: string,
): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update opportunities set ${tx(milestone)} = ${reached_at}
      where organization_id = ${organization_id} and id = ${opportunity_id} and ${tx(milestone)} is null`,
  )
  noteMilestone(ctx, opportunity_id, milestone, reached_at, activity_id)
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
  activity_id?: string,
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
        activity_id: activity_id ?? null,
      })}`,
  )
}

export const SetMilestone = z.object({
  milestone: z.enum(milestones),
  /** When it was, if not now. */
  reached_at: Moment.optional(),
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
 * Takes back how a card reached a milestone, when that was noted by mistake; its history stays. The card keeps the next
 * time that it reached it, if there is one.
 * @throws {DomainError} `record_archived`
 */
export const clearMilestone = (ctx: Ctx, id: string, milestone: Milestone): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, undefined)
    const reached_at = before[milestone]
    if (reached_at === null) return before
    const [first] = await tx<{ id: string }[]>`
      select id from milestones where organization_id = ${organization_id} and opportunity_id = ${id}
        and milestone = ${milestone} and reached_at = ${reached_at} and withdrawn_at is null order by id limit 1`
    if (first) await setStanding(ctx, id, milestone, [first.id], { stands: false })
    else
      await tx`
        update opportunities set ${tx(milestone)} = null where organization_id = ${organization_id} and id = ${id}`
    return changed(ctx, before, milestone, {
      tool: first ? 'restore_milestone' : 'set_milestone',
      input: first
        ? { opportunity_id: id, milestone, milestone_id: first.id }
        : { opportunity_id: id, milestone, reached_at: reached_at.toISOString() },
    })
  })

/**
 * Lets a reaching that was taken back count again: the inverse of taking it back.
 * @throws {DomainError} `record_archived`
 */
export const restoreMilestone = (
  ctx: Ctx,
  id: string,
  milestone: Milestone,
  milestone_id: string,
): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, undefined)
    await setStanding(ctx, id, milestone, [milestone_id], { stands: true })
    return changed(ctx, before, milestone, {
      tool: 'clear_milestone',
      input: { opportunity_id: id, milestone },
    })
  })

/**
 * Takes reachings of a milestone back, lets them count again, or says when it really was; the card has the first one that
 * counts, as if it had been so from the beginning. Answers what that changed on the card, whose version it does not raise.
 */
export const setStanding = async (
  ctx: TxCtx,
  opportunity_id: string,
  milestone: Milestone,
  ids: readonly string[],
  { stands, reached_at }: { stands: boolean; reached_at?: Date | undefined },
): Promise<Change | undefined> => {
  const { tx, organization_id, actor } = ctx
  const reached = tx`
    from milestones m where m.organization_id = ${organization_id} and m.opportunity_id = ${opportunity_id}
      and m.milestone = ${milestone}`
  // The lock first, the look after it: what another change committed meanwhile is seen.
  await tx`select 1 from opportunities where organization_id = ${organization_id} and id = ${opportunity_id} for update`
  // One that came otherwise, such as by an import, is not in the history and stays; afterwards nobody could tell.
  const [card] = await tx<{ at: Date | null; ours: boolean }[]>`
    select o.${tx(milestone)} as at, exists (select ${reached} and m.reached_at = o.${tx(milestone)}) as ours
    from opportunities o where o.organization_id = ${organization_id} and o.id = ${opportunity_id}`
  await tx`
    update milestones set withdrawn_at = ${stands ? null : new Date()}, withdrawn_by = ${stands ? null : tx.json(actor)}
      ${reached_at ? tx`, reached_at = ${reached_at}` : tx``}
    where organization_id = ${organization_id} and id = any(${[...ids]}::uuid[])`
  if (!card || !(card.ours || (stands && card.at === null))) return undefined
  const [after] = await tx<{ at: Date | null }[]>`
    update opportunities o set ${tx(milestone)} = first.at
    from (select (select m.reached_at ${reached} and m.withdrawn_at is null order by m.id limit 1) as at) as first
    where o.organization_id = ${organization_id} and o.id = ${opportunity_id} and o.${tx(milestone)} is distinct from first.at
    returning first.at`
  const moment = (at: Date | null): string | null => at?.toISOString() ?? null
  return after && { field: milestone, before: moment(card.at), after: moment(after.at) }
}

/** The line that says what became of a milestone on its card, and the card. */
const changed = async (
  ctx: TxCtx,
  before: Opportunity,
  milestone: Milestone,
  undo: Inverse,
): Promise<Opportunity> => {
  const { tx, organization_id } = ctx
  const { id, kind, version } = before
  await tx`
    update opportunities set version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id}`
  const after = await getOpportunity(ctx, id)
  await recordActivity(ctx, {
    type: 'record_updated',
    subjects: [{ kind, id }],
    record_version: version + 1,
    data: {
      changes: [
        {
          field: milestone,
          before: before[milestone]?.toISOString() ?? null,
          after: after[milestone]?.toISOString() ?? null,
        },
      ],
      undo,
    },
  })
  return after
}

/** Every milestone that a card reached, the newest first, also those that a reopening or a withdrawal took off the card. */
export const listMilestones = (ctx: Ctx, opportunity_id: string): Promise<MilestoneReached[]> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await getOpportunity(ctx, opportunity_id)
    const rows = await tx<MilestoneReached[]>`
      select id, milestone, reached_at, actor, activity_id, withdrawn_at, withdrawn_by from milestones
      where organization_id = ${organization_id} and opportunity_id = ${opportunity_id} order by id desc`
    return [...rows]
  })
