import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { type Change, type Inverse, recordActivity } from './activities.ts'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { DomainError, notFound, staleVersion } from './errors.ts'
import { customFields } from './fields.ts'
import { Line } from './lead-fields.ts'
import { labelOfVersion } from './lead-scoring.ts'
import { page, type Page } from './page.ts'
import { BUILT_IN, builtInFormula } from './score-built-in.ts'
import { FormulaDefinition } from './score-definition.ts'
import { needsOf } from './score-needs.ts'
import { readDefinition } from './score-validation.ts'
import { formulaWarnings } from './score-warnings.ts'

export const formulaStatuses = ['draft', 'active', 'retired'] as const
export type FormulaStatus = (typeof formulaStatuses)[number]

/** A version of an organization's score formula. */
export type ScoreFormula = {
  id: string
  /** Counts up within the organization. */
  number: number
  /** What scores say that they were computed by. */
  label: string
  name: string
  status: FormulaStatus
  definition: FormulaDefinition
  /** Of the definition: a back-test is about exactly this. */
  definition_hash: string
  time_dependent: boolean
  created_by: Actor
  activated_at: Date | null
  activated_by: Actor | null
  retired_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** What in it gives no points any more, because what it looks at is gone. */
export type FormulaWarning = { factor: string; message: string }

const Name = Line(120).pipe(z.string().min(1))
const Reason = z.string().trim().min(1).max(2_000).optional()

/** A formula to be drafted; without a definition it begins as the one that is in force. */
export const NewScoreFormula = z.object({
  name: Name.optional(),
  definition: z.record(z.string(), z.unknown()).optional(),
  reason: Reason,
})
export type NewScoreFormula = z.infer<typeof NewScoreFormula>

export const ScoreFormulaChange = NewScoreFormula.partial()
export type ScoreFormulaChange = z.infer<typeof ScoreFormulaChange>

/** How an act on a formula is told apart from the same one upon another version, and why it is done. */
export const FormulaAct = z.object({ reason: Reason })

/** Of a definition: SHA-256 over RFC 8785 canonical JSON, hex. */
export const hashDefinition = (definition: FormulaDefinition): string =>
  createHash('sha256')
    .update(canonicalize(definition) ?? '')
    .digest('hex')

/**
 * Drafts a version of the formula.
 * @throws {DomainError} what `readDefinition` refuses
 */
export const createScoreFormula = (ctx: Ctx, input: NewScoreFormula): Promise<ScoreFormula> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    await lockFormulas(ctx)
    const definition =
      input.definition === undefined
        ? (await formulaInForce(ctx)).definition
        : await readDefinition(ctx, input.definition)
    const id = uuidv7()
    const [last] = await tx<{ number: number }[]>`
      select coalesce(max(number), 0)::int as number from score_formulas where organization_id = ${organization_id}`
    const number = (last?.number ?? 0) + 1
    const name = input.name ?? `Score formula ${number}`
    await tx`
      insert into score_formulas ${tx({ organization_id, id, number, name, created_by: tx.json(actor), ...(await stored(ctx, definition)) })}`
    await recordFormula(ctx, 'record_created', { id, name }, input.reason, {
      number,
      undo: { tool: 'retire_score_formula', input: { formula_id: id } },
    })
    return getScoreFormula(ctx, id)
  })

/**
 * Changes a draft. A version that was in force stays as it is: scores say that they were computed by it.
 * @throws {DomainError} `formula_not_draft`, stale when `version` is not the current one, what `readDefinition` refuses
 */
export const updateScoreFormula = (
  ctx: Ctx,
  id: string,
  input: ScoreFormulaChange & { version?: number | undefined },
): Promise<ScoreFormula> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // As everywhere, what was sent is read before it is asked which version it was made upon.
    const wanted = input.definition === undefined ? undefined : await readDefinition(ctx, input.definition)
    const before = await lockScoreFormula(ctx, id)
    if (input.version !== undefined && input.version !== before.version) throw staleVersion(before)
    if (before.status !== 'draft') {
      throw new DomainError(
        'conflict',
        'formula_not_draft',
        `“${before.name}” is ${before.status}: only a draft is changed. Draft a new version.`,
        { extra: { state: before.status } },
      )
    }
    const name = input.name ?? before.name
    const definition = wanted ?? before.definition
    const columns = await stored(ctx, definition)
    const changes: Change[] = [
      { field: 'name', before: before.name, after: name },
      { field: 'definition', before: before.definition, after: definition },
    ].filter((change) => canonicalize(change.before) !== canonicalize(change.after))
    if (changes.length === 0) return before
    await tx`
      update score_formulas set ${tx({ name, ...columns })}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordFormula(ctx, 'record_updated', { id, name }, input.reason, {
      record_version: before.version + 1,
      changes,
      undo: {
        tool: 'update_score_formula',
        input: {
          formula_id: id,
          values: Object.fromEntries(changes.map((change) => [change.field, change.before])),
        },
      },
    })
    return getScoreFormula(ctx, id)
  })

/** One version. @throws {DomainError} `score_formula_not_found` */
export const getScoreFormula = (ctx: Ctx, id: string): Promise<ScoreFormula> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<FormulaRow[]>`
      select * from score_formulas where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('score_formula', id)
    return toFormula(row)
  })

/** Versions, the newest first. */
export const listScoreFormulas = (
  ctx: Ctx,
  filter: { status?: FormulaStatus | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<ScoreFormula>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<FormulaRow[]>`
      select * from score_formulas where organization_id = ${organization_id}
        ${filter.status ? tx`and status = ${filter.status}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page(rows.map(toFormula), filter.limit, ({ id }) => id)
  })

/** The formula that scores: the active version, or the built-in one, which has no id. */
export type InForce = Pick<ScoreFormula, 'label' | 'name' | 'definition' | 'definition_hash'> & {
  id: string | null
  number: number | null
}

export const formulaInForce = (ctx: Ctx): Promise<InForce> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<FormulaRow[]>`
      select * from score_formulas where organization_id = ${organization_id} and status = 'active'`
    if (row) return toFormula(row)
    return {
      id: null,
      number: null,
      label: BUILT_IN,
      name: 'Built-in formula',
      definition: builtInFormula,
      definition_hash: hashDefinition(builtInFormula),
    }
  })

/** What of a version gives no points, as things are now. */
export const warningsOf = (
  ctx: Ctx,
  { definition }: Pick<ScoreFormula, 'definition'>,
): Promise<FormulaWarning[]> => inTx(ctx, (ctx) => formulaWarnings(ctx, definition))

/** Whoever numbers, activates or retires versions does it one after the other. */
export const lockFormulas = async ({ tx, organization_id }: TxCtx): Promise<void> => {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${organization_id} score formulas`}, 0))`
}

/** One version that nobody else changes until the transaction ends. */
export const lockScoreFormula = async (ctx: TxCtx, id: string): Promise<ScoreFormula> => {
  const { tx, organization_id } = ctx
  await tx`select 1 from score_formulas where organization_id = ${organization_id} and id = ${id} for update`
  return getScoreFormula(ctx, id)
}

/** A line about a formula: the organization's, and the version's own. */
export const recordFormula = (
  ctx: TxCtx,
  type: 'record_created' | 'record_updated' | 'score_formula_activated' | 'score_formula_retired',
  { id, name }: { id: string | null; name: string },
  reason: string | undefined,
  { record_version = 1, ...data }: { record_version?: number; undo?: Inverse; [detail: string]: unknown },
): Promise<unknown> =>
  recordActivity(ctx, {
    type,
    subjects: [
      ...(id === null ? [] : [{ kind: 'score_formula', id }]),
      { kind: 'organization', id: ctx.organization_id },
    ],
    reason,
    record_version,
    data: { kind: 'score formula', name, ...data },
  })

const stored = async (ctx: TxCtx, definition: FormulaDefinition) => {
  const { custom, time_dependent } = needsOf(definition)
  const days = (await customFields(ctx, 'lead')).filter(({ type }) => type === 'date').map(({ key }) => key)
  return {
    definition: ctx.tx.json(definition),
    definition_hash: hashDefinition(definition),
    time_dependent: time_dependent || custom.some((key) => days.includes(key)),
  }
}

type FormulaRow = Omit<ScoreFormula, 'label' | 'definition'> & {
  definition: unknown
  organization_id: string
}

const toFormula = ({ organization_id: _, definition, ...row }: FormulaRow): ScoreFormula => ({
  ...row,
  label: labelOfVersion(row.number),
  definition: FormulaDefinition.parse(definition),
})
