import { z } from 'zod'
import type { Change } from './activities.ts'
import { recordCloseDateMove } from './close-dates.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid } from './errors.ts'
import { freezeValue, worthOf, type Frozen } from './exchange-rates.ts'
import { getOpportunity, lockOpportunity, type Opportunity } from './opportunities.ts'
import {
  enterStage,
  readLane,
  requireApproval,
  requireReason,
  requireSameKind,
  requireUpon,
  type Back,
  type Lane,
} from './opportunity-stages.ts'
import { defaultPipeline, entryStage, readPipeline } from './pipelines.ts'
import { FormerPlace, type Place } from './positions.ts'

export const ReopenOpportunity = z.object({
  /** Where it goes on; the stage it was closed from when none is named. */
  stage_id: z.uuid().optional(),
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.number().int().positive().optional(),
})
export type ReopenOpportunity = z.infer<typeof ReopenOpportunity>

/** What a reopening takes off a card; its closing keeps it. */
export type Cleared = { field: string; value: unknown }
export type Reopened = Opportunity & { cleared: Cleared[] }

/** Values that a closing may set with it. */
export const ClosingValues = z.object({
  value_minor: z.number().nullable().optional(),
  expected_close_on: z.string().nullable().optional(),
})
export type ClosingValues = z.infer<typeof ClosingValues>

/** What an act that is taken back had changed beside the stage, and where it took the card from. */
export const TakenBack = z.object({ values: ClosingValues.optional(), place: FormerPlace.optional() })
type TakenBack = z.infer<typeof TakenBack>

/**
 * Opens a closed card again and answers what that cleared; the closing stays, with who reopened it and when.
 * @param taken_back what the closing had changed beside it, and where the card stood, when that is taken back
 * @throws {DomainError} `opportunity_open` with the state, `stage_closed`, `reason_required`, `approval_required`, and what
 * `requireUpon` refuses
 */
export const reopenOpportunity = (
  ctx: Ctx,
  id: string,
  input: ReopenOpportunity,
  taken_back: TakenBack = {},
): Promise<Reopened> =>
  inTx(ctx, async (ctx) => {
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, input.version)
    const lane = await laneOfReopening(ctx, before, input.stage_id)
    const { values, place } = taken_back
    const after = await reopenInto(ctx, before, lane, { ...input, values }, place && { back: place })
    return { ...after, cleared: clearedBy(before) }
  })

/** What reopening would clear, and where the card would go on; an open one stays where it is. */
export const previewReopening = (
  ctx: Ctx,
  id: string,
): Promise<{ stage: { id: string; label: string }; cleared: Cleared[] }> =>
  inTx(ctx, async (ctx) => {
    const card = await getOpportunity(ctx, id)
    const stage = card.stage.kind === 'open' ? card.stage : await laneOfReopening(ctx, card, undefined)
    return { stage: { id: stage.id, label: stage.label }, cleared: clearedBy(card) }
  })

/** The reopening itself, by whichever act. */
export const reopenInto = async (
  ctx: TxCtx,
  before: Opportunity,
  lane: Lane,
  { reason, values = {} }: { reason?: string | undefined; values?: ClosingValues | undefined },
  place?: Place | Back,
): Promise<Opportunity> => {
  requireReason(ctx, reason)
  requireApproval(ctx, 'reopens a card')
  const closing_id = await reopenClosing(ctx, before.id)
  const facts = { ...OPEN, ...values }
  if (values.expected_close_on !== undefined)
    recordCloseDateMove(ctx, before.id, before.expected_close_on, values.expected_close_on)
  return enterStage(ctx, before, lane, {
    reason,
    ...(place ? { place } : {}),
    set: { ...facts, warnings: ctx.tx.json(withoutRate(before)) },
    changes: changesOf(before, facts),
    data: { reopened: before.stage.kind, cleared: clearedBy(before) },
    undo: closing_id
      ? {
          tool: 'restore_closing',
          input: { opportunity_id: before.id, closing_id, ...valuesBefore(before, values) },
        }
      : { tool: 'move_stage', input: { opportunity_id: before.id, stage_id: before.stage_id } },
  })
}

/**
 * Takes a reopening back: the card is closed again as that closing says, at its time and its rate.
 * @throws {DomainError} `closing_stands` when it was never taken back, `record_archived`
 */
export const restoreClosing = (
  ctx: Ctx,
  id: string,
  closing_id: string,
  { reason, values = {}, place }: TakenBack & { reason?: string | undefined } = {},
): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, undefined)
    requireApproval(ctx, 'closes a card')
    const [closing] = await tx<Closed[]>`
      select outcome, stage_id, discard_reason_id, note, currency, exchange_rate, base_currency, closed_at from closings
      where organization_id = ${organization_id} and id = ${closing_id} and opportunity_id = ${id} and reopened_at is not null`
    if (!closing) {
      throw new DomainError('conflict', 'closing_stands', 'This closing was never taken back.', {
        extra: { state: before.stage.kind },
      })
    }
    const lane = await readLane(ctx, { id: closing.stage_id })
    const replaced = before.stage.kind === 'open' ? undefined : await reopenClosing(ctx, id)
    sendStatement(
      ctx,
      tx`
        update closings set reopened_at = null, reopened_by = null
        where organization_id = ${organization_id} and id = ${closing_id}`,
    )
    const { value_minor, currency } = { ...before, ...values }
    // In another currency by now, its rate says nothing.
    const frozen =
      currency === closing.currency
        ? {
            exchange_rate: closing.exchange_rate,
            base_value_minor: worthOf({ value_minor, currency }, closing),
          }
        : await freezeValue(ctx, { value_minor, currency })
    const facts = {
      won_at: closing.outcome === 'won' ? closing.closed_at : null,
      lost_at: closing.outcome === 'lost' ? closing.closed_at : null,
      discard_reason_id: closing.discard_reason_id,
      discard_note: closing.note,
      exchange_rate: frozen.exchange_rate,
      base_value_minor: frozen.base_value_minor,
      ...values,
    }
    if (values.expected_close_on !== undefined)
      recordCloseDateMove(ctx, id, before.expected_close_on, values.expected_close_on)
    return enterStage(ctx, before, lane, {
      reason,
      ...(place ? { place: { back: place } } : {}),
      set: facts,
      changes: changesOf(before, facts),
      data: { outcome: closing.outcome, closing_id },
      undo: replaced
        ? { tool: 'restore_closing', input: { opportunity_id: id, closing_id: replaced } }
        : {
            tool: 'reopen_opportunity',
            input: { opportunity_id: id, stage_id: before.stage_id, ...valuesBefore(before, values) },
          },
    })
  })

type Closed = Omit<Frozen, 'base_value_minor'> & {
  outcome: 'won' | 'lost'
  stage_id: string
  discard_reason_id: string | null
  note: string | null
  currency: string
  closed_at: Date
}

const valuesBefore = (before: Opportunity, values: ClosingValues): { values?: ClosingValues } => {
  const fields = Object.keys(values) as (keyof ClosingValues)[]
  return fields.length > 0
    ? { values: Object.fromEntries(fields.map((field) => [field, before[field]])) }
    : {}
}

/** What a card that is open has none of. */
const OPEN = {
  won_at: null,
  lost_at: null,
  discard_reason_id: null,
  discard_note: null,
  exchange_rate: null,
  base_value_minor: null,
}

const clearedBy = (card: Opportunity): Cleared[] =>
  (Object.keys(OPEN) as (keyof typeof OPEN)[])
    .filter((field) => card[field] !== null)
    .map((field) => ({ field, value: field === 'discard_reason_id' ? card.discard_reason : card[field] }))

/** The fields of a card that get another value. */
export const changesOf = (before: Opportunity, values: Record<string, unknown>): Change[] =>
  Object.entries(values)
    .map(([field, after]) => ({ field, before: before[field as keyof Opportunity] ?? null, after }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))

/**
 * Where a card goes on that is opened again: the named stage, the one it was closed from, or the entry of its pipeline, of
 * the default one when its own is archived.
 */
const laneOfReopening = async (
  ctx: TxCtx,
  card: Opportunity,
  stage_id: string | undefined,
): Promise<Lane> => {
  if (card.stage.kind === 'open') {
    throw new DomainError(
      'conflict',
      'opportunity_open',
      `“${card.name}” is open already (${card.stage.label}).`,
      { extra: { state: 'open' } },
    )
  }
  if (stage_id !== undefined) {
    const lane = await readLane(ctx, { id: stage_id })
    await requireSameKind(ctx, card, lane)
    if (lane.kind === 'open') return lane
    const { stages } = await readPipeline(ctx, card.pipeline_id)
    throw invalid(
      'stage_closed',
      '/stage_id',
      `“${lane.label}” is a closing stage: a card that is open again is in an open one.`,
      stages.filter(({ kind }) => kind === 'open').map(({ id, label }) => ({ id, label })),
    )
  }
  const { tx, organization_id } = ctx
  const [pipeline, [from]] = await Promise.all([
    readPipeline(ctx, card.pipeline_id),
    tx<{ from_stage_id: string }[]>`
      select from_stage_id from closings
      where organization_id = ${organization_id} and opportunity_id = ${card.id} and reopened_at is null`,
  ])
  const stage = pipeline.stages.find(({ id, kind }) => id === from?.from_stage_id && kind === 'open')
  if (stage && !pipeline.archived_at) return readLane(ctx, { id: stage.id })
  return readLane(ctx, {
    id: entryStage(pipeline.archived_at ? await defaultPipeline(ctx, card.kind) : pipeline).id,
  })
}

/** Notes on the standing closing that it was taken back; answers which one it was. */
export const reopenClosing = async (ctx: TxCtx, opportunity_id: string): Promise<string | undefined> => {
  const { tx, organization_id } = ctx
  const [closing] = await tx<{ id: string }[]>`
    update closings set reopened_at = now(), reopened_by = ${tx.json(ctx.actor)}
    where organization_id = ${organization_id} and opportunity_id = ${opportunity_id} and reopened_at is null
    returning id`
  return closing?.id
}

/** The card's warnings but the one about its rate. */
export const withoutRate = ({ warnings }: Opportunity) =>
  warnings.filter(({ field }) => field !== 'exchange_rate')
