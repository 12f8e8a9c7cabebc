import type { Activity, Subject } from './activities.ts'
import type { TxCtx } from './context.ts'
import { type Milestone, reachMilestone, setStanding } from './milestones.ts'

/** What an entry says of the cards that it is about. */
type Said = Pick<Activity, 'id' | 'type' | 'subjects' | 'data'> & { deleted?: boolean }

/** What taking back, restoring or correcting an entry changed on a card. */
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
 * back, what it says again counts again, and what it says happened at another time was reached then. Answers what changed
 * on the cards.
 */
export const settleLogged = async (
  ctx: TxCtx,
  entry: Said & Pick<Activity, 'occurred_at'>,
  before: Pick<Activity, 'subjects' | 'occurred_at'>,
): Promise<MilestoneChange[]> => {
  const { tx, organization_id } = ctx
  const moved = entry.occurred_at.getTime() !== before.occurred_at.getTime()
  const cards = [...entry.subjects, ...before.subjects].filter(isCard).map(({ id }) => id)
  const known = await tx<{ id: string; opportunity_id: string; milestone: Milestone; stands: boolean }[]>`
    select id, opportunity_id, milestone, withdrawn_at is null as stands from milestones
    where organization_id = ${organization_id} and opportunity_id = any(${cards}::uuid[]) and activity_id = ${entry.id}
    order by id`
  const wanted = reachedBy(entry)
  const changes: MilestoneChange[] = []
  for (const { id, opportunity_id, milestone, stands } of known) {
    const says = wanted.some((one) => one.card === opportunity_id && one.milestone === milestone)
    if (says === stands && !(says && moved)) continue
    // One that counts again may have been corrected while it did not.
    const reached_at = says ? entry.occurred_at : undefined
    // One connection: they would queue up anyway.
    const change = await setStanding(ctx, opportunity_id, milestone, [id], { stands: says, reached_at })
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
