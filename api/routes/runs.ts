import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { agentCatalogue } from '../../db/policies.ts'
import { cancelRun, getRun, listRuns, retryRun, type Run } from '../../db/runs.ts'
import { labelRecords } from '../../db/records.ts'
import { ById, Paged, route } from '../route.ts'
import { Actor, Anything, Id, listOf, Queued, Subject, Text, Time } from '../shapes.ts'

const Step = z.object({
  n: z.int(),
  kind: z.enum(['model', 'tool']),
  tool: Text,
  call_id: Text,
  input: z.unknown(),
  verdict: Text,
  rule: Text,
  output: z.unknown(),
  usage: z.unknown(),
  started_at: Time,
  finished_at: Time,
})

/** One time an agent worked. */
export const RunShape = z
  .object({
    id: Id,
    agent: z.string(),
    agent_title: z.string(),
    agent_version: Text,
    subject: Subject,
    subject_label: Text,
    status: z.enum(['queued', 'running', 'paused', 'done', 'failed', 'stopped', 'cancelled', 'dead']),
    trigger: z.looseObject({ kind: z.string() }),
    requested_by: Actor,
    model: Text,
    prompt_version: Text,
    usage: z.object({
      input_tokens: z.int(),
      output_tokens: z.int(),
      cost_minor: z.int().optional(),
      currency: z.string().optional(),
    }),
    stop_reason: Text,
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    tainted_by: z.array(Anything),
    attempts: z.int(),
    next_attempt_at: Time,
    created_at: Time,
    started_at: Time.nullable(),
    finished_at: Time.nullable(),
    steps: z.array(Step).optional().describe('On a single run.'),
  })
  .meta({ id: 'Run' })

const RunsQuery = Paged.extend({
  status: z
    .enum(['queued', 'running', 'paused', 'done', 'failed', 'stopped', 'cancelled', 'dead'])
    .optional(),
  subject_id: z.uuid().optional(),
  agent: z.string().max(100).optional(),
})

const present = async <R extends Run>(ctx: Ctx, runs: R[]) => {
  const labels = await labelRecords(
    ctx,
    runs.map(({ subject }) => subject),
  )
  return runs.map((run) => ({
    ...run,
    agent_title: agentCatalogue[run.agent]?.title ?? run.agent,
    subject_label: labels.get(run.subject.id) ?? null,
  }))
}

/** Agents at work. */
export const runs = [
  route(
    {
      method: 'GET',
      path: '/api/runs',
      permission: 'runs:read',
      summary: 'Runs, newest first, without their steps',
      query: RunsQuery,
      response: listOf(RunShape),
    },
    async ({ ctx, query }) => {
      const { data, next_cursor } = await listRuns(ctx, query)
      return { data: await present(ctx, data), next_cursor }
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/runs/:id',
      permission: 'runs:read',
      summary: 'One run, step by step',
      params: ById,
      response: RunShape,
    },
    async ({ ctx, params }) => (await present(ctx, [await getRun(ctx, params.id)]))[0],
  ),
  route(
    {
      method: 'POST',
      path: '/api/runs/:id/retry',
      permission: 'runs:write',
      summary: 'Start a run anew that ended without success',
      params: ById,
      response: Queued,
      status: 202,
    },
    async ({ ctx, params }) => ({ run_id: (await retryRun(ctx, params.id)).id }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/runs/:id/cancel',
      permission: 'runs:write',
      summary: 'Stop a run; what it did already stays',
      params: ById,
      response: RunShape,
    },
    async ({ ctx, params }) => {
      await cancelRun(ctx, params.id)
      return (await present(ctx, [await getRun(ctx, params.id)]))[0]
    },
  ),
]
