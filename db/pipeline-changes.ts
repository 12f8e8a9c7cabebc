import { recordActivity, type Change, type Inverse } from './activities.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError, staleVersion } from './errors.ts'
import { getPipeline, type Pipeline, type Stage } from './pipelines.ts'
import { positionAt, type Place } from './positions.ts'
import { endProbabilities, noteProbabilities } from './stage-probabilities.ts'

/** A change as it comes: which version it was made upon, and why. */
export type Upon = { version?: number | undefined; reason?: string | undefined }

/** What a change of a pipeline comes to: the pipeline as it would be. */
export type Plan = (before: Pipeline) => Pipeline

/**
 * The only way in which a pipeline or its stages change: what `plan` makes of it is compared with what is there, the
 * difference is written, and the timeline says it. Of nothing, nothing.
 * @throws {DomainError} `ladder_is_ground_truth` for agents, `pipeline_not_found`, `pipeline_archived`, stale on a version
 * mismatch, `place_ambiguous`, `neighbour_not_found`, and what the plan refuses
 */
export const applyPlan = (
  ctx: Ctx,
  id: string,
  { version, reason }: Upon,
  plan: Plan,
  more: {
    place?: Place
    undo?: (changes: Change[]) => Inverse | undefined
    /** Why it cannot be taken back. */
    irreversible?: string
  } = {},
): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    const before = await lockPipeline(ctx, id, version)
    const after = plan(before)
    const changes = differences(flatten(before), flatten(after))
    const position = await placeOf(ctx, id, more.place)
    if (changes.length === 0 && position === undefined) return before
    await writePlan(ctx, before, after, position)
    const undo = more.undo?.(changes)
    await recordActivity(ctx, {
      type: 'settings_changed',
      subjects: [
        { kind: 'pipeline', id },
        { kind: 'organization', id: ctx.organization_id },
      ],
      reason,
      record_version: before.version + 1,
      data: {
        what: `the pipeline “${before.name}”: ${saidOf(before, after, changes)}`,
        changes,
        ...(undo ? { undo } : {}),
        ...(more.irreversible ? { irreversible: more.irreversible } : {}),
      },
    })
    return getPipeline(ctx, id)
  })

/**
 * The stage ladder is ground truth: agents move cards along it, people decide what it is.
 * @throws {DomainError} `ladder_is_ground_truth`
 */
export const refuseAgents = ({ actor }: Ctx): void => {
  if (actor.kind !== 'agent') return
  throw new DomainError(
    'forbidden',
    'ladder_is_ground_truth',
    'Agents work along pipelines and stages; only people change them.',
  )
}

/** One pipeline in use, whose organization changes no other pipeline until the transaction ends. */
export const lockPipeline = async (ctx: TxCtx, id: string, version?: number): Promise<Pipeline> => {
  refuseAgents(ctx)
  holdPipelines(ctx)
  const pipeline = await getPipeline(ctx, id)
  if (version !== undefined && version !== pipeline.version) throw staleVersion(pipeline)
  return pipeline
}

/** Changes of pipelines happen one after another: each rests on all of them (defaults, order, targets of moves). */
export const holdPipelines = (ctx: TxCtx): void => {
  const { tx, organization_id } = ctx
  sendStatement(ctx, tx`select pg_advisory_xact_lock(hashtextextended(${`pipelines ${organization_id}`}, 0))`)
}

/** A pipeline as its timeline compares it: one name for each value. */
export const flatten = ({
  name,
  description,
  lost_reason,
  is_default,
  stages,
}: Pipeline): Record<string, unknown> => ({
  name,
  description,
  lost_reason,
  is_default,
  stage_ids: stages.map(({ id }) => id),
  ...Object.fromEntries(
    stages.flatMap((stage) => stageFields.map((field) => [`stages.${stage.id}.${field}`, stage[field]])),
  ),
})

export const stageFields = ['label', 'description', 'color', 'close_probability', 'rot_days'] as const

/** Takes the default away from the pipeline that had it: one of a kind has it at most. */
export const yieldDefault = (ctx: TxCtx, record_kind: string): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update pipelines set is_default = false, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and record_kind = ${record_kind} and is_default and archived_at is null`,
  )
}

/** Writes stages as they shall be, new ones and changed ones alike. */
export const writeStages = (ctx: TxCtx, pipeline_id: string, stages: readonly Stage[]): void => {
  if (stages.length === 0) return
  const { tx, organization_id } = ctx
  const rows = stages.map(
    ({ id, label, description, kind, position, color, close_probability, rot_days }) => ({
      organization_id,
      id,
      pipeline_id,
      label,
      description,
      kind,
      position,
      color,
      close_probability,
      rot_days,
    }),
  )
  sendStatement(
    ctx,
    tx`
      insert into stages ${tx(rows)} on conflict (organization_id, id) do update set
        label = excluded.label, description = excluded.description, position = excluded.position, color = excluded.color,
        close_probability = excluded.close_probability, rot_days = excluded.rot_days,
        version = stages.version + 1, updated_at = now()`,
  )
}

const placeOf = async (ctx: TxCtx, id: string, place: Place = {}): Promise<string | undefined> => {
  const { before_id, after_id } = place
  if (before_id === undefined && after_id === undefined) return undefined
  const { tx, organization_id } = ctx
  return positionAt(
    tx,
    tx`from pipelines where organization_id = ${organization_id} and archived_at is null and id <> ${id}`,
    { before_id, after_id },
  )
}

const writePlan = async (ctx: TxCtx, before: Pipeline, after: Pipeline, position?: string): Promise<void> => {
  const { tx, organization_id } = ctx
  const { id, name, description, lost_reason, is_default } = after
  if (is_default && !before.is_default) yieldDefault(ctx, before.record_kind)
  const values = {
    name,
    description,
    lost_reason,
    is_default,
    ...(position === undefined ? {} : { position }),
  }
  sendStatement(
    ctx,
    tx`
      update pipelines set ${tx(values)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`,
  )
  const earlier = new Map(before.stages.map((stage) => [stage.id, stage]))
  const differs = (stage: Stage, fields: readonly (keyof Stage)[]) =>
    fields.some((field) => earlier.get(stage.id)?.[field] !== stage[field])
  writeStages(
    ctx,
    id,
    after.stages.filter((stage) => differs(stage, [...stageFields, 'position'])),
  )
  noteProbabilities(
    ctx,
    id,
    after.stages.filter((stage) => differs(stage, ['label', 'close_probability'])),
  )
  const gone = before.stages.filter(({ id }) => !after.stages.some((stage) => stage.id === id))
  if (gone.length === 0) return
  const ids = gone.map(({ id }) => id)
  endProbabilities(ctx, ids)
  await tx`delete from stages where organization_id = ${organization_id} and id = any(${ids}::uuid[])`
}

const differences = (before: Record<string, unknown>, after: Record<string, unknown>): Change[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((field) => ({ field, before: before[field] ?? null, after: after[field] ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))

/** What changed, as a person says it. */
const saidOf = (before: Pipeline, after: Pipeline, changes: Change[]): string => {
  const at = (stages: Stage[], id: string) => stages.find((stage) => stage.id === id)
  const added = after.stages.filter(({ id }) => !at(before.stages, id))
  const deleted = before.stages.filter(({ id }) => !at(after.stages, id))
  const said = changes.flatMap(({ field }) => {
    const [, id = '', name = ''] = /^stages\.([^.]+)\.(.+)$/.exec(field) ?? []
    if (id === '') return field === 'stage_ids' ? [] : [field.replaceAll('_', ' ')]
    const stage = at(before.stages, id)
    return stage && at(after.stages, id) ? [`${name.replaceAll('_', ' ')} of “${stage.label}”`] : []
  })
  const moved = changes.some(({ field }) => field === 'stage_ids') && added.length + deleted.length === 0
  const all = [
    ...said,
    ...(moved ? ['order of the stages'] : []),
    ...added.map(({ label }) => `added the stage “${label}”`),
    ...deleted.map(({ label }) => `deleted the stage “${label}”`),
  ]
  return all.length > 0 ? all.join(', ') : 'its place among the pipelines'
}
