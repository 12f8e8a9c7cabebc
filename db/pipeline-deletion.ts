import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound } from './errors.ts'
import { changeSource, listSources } from './intake-sources.ts'
import { readLane } from './opportunity-stages.ts'
import { lockPipeline, yieldDefault } from './pipeline-changes.ts'
import { defaultNeeded } from './pipeline-editing.ts'
import { getPipeline, listPipelines, stageOf, type Pipeline, type Stage } from './pipelines.ts'
import { cardsHeld, countHeld, emptyStage, holdStages, newDeletion, type Held } from './stage-emptying.ts'

/** Where the cards of a pipeline go when it is deleted. */
export const DeletePipeline = z.object({
  target_pipeline_id: z.uuid().optional().describe('A pipeline for the same kind of record.'),
  stage_map: z
    .record(z.uuid(), z.uuid())
    .optional()
    .describe(
      'From its stages to stages of the target: open ones to open ones; won and lost find their own kind.',
    ),
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.int().positive().optional(),
})
export type DeletePipeline = z.infer<typeof DeletePipeline>

/**
 * Takes a pipeline out of use; it stays in the archive with the history of its closed cards. While it holds open cards
 * (archived ones count: they may come back) they need somewhere to go: to the target, each with a line of its own, in the
 * same transaction. The target then takes the place of a default, and of a door's pipeline.
 * @throws {DomainError} as `applyPlan`; `pipeline_in_use` with `count`, `pipeline_is_default`, `target_pipeline_required`,
 * `target_pipeline_invalid`, `stage_map_invalid`, `stage_map_incomplete`
 */
export const deletePipeline = (
  ctx: Ctx,
  id: string,
  input: DeletePipeline = {},
  deletion_id = newDeletion(),
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const pipeline = await lockPipeline(ctx, id, input.version)
    const target = await targetOf(ctx, pipeline, input)
    const successor = await successorOf(ctx, pipeline, target)
    const way = target ? readStageMap(pipeline, target, input.stage_map ?? {}) : new Map<string, Stage>()
    const how = { reason: input.reason ?? `The pipeline “${pipeline.name}” was deleted.`, deletion_id }
    const open = pipeline.stages.filter(({ kind }) => kind === 'open')
    let moved = 0
    const moveAll = async (): Promise<void> => {
      for (const stage of pipeline.stages) {
        const to = way.get(stage.id)
        // One column after another on one connection.
        if (to) moved += await emptyStage(ctx, pipeline, stage, await readLane(ctx, { id: to.id }), how)
      }
    }
    requireSomewhere(pipeline, target, open, await countHeld(ctx, idsOf(open)), way)
    await moveAll()
    // Locked after the cards, as whoever moves one does: the few that came in meanwhile follow, or are in the way.
    holdStages(ctx, idsOf(pipeline.stages))
    await moveAll()
    requireSomewhere(pipeline, target, open, await countHeld(ctx, idsOf(open)), new Map())
    await archive(ctx, pipeline, successor)
    const source_ids = await redirectSources(ctx, id, target)
    await recordActivity(ctx, {
      type: 'record_archived',
      subjects: subjectsOf(ctx, id),
      reason: input.reason,
      record_version: pipeline.version + 1,
      data: {
        kind: 'pipeline',
        name: pipeline.name,
        ...(target
          ? { target_pipeline_id: target.id, target_pipeline: target.name, stage_map: mapOf(way), moved }
          : {}),
        undo: {
          tool: 'restore_pipeline',
          input: {
            pipeline_id: id,
            was_default: pipeline.is_default,
            source_ids,
            ...(target ? { target_pipeline_id: target.id, stage_map: mapOf(way) } : {}),
            ...(moved > 0 ? { emptied: { deletion_id, moved } } : {}),
          },
        },
      },
    })
  })

const targetOf = async (
  ctx: TxCtx,
  pipeline: Pipeline,
  { target_pipeline_id, stage_map }: DeletePipeline,
): Promise<Pipeline | undefined> => {
  const refuse = (code: string, message: string, accepted?: unknown) =>
    invalid(code, '/target_pipeline_id', message, accepted)
  if (!target_pipeline_id) {
    if (stage_map)
      throw refuse('target_pipeline_required', 'Say which pipeline the stages of the map belong to.')
    return undefined
  }
  if (target_pipeline_id === pipeline.id)
    throw refuse('target_pipeline_invalid', 'This is the pipeline that is deleted.')
  const target = await getPipeline(ctx, target_pipeline_id)
  if (target.record_kind === pipeline.record_kind) return target
  const others = (await listPipelines(ctx)).filter(
    ({ id, record_kind }) => record_kind === pipeline.record_kind && id !== pipeline.id,
  )
  throw refuse(
    'target_pipeline_invalid',
    `“${target.name}” is a pipeline for ${target.record_kind}s, and this one holds ${pipeline.record_kind}s.`,
    others.map(({ id, name }) => ({ id, name })),
  )
}

/**
 * Which pipeline is the default when this one is gone: its target, or none when it was the last for deals. Leads come in
 * by themselves and need one.
 * @throws {DomainError} `pipeline_is_default`
 */
const successorOf = async (
  ctx: TxCtx,
  pipeline: Pipeline,
  target: Pipeline | undefined,
): Promise<Pipeline | undefined> => {
  if (!pipeline.is_default) return undefined
  if (target) return target
  const others = (await listPipelines(ctx)).filter(
    ({ id, record_kind }) => record_kind === pipeline.record_kind && id !== pipeline.id,
  )
  if (others.length > 0 || pipeline.record_kind === 'lead') throw defaultNeeded(pipeline)
  return undefined
}

/** From each stage to where its cards go; won and lost go to their own kind unless the map says so itself. */
const readStageMap = (
  pipeline: Pipeline,
  target: Pipeline,
  given: Readonly<Record<string, string>>,
): Map<string, Stage> => {
  const way = new Map<string, Stage>()
  for (const { id, kind } of pipeline.stages) {
    const same = target.stages.find((stage) => stage.kind === kind)
    if (kind !== 'open' && same) way.set(id, same)
  }
  for (const [from_id, to_id] of Object.entries(given)) {
    const from = pipeline.stages.find(({ id }) => id === from_id)
    const to = target.stages.find(({ id }) => id === to_id)
    if (from && to?.kind === from.kind) {
      way.set(from.id, to)
      continue
    }
    const message = !from
      ? `This is no stage of “${pipeline.name}”.`
      : to
        ? `“${from.label}” is ${from.kind} and “${to.label}” is ${to.kind}: cards are closed and reopened one by one.`
        : `“${from.label}” goes to no stage of “${target.name}”.`
    throw invalid(
      'stage_map_invalid',
      `/stage_map/${from_id}`,
      message,
      from ? labelled(target.stages.filter(({ kind }) => kind === from.kind)) : labelled(pipeline.stages),
    )
  }
  return way
}

/** @throws {DomainError} when open cards would have nowhere to go */
const requireSomewhere = (
  pipeline: Pipeline,
  target: Pipeline | undefined,
  open: readonly Stage[],
  held: ReadonlyMap<string, Held>,
  way: ReadonlyMap<string, Stage>,
): void => {
  const left = [...held].filter(([id]) => !way.has(id))
  if (left.length === 0) return
  const total = left.reduce(
    (sum, [, { count, archived }]) => ({ count: sum.count + count, archived: sum.archived + archived }),
    { count: 0, archived: 0 },
  )
  if (!target) {
    throw new DomainError(
      'conflict',
      'pipeline_in_use',
      `“${pipeline.name}” holds ${cardsHeld(total)}, that are open. Close them, or say where they go: target_pipeline_id and stage_map.`,
      {
        extra: {
          count: total.count,
          archived_count: total.archived,
          stages: open.flatMap(({ id, label }) => {
            const count = held.get(id)?.count
            return count ? [{ id, label, count }] : []
          }),
        },
      },
    )
  }
  const accepted = labelled(target.stages.filter(({ kind }) => kind === 'open'))
  throw new DomainError(
    'invalid',
    'stage_map_incomplete',
    `Say where the cards of ${new Intl.ListFormat('en').format(left.map(([id]) => `“${stageOf(pipeline, id).label}”`))} go.`,
    {
      errors: left.map(([id, each]) => ({
        pointer: `/stage_map/${id}`,
        message: `“${stageOf(pipeline, id).label}” holds ${cardsHeld(each)}`,
        accepted,
      })),
      extra: { count: total.count },
    },
  )
}

const archive = async (ctx: TxCtx, { id, record_kind }: Pipeline, successor?: Pipeline): Promise<void> => {
  const { tx, organization_id } = ctx
  if (successor) yieldDefault(ctx, record_kind)
  const [archived] = await tx<{ id: string }[]>`
    update pipelines set archived_at = now(), is_default = false, version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id} returning id`
  if (!archived) throw notFound('pipeline', id)
  if (!successor) return
  await tx`
    update pipelines set is_default = true, version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${successor.id}`
}

/** What comes in through a door goes on to the target, or to the default. */
const redirectSources = async (ctx: TxCtx, id: string, target: Pipeline | undefined): Promise<string[]> => {
  const sources = (await listSources(ctx)).filter(({ pipeline_id }) => pipeline_id === id)
  for (const source of sources)
    // Few of them, on one connection.
    await changeSource(ctx, source.id, { changes: { pipeline_id: target?.id ?? null } })
  return sources.map((source) => source.id)
}

const subjectsOf = ({ organization_id }: Ctx, id: string) => [
  { kind: 'pipeline', id },
  { kind: 'organization', id: organization_id },
]

const idsOf = (stages: readonly Stage[]): string[] => stages.map(({ id }) => id)

const labelled = (stages: readonly Stage[]): { id: string; label: string }[] =>
  stages.map(({ id, label }) => ({ id, label }))

const mapOf = (way: ReadonlyMap<string, Stage>): Record<string, string> =>
  Object.fromEntries([...way].map(([from, { id }]) => [from, id]))
