import { z } from 'zod'
import type { Change, Inverse } from './activities.ts'
import type { Ctx, TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { applyPlan, flatten, type Upon } from './pipeline-changes.ts'
import { Description, Label, ladderLimits, reordered, StageChange, withChange } from './pipeline-ladder.ts'
import { readPipeline, type Pipeline } from './pipelines.ts'
import { Place } from './positions.ts'

/** What may change of a pipeline at once; absent fields stay. */
export const PipelineChange = z.object({
  name: Label.optional(),
  description: Description.nullable().optional(),
  lost_reason: z
    .enum(['required', 'optional'])
    .optional()
    .describe('Whether losing a card takes a discard reason.'),
  is_default: z.boolean().optional().describe('Where new records of its kind enter.'),
  stages: z
    .array(StageChange.omit({ position: true }).extend({ id: z.uuid() }))
    .max(ladderLimits.stages)
    .optional()
    .describe('Changes of stages that are there.'),
  stage_ids: z
    .array(z.uuid())
    .max(ladderLimits.stages)
    .optional()
    .describe('Every stage once, in the order they shall have.'),
  ...Place.shape,
})
export type PipelineChange = z.infer<typeof PipelineChange>

/** A change of stages as the API's two doors bring it: by the pipeline, or by one stage with its place. */
type Edit = Omit<PipelineChange, 'stages'> & { stages?: (StageChange & { id: string })[] | undefined }

/**
 * Renames, describes or sets up a pipeline anew, changes and reorders its stages, all at once or not at all.
 * @throws {DomainError} as `applyPlan` and `planChange`; `place_ambiguous`, `neighbour_not_found`
 */
export const changePipeline = (
  ctx: Ctx,
  id: string,
  { version, reason, ...edit }: Edit & Upon,
  pointer?: string,
): Promise<Pipeline> =>
  applyPlan(ctx, id, { version, reason }, (before) => planChange(before, edit, pointer), {
    place: edit,
    undo: (changes) => undoPlan(id, changes),
  })

/**
 * The pipeline as a change would make it: what is saved and what is previewed.
 * @throws {DomainError} `pipeline_is_default`, `stage_not_found`, `stage_protected`, `stage_probability`, `stage_label_taken`,
 * `stage_order_incomplete`
 */
export const planChange = (before: Pipeline, edit: Edit, pointer?: string): Pipeline => {
  if (edit.is_default === false && before.is_default) throw defaultNeeded(before)
  let after: Pipeline = {
    ...before,
    name: edit.name ?? before.name,
    description: edit.description === undefined ? before.description : edit.description,
    lost_reason: edit.lost_reason ?? before.lost_reason,
    is_default: edit.is_default ?? before.is_default,
  }
  // Names may change places: they are compared when all are known.
  const labels = new Map(edit.stages?.flatMap(({ id, label }) => (label === undefined ? [] : [[id, label]])))
  after = {
    ...after,
    stages: after.stages.map((stage) => ({ ...stage, label: labels.get(stage.id) ?? stage.label })),
  }
  for (const [n, { id, ...change }] of (edit.stages ?? []).entries())
    after = { ...after, stages: withChange(after, id, change, pointer ?? `/stages/${n}`) }
  return edit.stage_ids ? { ...after, stages: reordered(after, edit.stage_ids, '/stage_ids') } : after
}

/** New records of a kind have to enter somewhere. */
export const defaultNeeded = ({ name, record_kind }: Pipeline): DomainError =>
  new DomainError(
    'conflict',
    'pipeline_is_default',
    `New ${record_kind}s enter “${name}”. Make another pipeline the default first.`,
    {
      errors: [
        { pointer: '/is_default', message: 'set it to true on the pipeline that shall take its place' },
      ],
    },
  )

/** What takes these changes back: values of the pipeline and its stages, and their order. Who is the default stays. */
export const undoPlan = (pipeline_id: string, changes: readonly Change[]): Inverse | undefined => {
  const values: Record<string, unknown> = {}
  const stages = new Map<string, Record<string, unknown>>()
  for (const { field, before } of changes) {
    const [, id, name] = /^stages\.([^.]+)\.(.+)$/.exec(field) ?? []
    if (id !== undefined && name !== undefined) stages.set(id, { id, ...stages.get(id), [name]: before })
    else if (field !== 'is_default') values[field] = before
  }
  if (stages.size > 0) values['stages'] = [...stages.values()]
  return Object.keys(values).length > 0
    ? { tool: 'change_pipeline', input: { pipeline_id, values } }
    : undefined
}

/** A pipeline's values by the names that `data.changes` of its activities give them. */
export const standingPipeline = async (ctx: TxCtx, id: string): Promise<Record<string, unknown>> =>
  flatten(await readPipeline(ctx, id))
