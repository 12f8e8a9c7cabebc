import { recordActivity } from './activities.ts'
import { type Ctx, inTx } from './context.ts'
import { notFound } from './errors.ts'
import { rerouteLead } from './lead-rerouting.ts'
import { type LeadScore, scoreValues } from './lead-score.ts'
import { activeFormula, leadsNamed, saveScores } from './lead-scoring.ts'
import { reachMilestone } from './milestones.ts'
import { readScorable } from './score-reading.ts'

/**
 * Scores a lead and says its verdict, with a line on its timeline: from now on the verdict follows the score. Reaches
 * `qualifying_started_at` and, when qualified, `qualified_at`. Derived, so the lead's version stays.
 * @throws {DomainError} `lead_not_found`
 */
export const qualifyLead = (ctx: Ctx, lead_id: string): Promise<LeadScore> =>
  inTx(ctx, async (ctx) => {
    const formula = await activeFormula(ctx)
    const now = new Date()
    const [found] = await readScorable(ctx, formula.needs, leadsNamed(ctx, [lead_id]), now)
    if (!found) throw notFound('lead', lead_id)
    const scored = scoreValues(formula, found.lead, now)
    saveScores(ctx, formula.label, [{ lead_id, scored, judged: true }])
    await reachMilestone(ctx, lead_id, 'qualifying_started_at')
    if (scored.verdict === 'qualified') await reachMilestone(ctx, lead_id, 'qualified_at')
    await recordActivity(ctx, {
      type: 'qualified',
      subjects: [{ kind: 'lead', id: lead_id }],
      reason: scored.verdict_reason,
      data: { ...scored, formula: formula.label },
    })
    await rerouteLead(ctx, lead_id)
    return scored
  })
