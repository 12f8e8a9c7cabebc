import { z } from 'zod'
import { requireDiscardReason } from '../db/discard-reasons.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { requireDiscard } from '../db/opportunity-discards.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { readLane } from '../db/opportunity-stages.ts'
import { getStage } from '../db/pipelines.ts'
import { requireRecordInUse } from '../db/records.ts'
import { defineTool } from './tool.ts'

/** Moves a lead or a deal along its pipeline. Closing one, or reopening a closed one, is for people. */
export const move_stage = defineTool({
  name: 'move_stage',
  title: 'Move stage',
  effect: 'write',
  description:
    'Moves the lead to another stage of its pipeline, with the reason. Moving to a won or lost stage waits for a person; lost needs one of the discard reasons that read_lead lists.',
  input: z.object({
    lead_id: z.uuid().describe('Id of the lead, or of the deal.'),
    stage_id: z.uuid().describe('Id of one of the stages that read_lead lists.'),
    discard_reason_id: z
      .uuid()
      .optional()
      .describe('Why it is lost: id of one of the discard reasons that read_lead lists.'),
    reason: z.string().trim().min(1).max(1_000),
  }),
  output: z.object({ stage: z.string(), previous_stage_id: z.string(), previous_stage: z.string() }),
  summary: async ({ stage_id, discard_reason_id }, ctx) => {
    const stage = await getStage(ctx, stage_id)
    const discard = await requireDiscardReason(ctx, discard_reason_id, false)
    return `Move to ${stage.label}${discard ? `: ${discard.label}` : ''}`
  },
  consequence: () => 'If you approve: the stage changes.',
  needsPerson: async ({ lead_id, stage_id, discard_reason_id }, ctx) => {
    const [target, card] = await Promise.all([readLane(ctx, { id: stage_id }), getOpportunity(ctx, lead_id)])
    requireRecordInUse(card)
    if (target.kind !== 'open') await requireDiscard(ctx, target, { discard_reason_id })
    if (target.kind !== 'open') return `Closing a ${card.kind} (${target.label}) needs a person.`
    return card.stage.kind === 'open' ? undefined : `Reopening a closed ${card.kind} needs a person.`
  },
  safe_when_tainted: true,
  risk: 'medium',
  reads: () => [{ name: 'stage' }, { name: 'archived' }],
  preview: async ({ lead_id, stage_id }, ctx) => [
    {
      field: 'stage',
      label: 'Stage',
      before: (await getOpportunity(ctx, lead_id)).stage.label,
      after: (await getStage(ctx, stage_id)).label,
    },
  ],
  run: async (ctx, { lead_id, ...move }) => {
    const before = await getOpportunity(ctx, lead_id)
    const after = await moveOpportunity(ctx, lead_id, move)
    return {
      stage: after.stage.label,
      previous_stage_id: before.stage_id,
      previous_stage: before.stage.label,
    }
  },
  undo: 'move_stage',
})
