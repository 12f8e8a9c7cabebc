import { setTimeout as pause } from 'node:timers/promises'
import { log } from '../log.ts'
import { recordActivity } from './activities.ts'
import { tellPassing } from './audit.ts'
import { type BulkCounts, type BulkJobRow, bulkSummary } from './bulk.ts'
import { type RowOutcome, workRow } from './bulk-rows.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, sendStatement, systemCtx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { matching } from './listing.ts'
import { enqueue } from './queue.ts'
import { tableOf } from './records.ts'
import { isContention, isPassing } from './transaction.ts'

/** A chunk is one transaction, and ends early so that no lease runs out in it. */
export const bulkWork = {
  lease_ms: 10_000,
  chunk: 100,
  chunk_ms: 1_000,
  attempts: 5,
  /** How often somebody who follows the events is told of progress, at most. */
  tell_ms: 1_000,
}

/** Another worker has the job now: nothing of this chunk was written. */
class BulkTakenOver extends Error {}

/**
 * Works a bulk act to its end, or gives it back when `stopping`. Safe to call twice, and after a SIGKILL: the lease lets one
 * worker in, the fence undoes the chunk of one that was thought dead, and rows that are done stay done.
 */
export const workBulk = async (
  db: Database,
  organization_id: string,
  id: string,
  stopping?: AbortSignal,
): Promise<void> => {
  const job = await claim(db, organization_id, id)
  if (!job) return
  const ctx: Ctx = {
    db,
    organization_id,
    actor: job.requested_by,
    ...(job.on_behalf_of ? { on_behalf_of: job.on_behalf_of } : {}),
  }
  try {
    if (job.cancel_requested_at === null) await chooseRows(ctx, job)
    await workChunks(ctx, job, stopping)
  } catch (error) {
    if (error instanceof BulkTakenOver) return
    // Its lease runs out, and somebody takes it up.
    if (isPassing(error)) throw error
    const refused = error instanceof DomainError
    if (!refused) log.error({ err: error, bulk_id: id }, 'a bulk act failed')
    const message = refused ? error.message : 'It failed for a reason of ours; the log says more.'
    await inTx(ctx, (ctx) => end(ctx, job, 'failed', { error: message }))
  }
}

/** Bulk acts of any organization that wait too long, or whose worker fell silent. */
export const findOverdueBulks = async (db: Database): Promise<{ organization_id: string; id: string }[]> => [
  ...(await db.sql<{ organization_id: string; id: string }[]>`select * from finder.overdue_bulk_jobs(100)`),
]

const claim = (db: Database, organization_id: string, id: string): Promise<BulkJobRow | undefined> =>
  inTx(systemCtx(db, organization_id, 'bulk'), async ({ tx }) => {
    const [job] = await tx<BulkJobRow[]>`
      update bulk_jobs set status = 'running', fence = fence + 1, started_at = coalesce(started_at, now()),
        lease_until = now() + ${`${bulkWork.lease_ms} ms`}::interval, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}
        and (status = 'queued' or (status = 'running' and lease_until < now()))
      returning *`
    return job
  })

/** Writes down which records there are, once: what matches later is not among them. */
const chooseRows = (ctx: Ctx, job: BulkJobRow): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { ids_given } = job.selection
    if (job.total > 0 || ids_given) return
    const { chosen } = await choice(ctx, job)
    const { count } = await tx`
      insert into bulk_rows (organization_id, bulk_id, n, record_id)
      select ${organization_id}::uuid, ${job.id}::uuid, chosen.n, chosen.id from (${chosen}) as chosen (n, id)`
    await hold(ctx, job, { total: count })
  })

/** In an object, because SQL that is awaited would be sent. */
const choice = async (ctx: TxCtx, { record_kind, selection: { filter, q }, undo_of }: BulkJobRow) => {
  const { tx, organization_id } = ctx
  if (undo_of) {
    const chosen = tx`
      select n, record_id from bulk_rows
      where organization_id = ${organization_id} and bulk_id = ${undo_of} and result = 'changed'`
    return { chosen }
  }
  const { condition } = await matching(ctx, record_kind, { filter, q }, 'o')
  return {
    chosen: tx`select row_number() over (order by o.id), o.id from ${tx(tableOf[record_kind])} o where ${condition}`,
  }
}

const workChunks = async (ctx: Ctx, job: BulkJobRow, stopping?: AbortSignal): Promise<void> => {
  let at: Standing = { after: 0, done: job.done, counts: job.counts, ended: false }
  let told = 0
  while (!at.ended) {
    if (stopping?.aborted) return release(ctx, job)
    const tells = Date.now() - told >= bulkWork.tell_ms
    if (tells) told = Date.now()
    at = await persistently(() => workChunk(ctx, job, at, tells))
  }
}

/** Two who want the same records in another order: one of them begins its chunk again. */
const persistently = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isContention(error) || attempt === bulkWork.attempts) throw error
      await pause(100 * attempt)
    }
  }
}

/** How far the rows have been worked. */
type Standing = { after: number; done: number; counts: BulkCounts; ended: boolean }

const workChunk = (ctx: Ctx, job: BulkJobRow, at: Standing, tells: boolean): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // A worker that stands still in here must let go of its records before another one takes over.
    const patience = `${bulkWork.lease_ms / 2}ms`
    sendStatement(ctx, tx`select set_config('idle_in_transaction_session_timeout', ${patience}, true)`)
    const [state] = await tx<{ cancel_requested_at: Date | null }[]>`
      select cancel_requested_at from bulk_jobs
      where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
    if (!state) throw new BulkTakenOver()
    const cancelled = state.cancel_requested_at !== null
    const rows = cancelled ? [] : await nextRows(ctx, job, at.after)
    const until = Date.now() + bulkWork.chunk_ms
    const worked: RowOutcome[] = []
    for (const row of rows) {
      worked.push(await workRow(ctx, job, row))
      if (Date.now() >= until) break
    }
    if (worked.length > 0) writeRows(ctx, job, worked)
    const next: Standing = {
      after: worked.at(-1)?.n ?? at.after,
      done: at.done + worked.length,
      counts: addCounts(at.counts, worked),
      ended: worked.length === rows.length && rows.length < bulkWork.chunk,
    }
    const { done, counts } = next
    if (next.ended) await end(ctx, job, cancelled ? 'cancelled' : 'done', { done, counts })
    else await hold(ctx, job, { done, counts })
    if (tells && !next.ended) tellPassing(ctx, { kind: 'bulk', id: job.id })
    return next
  })

/** Rows that wait, in order; of an undo, with what the act on the same record recorded. */
const nextRows = ({ tx, organization_id }: TxCtx, job: BulkJobRow, after: number) =>
  tx<{ n: number; record_id: string; undoes: string[] | null }[]>`
    select r.n, r.record_id, u.activity_ids as undoes from bulk_rows r
    left join bulk_rows u on u.organization_id = r.organization_id and u.bulk_id = ${job.undo_of} and u.n = r.n
    where r.organization_id = ${organization_id} and r.bulk_id = ${job.id} and r.n > ${after} and r.result = 'waiting'
    order by r.n limit ${bulkWork.chunk}`

const writeRows = (ctx: TxCtx, job: BulkJobRow, worked: RowOutcome[]): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update bulk_rows r set result = w.result, problem = w.problem, changes = w.changes, activity_ids = w.activity_ids
      from jsonb_to_recordset(${tx.json(worked as never)}) as w (n int, result text, problem jsonb, changes jsonb, activity_ids uuid[])
      where r.organization_id = ${organization_id} and r.bulk_id = ${job.id} and r.n = w.n`,
  )
}

const addCounts = (counts: BulkCounts, worked: RowOutcome[]): BulkCounts => {
  const of = (result: keyof BulkCounts): number =>
    counts[result] + worked.filter((row) => row.result === result).length
  return { changed: of('changed'), unchanged: of('unchanged'), skipped: of('skipped'), failed: of('failed') }
}

/** Keeps the job for another while; @throws {BulkTakenOver} when somebody else has it, which undoes the transaction. */
const hold = async (
  { tx, organization_id }: TxCtx,
  job: BulkJobRow,
  { counts, ...columns }: { total?: number; done?: number; counts?: BulkCounts },
): Promise<void> => {
  const held = await tx`
    update bulk_jobs set ${tx({ ...columns, ...(counts ? { counts: tx.json(counts) } : {}) } as never)},
      lease_until = now() + ${`${bulkWork.lease_ms} ms`}::interval, updated_at = now()
    where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
  if (held.count === 0) throw new BulkTakenOver()
}

/** Gives a job back, because its worker stops: another one goes on at once. */
const release = (ctx: Ctx, job: BulkJobRow): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { count } = await tx`
      update bulk_jobs set status = 'queued', lease_until = null, updated_at = now()
      where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
    if (count > 0) await enqueue(ctx, 'bulk.queued', { bulk_id: job.id })
  })

/** Ends a job; the timeline says what it came to, unless it was only tried. */
const end = async (
  ctx: TxCtx,
  job: BulkJobRow,
  status: 'done' | 'cancelled' | 'failed',
  result: { done?: number; counts?: BulkCounts; error?: string },
): Promise<void> => {
  const { tx, organization_id } = ctx
  const { counts = job.counts, ...columns } = result
  const ended = await tx`
    update bulk_jobs set ${tx({ ...columns, status, counts: tx.json(counts) } as never)}, lease_until = null,
      finished_at = now(), updated_at = now()
    where organization_id = ${organization_id} and id = ${job.id} and fence = ${job.fence} and status = 'running'`
  if (ended.count === 0) throw new BulkTakenOver()
  if (job.undo_of) await settleUndone(ctx, job, job.undo_of, status)
  // A dry run changed nothing, so nothing of it is kept for good.
  if (job.dry_run) return tellPassing(ctx, { kind: 'bulk', id: job.id })
  await recordActivity(ctx, {
    type: 'bulk_finished',
    subjects: [{ kind: 'bulk', id: job.id }],
    reason: result.error,
    data: {
      summary: bulkSummary(job, counts),
      kind: job.record_kind,
      act: job.act,
      status,
      counts,
      ...(job.undo_of ? { undo_of: job.undo_of } : {}),
    },
  })
}

/** What was taken back to its end is undone; what an undo of an undo did stands again. */
const settleUndone = async (
  { tx, organization_id }: TxCtx,
  job: BulkJobRow,
  undo_of: string,
  status: 'done' | 'cancelled' | 'failed',
): Promise<void> => {
  if (status !== 'done') {
    await tx`
      update bulk_jobs set undone_by = null where organization_id = ${organization_id} and id = ${undo_of} and undone_by = ${job.id}`
    return
  }
  await tx`update bulk_jobs set status = 'undone' where organization_id = ${organization_id} and id = ${undo_of}`
  await tx`
    update bulk_jobs b set status = 'done', undone_by = null from bulk_jobs u
    where u.organization_id = ${organization_id} and u.id = ${undo_of} and b.organization_id = u.organization_id and b.id = u.undo_of`
}
