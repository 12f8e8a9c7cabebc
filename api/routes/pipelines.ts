import { z } from 'zod'
import { Moment } from '../../db/lead-fields.ts'
import { createPipeline, NewPipeline } from '../../db/pipeline-creation.ts'
import { DeletePipeline, deletePipeline } from '../../db/pipeline-deletion.ts'
import { restorePipeline } from '../../db/pipeline-restoring.ts'
import { readDistribution, readDistributions } from '../../db/pipeline-distribution.ts'
import { changePipeline, PipelineChange } from '../../db/pipeline-editing.ts'
import { NewStage, StageChange } from '../../db/pipeline-ladder.ts'
import { PreviewedChange, previewChange } from '../../db/pipeline-preview.ts'
import { addStage, changeStage, deleteStage } from '../../db/pipeline-stages.ts'
import { listPipelines, readPipeline } from '../../db/pipelines.ts'
import { readProbabilities } from '../../db/stage-probabilities.ts'
import { ById, route } from '../route.ts'
import { Actor, Id, listOf, StageKind, Text, Time, YesNo } from '../shapes.ts'

/** A stage of a pipeline. */
const stage = {
  id: Id,
  label: z.string(),
  description: Text,
  kind: StageKind,
  position: z.int(),
  color: z.string(),
  close_probability: z.int().describe('In percent.'),
  rot_days: z.int().nullable().describe('Days in it after which a card counts as stuck.'),
}
const StageShape = z.object({ ...stage, count: z.int().optional() })

/** A stage by itself: `version` is its pipeline’s, which its changes are made upon. */
const StageOfPipeline = z.object({ ...stage, pipeline_id: Id, version: z.int() }).meta({ id: 'Stage' })

/** A pipeline without its stages. */
const pipeline = {
  id: Id,
  name: z.string(),
  description: Text,
  record_kind: z.enum(['lead', 'deal']),
  lost_reason: z.enum(['required', 'optional']),
  is_default: z.boolean(),
  template: Text,
  archived_at: Time.nullable(),
  created_at: Time,
  updated_at: Time,
  version: z.int().describe('Raised by every change of it and of its stages.'),
}

/** A ladder of stages. */
export const PipelineShape = z.object({ ...pipeline, stages: z.array(StageShape) }).meta({ id: 'Pipeline' })

/** The head of a board. */
export const PipelineHead = z.object(pipeline)

/** Cards of one currency. */
export const CurrencyTotal = z.object({
  currency: z.string(),
  count: z.int(),
  value_minor: z.number().describe('In minor units of `currency`, as every amount here.'),
  weighted_minor: z.number().describe('Weighted by the close probability of each stage.'),
})

/** A column without its cards. */
export const StageTotals = z.object({ ...stage, count: z.int(), totals: z.array(CurrencyTotal) })

const totals = {
  count: z.int(),
  totals: z.array(CurrencyTotal),
  converted: CurrencyTotal.extend({
    without_rate: z.array(z.string()).describe('Currencies without an exchange rate, which are not in it.'),
  }).describe('In the organization’s currency, at the exchange rates of now.'),
}

const Distribution = z
  .object({
    ...pipeline,
    stages: z.array(z.object({ ...stage, ...totals })),
    open: z.object(totals).describe('Of the open stages.'),
    ...totals,
  })
  .meta({ id: 'Distribution' })

const impact = {
  currency: z.string(),
  count: z.int(),
  value_minor: z.number(),
  weighted_before_minor: z.number(),
  weighted_after_minor: z.number(),
  delta_minor: z.number(),
}

const Preview = z
  .object({
    pipeline: PipelineShape.describe('As it would be.'),
    stages: z.array(
      z.object({
        stage_id: Id,
        label: z.string(),
        close_probability_before: z.int(),
        close_probability_after: z.int().nullable(),
        count_after: z.int(),
        value_after_minor: z.number(),
        ...impact,
      }),
    ),
    totals: z.array(z.object(impact)),
    affected: z.int().describe('Cards whose stage, its name or its weight would change.'),
  })
  .meta({ id: 'PipelinePreview' })

const Probability = z.object({
  stage_id: Id,
  label: z.string(),
  kind: StageKind,
  close_probability: z.int(),
  since: Time,
  until: Time.nullable(),
  actor: Actor,
  deleted: z.boolean(),
})

const OfStage = z.object({ id: z.uuid(), stage_id: z.uuid() })

/** Why, and upon which version: with every change of a pipeline. */
const reason = { reason: z.string().trim().min(1).max(2_000).optional() }
const upon = { ...reason, version: z.int().positive().optional() }

const LIMITS_OF_KIND =
  'Every pipeline has exactly one won and one lost stage; they can be renamed and recoloured, and nothing else.'

/** Ladders of stages. */
export const pipelines = [
  route(
    {
      method: 'GET',
      path: '/api/pipelines',
      permission: 'pipelines:read',
      summary: 'Pipelines with their stages, in their order',
      query: z.object({
        include_archived: YesNo.optional(),
        counts: YesNo.optional().describe('Adds to each stage how many cards it holds.'),
      }),
      response: listOf(PipelineShape),
    },
    async ({ ctx, query }) => ({
      data: await listPipelines(ctx, {
        archived: query.include_archived ?? false,
        counts: query.counts ?? false,
      }),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/pipelines',
      permission: 'pipelines:write',
      summary: 'Set up a pipeline',
      description: `From a template, or with stages of its own. There may be any number. ${LIMITS_OF_KIND}`,
      body: NewPipeline,
      example: { template: 'sales', name: 'Partners' },
      response: PipelineShape,
      status: 201,
    },
    ({ ctx, body }) => createPipeline(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/pipelines/distribution',
      permission: 'pipelines:read',
      summary: 'How cards are spread over pipelines and stages',
      response: listOf(Distribution),
      report: true,
    },
    async ({ ctx }) => ({ data: await readDistributions(ctx), next_cursor: null }),
  ),
  route(
    {
      method: 'GET',
      path: '/api/pipelines/:id',
      permission: 'pipelines:read',
      summary: 'One pipeline, archived or not',
      params: ById,
      query: z.object({ counts: YesNo.optional() }),
      response: PipelineShape,
    },
    ({ ctx, params, query }) => readPipeline(ctx, params.id, { counts: query.counts ?? false }),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/pipelines/:id',
      permission: 'pipelines:write',
      summary: 'Change a pipeline, its stages and their order at once',
      params: ById,
      body: PipelineChange.extend(reason),
      example: { name: 'Inbound', version: 1 },
      response: PipelineShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => changePipeline(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/pipelines/:id',
      permission: 'pipelines:write',
      summary: 'Take a pipeline out of use',
      description:
        'It is archived with the history of its closed cards. While it holds open ones: 409 `pipeline_in_use` with their `count`, unless the same call says where they go.',
      params: ById,
      body: DeletePipeline,
      status: 204,
    },
    ({ ctx, params, body }) => deletePipeline(ctx, params.id, body),
  ),
  route(
    {
      method: 'POST',
      path: '/api/pipelines/:id/restore',
      permission: 'pipelines:write',
      summary: 'Bring a pipeline back into use',
      params: ById,
      response: PipelineShape,
    },
    ({ ctx, params }) => restorePipeline(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/pipelines/:id/preview',
      permission: 'pipelines:write',
      summary: 'What a change of a pipeline would do to its forecast',
      description: 'Takes what PATCH takes, and writes nothing.',
      params: ById,
      body: PreviewedChange,
      example: { stages: [] },
      response: Preview,
    },
    ({ ctx, params, body }) => previewChange(ctx, params.id, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/pipelines/:id/distribution',
      permission: 'pipelines:read',
      summary: 'How a pipeline’s cards are spread over its stages',
      params: ById,
      response: Distribution,
      report: true,
    },
    ({ ctx, params }) => readDistribution(ctx, params.id),
  ),
  route(
    {
      method: 'GET',
      path: '/api/pipelines/:id/probabilities',
      permission: 'pipelines:read',
      summary: 'The close probabilities of a pipeline’s stages as they stood at a moment',
      description: 'Without `at`, everything they ever were, the newest first.',
      params: ById,
      query: z.object({ at: Moment.optional() }),
      response: listOf(Probability),
      report: true,
    },
    async ({ ctx, params, query }) => ({
      data: await readProbabilities(ctx, params.id, query.at === undefined ? undefined : new Date(query.at)),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/pipelines/:id/stages',
      permission: 'pipelines:write',
      summary: 'Add an open stage',
      description: LIMITS_OF_KIND,
      params: ById,
      body: NewStage.extend(upon),
      example: { label: 'Demo', close_probability: 40 },
      response: StageOfPipeline,
      status: 201,
    },
    ({ ctx, params, body }) => addStage(ctx, params.id, body),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/pipelines/:id/stages/:stage_id',
      permission: 'pipelines:write',
      summary: 'Change a stage',
      description: `\`version\` is the pipeline’s. ${LIMITS_OF_KIND}`,
      params: OfStage,
      body: StageChange.extend(reason),
      example: { close_probability: 45, rot_days: 14, version: 1 },
      response: StageOfPipeline,
      versioned: true,
    },
    ({ ctx, params, body, version }) => changeStage(ctx, params.id, params.stage_id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/pipelines/:id/stages/:stage_id',
      permission: 'pipelines:write',
      summary: 'Delete an open stage',
      description:
        'While it holds cards: 409 `stage_in_use` with their `count`, unless `target_stage_id` says which open stage of the pipeline they go to.',
      params: OfStage,
      query: z.object({ target_stage_id: z.uuid().optional() }),
      status: 204,
    },
    async ({ ctx, params, query }) => {
      await deleteStage(ctx, params.id, params.stage_id, query)
    },
  ),
]
