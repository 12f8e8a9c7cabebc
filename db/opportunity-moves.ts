import { z } from 'zod'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { closeInto } from './opportunity-closings.ts'
import { correctDiscard, refuseDiscard } from './opportunity-discards.ts'
import { Discard } from './opportunity-fields.ts'
import { reopenInto } from './opportunity-reopenings.ts'
import { getOpportunity, lockOpportunity, type Opportunity } from './opportunities.ts'
import {
  enterStage,
  positionIn,
  readLane,
  requireApproval,
  requireReason,
  requireSameKind,
  requireUpon,
  type Lane,
} from './opportunity-stages.ts'
import { getPipeline } from './pipelines.ts'
import { type FormerPlace, Place } from './positions.ts'

export const MoveOpportunity = z.object({
  stage_id: z.uuid(),
  /** The stage says it; given, the two must agree. */
  pipeline_id: z.uuid().optional(),
  /** Where in the column: right before or after this card; neither is at the end. */
  ...Place.shape,
  ...Discard.shape,
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.number().int().positive().optional(),
})
export type MoveOpportunity = z.infer<typeof MoveOpportunity>

/**
 * Moves a card to a stage of its pipeline, or of another one for the same kind of record: the one move there is, whatever
 * door it comes through. Onto a won or lost stage it closes the card, out of one it reopens it, by the rules of those acts.
 * To the stage it is in, it only takes its place there, which nothing else is told of; a lost card takes another reason, too.
 * @param back where it stood there when it left, if this takes that back
 * @throws {DomainError} `stage_not_found`, `pipeline_archived`, `stage_of_other_kind`, `stage_of_other_pipeline`,
 * `reason_required` (agents always give one), `approval_required`, what closing and `requireUpon` refuse
 */
export const moveOpportunity = (
  ctx: Ctx,
  id: string,
  input: MoveOpportunity,
  back?: FormerPlace,
): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const [before, lane] = await Promise.all([
      lockOpportunity(ctx, id),
      readLane(ctx, { id: input.stage_id }),
    ])
    requireUpon(before, input.version)
    await requireLane(ctx, before, lane, input.pipeline_id)
    requireReason(ctx, input.reason)
    const wanted = { before_id: input.before_id, after_id: input.after_id }
    const from = before.stage.kind
    const place = back ? { back } : wanted
    if (lane.kind !== 'open' && lane.kind !== from) return closeInto(ctx, before, lane, input, place)
    if (lane.kind !== 'lost') refuseDiscard(lane, input)
    if (lane.kind === 'open' && from !== 'open') return reopenInto(ctx, before, lane, input, place)
    const corrected = await correctDiscard(ctx, before, input)
    const card = corrected ? await getOpportunity(ctx, id) : before
    if (lane.id === before.stage_id) return takePlace(ctx, card, wanted)
    // Between the closed stages of two pipelines it stays as closed as it was.
    if (from !== 'open') requireApproval(ctx, 'moves a closed card')
    return enterStage(ctx, card, lane, {
      reason: input.reason,
      place,
      undo: { tool: 'move_stage', input: { opportunity_id: id, stage_id: before.stage_id } },
    })
  })

const requireLane = async (
  ctx: TxCtx,
  before: Opportunity,
  lane: Lane,
  pipeline_id: string | undefined,
): Promise<void> => {
  await requireSameKind(ctx, before, lane)
  if (pipeline_id === undefined || pipeline_id === lane.pipeline_id) return
  const { name, stages } = await getPipeline(ctx, pipeline_id)
  throw invalid(
    'stage_of_other_pipeline',
    '/stage_id',
    `“${lane.label}” belongs to “${lane.pipeline}”, not to “${name}”.`,
    stages.map(({ id, label }) => ({ id, label })),
  )
}

const takePlace = async (ctx: TxCtx, card: Opportunity, place: Place): Promise<Opportunity> => {
  if (place.before_id === undefined && place.after_id === undefined) return card
  const { tx, organization_id } = ctx
  await tx`
    update opportunities set position = ${await positionIn(ctx, card.stage_id, place)}
    where organization_id = ${organization_id} and id = ${card.id}`
  return card
}
