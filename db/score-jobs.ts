import { v7 as uuidv7 } from 'uuid'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import type { Database } from './client.ts'
import { notFound } from './errors.ts'
import { type JobTable, type LeasedJobs, releaseJob, requestCancel } from './leased-jobs.ts'
import { enqueue } from './queue.ts'
import type { FormulaDefinition } from './score-definition.ts'

export const scoreJobStatuses = ['queued', 'running', 'done', 'failed', 'cancelled'] as const
export const recomputeTriggers = ['activated', 'asked', 'nightly', 'field_changed'] as const

/** A batch is one transaction; small enough that no lease runs out in it. */
export const scoreWork = {
  lease_ms: 10_000,
  attempts: 5,
  batch: 2_000,
  /** How often somebody who follows the events is told of progress, at most. */
  tell_ms: 1_000,
}

const table: JobTable = { table: 'score_jobs', name: 'score_job', called: 'work on scores' }
export const scoreLeases: LeasedJobs = { ...table, limits: scoreWork }

/** Long work on scores, and how far it has come. */
export type ScoreJob = {
  id: string
  kind: 'backtest' | 'recompute'
  /** Null is the built-in formula. */
  formula_id: string | null
  definition_hash: string
  trigger: (typeof recomputeTriggers)[number] | null
  status: (typeof scoreJobStatuses)[number]
  progress: { done: number; total: number }
  counts: { changed: number; unchanged: number }
  error: string | null
  requested_by: Actor
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}

/** A row of `score_jobs`. */
export type ScoreJobRow = Omit<ScoreJob, 'progress' | 'counts'> & {
  definition: unknown
  total: number
  done: number
  cursor: string | null
  counts: Partial<ScoreJob['counts']>
  result: unknown
  on_behalf_of: Actor | null
  cancel_requested_at: Date | null
  fence: number
}

/** Queues work on scores; a worker does it. */
export const queueScoreJob = async (
  ctx: TxCtx,
  job: Pick<ScoreJob, 'kind' | 'formula_id' | 'definition_hash'> & {
    trigger?: ScoreJob['trigger']
    definition?: FormulaDefinition
  },
): Promise<ScoreJobRow> => {
  const { tx, organization_id, actor, on_behalf_of } = ctx
  const id = uuidv7()
  const [row] = await tx<ScoreJobRow[]>`
    insert into score_jobs ${tx({
      organization_id,
      id,
      kind: job.kind,
      formula_id: job.formula_id,
      definition_hash: job.definition_hash,
      definition: job.definition ? tx.json(job.definition as never) : null,
      trigger: job.trigger ?? null,
      requested_by: tx.json(actor),
      on_behalf_of: on_behalf_of ? tx.json(on_behalf_of) : null,
    })} returning *`
  await wakeScoreJob(ctx, id)
  if (!row) throw notFound('score_job', id)
  return row
}

/** Calls a worker for a job. */
export const wakeScoreJob = (ctx: TxCtx, id: string): Promise<void> =>
  enqueue(ctx, 'score_job.queued', { score_job_id: id })

/** Gives a job back, because its worker stops. */
export const releaseScoreJob = (ctx: Ctx, job: ScoreJobRow): Promise<void> =>
  releaseJob(scoreLeases, ctx, job, (ctx) => wakeScoreJob(ctx, job.id))

/** The newest job of a kind, of one formula or of any. */
export const latestScoreJob = async (
  { tx, organization_id }: TxCtx,
  kind: ScoreJob['kind'],
  formula_id?: string,
): Promise<ScoreJobRow | undefined> => {
  const [row] = await tx<ScoreJobRow[]>`
    select * from score_jobs where organization_id = ${organization_id} and kind = ${kind}
      ${formula_id === undefined ? tx`` : tx`and formula_id = ${formula_id}`}
    order by id desc limit 1`
  return row
}

/** One job. @throws {DomainError} `score_job_not_found` */
export const getScoreJob = (ctx: Ctx, id: string): Promise<ScoreJobRow> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<ScoreJobRow[]>`
      select * from score_jobs where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('score_job', id)
    return row
  })

/** Asks a job to stop; what it did already stays. @throws {DomainError} `score_job_ended` with the state */
export const cancelScoreJob = async (ctx: TxCtx, job: ScoreJobRow): Promise<ScoreJobRow> => {
  await requestCancel(table, ctx, job)
  await wakeScoreJob(ctx, job.id)
  return getScoreJob(ctx, job.id)
}

/** A row as it is answered. */
export const toScoreJob = (row: ScoreJobRow): ScoreJob => ({
  id: row.id,
  kind: row.kind,
  formula_id: row.formula_id,
  definition_hash: row.definition_hash,
  trigger: row.trigger,
  status: row.status,
  progress: { done: row.done, total: row.total },
  counts: { changed: row.counts.changed ?? 0, unchanged: row.counts.unchanged ?? 0 },
  error: row.error,
  requested_by: row.requested_by,
  created_at: row.created_at,
  started_at: row.started_at,
  finished_at: row.finished_at,
})

/** Jobs of any organization that wait too long, or whose worker fell silent. */
export const findOverdueScoreJobs = async (
  db: Database,
): Promise<{ organization_id: string; id: string }[]> => [
  ...(await db.sql<{ organization_id: string; id: string }[]>`select * from finder.overdue_score_jobs(100)`),
]
