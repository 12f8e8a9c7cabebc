import { z } from 'zod'
import { getPipeline, listPipelines } from '../../db/pipelines.ts'
import { ById, route } from '../route.ts'
import { Id, listOf, StageKind, Text } from '../shapes.ts'

/** A stage of a pipeline. */
const Stage = z.object({
  id: Id,
  label: z.string(),
  description: Text,
  kind: StageKind,
  position: z.int(),
  color: z.string(),
  close_probability: z.int(),
  rot_days: z.int().nullable(),
})

/** A ladder of stages. */
export const PipelineShape = z
  .object({
    id: Id,
    name: z.string(),
    description: Text,
    record_kind: z.enum(['lead', 'deal']),
    lost_reason: z.enum(['required', 'optional']),
    is_default: z.boolean(),
    template: Text,
    stages: z.array(Stage),
    version: z.int(),
  })
  .meta({ id: 'Pipeline' })

/** Ladders of stages. */
export const pipelines = [
  route(
    {
      method: 'GET',
      path: '/api/pipelines',
      permission: 'pipelines:read',
      summary: 'Pipelines with their stages, the defaults first',
      response: listOf(PipelineShape),
    },
    async ({ ctx }) => ({ data: await listPipelines(ctx), next_cursor: null }),
  ),
  route(
    {
      method: 'GET',
      path: '/api/pipelines/:id',
      permission: 'pipelines:read',
      summary: 'One pipeline',
      params: ById,
      response: PipelineShape,
    },
    ({ ctx, params }) => getPipeline(ctx, params.id),
  ),
]
