import { correctClosings } from './closing-corrections.ts'
import type { TxCtx } from './context.ts'
import { type DiscardReason, requireDiscardReason } from './discard-reasons.ts'
import { invalid } from './errors.ts'
import type { Opportunity } from './opportunities.ts'
import type { Discard } from './opportunity-fields.ts'
import { type Lane, requireApproval } from './opportunity-stages.ts'
import { readPipeline, type Stage } from './pipelines.ts'
import { originOf, writeChanges } from './record-changes.ts'

/**
 * Why a card would be lost in this stage; agents always say, people where the pipeline asks.
 * @throws {DomainError} `discard_reason_on_won`, and what `requireDiscardReason` refuses
 */
export const requireDiscard = async (
  ctx: TxCtx,
  lane: Pick<Lane, 'kind' | 'label' | 'lost_reason'>,
  discard: Discard,
): Promise<DiscardReason | undefined> => {
  if (lane.kind === 'won') {
    refuseDiscard(lane, discard)
    return undefined
  }
  const required = lane.lost_reason === 'required' || ctx.actor.kind === 'agent'
  return requireDiscardReason(ctx, discard.discard_reason_id ?? undefined, required)
}

/**
 * Of what is not lost nobody says why it is.
 * @throws {DomainError} `discard_reason_on_won`, `discard_reason_on_open`: both name the field
 */
export const refuseDiscard = (stage: Pick<Stage, 'kind' | 'label'>, discard: Discard): void => {
  const field = fields.find((name) => discard[name])
  if (field === undefined) return
  const what = field === 'discard_reason_id' ? 'discard reason' : 'discard note'
  if (stage.kind === 'won')
    throw invalid('discard_reason_on_won', `/${field}`, `What is won has no ${what}: leave it out.`)
  throw invalid(
    'discard_reason_on_open',
    `/${field}`,
    `In “${stage.label}” a card is not lost, so it has no ${what}: leave it out, or name the lost stage with it.`,
  )
}

/**
 * What a change says of why a card is lost, ready for its columns; of what is absent, or as it is, nothing. What is taken
 * back is as it was, retired by now or not.
 * @throws {DomainError} what `refuseDiscard` and `requireDiscard` refuse, `approval_required`
 */
export const readDiscard = async (
  ctx: TxCtx,
  card: Opportunity,
  given: Discard,
): Promise<Partial<Pick<Opportunity, (typeof fields)[number]>>> => {
  const changed = fields.filter((name) => given[name] !== undefined && (given[name] || null) !== card[name])
  if (changed.length === 0) return {}
  if (card.stage.kind !== 'lost') {
    refuseDiscard(card.stage, given)
    return {}
  }
  requireApproval(ctx, 'changes why a card is lost')
  if (changed.includes('discard_reason_id') && !ctx.recording?.takes_back) {
    const { lost_reason } = await readPipeline(ctx, card.pipeline_id)
    await requireDiscard(ctx, { ...card.stage, lost_reason }, given)
  }
  return Object.fromEntries(changed.map((name) => [name, given[name] || null]))
}

/** Changes why a card is lost, with its line on the timeline; answers whether it did. */
export const correctDiscard = async (
  ctx: TxCtx,
  card: Opportunity,
  given: Discard & { reason?: string | undefined },
): Promise<boolean> => {
  const values = await readDiscard(ctx, card, given)
  const changes = await writeChanges(ctx, card.kind, card, {
    values,
    origin: originOf(ctx),
    reason: given.reason,
  })
  correctClosings(ctx, [{ before: card, values }])
  return changes.length > 0
}

const fields = ['discard_reason_id', 'discard_note'] as const
