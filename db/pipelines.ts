import type { PendingQuery, Row } from 'postgres'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound } from './errors.ts'
import { once } from './together.ts'
import { readStageTotals } from './stage-totals.ts'

export type StageKind = 'open' | 'won' | 'lost'

export type Stage = {
  id: string
  label: string
  description: string | null
  kind: StageKind
  /** From 0; what decides the order. */
  position: number
  color: string
  /** In percent: 1 to 99 while open, 100 won, 0 lost. */
  close_probability: number
  /** Days in it after which a card counts as stuck; null: never. */
  rot_days: number | null
  /** How many cards it holds that are not archived; where it was asked for. */
  count?: number
}

export type Pipeline = {
  id: string
  name: string
  description: string | null
  record_kind: 'lead' | 'deal'
  lost_reason: 'required' | 'optional'
  is_default: boolean
  template: string | null
  stages: Stage[]
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  /** Raised by every change of it and of its stages. */
  version: number
}

export type ListPipelines = { archived?: boolean; counts?: boolean }

/** Every pipeline in its order, each with its stages in theirs; archived ones last, and only when asked for. */
export const listPipelines = (
  ctx: Ctx,
  { archived = false, counts = false }: ListPipelines = {},
): Promise<Pipeline[]> =>
  inTx(ctx, async (ctx) => {
    const { tx } = ctx
    const [pipelines, totals] = await Promise.all([
      tx<Pipeline[]>`
        ${selectPipelines(ctx)} ${archived ? tx`` : tx`and p.archived_at is null`}
        order by p.archived_at is not null, p.position, p.id`,
      counts ? readStageTotals(ctx) : [],
    ])
    return counts ? pipelines.map((pipeline) => withCounts(pipeline, totals)) : [...pipelines]
  })

/** One pipeline with its stages, archived or not. */
export const readPipeline = (ctx: Ctx, id: string, { counts = false } = {}): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    const [[pipeline], totals] = await Promise.all([
      ctx.tx<Pipeline[]>`${selectPipelines(ctx)} and p.id = ${id}`,
      counts ? readStageTotals(ctx, id) : [],
    ])
    if (!pipeline) throw notFound('pipeline', id)
    return counts ? withCounts(pipeline, totals) : pipeline
  })

/**
 * One pipeline that is in use, with its stages.
 * @throws {DomainError} `pipeline_not_found`, `pipeline_archived`
 */
export const getPipeline = once(async (ctx: Ctx, id: string): Promise<Pipeline> => {
  const pipeline = await readPipeline(ctx, id)
  requirePipelineInUse(pipeline)
  return pipeline
})

/**
 * Nothing enters a pipeline that is archived.
 * @throws {DomainError} `pipeline_archived`, naming it
 */
export const requirePipelineInUse = ({
  id,
  name,
  archived_at,
}: Pick<Pipeline, 'id' | 'name' | 'archived_at'>): void => {
  if (archived_at === null) return
  throw new DomainError(
    'conflict',
    'pipeline_archived',
    `The pipeline “${name}” is archived. Restore it first, or choose another one.`,
    { extra: { pipeline_id: id, pipeline: name, archived_at } },
  )
}

/** The pipeline that new records of this kind enter. */
export const defaultPipeline = (ctx: Ctx, record_kind: 'lead' | 'deal'): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    const [pipeline] = await ctx.tx<Pipeline[]>`
      ${selectPipelines(ctx)} and p.record_kind = ${record_kind} and p.archived_at is null
      order by p.is_default desc, p.position, p.id limit 1`
    if (pipeline) return pipeline
    throw invalid(
      'pipeline_missing',
      '/pipeline_id',
      `There is no pipeline for ${record_kind}s. Set one up first.`,
    )
  })

/** The stage where cards enter: the first open one. */
export const entryStage = (pipeline: Pipeline): Stage => {
  const stage = pipeline.stages.find((candidate) => candidate.kind === 'open') ?? pipeline.stages[0]
  if (!stage) throw new Error(`pipeline ${pipeline.id} has no stages`)
  return stage
}

/**
 * A stage of a pipeline that is in use, by its id, with the pipeline it belongs to.
 * @throws {DomainError} `stage_not_found`, `pipeline_archived`
 */
export const getStage = (ctx: Ctx, id: string): Promise<Stage & { pipeline_id: string }> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [found] = await tx<(Stage & { pipeline_id: string; pipeline: string; archived_at: Date | null })[]>`
      select s.id, s.label, s.description, s.kind, s.position, s.color, s.close_probability, s.rot_days, s.pipeline_id,
        p.name as pipeline, p.archived_at
      from stages s join pipelines p on p.organization_id = s.organization_id and p.id = s.pipeline_id
      where s.organization_id = ${organization_id} and s.id = ${id}`
    if (!found) throw notFound('stage', id)
    const { pipeline, archived_at, ...stage } = found
    requirePipelineInUse({ id: stage.pipeline_id, name: pipeline, archived_at })
    return stage
  })

/**
 * One of a pipeline's stages.
 * @throws {DomainError} `stage_not_found`
 */
export const stageOf = ({ stages }: Pipeline, id: string): Stage => {
  const stage = stages.find((candidate) => candidate.id === id)
  if (!stage) throw notFound('stage', id)
  return stage
}

const selectPipelines = ({ tx, organization_id }: TxCtx): PendingQuery<Row[]> => tx`
  select p.id, p.name, p.description, p.record_kind, p.lost_reason, p.is_default, p.template, p.archived_at,
    p.created_at, p.updated_at, p.version,
    (select jsonb_agg(jsonb_build_object('id', s.id, 'label', s.label, 'description', s.description, 'kind', s.kind,
        'position', s.position, 'color', s.color, 'close_probability', s.close_probability, 'rot_days', s.rot_days)
      order by s.position, s.id)
     from stages s where s.organization_id = p.organization_id and s.pipeline_id = p.id) as stages
  from pipelines p where p.organization_id = ${organization_id}`

const withCounts = (
  pipeline: Pipeline,
  totals: readonly { stage_id: string; count: number }[],
): Pipeline => ({
  ...pipeline,
  stages: pipeline.stages.map((stage) => ({
    ...stage,
    count: totals.filter(({ stage_id }) => stage_id === stage.id).reduce((sum, { count }) => sum + count, 0),
  })),
})
