import { z } from 'zod'
import { listFailures, retryFailure } from '../../db/failures.ts'
import { ById, Limit, route } from '../route.ts'
import { listOf, Queued, Subject, Text, Time } from '../shapes.ts'

/** Work that was given up on and waits for a person. */
export const FailureShape = z
  .object({
    id: z.string(),
    kind: z.enum(['run', 'job']),
    name: z.string(),
    subject: Subject.nullable(),
    subject_label: Text,
    error: z.string(),
    attempts: z.int(),
    failed_at: Time,
  })
  .meta({ id: 'Failure' })

/** Work that was given up on. */
export const failures = [
  route(
    {
      method: 'GET',
      path: '/api/failures',
      permission: 'runs:read',
      summary: 'Runs and jobs that were given up on and wait for a person',
      query: z.object({ limit: Limit }),
      response: listOf(FailureShape),
    },
    async ({ ctx, query }) => ({ data: await listFailures(ctx, query.limit), next_cursor: null }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/failures/:id/retry',
      permission: 'runs:write',
      summary: 'Try it again',
      params: ById,
      response: Queued.partial(),
      status: 202,
    },
    ({ ctx, params }) => retryFailure(ctx, params.id),
  ),
]
