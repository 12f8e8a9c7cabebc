import { z } from 'zod'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound } from './errors.ts'
import { readLane, type Lane } from './opportunity-stages.ts'
import { applyPlan, lockPipeline, type Upon } from './pipeline-changes.ts'
import { changePipeline } from './pipeline-editing.ts'
import {
  StageRow,
  withoutStage,
  withStage,
  withStageAgain,
  type NewStage,
  type StageChange,
} from './pipeline-ladder.ts'
import { stageOf, type Pipeline, type Stage } from './pipelines.ts'
import { cardsHeld, countHeld, emptyStage, holdStages, newDeletion } from './stage-emptying.ts'
import { Emptied, returnCards } from './stage-returns.ts'

/** A stage with the pipeline it belongs to, whose version is the one that its changes are made upon. */
export type StageOfPipeline = Stage & { pipeline_id: string; version: number }

/**
 * Adds an open stage, after the last open one unless a position is given.
 * @throws {DomainError} as `applyPlan`; `stage_protected`, `stage_probability`, `stage_label_taken`, `too_many_stages`
 */
export const addStage = async (
  ctx: Ctx,
  pipeline_id: string,
  input: NewStage & Upon,
): Promise<StageOfPipeline> => {
  const { version, reason, ...stage } = input
  let added = ''
  const pipeline = await applyPlan(
    ctx,
    pipeline_id,
    { version, reason },
    (before) => {
      const stages = withStage(before.stages, stage)
      added = stages.find(({ id }) => before.stages.every((other) => other.id !== id))?.id ?? ''
      return { ...before, stages }
    },
    { undo: () => ({ tool: 'delete_stage', input: { pipeline_id, stage_id: added } }) },
  )
  return inPipeline(pipeline, added)
}

/**
 * Renames, recolours, describes, reweighs or moves a stage.
 * @throws {DomainError} as `applyPlan`; `stage_not_found`, `stage_protected`, `stage_probability`, `stage_label_taken`
 */
export const changeStage = async (
  ctx: Ctx,
  pipeline_id: string,
  stage_id: string,
  { version, reason, ...change }: StageChange & Upon,
): Promise<StageOfPipeline> =>
  inPipeline(
    await changePipeline(ctx, pipeline_id, { version, reason, stages: [{ id: stage_id, ...change }] }, ''),
    stage_id,
  )

export type DeleteStage = Upon & {
  target_stage_id?: string | undefined
  /** Of an earlier deletion, where this does again what was taken back. */
  deletion_id?: string | undefined
}

/**
 * Deletes an open stage; the cards it holds go to the target, each with a line of its own, in the same transaction.
 * @throws {DomainError} as `applyPlan`; `stage_not_found`, `stage_protected` for won and lost, `stage_last_open`,
 * `stage_in_use` with `count` when it holds cards and no target is given, `target_stage_invalid`
 */
export const deleteStage = (
  ctx: Ctx,
  pipeline_id: string,
  stage_id: string,
  { version, reason, target_stage_id, deletion_id = newDeletion() }: DeleteStage = {},
): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    const pipeline = await lockPipeline(ctx, pipeline_id, version)
    const stage = stageOf(pipeline, stage_id)
    withoutStage(pipeline, stage_id)
    const lane = target_stage_id ? await targetIn(ctx, pipeline, stage, target_stage_id) : undefined
    const how = { reason: reason ?? `The stage “${stage.label}” was deleted.`, deletion_id }
    let moved = lane ? await emptyStage(ctx, pipeline, stage, lane, how) : 0
    // Locked after the cards, as whoever moves one does: the few that came in meanwhile follow.
    holdStages(ctx, [stage_id])
    if (lane) moved += await emptyStage(ctx, pipeline, stage, lane, how)
    const held = (await countHeld(ctx, [stage_id])).get(stage_id)
    if (held) {
      throw new DomainError(
        'conflict',
        'stage_in_use',
        `“${stage.label}” holds ${cardsHeld(held)}. Say where they go: target_stage_id, an open stage of this pipeline.`,
        {
          errors: [
            {
              pointer: '/target_stage_id',
              message: 'the stage that its cards go to',
              accepted: openOthers(pipeline, stage_id),
            },
          ],
          extra: { count: held.count, archived_count: held.archived },
        },
      )
    }
    return applyPlan(
      ctx,
      pipeline_id,
      { reason },
      (before) => ({ ...before, stages: withoutStage(before, stage_id) }),
      {
        undo: () => ({
          tool: 'restore_stage',
          input: {
            pipeline_id,
            stage,
            stage_ids: pipeline.stages.map(({ id }) => id),
            ...(moved > 0 ? { target_stage_id, emptied: { deletion_id, moved } } : {}),
          },
        }),
      },
    )
  })

/** A stage that was deleted, as it was, among which others, and where its cards went. */
export const RestoreStage = z.object({
  stage: StageRow,
  stage_ids: z.array(z.uuid()),
  target_stage_id: z.uuid().optional(),
  emptied: Emptied.optional(),
})
export type RestoreStage = z.infer<typeof RestoreStage>

/**
 * Brings a deleted stage back to where it stood, with the cards that were in it: the inverse of deleting it.
 * @throws {DomainError} as `applyPlan`; `changed_since` when cards went on since, `stage_label_taken`, `too_many_stages`
 */
export const restoreStage = (
  ctx: Ctx,
  pipeline_id: string,
  { stage, stage_ids, target_stage_id, emptied }: RestoreStage,
  reason?: string,
): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    const pipeline = await applyPlan(
      ctx,
      pipeline_id,
      { reason },
      (before) => ({ ...before, stages: withStageAgain(before.stages, stage, stage_ids) }),
      {
        undo: () => ({
          tool: 'delete_stage',
          input: {
            pipeline_id,
            stage_id: stage.id,
            ...(emptied ? { target_stage_id, deletion_id: emptied.deletion_id } : {}),
          },
        }),
      },
    )
    if (emptied) await returnCards(ctx, emptied, reason)
    return pipeline
  })

const targetIn = async (
  ctx: TxCtx,
  pipeline: Pipeline,
  stage: Stage,
  target_stage_id: string,
): Promise<Lane> => {
  const target = pipeline.stages.find(({ id }) => id === target_stage_id)
  if (target?.kind === 'open' && target.id !== stage.id) return readLane(ctx, { id: target.id })
  const message = !target
    ? 'This is no stage of this pipeline.'
    : target.id === stage.id
      ? 'Cards cannot go to the stage that is deleted.'
      : `“${target.label}” closes cards: close them one by one or by a bulk act, where reasons are given.`
  throw invalid('target_stage_invalid', '/target_stage_id', message, openOthers(pipeline, stage.id))
}

const openOthers = ({ stages }: Pipeline, but: string): { id: string; label: string }[] =>
  stages.filter(({ id, kind }) => kind === 'open' && id !== but).map(({ id, label }) => ({ id, label }))

const inPipeline = (pipeline: Pipeline, stage_id: string): StageOfPipeline => {
  const stage = pipeline.stages.find(({ id }) => id === stage_id)
  if (!stage) throw notFound('stage', stage_id)
  return { ...stage, pipeline_id: pipeline.id, version: pipeline.version }
}
