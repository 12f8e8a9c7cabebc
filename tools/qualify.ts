import { z } from 'zod'
import { recordActivity } from '../db/activities.ts'
import { saveScore, scoreLead, SCORE_FORMULA } from '../db/lead-score.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { defineTool } from './tool.ts'

/** Scores a lead by rules with listed reasons. A model asks for it; it cannot influence it. */
export const qualify = defineTool({
  name: 'qualify',
  title: 'Score lead',
  effect: 'write',
  description:
    'Computes the lead’s score from 0 to 100 by rules, with the reason and points of every factor, and a verdict: qualified, nurture or unqualified.',
  input: z.object({ lead_id: z.uuid() }),
  output: z.object({
    score: z.number().int().min(0).max(100),
    reasons: z.array(z.object({ factor: z.string(), points: z.number(), reason: z.string() })),
    verdict: z.enum(['qualified', 'nurture', 'unqualified']),
    verdict_reason: z.string(),
  }),
  summary: () => 'Score the lead',
  consequence: () => 'If you approve: the score is computed again.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: async (ctx, { lead_id }) => {
    const scored = scoreLead(await getOpportunity(ctx, lead_id, 'lead'))
    await saveScore(ctx, lead_id, scored)
    await recordActivity(ctx, {
      type: 'qualified',
      subjects: [{ kind: 'lead', id: lead_id }],
      reason: scored.verdict_reason,
      data: { ...scored, formula: SCORE_FORMULA },
    })
    return scored
  },
  irreversible: 'A score is computed again, not taken back; it changes nothing else.',
})
