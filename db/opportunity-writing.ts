import type { Change } from './activities.ts'
import { matchCampaigns } from './campaign-matching.ts'
import { recordCloseDateMove } from './close-dates.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { writeCustomValues } from './custom-values.ts'
import { invalid } from './errors.ts'
import { exchangeMinor, freezeValue } from './exchange-rates.ts'
import { requireMembers } from './identity.ts'
import { writeKeys } from './lead-duplicates.ts'
import type { Warning } from './lead-fields.ts'
import { recordRoutings, type RoutableLead, routeNewcomers } from './lead-routing.ts'
import { type Newcomer, rescoreLead, saveNewScores, scoreNewcomers } from './lead-scoring.ts'
import { replaceLinks } from './links.ts'
import { getOpportunity, lastPositions, lockOpportunity, type Opportunity } from './opportunities.ts'
import { type NewOpportunity, type OpportunityChange, OpportunityFields } from './opportunity-fields.ts'
import { type MoveOpportunity, moveOpportunity } from './opportunity-moves.ts'
import { requireApproval } from './opportunity-stages.ts'
import type { Origin } from './origins.ts'
import { defaultPipeline, entryStage, getPipeline, getStage, type Pipeline, type Stage } from './pipelines.ts'
import { originOf, readChange, writeChanges } from './record-changes.ts'
import { insertRecords } from './record-creation.ts'
import { normaliseFields } from './record-fields.ts'
import { requireFreeExternalIds } from './records.ts'
import { readSettings, type Settings } from './settings.ts'
import { recordArrivals } from './touchpoints.ts'

type Kind = Opportunity['kind']

/** How a card came in; it never changes, whatever its `source` is called later. */
export type OpportunityOrigin = {
  door: string
  submission_id?: string
  source_id?: string
  extra?: Record<string, unknown>
  warnings?: Warning[]
}

/** What a kind of card has of its own when it is made. */
export type KindRules = {
  kind: Kind
  /** What it is called; after a name was emptied, by the rest. */
  nameOf: (values: Record<string, unknown>) => string
  /** @throws {DomainError} when it has nothing that it could be known by */
  requireIdentity?: (values: Record<string, unknown>) => void
  warningsOf?: (values: Record<string, unknown>) => Warning[]
  /** What follows from their being there: the lines on their timelines first. */
  follow: (ctx: TxCtx, made: readonly Made[]) => Promise<unknown>
}

/** A card that was just made: what it was made of, and how it came in. */
export type Made = {
  id: string
  name: string
  values: Record<string, unknown>
  input: NewOpportunity
  from: { door: string; submission_id?: string }
}

/** A card to be made, and how it came in. */
export type NewCard = { input: NewOpportunity; origin: OpportunityOrigin }

/**
 * Makes a card at the entry of its pipeline, or in the stage that it is given; into a closed stage it goes through the one
 * closing there is. Linked records and custom values come with it.
 * @throws {DomainError} `pipeline_of_other_kind`, `stage_of_other_pipeline`, `external_id_taken`, `owner_unknown`,
 * `pipeline_missing`, and what the kind, the links, the custom fields and the closing refuse
 */
export const createOpportunity = (
  ctx: Ctx,
  rules: KindRules,
  input: NewOpportunity,
  origin: OpportunityOrigin,
): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const [made] = await createOpportunities(ctx, rules, [{ input, origin }])
    if (!made) throw new Error('a card was not made')
    return getOpportunity(ctx, made.id)
  })

/**
 * Makes many cards, up to some hundreds, with one statement per table; in a stage they follow each other. All of them or none.
 * @throws {DomainError} what `createOpportunity` throws, for the first one that is refused; `external_id_twice`
 */
export const createOpportunities = (
  ctx: Ctx,
  rules: KindRules,
  entries: readonly NewCard[],
): Promise<Made[]> =>
  inTx(ctx, async (ctx) => {
    const { kind, follow } = rules
    const [settings, pipelineOf] = await Promise.all([
      readSettings(ctx),
      readPipelines(
        ctx,
        kind,
        entries.map(({ input }) => input),
      ),
    ])
    const cards = entries.map((entry) => readCard(rules, settings, pipelineOf(entry.input), entry))
    await Promise.all([
      requireMembers(
        ctx,
        cards.flatMap(({ input }) => input.owner_id ?? []),
      ),
      requireFreeExternalIds(
        ctx,
        kind,
        cards.map(({ values }) => ({ external_id: values['external_id'] })),
      ),
    ])
    const scored = await scoreNewcomers(ctx, kind === 'lead' ? cards.map(newcomerOf) : [])
    const rows = await placedRows(ctx, cards)
    // Last before they are written: whoever comes at the same time waits for the turns that are taken here.
    const routed = await routeNewcomers(
      ctx,
      cards.map((card, n) => routableOf(card, scored.scores[n]?.score)),
    )
    const ids = await insertRecords(
      ctx,
      kind,
      cards.map(({ input, values, from }, n) => ({
        ...input,
        row: { ...(rows[n] ?? missing()), ...(routed[n] ? { owner_id: routed[n].owner_id } : {}) },
        given: Object.keys(values),
        origin: originOf(ctx, from),
      })),
    )
    const made = cards.map(({ wanted: _, stage: __, row: ___, ...card }, n) => ({
      ...card,
      id: ids[n] ?? missing(),
    }))
    if (kind === 'lead') {
      writeKeys(
        ctx,
        made.map(({ id, values }) => ({ ...values, id })),
      )
      saveNewScores(ctx, ids, scored)
    }
    await matchCampaigns(
      ctx,
      made.flatMap(({ id, values: { campaign } }) => (campaign ? [{ id, campaign }] : [])),
    )
    if (kind === 'lead')
      await recordArrivals(
        ctx,
        made.map(({ id, values, from }, n) => ({
          lead_id: id,
          values,
          extra: entries[n]?.origin.extra,
          from,
        })),
      )
    await follow(ctx, made)
    recordRoutings(
      ctx,
      made.flatMap(({ id }, n) => (routed[n] ? [{ id, decision: routed[n] }] : [])),
    )
    for (const [n, { input, wanted, stage }] of cards.entries())
      if (wanted !== stage)
        await moveOpportunity(ctx, made[n]?.id ?? missing(), placeOf({ ...input, stage_id: wanted.id }))
    return made
  })

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
    Object.assign(values, await refrozen(ctx, before, values))
    const after = await writeOpportunity(ctx, before, values, {
      custom: custom && (await writeCustomValues(ctx, kind, id, custom)),
      origin: originOf(ctx),
      reason,
    })
    if (contact_ids) await replaceLinks(ctx, { kind, id }, 'contact', contact_ids, reason)
    if (account_ids) await replaceLinks(ctx, { kind, id }, 'account', account_ids, reason)
    if (stage_id !== undefined && stage_id !== before.stage_id)
      return moveOpportunity(ctx, id, placeOf({ ...input, stage_id }))
    await requireStage(ctx, before, input)
    return contact_ids || account_ids ? getOpportunity(ctx, id) : after
  })

/** Writes values that are ready for their columns, and what follows from them: keys, slips of the expected close. */
export const writeOpportunity = async (
  ctx: TxCtx,
  before: Opportunity,
  values: Record<string, unknown>,
  how: { custom?: Change[] | undefined; origin: Origin; reason?: string | undefined },
): Promise<Opportunity> => {
  const { id, kind } = before
  const { forecast_category = before.forecast_category } = values
  if (forecast_category !== before.forecast_category) requireApproval(ctx, 'changes a forecast category')
  const changes = await writeChanges(ctx, kind, before, { values, ...how })
  if (changes.length === 0) return before
  if (values['expected_close_on'] !== undefined)
    recordCloseDateMove(ctx, id, before.expected_close_on, values['expected_close_on'] as string | null)
  if ('campaign' in values) await matchCampaigns(ctx, [{ id, campaign: values['campaign'] }])
  if (kind === 'lead') await rescoreLead(ctx, id)
  const after = await getOpportunity(ctx, id)
  if (kind === 'lead') writeKeys(ctx, [after])
  return after
}

/** A card that is read and not yet written. */
type ReadCard = Omit<Made, 'id'> & {
  row: Record<string, unknown> & { name: string }
  /** Where it is wanted, and where it is made: closing comes after. */
  wanted: Stage
  stage: Stage
}

const readCard = (
  { kind, nameOf, requireIdentity, warningsOf }: KindRules,
  { currency, default_country }: Settings,
  pipeline: Pipeline,
  { input, origin }: NewCard,
): ReadCard => {
  const { values, warnings } = normaliseFields(input, OpportunityFields.shape, default_country)
  requireIdentity?.(values)
  const name = nameOf(values)
  const wanted = stageFor(kind, pipeline, input)
  const stage = wanted.kind === 'open' ? wanted : entryStage(pipeline)
  const { extra = {}, warnings: brought = [], ...from } = origin
  const row = {
    ...values,
    kind,
    name,
    pipeline_id: pipeline.id,
    stage_id: stage.id,
    currency: values['currency'] ?? currency,
    tags: values['tags'] ?? [],
    origin: from,
    extra,
    warnings: [...brought, ...warnings, ...(warningsOf?.(values) ?? [])],
  }
  return { name, values, input, from, row, wanted, stage }
}

/** A card as it is scored before it is written. */
const newcomerOf = ({ values, input, from, row, stage }: ReadCard): Newcomer => ({
  values,
  custom: input.custom,
  stage,
  currency: String(row['currency']),
  door: from.door,
})

/** An open lead that was given no owner is routed. */
const routableOf = (
  { input, row, wanted }: ReadCard,
  score: number | undefined,
): RoutableLead | undefined => {
  if (row['kind'] !== 'lead' || input.owner_id || wanted.kind !== 'open') return undefined
  const { custom, contact_ids, account_ids } = input
  return { values: row, score, custom, contact_ids, account_ids }
}

/** Each at the end of its stage, in the order in which they came. */
const placedRows = async (ctx: TxCtx, cards: readonly ReadCard[]): Promise<ReadCard['row'][]> => {
  const stages = Map.groupBy(cards, ({ stage }) => stage.id)
  const positions = new Map(
    await Promise.all(
      [...stages].map(
        async ([id, among]) => [id, (await lastPositions(ctx, id, among.length)).values()] as const,
      ),
    ),
  )
  return cards.map(({ row, stage }) => ({ ...row, position: positions.get(stage.id)?.next().value }))
}

const missing = (): never => {
  throw new Error('a card was lost on its way')
}

/** The pipeline of each card: the one that it names, that of the stage that it names, or the default. */
const readPipelines = async (
  ctx: TxCtx,
  kind: Kind,
  cards: readonly Place[],
): Promise<(card: Place) => Pipeline> => {
  const named = ({ pipeline_id, stage_id }: Place): string => pipeline_id ?? stage_id ?? 'default'
  const different = [...new Map(cards.map((card) => [named(card), card])).values()]
  const pipelines = new Map(
    await Promise.all(
      different.map(async (card) => [named(card), await pipelineFor(ctx, kind, card)] as const),
    ),
  )
  return (card) => pipelines.get(named(card)) ?? missing()
}

type Place = Pick<NewOpportunity, 'pipeline_id' | 'stage_id'>

const pipelineFor = async (ctx: TxCtx, kind: Kind, { pipeline_id, stage_id }: Place): Promise<Pipeline> => {
  if (pipeline_id) return getPipeline(ctx, pipeline_id)
  return stage_id ? getPipeline(ctx, (await getStage(ctx, stage_id)).pipeline_id) : defaultPipeline(ctx, kind)
}

const stageFor = (kind: Kind, pipeline: Pipeline, { pipeline_id, stage_id }: NewOpportunity): Stage => {
  const { name, record_kind, stages } = pipeline
  if (record_kind !== kind) {
    throw invalid(
      'pipeline_of_other_kind',
      pipeline_id ? '/pipeline_id' : '/stage_id',
      `“${name}” is a pipeline for ${record_kind}s; this is a ${kind}.`,
    )
  }
  const stage = stage_id ? stages.find(({ id }) => id === stage_id) : entryStage(pipeline)
  if (stage) return stage
  throw invalid(
    'stage_of_other_pipeline',
    '/stage_id',
    `This stage does not belong to “${name}”.`,
    stages.map(({ id, label }) => ({ id, label })),
  )
}

const placeOf = ({
  stage_id,
  pipeline_id,
  discard_reason_id,
  discard_note,
  reason,
}: Omit<OpportunityChange, 'stage_id'> & { stage_id: string }): MoveOpportunity => ({
  stage_id,
  pipeline_id,
  discard_reason_id,
  discard_note,
  reason,
})

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

/** A closed card keeps the rate of its day; its value in the organization's currency follows a correction. */
const refrozen = async (
  ctx: TxCtx,
  before: Opportunity,
  { value_minor = before.value_minor, currency = before.currency }: Record<string, unknown>,
): Promise<Record<string, unknown>> => {
  const amount = { value_minor: value_minor as number | null, currency: currency as string }
  const same = amount.value_minor === before.value_minor && amount.currency === before.currency
  if (before.stage.kind === 'open' || same) return {}
  const { exchange_rate, base_currency, base_value_minor } = await freezeValue(ctx, amount)
  if (amount.currency !== before.currency) return { exchange_rate, base_value_minor }
  const rate = before.exchange_rate
  if (rate === null || amount.value_minor === null) return { base_value_minor: null }
  return { base_value_minor: exchangeMinor(amount.value_minor, amount.currency, rate, base_currency) }
}
