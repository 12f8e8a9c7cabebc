import { z } from 'zod'
import { getSubmission, listSubmissions, retrySubmission } from '../../db/submissions.ts'
import { ById, Paged, route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'

/** What came in at a door, as it came. */
export const SubmissionShape = z
  .object({
    id: Id,
    source_id: Id.nullable(),
    door: z.string(),
    delivery_id: Text,
    status: z.enum(['received', 'processed', 'joined', 'rejected', 'needs_attention']),
    problem: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
    payload: z.unknown(),
    lead_id: Id.nullable(),
    received_at: Time,
    processed_at: Time.nullable(),
  })
  .meta({ id: 'Submission' })

const SubmissionsQuery = Paged.extend({
  status: z.enum(['received', 'processed', 'joined', 'rejected', 'needs_attention']).optional(),
  lead_id: z.uuid().optional(),
  source_id: z.uuid().optional(),
})

/** What came in, as it came. */
export const submissions = [
  route(
    {
      method: 'GET',
      path: '/api/submissions',
      permission: 'intake:read',
      summary: 'Submissions, newest first',
      query: SubmissionsQuery,
      response: listOf(SubmissionShape),
    },
    ({ ctx, query }) => listSubmissions(ctx, query),
  ),
  route(
    {
      method: 'GET',
      path: '/api/submissions/:id',
      permission: 'intake:read',
      summary: 'One submission',
      params: ById,
      response: SubmissionShape,
    },
    ({ ctx, params }) => getSubmission(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/submissions/:id/retry',
      permission: 'intake:write',
      summary: 'Read a submission once more that needed attention',
      params: ById,
      response: SubmissionShape,
      status: 202,
    },
    async ({ ctx, params }) => {
      await retrySubmission(ctx, params.id)
      return getSubmission(ctx, params.id)
    },
  ),
]
