import type { ActivityType, Subject } from './activities.ts'
import type { TxCtx } from './context.ts'
import { builtIn, type Formula, formulaOf, type LeadScore, scoreValues } from './lead-score.ts'
import type { SqlPart } from './opportunities.ts'
import { insertRows } from './row-sets.ts'
import { FormulaDefinition } from './score-definition.ts'
import { CUSTOM } from './score-factors.ts'
import { blankLead, countKey, type InputNeed } from './score-inputs.ts'
import { gathered } from './together.ts'
import { fieldsInUse, isCounted, readScorable, type Scorable, type Standing } from './score-reading.ts'

/** The formula that scores the organization's leads: its active one, or the built-in one. Read once per transaction. */
export const activeFormula = ({ tx, organization_id }: TxCtx): Promise<Formula> => {
  const known = read.get(tx)
  if (known) return known
  const formula = tx<{ id: string; number: number; definition: unknown; definition_hash: string }[]>`
    select id, number, definition, definition_hash from score_formulas
    where organization_id = ${organization_id} and status = 'active'`
    .execute()
    .then(([row]) => (row ? readyFormula(row) : builtIn))
  read.set(tx, formula)
  return formula
}

/** After the active formula was changed in this transaction. */
export const forgetFormula = ({ tx }: TxCtx): void => void read.delete(tx)

/** What a version of the formula is called on the scores that it computed. */
export const labelOfVersion = (number: number): string => `score-formula/${number}`

/** A stored formula, ready; each version of each definition is made ready once per process. */
export const readyFormula = (row: {
  id: string
  number: number
  definition: unknown
  definition_hash: string
}): Formula => {
  const key = `${row.id} ${row.definition_hash}`
  const known = ready.get(key)
  if (known) return known
  if (ready.size >= READY) ready.clear()
  const formula = formulaOf(row.id, labelOfVersion(row.number), FormulaDefinition.parse(row.definition))
  ready.set(key, formula)
  return formula
}

/** A lead that is about to be written: normalised values, and custom ones as they were given. */
export type Newcomer = {
  values: Record<string, unknown>
  custom?: Record<string, unknown> | undefined
  stage: { id: string; label: string; kind: string }
  /** As the lead will have them where the values name none. */
  currency: string
  door: string
}

/** Scores leads before they are written, without reading any: what a door brought is all there is. */
export const scoreNewcomers = async (
  ctx: TxCtx,
  newcomers: readonly Newcomer[],
): Promise<{ formula: string; scores: LeadScore[] }> => {
  const formula = await activeFormula(ctx)
  const fields = await fieldsInUse(ctx, formula.needs.custom)
  const now = new Date()
  const scores = newcomers.map(({ values, custom, stage, currency, door }) => {
    const lead = Object.assign({ ...blankLead }, values, {
      tags: values['tags'] ?? [],
      currency,
      door,
      enrichment: null,
      stage,
      created_at: now,
      stage_entered_at: now,
      last_activity: now,
      custom: Object.fromEntries(
        fields.map(({ key, type }) => {
          const value = custom?.[key]
          const blank = value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
          return [key, blank ? null : typeof value === 'string' && type === 'date' ? new Date(value) : value]
        }),
      ),
      counts: Object.fromEntries(formula.needs.counts.map(({ count, days }) => [countKey(count, days), 0])),
    })
    return scoreValues(formula, lead, now)
  })
  return { formula: formula.label, scores }
}

/** A score to be kept beside its lead. */
export type ScoredLead = {
  lead_id: string
  scored: LeadScore
  /** Whether its verdict is said too: it is once the lead was qualified, and not before. */
  judged?: boolean
  /** The score that this one follows: when somebody else wrote a newer one meanwhile, theirs stays. */
  standing?: Standing | null
}

/**
 * Writes scores beside their leads, in one statement: derived rows, so the leads' versions stay and nothing is said on a
 * timeline.
 */
export const saveScores = (
  ctx: TxCtx,
  formula: string,
  rows: readonly ScoredLead[],
  { made = false }: { made?: boolean } = {},
): void => {
  const { tx } = ctx
  const guarded = rows.some(({ standing }) => standing !== undefined)
  const now = new Date().toISOString()
  insertRows(
    ctx,
    'opportunity_scores',
    rows.map(({ lead_id, scored, judged, standing }) => ({
      opportunity_id: lead_id,
      score: scored.score,
      reasons: scored.reasons,
      formula,
      verdict: judged ? scored.verdict : null,
      verdict_reason: judged ? scored.verdict_reason : null,
      scored_at: standing?.scored_at ?? now,
    })),
    made
      ? tx``
      : tx`on conflict (organization_id, opportunity_id) do update set score = excluded.score, reasons = excluded.reasons,
      formula = excluded.formula, verdict = coalesce(excluded.verdict, opportunity_scores.verdict),
      verdict_reason = coalesce(excluded.verdict_reason, opportunity_scores.verdict_reason), scored_at = clock_timestamp()
      ${guarded ? tx`where opportunity_scores.scored_at = excluded.scored_at` : tx``}`,
  )
}

/** Writes the scores of leads that were just made. */
export const saveNewScores = (
  ctx: TxCtx,
  ids: readonly string[],
  { formula, scores }: Awaited<ReturnType<typeof scoreNewcomers>>,
): void =>
  saveScores(
    ctx,
    formula,
    scores.flatMap((scored, n) => {
      const lead_id = ids[n]
      return lead_id === undefined ? [] : [{ lead_id, scored }]
    }),
    { made: true },
  )

/**
 * Scores leads that were read; answers those whose score, reasons or formula are others than before. `moved` says that it is
 * more than the formula's name.
 */
export const scoreRead = (
  formula: Formula,
  leads: readonly Scorable[],
  now: Date,
): (ScoredLead & { moved: boolean })[] =>
  leads.flatMap(({ id, lead, standing }) => {
    const scored = scoreValues(formula, lead, now)
    const moved =
      standing?.score !== scored.score ||
      JSON.stringify(standing.reasons.map(inOrder)) !== JSON.stringify(scored.reasons.map(inOrder))
    if (!moved && standing.formula === formula.label) return []
    const judged = (standing?.verdict ?? null) !== null
    return [{ lead_id: id, scored, judged, standing, moved }]
  })

/** jsonb keeps the names of an object in an order of its own. */
const inOrder = ({ factor, points, reason }: LeadScore['reasons'][number]) => [factor, points, reason]

/** Scores leads anew after something changed, in the transaction of the change. Cards that are no leads have no score. */
export const rescoreLeads = gathered<string>(async (ctx, ids) => {
  if (ids.length === 0) return
  const formula = await activeFormula(ctx)
  const now = new Date()
  const leads = await readScorable(ctx, formula.needs, leadsNamed(ctx, ids), now)
  const rows = scoreRead(formula, leads, now).map(({ standing: _, ...row }) => row)
  if (rows.length > 0) saveScores(ctx, formula.label, rows)
})

/** The same for leads of which something changed that the formula looks at: fields by their names, `custom.<key>` too. */
export const rescoreChanged = async (
  ctx: TxCtx,
  leads: readonly { id: string; fields: readonly string[] }[],
): Promise<void> => {
  const { fields, custom } = (await activeFormula(ctx)).needs
  const looked = new Set<string>([...fields, ...custom.map((key) => CUSTOM + key)])
  const changed = leads.filter((lead) => lead.fields.some((field) => looked.has(field)))
  await rescoreLeads(
    ctx,
    changed.map(({ id }) => id),
  )
}

/** The same for one lead; of which only this changed, if that is said. */
export const rescoreLead = (ctx: TxCtx, id: string, changed?: readonly InputNeed[]): Promise<void> =>
  changed ? rescoreChanged(ctx, [{ id, fields: changed }]) : rescoreLeads(ctx, [id])

/** Scores leads anew that something happened with, where the formula counts such things. */
export const rescoreAfter = async (
  ctx: TxCtx,
  type: ActivityType,
  subjects: readonly Subject[],
): Promise<void> => {
  const leads = subjects.filter(({ kind }) => kind === 'lead').map(({ id }) => id)
  if (leads.length === 0 || !isCounted(type)) return
  const { fields } = (await activeFormula(ctx)).needs
  if (fields.has('counts') || fields.has('last_activity')) await rescoreLeads(ctx, leads)
}

/** The condition for leads by their ids. */
export const leadsNamed = ({ tx, organization_id }: TxCtx, ids: readonly string[]): SqlPart =>
  tx`o.organization_id = ${organization_id} and o.kind = 'lead' and o.id = any(${ids as string[]}::uuid[])`

const read = new WeakMap<object, Promise<Formula>>()
const READY = 500
const ready = new Map<string, Formula>()
