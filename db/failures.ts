import type { Subject } from './activities.ts'
import { inTx, type Ctx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { retryRun } from './runs.ts'

/** Work that was given up on: an agent's run, or a job that failed every time. */
export type Failure = {
  id: string
  kind: 'run' | 'job'
  name: string
  subject: Subject | null
  subject_label: string | null
  error: string
  attempts: number
  failed_at: Date
}

/** What waits for a person, newest first: runs that nobody started anew since, and jobs among the dead letters. */
export const listFailures = async (ctx: Ctx, limit: number): Promise<Failure[]> => {
  const runs = await inTx(
    ctx,
    ({ tx, organization_id }) => tx<FailedRun[]>`
    select r.id, r.agent as name, r.subject_kind, r.subject_id, o.name as subject_label, r.attempts,
      coalesce(r.error ->> 'message', r.stop_reason, 'It ended without a reason.') as error,
      coalesce(r.finished_at, r.created_at) as failed_at
    from runs r
    left join opportunities o on o.organization_id = r.organization_id and o.id = r.subject_id
    where r.organization_id = ${organization_id} and r.status in ('failed', 'dead')
      and not exists (select 1 from runs newer where newer.organization_id = r.organization_id
        and newer.subject_kind = r.subject_kind and newer.subject_id = r.subject_id
        and newer.agent = r.agent and newer.id > r.id)
    order by r.id desc limit ${limit}`,
  )
  const jobs = await ctx.db.queue.deadLetters(ctx.organization_id, limit)
  return [
    ...runs.map(({ subject_kind, subject_id, ...run }) => ({
      ...run,
      kind: 'run' as const,
      subject: { kind: subject_kind, id: subject_id },
    })),
    ...jobs.map((job) => ({
      id: job.id,
      kind: 'job' as const,
      name: job.name,
      subject: subjectOf(job.payload),
      subject_label: null,
      error: messageOf(job.error),
      attempts: job.attempts,
      failed_at: job.failed_at,
    })),
  ].toSorted((a, b) => b.failed_at.getTime() - a.failed_at.getTime())
}

/** Starts it anew: a run as a new run, a job as it was. Answers the run, when it is one. */
export const retryFailure = async (ctx: Ctx, id: string): Promise<{ run_id?: string }> => {
  try {
    return { run_id: (await retryRun(ctx, id)).id }
  } catch (error) {
    if (!(error instanceof DomainError && error.kind === 'not_found')) throw error
  }
  if (!(await ctx.db.queue.redrive(ctx.organization_id, id))) throw notFound('failure', id)
  return {}
}

type FailedRun = Omit<Failure, 'kind' | 'subject'> & { subject_kind: string; subject_id: string }

const subjectOf = (payload: Record<string, unknown>): Subject | null => {
  const [key, id] =
    Object.entries(payload).find(([name]) => name.endsWith('_id') && name !== 'organization_id') ?? []
  return key && typeof id === 'string' ? { kind: key.slice(0, -'_id'.length), id } : null
}

/** pg-boss keeps what was thrown as JSON. */
const messageOf = (error: unknown): string => {
  if (typeof error === 'string') return error
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message)
  return 'It failed without a message.'
}
