import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { inverse } from './inverse.ts'
import { restoreScoreFormula, retireScoreFormula, returnToFormula } from './score-activation.ts'
import { formulaInForce, lockScoreFormula, ScoreFormulaChange, updateScoreFormula } from './score-formulas.ts'

const FormulaGiven = z.object({ formula_id: z.uuid() })

const standing = async (ctx: TxCtx, { formula_id }: z.infer<typeof FormulaGiven>) => ({
  ...(await lockScoreFormula(ctx, formula_id)),
})

/** The verbs that take acts on score formulas back. */
export const scoreInverses = {
  update_score_formula: inverse({
    input: FormulaGiven.extend({ values: ScoreFormulaChange }),
    standing,
    apply: (ctx, { formula_id, values }) =>
      updateScoreFormula(ctx, formula_id, { ...values, reason: ctx.recording?.reason }),
  }),
  retire_score_formula: inverse({
    input: FormulaGiven,
    standing,
    left: () => ({ status: 'draft' }),
    apply: (ctx, { formula_id }) => retireScoreFormula(ctx, formula_id, { reason: ctx.recording?.reason }),
  }),
  restore_score_formula: inverse({
    input: FormulaGiven,
    standing,
    left: () => ({ status: 'retired' }),
    apply: (ctx, { formula_id }) => restoreScoreFormula(ctx, formula_id),
  }),
  /** What was in force before, or the built-in formula. */
  activate_score_formula: inverse({
    input: z.object({ formula_id: z.uuid().nullable() }),
    standing: async (ctx) => ({ active_formula: (await formulaInForce(ctx)).id }),
    apply: (ctx, { formula_id }) => returnToFormula(ctx, formula_id, ctx.recording?.reason),
  }),
}
