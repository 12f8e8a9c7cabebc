import { readBoard } from '../db/board.ts'
import { measureRead } from './reads.ts'

await measureRead({
  name: 'board',
  at_most_ms: 60,
  how: 'GET /api/board of a pipeline with 300,000 cards, with true counts and sums',
  path: ({ pipeline_id }) => `/api/board?pipeline_id=${pipeline_id}`,
  read: (ctx, { pipeline_id }) => readBoard(ctx, { pipeline_id }),
})
