import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { changesOf, inverse, type Verb } from './inverse.ts'
import { deletePipeline } from './pipeline-deletion.ts'
import { changePipeline, PipelineChange, standingPipeline } from './pipeline-editing.ts'
import { Deletion, restorePipeline } from './pipeline-restoring.ts'
import { deleteStage, RestoreStage, restoreStage } from './pipeline-stages.ts'
import { readPipeline } from './pipelines.ts'

const PipelineGiven = z.object({ pipeline_id: z.uuid() })

const standingInUse = async (ctx: TxCtx, { pipeline_id }: z.infer<typeof PipelineGiven>) => ({
  archived: (await readPipeline(ctx, pipeline_id)).archived_at !== null,
})

/** Of an earlier deletion, which is done again; nothing of it is where none moved a card. */
const deletion_id = z.uuid().optional()

/** What takes back a change of pipelines and stages. */
export const pipelineInverses = {
  change_pipeline: inverse({
    input: PipelineGiven.extend({ values: PipelineChange }),
    standing: (ctx, { pipeline_id }) => standingPipeline(ctx, pipeline_id),
    apply: (ctx, { pipeline_id, values }) => changePipeline(ctx, pipeline_id, values),
  }),
  delete_stage: inverse({
    input: PipelineGiven.extend({
      stage_id: z.uuid(),
      target_stage_id: z.uuid().optional(),
      deletion_id,
    }),
    standing: (ctx, { pipeline_id }) => standingPipeline(ctx, pipeline_id),
    // The order of the ladder may be another one by now.
    left: ({ data }) =>
      Object.fromEntries(
        changesOf(data)
          .filter(({ field }) => field.startsWith('stages.'))
          .map(({ field, after }) => [field, after]),
      ),
    apply: (ctx, { pipeline_id, stage_id, ...how }) => deleteStage(ctx, pipeline_id, stage_id, how),
  }),
  restore_stage: inverse({
    input: PipelineGiven.extend(RestoreStage.shape),
    standing: async (ctx, { pipeline_id, stage }) => ({
      deleted: !(await readPipeline(ctx, pipeline_id)).stages.some(({ id }) => id === stage.id),
    }),
    left: () => ({ deleted: true }),
    apply: (ctx, { pipeline_id, ...deleted }) =>
      restoreStage(ctx, pipeline_id, deleted, ctx.recording?.reason),
  }),
  archive_pipeline: inverse({
    input: PipelineGiven.extend(Deletion.pick({ target_pipeline_id: true, stage_map: true }).shape).extend({
      deletion_id,
    }),
    standing: standingInUse,
    left: () => ({ archived: false }),
    apply: (ctx, { pipeline_id, deletion_id, ...where }) =>
      deletePipeline(ctx, pipeline_id, where, deletion_id),
  }),
  restore_pipeline: inverse({
    input: PipelineGiven.extend(Deletion.shape),
    standing: standingInUse,
    left: () => ({ archived: true }),
    apply: (ctx, { pipeline_id, ...deletion }) =>
      restorePipeline(ctx, pipeline_id, deletion, ctx.recording?.reason),
  }),
} satisfies Record<string, Verb>
