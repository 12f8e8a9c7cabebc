import { recordActivity } from './activities.ts'
import { tellPassing } from './audit.ts'
import { type BulkCounts, type BulkJobRow, bulkSummary, bulkTable } from './bulk.ts'
import { type RowOutcome, workRow } from './bulk-rows.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, sendStatement, type TxCtx } from './context.ts'
import {
  beginPiece,
  endJob,
  holdJob,
  type LeasedJobs,
  persistently,
  releaseJob,
  workLeased,
} from './leased-jobs.ts'
import { matching } from './listing.ts'
import { enqueue } from './queue.ts'
import { tableOf } from './records.ts'

/** A chunk is one transaction, and ends early so that no lease runs out in it. */
export const bulkWork = {
  lease_ms: 10_000,
  chunk: 100,
  chunk_ms: 1_000,
  attempts: 5,
  /** How often somebody who follows the events is told of progress, at most. */
  tell_ms: 1_000,
}

const bulkLeases: LeasedJobs = { ...bulkTable, limits: bulkWork }

/**
 * Works a bulk act to its end, or gives it back when `stopping`. Rows that are done stay done, whoever takes it up.
 */
export const workBulk = (
  db: Database,
  organization_id: string,
  id: string,
  stopping?: AbortSignal,
): Promise<void> =>
  workLeased<BulkJobRow>(
    bulkLeases,
    db,
    organization_id,
    id,
    async (ctx, job) => {
      if (job.cancel_requested_at === null) await chooseRows(ctx, job)
      await workChunks(ctx, job, stopping)
    },
    (ctx, job, error) => end(ctx, job, 'failed', { error }),
  )

/** Bulk acts of any organization that wait too long, or whose worker fell silent. */
export const findOverdueBulks = async (db: Database): Promise<{ organization_id: string; id: string }[]> => [
  ...(await db.sql<{ organization_id: string; id: string }[]>`select * from finder.overdue_bulk_jobs(100)`),
]

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
    await holdJob(bulkLeases, ctx, job, { total: count })
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
    if (stopping?.aborted)
      return releaseJob(bulkLeases, ctx, job, (ctx) => enqueue(ctx, 'bulk.queued', { bulk_id: job.id }))
    const tells = Date.now() - told >= bulkWork.tell_ms
    if (tells) told = Date.now()
    at = await persistently(bulkLeases, () => workChunk(ctx, job, at, tells))
  }
}

/** How far the rows have been worked. */
type Standing = { after: number; done: number; counts: BulkCounts; ended: boolean }

const workChunk = (ctx: Ctx, job: BulkJobRow, at: Standing, tells: boolean): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    const { cancelled } = await beginPiece(bulkLeases, ctx, job)
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
    else await holdJob(bulkLeases, ctx, job, { done, counts: ctx.tx.json(counts) })
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

/** Ends a job; the timeline says what it came to, unless it was only tried. */
const end = async (
  ctx: TxCtx,
  job: BulkJobRow,
  status: 'done' | 'cancelled' | 'failed',
  result: { done?: number; counts?: BulkCounts; error?: string },
): Promise<void> => {
  const { counts = job.counts, ...columns } = result
  await endJob(bulkLeases, ctx, job, { ...columns, status, counts: ctx.tx.json(counts) })
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
