import { recordActivity, type Change, type Inverse, type NewActivity } from './activities.ts'
import { recheckApprovalsOf } from './approval-reads.ts'
import { sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { refreshAttributions } from './lead-attribution.ts'
import { activeFormula, rescoreLead } from './lead-scoring.ts'
import { columnOf, getOpportunity, type Opportunity } from './opportunities.ts'
import { readPipeline, requirePipelineInUse, type StageKind } from './pipelines.ts'
import {
  type FormerPlace,
  type Place,
  placeAndEnd,
  positionAfter,
  positionAgain,
  positionAt,
} from './positions.ts'
import { requireRecordInUse } from './records.ts'
import { loaded, once } from './together.ts'

/** A stage that a card is about to enter, with what its pipeline says. */
export type Lane = {
  id: string
  label: string
  kind: StageKind
  pipeline_id: string
  pipeline: string
  record_kind: 'lead' | 'deal'
  lost_reason: 'required' | 'optional'
}

/** Which stage, by its id or as the won or lost one of a pipeline. */
type Which = { id: string } | { pipeline_id: string; kind: 'won' | 'lost' }

/**
 * A stage to enter: nobody deletes it, or its pipeline, until the transaction ends.
 * @throws {DomainError} `stage_not_found`, `pipeline_archived`
 */
export const readLane = once(async (ctx: TxCtx, which: Which): Promise<Lane> => {
  const { tx, organization_id } = ctx
  const named =
    'id' in which
      ? tx`s.id = ${which.id}`
      : tx`s.pipeline_id = ${which.pipeline_id} and s.kind = ${which.kind}`
  // Read in a statement of its own, after the lock: whoever held it has written by then.
  sendStatement(
    ctx,
    tx`select 1 from stages s where s.organization_id = ${organization_id} and ${named} for key share`,
  )
  const [found] = await tx<(Lane & { archived_at: Date | null })[]>`
    select s.id, s.label, s.kind, s.pipeline_id, p.name as pipeline, p.record_kind, p.lost_reason, p.archived_at
    from stages s join pipelines p on p.organization_id = s.organization_id and p.id = s.pipeline_id
    where s.organization_id = ${organization_id} and ${named}`
  if (!found) throw notFound('stage', 'id' in which ? which.id : undefined)
  const { archived_at, ...lane } = found
  requirePipelineInUse({ id: lane.pipeline_id, name: lane.pipeline, archived_at })
  return lane
})

/**
 * Cards stay among their kind: a lead does not become a deal by being moved.
 * @throws {DomainError} `stage_of_other_kind`
 */
export const requireSameKind = async (ctx: Ctx, card: Opportunity, lane: Lane): Promise<void> => {
  if (lane.record_kind === card.kind) return
  const { stages } = await readPipeline(ctx, card.pipeline_id)
  throw invalid(
    'stage_of_other_kind',
    '/stage_id',
    `“${lane.label}” belongs to “${lane.pipeline}”, a pipeline for ${lane.record_kind}s; this is a ${card.kind}.`,
    stages.map(({ id, label }) => ({ id, label })),
  )
}

/**
 * An act on a card that was read at `version`, if its reader said which; an archived card is restored first.
 * @throws {DomainError} stale on a version mismatch, `record_archived`
 */
export const requireUpon = (card: Opportunity, version: number | undefined): void => {
  if (version !== undefined && version !== card.version) throw staleVersion(card)
  requireRecordInUse(card)
}

/** An agent changes no stage without saying why. */
export const requireReason = (ctx: Ctx, reason: string | undefined): void => {
  if (ctx.actor.kind !== 'agent' || reason) return
  throw invalid('reason_required', '/reason', 'Say why: an agent moves nothing without a reason.')
}

/** What an agent does only when a person has said yes. */
export const requireApproval = (ctx: Ctx, act: string): void => {
  if (ctx.actor.kind !== 'agent' || ctx.approval_id !== undefined) return
  throw new DomainError(
    'forbidden',
    'approval_required',
    `An agent ${act} only when a person has approved it.`,
  )
}

/** To the place that a card had in its column: where taking its leaving back puts it. */
export type Back = { back: FormerPlace }

/** What comes with a card's entering a stage. */
export type Entering = {
  reason?: string | undefined
  place?: Place | Back
  at?: Date
  /** Columns of the card beside its stage. */
  set?: Record<string, unknown>
  changes?: Change[]
  /** What the timeline keeps beside the stages. */
  data?: Record<string, unknown>
  undo: Inverse
}

/** Writes that a card enters a stage: the one place where a card changes its stage, with the one line that says so. */
export const enterStage = async (
  ctx: TxCtx,
  before: Opportunity,
  lane: Lane,
  { reason, place, at = new Date(), set = {}, changes = [], data = {}, undo }: Entering,
): Promise<Opportunity> => {
  const { tx, organization_id } = ctx
  const moved = lane.pipeline_id !== before.pipeline_id
  const is_lead = before.kind === 'lead'
  const [{ position, left, at_end }, from] = await Promise.all([
    placesOf(ctx, before, lane.id, place),
    moved ? pipelineName(ctx, before.pipeline_id) : lane.pipeline,
    // Asked for with the rest, so that scoring again waits for nothing.
    is_lead ? activeFormula(ctx) : undefined,
  ])
  sendStatement(
    ctx,
    tx`
      update opportunities set ${tx({ ...set, pipeline_id: lane.pipeline_id, stage_id: lane.id, stage_entered_at: at, position })},
        version = version + 1, updated_at = ${at}
      where organization_id = ${organization_id} and id = ${before.id}`,
  )
  // What comes after a win had no part in it.
  if ('won_at' in set && before.first_touch) refreshAttributions(ctx, [before.source_lead_id ?? before.id])
  await recordActivity(
    ctx,
    stageChange({ ...before, pipeline: from }, lane, at, {
      reason,
      changes,
      data: at_end ? { ...data, at_end } : data,
      undo: left ? { ...undo, input: { ...undo.input, place: left } } : undo,
    }),
  )
  if (is_lead) await rescoreLead(ctx, before.id, ['stage', 'stage_entered_at'])
  const [, after] = await Promise.all([
    recheckApprovalsOf(ctx, [{ kind: before.kind, id: before.id }]),
    getOpportunity(ctx, before.id),
  ])
  return after
}

/** What a line about a card that leaves its stage has to know of it. */
type Leaving = Pick<
  Opportunity,
  'id' | 'kind' | 'version' | 'pipeline_id' | 'stage_id' | 'stage_entered_at'
> & {
  stage: Pick<Opportunity['stage'], 'label' | 'kind'>
  /** The name of its pipeline. */
  pipeline: string
}

/** The line that says that a card changed its stage. */
export const stageChange = (
  before: Leaving,
  lane: Lane,
  at: Date,
  {
    reason,
    changes = [],
    data = {},
    undo,
  }: Pick<Entering, 'reason' | 'changes' | 'data'> & { undo?: Inverse },
): NewActivity => ({
  type: 'stage_changed',
  subjects: [{ kind: before.kind, id: before.id }],
  reason,
  record_version: before.version + 1,
  data: {
    from: before.stage_id,
    to: lane.id,
    from_label: before.stage.label,
    to_label: lane.label,
    from_kind: before.stage.kind,
    to_kind: lane.kind,
    from_pipeline_id: before.pipeline_id,
    to_pipeline_id: lane.pipeline_id,
    from_pipeline: before.pipeline,
    to_pipeline: lane.pipeline,
    /** How long it was in the stage that it leaves. */
    seconds_in_stage: Math.max(0, Math.round((at.getTime() - before.stage_entered_at.getTime()) / 1000)),
    ...data,
    changes: [
      ...(lane.pipeline_id === before.pipeline_id
        ? []
        : [{ field: 'pipeline', before: before.pipeline, after: lane.pipeline }]),
      { field: 'stage', before: before.stage.label, after: lane.label },
      ...changes,
    ],
    ...(undo ? { undo } : {}),
  },
})

/** Where a card stood in the column that it leaves, and where it goes in the one that it enters. */
type Places = {
  position: string
  left: FormerPlace | undefined
  /** Its former place there is gone. */
  at_end?: true
}

const placesOf = async (
  ctx: TxCtx,
  { id, stage_id }: Pick<Opportunity, 'id' | 'stage_id'>,
  to: string,
  place: Place | Back = {},
): Promise<Places> => {
  const { tx } = ctx
  // Of cards that leave side by side without their neighbours of then: those go as well, and looking for the next one
  // would pass over all that have gone.
  const [{ left, end }, back, wanted] = await Promise.all([
    ctx.together
      ? { left: await placeOfMany(ctx, id), end: undefined }
      : placeAndEnd(tx, columnOf(ctx, stage_id), id, columnOf(ctx, to)),
    'back' in place ? positionAgain(tx, columnOf(ctx, to), place.back) : undefined,
    'back' in place || !(place.before_id ?? place.after_id) ? undefined : positionIn(ctx, to, place),
  ])
  const position = back ?? wanted ?? end ?? (await nextAtEnd(ctx, to))
  return { position, left, ...('back' in place && back === undefined ? { at_end: true } : {}) }
}

/** The position of a place in a column of the board. */
export const positionIn = (ctx: TxCtx, stage_id: string, place: Place): Promise<string> =>
  positionAt(ctx.tx, columnOf(ctx, stage_id), place)

const placeOfMany = async (ctx: TxCtx, id: string): Promise<FormerPlace | undefined> => {
  const position = await positionOf(ctx, id)
  return position === undefined ? undefined : { position, after_id: null, before_id: null }
}

const positionOf = loaded(async ({ tx, organization_id }, ids) => {
  const cards = await tx<{ id: string; position: string }[]>`
    select id, position from opportunities
    where organization_id = ${organization_id} and id = any(${[...ids]}::uuid[])`
  return new Map(cards.map(({ id, position }) => [id, position]))
})

/** Below whoever came in side by side with this one, as if they had come one after the other. */
const nextAtEnd = async (ctx: TxCtx, stage_id: string): Promise<string> =>
  (await endOfColumn(ctx, stage_id)).next()

const endOfColumn = once(async (ctx: TxCtx, stage_id: string): Promise<{ next: () => string }> => {
  let first: string | null = await positionAt(ctx.tx, columnOf(ctx, stage_id))
  let last = ''
  return {
    next: () => {
      last = first ?? positionAfter(last)
      first = null
      return last
    },
  }
})

const pipelineName = once(async ({ tx, organization_id }: TxCtx, id: string): Promise<string> => {
  const [row] = await tx<{ name: string }[]>`
    select name from pipelines where organization_id = ${organization_id} and id = ${id}`
  if (!row) throw notFound('pipeline', id)
  return row.name
})
