import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { inTx, type Ctx } from './context.ts'
import { invalid, notFound, staleVersion } from './errors.ts'
import { getOpportunity, lastPosition, type Opportunity } from './opportunities.ts'
import { getPipeline, getStage } from './pipelines.ts'

export const MoveOpportunity = z.object({
  stage_id: z.uuid(),
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.number().int().positive().optional(),
})
export type MoveOpportunity = z.infer<typeof MoveOpportunity>

/**
 * Moves a card to another stage of its pipeline. The one move there is, whatever door it comes through.
 * Entering a won or lost stage sets `won_at` or `lost_at`; leaving one clears it, the timeline keeps both.
 * @throws {DomainError} `stage_of_other_pipeline`, `reason_required` (agents always give one), stale on a version mismatch
 */
export const moveOpportunity = (ctx: Ctx, id: string, input: MoveOpportunity): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [locked] = await tx<{ version: number }[]>`
      select version from opportunities where organization_id = ${organization_id} and id = ${id} for update`
    if (!locked) throw notFound('opportunity', id)
    const before = await getOpportunity(ctx, id)
    if (input.version !== undefined && input.version !== before.version) throw staleVersion(before)
    const stage = await getStage(ctx, input.stage_id)
    if (stage.pipeline_id !== before.pipeline_id) {
      const { stages } = await getPipeline(ctx, before.pipeline_id)
      throw invalid(
        'stage_of_other_pipeline',
        '/stage_id',
        `“${stage.label}” belongs to another pipeline.`,
        stages.map(({ id, label }) => ({ id, label })),
      )
    }
    if (ctx.actor.kind === 'agent' && !input.reason) {
      throw invalid('reason_required', '/reason', 'Say why: an agent moves nothing without a reason.')
    }
    if (stage.id === before.stage_id) return before
    const at = new Date()
    await tx`
      update opportunities set stage_id = ${stage.id}, stage_entered_at = ${at}, position = ${await lastPosition(ctx, stage.id)},
        won_at = ${stage.kind === 'won' ? at : null}, lost_at = ${stage.kind === 'lost' ? at : null},
        version = version + 1, updated_at = ${at}
      where organization_id = ${organization_id} and id = ${id}`
    await recordActivity(ctx, {
      type: 'stage_changed',
      subjects: [{ kind: before.kind, id }],
      reason: input.reason,
      record_version: before.version + 1,
      data: {
        from: before.stage_id,
        to: stage.id,
        from_label: before.stage.label,
        to_label: stage.label,
        from_kind: before.stage.kind,
        to_kind: stage.kind,
        changes: [{ field: 'stage', before: before.stage.label, after: stage.label }],
        undo: { tool: 'move_stage', input: { lead_id: id, stage_id: before.stage_id } },
      },
    })
    await recheckApprovals(ctx, { kind: before.kind, id })
    return getOpportunity(ctx, id)
  })
