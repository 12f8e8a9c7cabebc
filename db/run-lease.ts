import { recordActivity } from './activities.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, type Lease, sendStatement, systemCtx } from './context.ts'
import { enqueue } from './queue.ts'
import type { TaintSource } from './run-journal.ts'
import { type Run, runLimits, type RunRow, toRun } from './runs.ts'

/** A run that this worker now holds. */
export type ClaimedRun = { organization_id: string; run: Run; lease: Lease }

/** Runs that may be claimed now, in turn round the organizations. */
export const findDueRuns = async (
  db: Database,
  at_most: number,
): Promise<{ organization_id: string; id: string }[]> => {
  const rows = await db.sql<
    { organization_id: string; id: string }[]
  >`select * from finder.due_runs(${at_most})`
  return [...rows]
}

/** Takes a run that waits, or whose worker fell silent; nothing when another worker was faster. */
export const claimRun = (
  db: Database,
  organization_id: string,
  id: string,
  worker: string,
): Promise<ClaimedRun | undefined> =>
  inTx(systemCtx(db, organization_id, 'worker'), async ({ tx }) => {
    const [claimed] = await tx<(RunRow & { fence: number })[]>`
      update runs set status = 'running', fence = fence + 1, attempts = attempts + 1, worker = ${worker},
        started_at = coalesce(started_at, now()), lease_until = now() + ${`${runLimits.lease_ms} ms`}::interval
      where organization_id = ${organization_id} and id = ${id}
        and ((status = 'queued' and next_attempt_at <= now()) or (status = 'running' and lease_until < now()))
      returning *`
    return claimed
      ? { organization_id, run: toRun(claimed), lease: { run_id: id, fence: claimed.fence } }
      : undefined
  })

/** Extends a claim; false when another worker has taken over or the run was cancelled. */
export const heartbeat = (db: Database, organization_id: string, lease: Lease): Promise<boolean> =>
  inTx(systemCtx(db, organization_id, 'worker'), async ({ tx }) => {
    const rows = await tx`
      update runs set lease_until = now() + ${`${runLimits.lease_ms} ms`}::interval
      where organization_id = ${organization_id} and id = ${lease.run_id} and fence = ${lease.fence} and status = 'running'
      returning id`
    return rows.length > 0
  })

/** Notes which model and prompt a run is thought with, and what from outside stands in its orders. */
export const beginRun = (
  ctx: Ctx,
  {
    tainted_by,
    ...input
  }: { model: string; prompt_version: string; agent_version: string; tainted_by: TaintSource[] },
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, lease } = ctx
    sendStatement(ctx, tx`set local synchronous_commit = off`)
    sendStatement(
      ctx,
      tx`update runs set ${tx({ ...input, tainted_by: tx.json(tainted_by) })} where organization_id = ${organization_id} and id = ${lease?.run_id ?? null}`,
    )
  })

/**
 * Gives a run back as it stands, because its worker stops: another one goes on at once, and this attempt does not count.
 * It keeps its first attempt: a run that has begun is not the one that waits, and a newcomer gets a run of its own.
 */
export const releaseRun = (ctx: Ctx, run: Run): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await tx`
      update runs set status = 'queued', attempts = greatest(attempts - 1, 1), lease_until = null, next_attempt_at = now()
      where organization_id = ${organization_id} and id = ${run.id}`
    await enqueue(ctx, 'run.queued', { run_id: run.id })
  })

export type RunEnd = {
  status: 'done' | 'failed' | 'stopped' | 'dead' | 'cancelled'
  stop_reason: string
  /** What the agent said last, in one or two sentences. */
  said?: string | undefined
  error?: { code: string; message: string } | undefined
}

/** Ends a run under its lease, with a line on its subject's timeline. */
export const endRun = (ctx: Ctx, run: Run, end: RunEnd): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // Lost with a crash of the database itself, it is taken up again, finds every step done, and ends the same way.
    sendStatement(ctx, tx`set local synchronous_commit = off`)
    sendStatement(
      ctx,
      tx`
      update runs set status = ${end.status}, stop_reason = ${end.stop_reason}, finished_at = now(), lease_until = null,
        error = ${end.error ? tx.json(end.error) : null}
      where organization_id = ${organization_id} and id = ${run.id}`,
    )
    await recordActivity(ctx, {
      type: 'agent_run',
      subjects: [run.subject, { kind: 'run', id: run.id }],
      reason: end.error?.message ?? (end.said || end.stop_reason),
      data: {
        run_id: run.id,
        agent: run.agent,
        status: end.status,
        ...(end.error ? { error: end.error } : {}),
      },
    })
  })

/** Gives a run back after a passing fault; it waits longer each time. */
export const postponeRun = (
  ctx: Ctx,
  run: Run,
  fault: { code: string; message: string; retry_after_ms?: number | undefined },
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const wait_ms = Math.max(fault.retry_after_ms ?? 0, backoff(run.attempts))
    await tx`
      update runs set status = 'queued', lease_until = null, next_attempt_at = now() + ${`${wait_ms} ms`}::interval,
        error = ${tx.json({ code: fault.code, message: fault.message })}
      where organization_id = ${organization_id} and id = ${run.id}`
    await enqueue(ctx, 'run.queued', { run_id: run.id }, Math.ceil(wait_ms / 1_000))
  })

const backoff = (attempts: number): number =>
  Math.min(runLimits.backoff_max_ms, runLimits.backoff_ms * 2 ** Math.max(0, attempts - 1))
