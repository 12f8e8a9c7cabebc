import { z } from 'zod'
import { getOpportunity } from '../db/opportunities.ts'
import { moveOpportunity } from '../db/opportunity-moves.ts'
import { getStage } from '../db/pipelines.ts'
import { defineTool } from './tool.ts'

/** Moves a lead along its pipeline. Closing one, or reopening a closed one, is for people. */
export const move_stage = defineTool({
  name: 'move_stage',
  title: 'Move stage',
  effect: 'write',
  description:
    'Moves the lead to another stage of its pipeline, with the reason. Moving to a won or lost stage waits for a person.',
  input: z.object({
    lead_id: z.uuid(),
    stage_id: z.uuid().describe('Id of one of the stages that read_lead lists.'),
    reason: z.string().trim().min(1).max(1_000),
  }),
  output: z.object({ stage: z.string(), previous_stage_id: z.string(), previous_stage: z.string() }),
  summary: async ({ stage_id }, ctx) => `Move to ${(await getStage(ctx, stage_id)).label}`,
  consequence: () => 'If you approve: the stage changes.',
  needsPerson: async ({ lead_id, stage_id }, ctx) => {
    const [target, lead] = await Promise.all([getStage(ctx, stage_id), getOpportunity(ctx, lead_id, 'lead')])
    if (target.kind !== 'open') return `Closing a lead (${target.label}) needs a person.`
    return lead.stage.kind === 'open' ? undefined : 'Reopening a closed lead needs a person.'
  },
  safe_when_tainted: true,
  risk: 'medium',
  reads: () => [{ name: 'stage' }, { name: 'archived' }],
  preview: async ({ lead_id, stage_id }, ctx) => [
    {
      field: 'stage',
      label: 'Stage',
      before: (await getOpportunity(ctx, lead_id, 'lead')).stage.label,
      after: (await getStage(ctx, stage_id)).label,
    },
  ],
  run: async (ctx, { lead_id, stage_id, reason }) => {
    const before = await getOpportunity(ctx, lead_id, 'lead')
    const after = await moveOpportunity(ctx, lead_id, { stage_id, reason })
    return {
      stage: after.stage.label,
      previous_stage_id: before.stage_id,
      previous_stage: before.stage.label,
    }
  },
  undo: 'move_stage',
})
