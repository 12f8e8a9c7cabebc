import { z } from 'zod'
import { CARDS_PER_COLUMN, readBoard } from '../../db/board.ts'
import { ListingQuery } from '../listing.ts'
import { Limit, route } from '../route.ts'
import { OpportunityShape } from './opportunities.ts'
import { PipelineHead, StageTotals } from './pipelines.ts'

const Board = z
  .object({
    pipeline: PipelineHead,
    stages: z.array(
      StageTotals.extend({ cards: z.array(OpportunityShape), next_cursor: z.string().nullable() }),
    ),
  })
  .meta({ id: 'Board' })

/** A pipeline with its cards in columns. */
export const board = [
  route(
    {
      method: 'GET',
      path: '/api/board',
      permission: 'leads:read',
      summary: 'A pipeline as a board',
      description:
        'Every stage with how many cards it holds and what they are worth, and a page of them in the order of the board. With `stage_id` one column; with its `next_cursor` as `cursor`, how it goes on.',
      query: ListingQuery.omit({ sort: true }).extend({
        pipeline_id: z.uuid('the id of a pipeline, see GET /api/pipelines'),
        stage_id: z.uuid().optional(),
        limit: Limit.default(CARDS_PER_COLUMN).describe('Cards of each stage.'),
      }),
      response: Board,
    },
    ({ ctx, query }) => readBoard(ctx, query),
  ),
]
