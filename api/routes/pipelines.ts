import { getPipeline, listPipelines } from '../../db/pipelines.ts'
import { ById, route } from '../route.ts'
import { listOf, PipelineShape } from '../shapes.ts'

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
