import { matchCampaigns } from './campaign-matching.ts'
import { correctClosings, refrozen } from './closing-corrections.ts'
import { recordCloseDateMove } from './close-dates.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { writeCustomValues } from './custom-values.ts'
import { invalid } from './errors.ts'
import { pairLeads } from './duplicate-pairs.ts'
import { isRecognisedOtherwise, writeKeys } from './lead-duplicates.ts'
import { unreadPhone } from './lead-fields.ts'
import { rescoreChanged } from './lead-scoring.ts'
import { replaceLinks } from './links.ts'
import { getOpportunity, lockOpportunity, type Opportunity } from './opportunities.ts'
import { readDiscard } from './opportunity-discards.ts'
import { type OpportunityChange, OpportunityFields } from './opportunity-fields.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import { requireApproval } from './opportunity-stages.ts'
import { type KindRules, placeOf } from './opportunity-writing.ts'
import { getPipeline } from './pipelines.ts'
import { originOf, readChange, type ValuesSet, writeChangesOf, type Written } from './record-changes.ts'
import { updateRows } from './row-sets.ts'
import { readSettings } from './settings.ts'

/**
 * Changes a card: fields, custom values, what it is linked with and its stage, each with its line on the timeline.
 * @throws {DomainError} stale when `version` is not the current one, and whatever creation refuses
 */
export const updateOpportunity = (
  ctx: Ctx,
  { kind, nameOf }: Pick<KindRules, 'kind' | 'nameOf'>,
  id: string,
  input: OpportunityChange,
): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { agents_paused, custom, contact_ids, account_ids, stage_id, reason } = input
    const [before, settings] = await Promise.all([lockOpportunity(ctx, id, kind), readSettings(ctx)])
    const { default_country } = settings
    const values = await readChange(ctx, kind, before, input, OpportunityFields.shape, default_country)
    if (agents_paused !== undefined) values['agents_paused'] = agents_paused
    // What a card always has is never emptied: it falls back to what it would have had without it.
    if (values['name'] === null) values['name'] = nameOf({ ...before, ...values })
    if (values['currency'] === null) values['currency'] = settings.currency
    const moves = stage_id !== undefined && stage_id !== before.stage_id
    Object.assign(
      values,
      await refrozen(ctx, before, values),
      moves ? {} : await readDiscard(ctx, before, input),
    )
    const after = await writeOpportunity(ctx, before, values, {
      custom: custom && (await writeCustomValues(ctx, kind, id, custom)),
      origin: originOf(ctx),
      reason,
    })
    if (contact_ids) await replaceLinks(ctx, { kind, id }, 'contact', contact_ids, reason)
    if (account_ids) await replaceLinks(ctx, { kind, id }, 'account', account_ids, reason)
    if (moves) return moveOpportunity(ctx, id, placeOf({ ...input, stage_id }))
    await requireStage(ctx, before, input)
    return contact_ids || account_ids ? getOpportunity(ctx, id) : after
  })

/** Writes values that are ready for their columns, and what follows from them: keys, slips of the expected close, the score. */
export const writeOpportunity = async (
  ctx: TxCtx,
  before: Opportunity,
  values: Record<string, unknown>,
  how: Omit<ValuesSet, 'values'>,
): Promise<Opportunity> => {
  const [written] = await writeOpportunities(ctx, before.kind, [{ before, values, ...how }])
  return written?.activity_id === undefined ? before : getOpportunity(ctx, before.id)
}

/** The same for many cards of one kind, each once, with one statement per table. */
export const writeOpportunities = async (
  ctx: TxCtx,
  kind: Opportunity['kind'],
  sets: readonly (ValuesSet & { before: Opportunity })[],
): Promise<Written[]> => {
  for (const { before, values } of sets) {
    const { forecast_category = before.forecast_category } = values
    if (forecast_category !== before.forecast_category) requireApproval(ctx, 'changes a forecast category')
  }
  const written = await writeChangesOf(ctx, kind, sets)
  correctClosings(ctx, sets)
  const changed = sets.filter((_, n) => written[n]?.activity_id !== undefined)
  warnOfPhones(ctx, changed)
  for (const { before, values } of changed)
    if (values['expected_close_on'] !== undefined)
      recordCloseDateMove(
        ctx,
        before.id,
        before.expected_close_on,
        values['expected_close_on'] as string | null,
      )
  await matchCampaigns(
    ctx,
    changed.flatMap(({ before: { id }, values }) =>
      'campaign' in values ? [{ id, campaign: values['campaign'] }] : [],
    ),
  )
  if (kind !== 'lead' || changed.length === 0) return written
  await rescoreChanged(
    ctx,
    changed.map(({ before: { id }, values, custom = [] }) => ({
      id,
      fields: [...Object.keys(values), ...custom.map(({ field }) => field)],
    })),
  )
  const recognised = changed
    .map(({ before, values }) => ({ before, after: { ...before, ...values } }))
    .filter(({ before, after }) => isRecognisedOtherwise(before, after))
    .map(({ after }) => after)
  writeKeys(ctx, recognised)
  await pairLeads(
    ctx,
    recognised.map(({ id }) => id),
  )
  return written
}

/** What is said of a phone that cannot be read goes with the phone, whoever writes it. */
const warnOfPhones = (ctx: TxCtx, changed: readonly (ValuesSet & { before: Opportunity })[]): void =>
  updateRows(
    ctx,
    'opportunities',
    changed.flatMap(({ before, values }) => {
      if (!('phone' in values || 'phone_original' in values)) return []
      const others = before.warnings.filter(({ field }) => field !== 'phone')
      const warnings = [...others, ...unreadPhone({ ...before, ...values })]
      return warnings.length + before.warnings.length > 0 ? [{ id: before.id, warnings }] : []
    }),
  )

/** A pipeline without a stage says nothing of where in it, unless the card is there already. */
const requireStage = async (
  ctx: TxCtx,
  before: Opportunity,
  { stage_id, pipeline_id }: OpportunityChange,
): Promise<void> => {
  if (stage_id !== undefined || pipeline_id === undefined || pipeline_id === before.pipeline_id) return
  const { name, stages } = await getPipeline(ctx, pipeline_id)
  throw invalid(
    'stage_required',
    '/stage_id',
    `Say in which stage of “${name}” the card goes on.`,
    stages.map(({ id, label }) => ({ id, label })),
  )
}
