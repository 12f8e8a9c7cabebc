import type { ScoreReason } from './opportunities.ts'
import { BUILT_IN, builtInFormula } from './score-built-in.ts'
import type { FormulaDefinition } from './score-definition.ts'
import { judgeOf } from './score-factors.ts'
import type { ScorableLead } from './score-inputs.ts'
import { type Needs, needsOf } from './score-needs.ts'

export const verdicts = ['qualified', 'nurture', 'unqualified'] as const
export type Verdict = (typeof verdicts)[number]
export type LeadScore = { score: number; reasons: ScoreReason[]; verdict: Verdict; verdict_reason: string }

/** A formula that is ready to score. */
export type Formula = {
  /** Null is the built-in one. */
  id: string | null
  /** What a score says that it was computed by: `score-formula/3`. */
  label: string
  definition: FormulaDefinition
  needs: Needs
  /** What every factor says. */
  reasonsOf: (lead: ScorableLead, now: Date) => ScoreReason[]
}

/** What every lead starts with, and the line that says that a sum is no score any more: no factor is called so. */
export const RESERVED_FACTORS = ['base', 'limit'] as const

/** Makes a definition ready: words are compiled once, whatever number of leads is scored. */
export const formulaOf = (id: string | null, label: string, definition: FormulaDefinition): Formula => {
  const judges = definition.factors.map((one) => [one.factor, judgeOf(one)] as const)
  const base: ScoreReason = { factor: 'base', points: definition.base, reason: 'Every lead starts here' }
  return {
    id,
    label,
    definition,
    needs: needsOf(definition),
    reasonsOf: (lead, now) => [
      base,
      ...judges.flatMap(([factor, judge]) => {
        const judged = judge(lead, now)
        return judged ? [{ factor, ...judged }] : []
      }),
    ],
  }
}

/** Scores while the organization has no formula of its own. */
export const builtIn: Formula = formulaOf(null, BUILT_IN, builtInFormula)

/**
 * Scores a lead from 0 to 100 by rules alone: every point has a factor and a reason, the same lead at the same time gets the
 * same score. `score = clamp(base + Σ points, 0, 100)`; the points of the reasons always come to the sum.
 */
export const scoreValues = (formula: Formula, lead: ScorableLead, now: Date): LeadScore => {
  const reasons = formula.reasonsOf(lead, now)
  const sum = reasons.reduce((total, { points }) => total + points, 0)
  const score = Math.min(100, Math.max(0, sum))
  if (score !== sum) {
    const end = score === 0 ? 'begins at 0' : 'ends at 100'
    reasons.push({ factor: 'limit', points: 0, reason: `The points come to ${sum}; a score ${end}` })
  }
  return { score, reasons, ...judgeScore(score, reasons, formula.definition) }
}

const judgeScore = (
  score: number,
  reasons: ScoreReason[],
  { thresholds }: FormulaDefinition,
): { verdict: Verdict; verdict_reason: string } => {
  const verdict: Verdict =
    score >= thresholds.qualified ? 'qualified' : score >= thresholds.nurture ? 'nurture' : 'unqualified'
  const strongest = reasons
    .filter(
      ({ factor, points }) => factor !== 'base' && (verdict === 'unqualified' ? points < 0 : points > 0),
    )
    .toSorted((a, b) => Math.abs(b.points) - Math.abs(a.points))
    .slice(0, 3)
    .map(({ reason }) => reason)
  const because = strongest.length > 0 ? strongest.join('; ') : 'little is known about it'
  return { verdict, verdict_reason: `${score} of 100: ${because}.` }
}
