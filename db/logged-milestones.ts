import type { Activity, Subject } from './activities.ts'
import type { TxCtx } from './context.ts'
import { type Milestone, reachMilestone, setStanding } from './milestones.ts'

/** What an entry says of the cards that it is about. */
type Said = Pick<Activity, 'id' | 'type' | 'subjects' | 'data'> & { deleted?: boolean }

/** What taking back or restoring an entry changed on a card. */
export type MilestoneChange = { opportunity_id: string; field: string; before: unknown; after: unknown }

/**
 * Cards that a scheduled meeting or a sent e-mail is about got as far as that.
 * @param at when it happened, if somebody said so
 */
export const reachLogged = async (ctx: TxCtx, entry: Said, at: Date | undefined): Promise<void> => {
  for (const { card, milestone } of reachedBy(entry))
    // One connection: they would queue up anyway.
    await reachMilestone(ctx, card, milestone, at, entry.id)
}

/**
 * Brings milestones in line with an entry that was edited, deleted or restored: what it does not say any more is taken
 * back, what it says again counts again. Answers what changed on the cards.
 */
export const settleLogged = async (
  ctx: TxCtx,
  entry: Said & Pick<Activity, 'occurred_at'>,
  before: readonly Subject[],
): Promise<MilestoneChange[]> => {
  const { tx, organization_id } = ctx
  const cards = [...entry.subjects, ...before].filter(isCard).map(({ id }) => id)
  const known = await tx<{ id: string; opportunity_id: string; milestone: Milestone; stands: boolean }[]>`
    select id, opportunity_id, milestone, withdrawn_at is null as stands from milestones
    where organization_id = ${organization_id} and opportunity_id = any(${cards}::uuid[]) and activity_id = ${entry.id}
    order by id`
  const wanted = reachedBy(entry)
  const changes: MilestoneChange[] = []
  for (const { id, opportunity_id, milestone, stands } of known) {
    const says = wanted.some((one) => one.card === opportunity_id && one.milestone === milestone)
    if (says === stands) continue
    // One connection: they would queue up anyway.
    const change = await setStanding(ctx, opportunity_id, milestone, [id], says)
    if (change) changes.push({ opportunity_id, ...change })
  }
  const isNew = ({ card, milestone }: Reached) =>
    !known.some((one) => one.opportunity_id === card && one.milestone === milestone)
  for (const { card, milestone } of wanted.filter(isNew))
    await reachMilestone(ctx, card, milestone, entry.occurred_at, entry.id)
  return changes
}

type Reached = { card: string; milestone: Milestone }

const reachedBy = ({ type, data, subjects, deleted }: Said): Reached[] => {
  const milestone = deleted ? undefined : milestoneOf(type, data['status'])
  return milestone ? subjects.filter(isCard).map(({ id }) => ({ card: id, milestone })) : []
}

const milestoneOf = (type: Activity['type'], status: unknown): Milestone | undefined => {
  if (type === 'email_sent') return 'sent_at'
  return type === 'meeting_logged' && status === 'scheduled' ? 'scheduled_at' : undefined
}

const isCard = ({ kind }: Subject): boolean => kind === 'lead' || kind === 'deal'
