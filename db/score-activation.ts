import { type Ctx, inTx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { forgetFormula } from './lead-scoring.ts'
import {
  formulaInForce,
  getScoreFormula,
  lockFormulas,
  lockScoreFormula,
  recordFormula,
  type ScoreFormula,
} from './score-formulas.ts'
import { startRecompute } from './score-recompute.ts'
import { readDefinition } from './score-validation.ts'

type How = { reason?: string | undefined }

/**
 * Puts a version in force: the one before is retired, and every lead is scored anew by a job. A version that was in force
 * before may be again. What is in force already stays so.
 * @throws {DomainError} what `readDefinition` refuses, such as `field_archived`; `back_test_required` when exactly this
 * definition was not back-tested to its end
 */
export const activateScoreFormula = (ctx: Ctx, id: string, { reason }: How = {}): Promise<ScoreFormula> =>
  inTx(ctx, async (ctx) => {
    await lockFormulas(ctx)
    const formula = await lockScoreFormula(ctx, id)
    if (formula.status === 'active') return formula
    await requireWhole(ctx, formula)
    await requireBackTest(ctx, formula)
    return put(ctx, formula, reason)
  })

/** Takes a version out of use: a draft is put away, and without the active one the built-in formula scores. Twice is once. */
export const retireScoreFormula = (ctx: Ctx, id: string, { reason }: How = {}): Promise<ScoreFormula> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await lockFormulas(ctx)
    const formula = await lockScoreFormula(ctx, id)
    const { status, name, number } = formula
    if (status === 'retired') return formula
    await tx`
      update score_formulas set status = 'retired', retired_at = now(), version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    const was_active = status === 'active'
    await recordFormula(ctx, 'score_formula_retired', { id, name }, reason, {
      record_version: formula.version + 1,
      number,
      changes: was_active
        ? [{ field: 'active_formula', before: id, after: null }]
        : [{ field: 'status', before: status, after: 'retired' }],
      undo: was_active
        ? { tool: 'activate_score_formula', input: { formula_id: id } }
        : { tool: 'restore_score_formula', input: { formula_id: id } },
    })
    if (was_active) await followChange(ctx)
    return getScoreFormula(ctx, id)
  })

/** Makes a draft that was put away a draft again: the inverse of retiring it. Twice is once. */
export const restoreScoreFormula = (ctx: Ctx, id: string): Promise<ScoreFormula> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const formula = await lockScoreFormula(ctx, id)
    if (formula.status !== 'retired' || formula.activated_at !== null) return formula
    await tx`
      update score_formulas set status = 'draft', retired_at = null, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordFormula(ctx, 'record_updated', formula, undefined, {
      record_version: formula.version + 1,
      changes: [{ field: 'status', before: 'retired', after: 'draft' }],
      undo: { tool: 'retire_score_formula', input: { formula_id: id } },
    })
    return getScoreFormula(ctx, id)
  })

/**
 * Puts back what was in force before, which was back-tested then; null is the built-in formula.
 * @throws {DomainError} what `readDefinition` refuses
 */
export const returnToFormula = (ctx: Ctx, id: string | null, reason?: string): Promise<ScoreFormula | null> =>
  inTx(ctx, async (ctx) => {
    await lockFormulas(ctx)
    if (id !== null) {
      const formula = await lockScoreFormula(ctx, id)
      if (formula.status === 'active') return formula
      await requireWhole(ctx, formula)
      return put(ctx, formula, reason)
    }
    const active = await formulaInForce(ctx)
    return active.id === null ? null : retireScoreFormula(ctx, active.id, { reason })
  })

const put = async (ctx: TxCtx, formula: ScoreFormula, reason: string | undefined): Promise<ScoreFormula> => {
  const { tx, organization_id, actor } = ctx
  const { id, name, number } = formula
  const former = await formulaInForce(ctx)
  await tx`
    update score_formulas set status = 'retired', retired_at = now(), version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and status = 'active'`
  await tx`
    update score_formulas set status = 'active', activated_at = now(), activated_by = ${tx.json(actor)}, retired_at = null,
      version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id}`
  await recordFormula(ctx, 'score_formula_activated', { id, name }, reason, {
    record_version: formula.version + 1,
    number,
    former: former.name,
    changes: [{ field: 'active_formula', before: former.id, after: id }],
    undo: { tool: 'activate_score_formula', input: { formula_id: former.id } },
  })
  await followChange(ctx)
  return getScoreFormula(ctx, id)
}

const followChange = async (ctx: TxCtx): Promise<void> => {
  forgetFormula(ctx)
  await startRecompute(ctx, 'activated')
}

/** What it looks at is there, as when it was saved: else it would score by less than it says. */
const requireWhole = (ctx: TxCtx, { definition }: ScoreFormula): Promise<unknown> =>
  readDefinition(ctx, definition, 'put in force')

const requireBackTest = async (
  { tx, organization_id }: TxCtx,
  { id, name, definition_hash }: ScoreFormula,
): Promise<void> => {
  const [tested] = await tx<{ definition_hash: string; status: string }[]>`
    select definition_hash, status from score_jobs
    where organization_id = ${organization_id} and formula_id = ${id} and kind = 'backtest'
    order by (definition_hash = ${definition_hash}) desc, (status = 'done') desc, id desc limit 1`
  if (tested?.status === 'done' && tested.definition_hash === definition_hash) return
  const why =
    tested === undefined
      ? 'was never back-tested'
      : tested.definition_hash === definition_hash
        ? `has a back-test that is ${tested.status}`
        : 'was changed since its back-test'
  throw new DomainError(
    'conflict',
    'back_test_required',
    `“${name}” ${why}. Back-test it as it is now (POST /api/score-formulas/${id}/back-test), and look at what would change.`,
    { extra: { definition_hash } },
  )
}
