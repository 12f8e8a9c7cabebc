import { matchCampaigns } from './campaign-matching.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { requireMembers } from './identity.ts'
import { writeKeys } from './lead-duplicates.ts'
import type { Warning } from './lead-fields.ts'
import { recordRoutings, type RoutableLead, routeNewcomers } from './lead-routing.ts'
import { type Newcomer, saveNewScores, scoreNewcomers } from './lead-scoring.ts'
import { getOpportunity, lastPositions, type Opportunity } from './opportunities.ts'
import { refuseDiscard } from './opportunity-discards.ts'
import { type NewOpportunity, type OpportunityChange, OpportunityFields } from './opportunity-fields.ts'
import { type MoveOpportunity, moveOpportunity } from './opportunity-moves.ts'
import { defaultPipeline, entryStage, getPipeline, getStage, type Pipeline, type Stage } from './pipelines.ts'
import { originOf } from './record-changes.ts'
import { insertRecords } from './record-creation.ts'
import { normaliseFields, type ReadyFields } from './record-fields.ts'
import { requireFreeExternalIds } from './records.ts'
import { readSettings, type Settings } from './settings.ts'
import { recordArrivals } from './touchpoints.ts'

type Kind = Opportunity['kind']

/** How a card came in; it never changes, whatever its `source` is called later. */
export type OpportunityOrigin = {
  door: string
  submission_id?: string
  source_id?: string
  import_id?: string
  /** Of the imported file, from 1. */
  line?: number
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
  from: Omit<OpportunityOrigin, 'extra' | 'warnings'>
}

/** A card to be made, and how it came in; `ready`: its fields, where they were made ready for their columns already. */
export type NewCard = { input: NewOpportunity; origin: OpportunityOrigin; ready?: ReadyFields }

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
    // What none of the others waits for travels together.
    const [scored, rows] = await Promise.all([
      scoreNewcomers(ctx, kind === 'lead' ? cards.map(newcomerOf) : []),
      placedRows(ctx, cards),
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
        { made: true },
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
  { input, origin, ready }: NewCard,
): ReadCard => {
  const { values, warnings } = ready ?? normaliseFields(input, OpportunityFields.shape, default_country)
  requireIdentity?.(values)
  const name = nameOf(values)
  const wanted = stageFor(kind, pipeline, input)
  if (wanted.kind !== 'lost') refuseDiscard(wanted, input)
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

/** Where a change takes a card. */
export const placeOf = ({
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
