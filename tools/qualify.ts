import { z } from 'zod'
import { qualifyLead } from '../db/lead-qualification.ts'
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
  run: (ctx, { lead_id }) => qualifyLead(ctx, lead_id),
  irreversible: 'A score is computed again, not taken back; it changes nothing else.',
})
