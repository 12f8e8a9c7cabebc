import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordCloseDateMove } from './close-dates.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { freezeValue, type Frozen } from './exchange-rates.ts'
import { Day } from './lead-fields.ts'
import { noteMilestone } from './milestones.ts'
import { lockOpportunity, requireOpen, type Opportunity } from './opportunities.ts'
import { requireDiscard } from './opportunity-discards.ts'
import { Discard } from './opportunity-fields.ts'
import {
  enterStage,
  readLane,
  requireApproval,
  requireReason,
  requireSameKind,
  requireUpon,
  type Back,
  type Lane,
} from './opportunity-stages.ts'
import { changesOf, reopenClosing, withoutRate } from './opportunity-reopenings.ts'
import type { Place } from './positions.ts'

export const CloseOpportunity = z.object({
  /** The won or lost stage; or which of the two in `outcome`. */
  stage_id: z.uuid().optional(),
  outcome: z.enum(['won', 'lost']).optional(),
  ...Discard.shape,
  reason: z.string().trim().min(1).max(2_000).optional(),
  value_minor: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  expected_close_on: Day.optional(),
  version: z.number().int().positive().optional(),
})
export type CloseOpportunity = z.infer<typeof CloseOpportunity>

/**
 * Closes a card as won or lost: a row of `closings` keeps how, with the exchange rate of the day.
 * @throws {DomainError} `opportunity_closed` with the state, `outcome_required`, `outcome_contradicts_stage`, `stage_open`,
 * `discard_reason_required` and its kin listing the accepted reasons, `approval_required`, and what `requireUpon` refuses
 */
export const closeOpportunity = (ctx: Ctx, id: string, input: CloseOpportunity): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, input.version)
    requireOpen(before)
    const lane = await readLane(ctx, whichStage(before, input))
    await requireSameKind(ctx, before, lane)
    if (lane.kind === 'open') {
      throw invalid(
        'stage_open',
        '/stage_id',
        `“${lane.label}” is not a closing stage: move the card there.`,
        ['won', 'lost'],
      )
    }
    if (input.outcome !== undefined && input.outcome !== lane.kind) {
      throw invalid(
        'outcome_contradicts_stage',
        '/outcome',
        `“${lane.label}” is where cards are ${lane.kind}.`,
        [lane.kind],
      )
    }
    return closeInto(ctx, before, lane, input)
  })

const whichStage = (
  { pipeline_id }: Opportunity,
  { stage_id, outcome }: CloseOpportunity,
): Parameters<typeof readLane>[1] => {
  if (stage_id !== undefined) return { id: stage_id }
  if (outcome !== undefined) return { pipeline_id, kind: outcome }
  throw invalid('outcome_required', '/outcome', 'Say whether it is won or lost, or name the stage.', [
    'won',
    'lost',
  ])
}

/** The closing itself, by whichever act; a card that was closed otherwise is reopened by the same stroke. */
export const closeInto = async (
  ctx: TxCtx,
  before: Opportunity,
  lane: Lane,
  input: Pick<
    CloseOpportunity,
    'discard_reason_id' | 'discard_note' | 'reason' | 'value_minor' | 'expected_close_on'
  >,
  place?: Place | Back,
): Promise<Opportunity> => {
  const { tx, organization_id } = ctx
  requireReason(ctx, input.reason)
  requireApproval(ctx, 'closes a card')
  const outcome = lane.kind === 'won' ? 'won' : 'lost'
  const discard = await requireDiscard(ctx, lane, input)
  const value_minor = input.value_minor ?? before.value_minor
  const expected_close_on = input.expected_close_on ?? before.expected_close_on
  const { base_currency, ...frozen } = await freezeValue(ctx, { value_minor, currency: before.currency })
  const at = new Date()
  const facts = {
    won_at: outcome === 'won' ? at : null,
    lost_at: outcome === 'lost' ? at : null,
    discard_reason_id: discard?.id ?? null,
    discard_note: outcome === 'lost' ? input.discard_note || input.reason || null : null,
    ...frozen,
    value_minor,
    expected_close_on,
  }
  const warnings = warningsOf(before, frozen, base_currency, value_minor)
  const reopened = before.stage.kind === 'open' ? undefined : await reopenClosing(ctx, before.id)
  sendStatement(
    ctx,
    tx`
      insert into closings ${tx({
        organization_id,
        id: uuidv7(),
        opportunity_id: before.id,
        outcome,
        pipeline_id: lane.pipeline_id,
        stage_id: lane.id,
        stage_label: lane.label,
        from_stage_id: before.stage_id,
        from_stage_label: before.stage.label,
        discard_reason_id: facts.discard_reason_id,
        discard_reason_label: discard?.label ?? null,
        note: facts.discard_note,
        value_minor,
        currency: before.currency,
        base_currency,
        ...frozen,
        owner_id: before.owner_id,
        source: before.source,
        closed_at: at,
        closed_by: tx.json(ctx.actor),
      })}`,
  )
  noteMilestone(ctx, before.id, outcome === 'won' ? 'won_at' : 'lost_at', at)
  recordCloseDateMove(ctx, before.id, before.expected_close_on, expected_close_on)
  const changes = changesOf(before, facts)
  const own = changes.filter(({ field }) => field === 'value_minor' || field === 'expected_close_on')
  return enterStage(ctx, before, lane, {
    reason: input.reason,
    ...(place ? { place } : {}),
    at,
    set: { ...facts, warnings: tx.json(warnings) },
    changes,
    data: {
      outcome,
      ...(discard ? { discard_reason: { id: discard.id, label: discard.label } } : {}),
      ...(facts.discard_note ? { discard_note: facts.discard_note } : {}),
      ...(frozen.exchange_rate === null ? { warnings: warnings.slice(-1) } : {}),
      base_currency,
    },
    undo: reopened
      ? { tool: 'restore_closing', input: { opportunity_id: before.id, closing_id: reopened } }
      : {
          tool: 'reopen_opportunity',
          input: {
            opportunity_id: before.id,
            stage_id: before.stage_id,
            ...(own.length > 0
              ? { values: Object.fromEntries(own.map((change) => [change.field, change.before])) }
              : {}),
          },
        },
  })
}

/** A missing rate is said, never in the way. */
const warningsOf = (
  before: Opportunity,
  { exchange_rate, base_value_minor }: Pick<Frozen, 'exchange_rate' | 'base_value_minor'>,
  base_currency: string,
  value_minor: number | null,
): Opportunity['warnings'] => {
  const rest = withoutRate(before)
  if (exchange_rate === null) {
    const message = `There is no exchange rate of ${before.currency} in ${base_currency}, so its value counts in ${before.currency} only.`
    return [...rest, { field: 'exchange_rate', message }]
  }
  if (value_minor !== null && base_value_minor === null) {
    return [
      ...rest,
      { field: 'exchange_rate', message: `Its value in ${base_currency} is too large to be kept.` },
    ]
  }
  return rest
}
