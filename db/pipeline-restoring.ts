import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { changeSource, listSources } from './intake-sources.ts'
import { holdPipelines, refuseAgents, yieldDefault } from './pipeline-changes.ts'
import { readPipeline, type Pipeline } from './pipelines.ts'
import { Emptied, returnCards } from './stage-returns.ts'

/** What a deletion did beside archiving a pipeline: to its cards, as the default, at its doors. */
export const Deletion = z.object({
  target_pipeline_id: z.uuid().optional(),
  stage_map: z.record(z.uuid(), z.uuid()).optional(),
  emptied: Emptied.optional(),
  was_default: z.boolean().optional(),
  source_ids: z.array(z.uuid()).optional(),
})
export type Deletion = z.infer<typeof Deletion>

/**
 * Brings a pipeline back into use; twice is once. As the inverse of its deletion also with the cards that were moved out of
 * it, and as the default and at the doors where the target still stands in for it.
 * @throws {DomainError} `ladder_is_ground_truth` for agents, `pipeline_not_found`, `changed_since` when cards went on since
 */
export const restorePipeline = (
  ctx: Ctx,
  id: string,
  deletion: Deletion = {},
  reason?: string,
): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    refuseAgents(ctx)
    holdPipelines(ctx)
    const { tx, organization_id } = ctx
    const pipeline = await readPipeline(ctx, id)
    if (!pipeline.archived_at) return pipeline
    const { target_pipeline_id, stage_map, emptied, was_default = false } = deletion
    if (was_default && (await isDefault(ctx, target_pipeline_id))) yieldDefault(ctx, pipeline.record_kind)
    await tx`
      update pipelines p set archived_at = null, version = version + 1, updated_at = now(), is_default = not exists (
        select from pipelines other where other.organization_id = p.organization_id and other.record_kind = p.record_kind
          and other.is_default and other.archived_at is null)
      where p.organization_id = ${organization_id} and p.id = ${id}`
    await recordActivity(ctx, {
      type: 'record_restored',
      subjects: [
        { kind: 'pipeline', id },
        { kind: 'organization', id: organization_id },
      ],
      reason,
      record_version: pipeline.version + 1,
      data: {
        kind: 'pipeline',
        name: pipeline.name,
        ...(emptied ? { returned: emptied.moved } : {}),
        undo: {
          tool: 'archive_pipeline',
          input: {
            pipeline_id: id,
            ...(target_pipeline_id ? { target_pipeline_id, stage_map } : {}),
            ...(emptied ? { deletion_id: emptied.deletion_id } : {}),
          },
        },
      },
    })
    await redirectBack(ctx, id, deletion)
    if (emptied) await returnCards(ctx, emptied, reason ?? `The pipeline “${pipeline.name}” was restored.`)
    return readPipeline(ctx, id)
  })

const isDefault = async (ctx: TxCtx, id: string | undefined): Promise<boolean> =>
  id !== undefined && (await readPipeline(ctx, id)).is_default

/** Doors that still lead to where the deletion led them. */
const redirectBack = async (
  ctx: TxCtx,
  id: string,
  {
    source_ids = [],
    target_pipeline_id = null,
  }: Omit<Deletion, 'target_pipeline_id'> & {
    target_pipeline_id?: string | null | undefined
  },
): Promise<void> => {
  if (source_ids.length === 0) return
  for (const source of await listSources(ctx)) {
    if (!source_ids.includes(source.id) || source.pipeline_id !== target_pipeline_id) continue
    // Few of them, on one connection.
    await changeSource(ctx, source.id, { changes: { pipeline_id: id } })
  }
}
