import { setTimeout as pause } from 'node:timers/promises'
import { log } from '../log.ts'
import type { Database } from './client.ts'
import { type Actor, type Ctx, inTx, sendStatement, systemCtx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { isContention, isPassing } from './transaction.ts'

/**
 * Long jobs whose rows stand in a table of their own: one worker has a job at a time, for as long as its lease runs; the
 * fence undoes what one that was thought dead still writes. The table has the columns `status`, `lease_until`, `fence`,
 * `started_at`, `finished_at`, `cancel_requested_at` and `updated_at`.
 */
export type LeasedJobs = JobTable & { limits: { lease_ms: number; attempts: number } }

/** Where jobs stand. */
export type JobTable = {
  table: string
  /** What refusals' codes begin with. */
  name: string
  /** What a person calls one. */
  called: string
}

/** A job that a worker has. */
export type Leased = { id: string; fence: number }

/** The same with who wanted it, in whose name it is done. */
type Requested = Leased & { requested_by: Actor; on_behalf_of: Actor | null }

/** Another worker has the job now: nothing of this transaction was written. */
export class JobTakenOver extends Error {}

/**
 * Works a job to its end. Safe to call twice, and after a SIGKILL: the lease lets one worker in, the fence undoes the piece
 * of one that was thought dead.
 * @param fail ends the job with what a person is told of the failure
 */
export const workLeased = async <Row extends Requested>(
  jobs: LeasedJobs,
  db: Database,
  organization_id: string,
  id: string,
  work: (ctx: Ctx, job: Row) => Promise<void>,
  fail: (ctx: TxCtx, job: Row, message: string) => Promise<void>,
): Promise<void> => {
  const job = await claimJob<Row>(jobs, db, organization_id, id)
  if (!job) return
  const { requested_by: actor, on_behalf_of } = job
  const ctx: Ctx = { db, organization_id, actor, ...(on_behalf_of ? { on_behalf_of } : {}) }
  try {
    await work(ctx, job)
  } catch (error) {
    if (error instanceof JobTakenOver) return
    // Its lease runs out, and somebody takes it up.
    if (isPassing(error)) throw error
    const refused = error instanceof DomainError
    if (!refused) log.error({ err: error, job_id: id }, `a ${jobs.called} failed`)
    const message = refused ? error.message : 'It failed for a reason of ours; the log says more.'
    await inTx(ctx, (ctx) => fail(ctx, job, message))
  }
}

/** Takes a job that waits or whose worker fell silent; undefined when somebody has it, or it has ended. */
const claimJob = <Row extends object>(
  { table, name, limits }: LeasedJobs,
  db: Database,
  organization_id: string,
  id: string,
): Promise<Row | undefined> =>
  inTx(systemCtx(db, organization_id, name), async ({ tx }) => {
    const rows = await tx<Row[]>`
      update ${tx(table)} set status = 'running', fence = fence + 1, started_at = coalesce(started_at, now()),
        lease_until = now() + ${`${limits.lease_ms} ms`}::interval, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}
        and (status = 'queued' or (status = 'running' and lease_until < now()))
      returning *`
    return rows[0]
  })

/**
 * Begins a piece of a job's work in its transaction: answers whether somebody asked to stop it.
 * @throws {JobTakenOver}
 */
export const beginPiece = async (
  { table, limits }: LeasedJobs,
  ctx: TxCtx,
  job: Leased,
): Promise<{ cancelled: boolean }> => {
  const { tx, organization_id } = ctx
  // A worker that stands still in here must let go of its records before another one takes over.
  const patience = `${limits.lease_ms / 2}ms`
  sendStatement(ctx, tx`select set_config('idle_in_transaction_session_timeout', ${patience}, true)`)
  const [state] = await tx<{ cancel_requested_at: Date | null }[]>`
    select cancel_requested_at from ${tx(table)}
    where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
  if (!state) throw new JobTakenOver()
  return { cancelled: state.cancel_requested_at !== null }
}

/** Keeps a job for another while, with how far it has come; @throws {JobTakenOver} which undoes the transaction. */
export const holdJob = async (
  { table, limits }: LeasedJobs,
  { tx, organization_id }: TxCtx,
  job: Leased,
  columns: Record<string, unknown>,
): Promise<void> => {
  const held = await tx`
    update ${tx(table)} set ${tx({ ...columns, updated_at: new Date() } as never)},
      lease_until = now() + ${`${limits.lease_ms} ms`}::interval
    where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
  if (held.count === 0) throw new JobTakenOver()
}

/** Gives a job back, because its worker stops; `wake` calls the next one. */
export const releaseJob = (
  { table }: LeasedJobs,
  ctx: Ctx,
  job: Leased,
  wake: (ctx: TxCtx) => Promise<unknown>,
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { count } = await tx`
      update ${tx(table)} set status = 'queued', lease_until = null, updated_at = now()
      where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
    if (count > 0) await wake(ctx)
  })

/** Writes how a job ended; @throws {JobTakenOver} */
export const endJob = async (
  { table }: LeasedJobs,
  { tx, organization_id }: TxCtx,
  job: Leased,
  columns: Record<string, unknown> & { status: string },
): Promise<void> => {
  const ended = await tx`
    update ${tx(table)} set ${tx(columns as never)}, lease_until = null, finished_at = now(), updated_at = now()
    where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
  if (ended.count === 0) throw new JobTakenOver()
}

/**
 * Asks a job to stop at its next piece; what it did already stays.
 * @throws {DomainError} `<name>_ended` with the state, when it is over
 */
export const requestCancel = async (
  { table, name, called }: JobTable,
  { tx, organization_id }: TxCtx,
  { id, status }: { id: string; status: string },
): Promise<void> => {
  if (status !== 'queued' && status !== 'running') {
    throw new DomainError('conflict', `${name}_ended`, `This ${called} is ${status} already.`, {
      extra: { state: status },
    })
  }
  await tx`
    update ${tx(table)} set cancel_requested_at = now(), updated_at = now()
    where organization_id = ${organization_id} and id = ${id} and status in ('queued', 'running')`
}

/** Two who want the same records in another order: one of them begins its piece again. */
export const persistently = async <T>({ limits }: LeasedJobs, work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isContention(error) || attempt === limits.attempts) throw error
      await pause(100 * attempt)
    }
  }
}
