import { recordActivity } from './activities.ts'
import { tellPassing } from './audit.ts'
import { type BulkCounts, type BulkJobRow, bulkSummary, bulkTable, getBulk } from './bulk.ts'
import { bulkTables, meantBy, readLabels } from './bulk-kinds.ts'
import { requireRequester } from './bulk-requesters.ts'
import { failureOf, type Row, type RowOutcome, SomeRefused, workRows } from './bulk-rows.ts'
import { chooseStanding, settleUndone, standingActs } from './bulk-undo.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, sendStatement, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import {
  beginPiece,
  endJob,
  holdJob,
  JobTakenOver,
  type LeasedJobs,
  persistently,
  releaseJob,
  workLeased,
} from './leased-jobs.ts'
import { matching } from './listing.ts'
import { enqueue } from './queue.ts'
import { isPassing } from './transaction.ts'

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
  const { tx } = ctx
  if (undo_of) return { chosen: chooseStanding(ctx, undo_of) }
  const { condition } = await matching(ctx, record_kind, { filter: meantBy(record_kind, filter), q }, 'o')
  return {
    chosen: tx`select row_number() over (order by o.id), o.id from ${tx(bulkTables[record_kind])} o where ${condition}`,
  }
}

/** A job at work. */
type Work = {
  readonly ctx: Ctx
  readonly job: BulkJobRow
  /** How far it has come, as far as that is committed. */
  at: Standing
  /** When somebody who follows was told last. */
  told: number
}

type Standing = { after: number; done: number; counts: BulkCounts }

const workChunks = async (ctx: Ctx, job: BulkJobRow, stopping?: AbortSignal): Promise<void> => {
  const work: Work = { ctx, job, at: { after: 0, done: job.done, counts: job.counts }, told: 0 }
  let size = bulkWork.chunk
  let ended = false
  while (!ended) {
    if (stopping?.aborted)
      return releaseJob(bulkLeases, ctx, job, (ctx) => enqueue(ctx, 'bulk.queued', { bulk_id: job.id }))
    const began = Date.now()
    ended = await workChunk(work, size)
    // As many as are done in the time that a chunk may take.
    const slow = Date.now() - began > bulkWork.chunk_ms
    size = slow ? Math.ceil(size / 2) : Math.min(bulkWork.chunk, size * 2)
  }
}

/** Works the next rows: in one transaction, unless one of them is in the way. Answers whether the job has ended. */
const workChunk = async (work: Work, size: number): Promise<boolean> => {
  const { job } = work
  let rows: Row[] = []
  try {
    return await inPiece(work, async (ctx) => {
      rows = await nextRows(ctx, job, work.at.after, size)
      return settle(ctx, work, await tryRows(ctx, job, rows), rows.length < size)
    })
  } catch (error) {
    if (error instanceof OnlyTried) return settleAlone(work, error.outcomes)
    if (error instanceof SomeRefused) return workAround(work, rows, error)
    if (isOurs(error)) return workEach(work, rows)
    throw error
  }
}

/** The rows that nobody refused go on without the others, which then go each alone. */
const workAround = async (
  work: Work,
  rows: readonly Row[],
  { outcomes, refused }: SomeRefused,
): Promise<boolean> => {
  if (work.job.dry_run) return settleAlone(work, outcomes)
  const [others, those] = [false, true].map((is) => rows.filter(({ n }) => refused.has(n) === is))
  try {
    if (others && others.length > 0)
      await inPiece(work, async (ctx) => settle(ctx, work, await tryRows(ctx, work.job, others), false))
  } catch (error) {
    if (!(error instanceof SomeRefused) && !isOurs(error)) throw error
    return workEach(work, rows)
  }
  return workEach(work, those ?? [])
}

/** Each row in a transaction of its own: what fails, fails alone. */
const workEach = async (work: Work, rows: readonly Row[]): Promise<boolean> => {
  const { job } = work
  const failed: RowOutcome[] = []
  for (const row of rows) {
    try {
      await inPiece(work, async (ctx) => settle(ctx, work, await tryRows(ctx, job, [row]), false))
    } catch (error) {
      if (error instanceof OnlyTried || error instanceof SomeRefused) failed.push(...error.outcomes)
      else if (isOurs(error)) failed.push(failureOf(job, row, error))
      else throw error
    }
  }
  return settleAlone(work, failed)
}

/** A dry run goes all the way, and is rolled back by this. */
class OnlyTried extends Error {
  readonly outcomes: readonly RowOutcome[]
  constructor(outcomes: readonly RowOutcome[]) {
    super('only tried')
    this.outcomes = outcomes
  }
}

const tryRows = async (ctx: TxCtx, job: BulkJobRow, rows: readonly Row[]): Promise<RowOutcome[]> => {
  const outcomes = await workRows(ctx, job, rows)
  if (job.dry_run && outcomes.length > 0) throw new OnlyTried(outcomes)
  return outcomes
}

/** Whether it is a fault in what we do to a row: not of the job, and not one that passes. */
const isOurs = (error: unknown): boolean =>
  !(error instanceof JobTakenOver) && !(error instanceof DomainError) && !isPassing(error)

type Piece = { at: Standing; ended: boolean }

/** One transaction of a job that is still ours, that nobody stopped, and that whoever asked for it still may have done. */
const inPiece = async (work: Work, act: (ctx: TxCtx) => Promise<Piece>): Promise<boolean> => {
  const { job, at } = work
  const piece = await persistently(bulkLeases, () =>
    inTx(work.ctx, async (ctx): Promise<Piece> => {
      // One plan for all values: rows are found by their ids, and planning each time takes longer than that.
      sendStatement(ctx, ctx.tx`select set_config('plan_cache_mode', 'force_generic_plan', true)`)
      const [{ cancelled }] = await Promise.all([
        beginPiece(bulkLeases, ctx, job),
        requireRequester(ctx, job),
      ])
      if (!cancelled) return act(ctx)
      await end(ctx, job, 'cancelled', at)
      return { at, ended: true }
    }),
  )
  work.at = piece.at
  return piece.ended
}

const settleAlone = async (work: Work, outcomes: readonly RowOutcome[]): Promise<boolean> =>
  outcomes.length > 0 && (await inPiece(work, (ctx) => settle(ctx, work, outcomes, false)))

/** Writes down what came of rows, how far the job has come by them, and its end. */
const settle = async (
  ctx: TxCtx,
  work: Work,
  outcomes: readonly RowOutcome[],
  ended: boolean,
): Promise<Piece> => {
  const { job } = work
  const at: Standing = {
    after: Math.max(work.at.after, ...outcomes.map(({ n }) => n)),
    done: work.at.done + outcomes.length,
    counts: addCounts(work.at.counts, outcomes),
  }
  if (outcomes.length > 0) writeRows(ctx, job, outcomes)
  if (ended) {
    await end(ctx, job, 'done', at)
  } else {
    await holdJob(bulkLeases, ctx, job, { done: at.done, counts: ctx.tx.json(at.counts) })
    if (Date.now() - work.told >= bulkWork.tell_ms) {
      work.told = Date.now()
      tellPassing(ctx, { kind: 'bulk', id: job.id })
    }
  }
  return { at, ended }
}

/** Rows that wait, in order; of an undo, with what the act on the same record recorded. */
const nextRows = async (ctx: TxCtx, job: BulkJobRow, after: number, at_most: number): Promise<Row[]> => {
  const { tx, organization_id } = ctx
  const rows = await tx<{ n: number; record_id: string }[]>`
    select n, record_id from bulk_rows
    where organization_id = ${organization_id} and bulk_id = ${job.id} and n > ${after} and result = 'waiting'
    order by n limit ${at_most}`
  const ids = rows.map(({ record_id }) => record_id)
  const numbers = rows.map(({ n }) => n)
  const [labels, undoes] = await Promise.all([
    readLabels(ctx, job.record_kind, ids),
    job.undo_of === null ? undefined : standingActs(ctx, job.undo_of, numbers),
  ])
  return rows.map((row) => ({
    ...row,
    label: labels.get(row.record_id),
    undoes: undoes ? (undoes.get(row.n) ?? []) : null,
  }))
}

const writeRows = (ctx: TxCtx, job: BulkJobRow, worked: readonly RowOutcome[]): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update bulk_rows r set result = w.result, problem = w.problem, changes = w.changes, activity_ids = w.activity_ids
      from jsonb_to_recordset(${tx.json(worked as never)}) as w (n int, result text, problem jsonb, changes jsonb, activity_ids uuid[])
      where r.organization_id = ${organization_id} and r.bulk_id = ${job.id} and r.n = w.n`,
  )
}

const addCounts = (counts: BulkCounts, worked: readonly RowOutcome[]): BulkCounts => {
  const of = (result: keyof BulkCounts): number =>
    counts[result] + worked.filter((row) => row.result === result).length
  return { changed: of('changed'), unchanged: of('unchanged'), skipped: of('skipped'), failed: of('failed') }
}

/** Ends a job; the timeline says what it came to, unless it was only tried. */
const end = async (
  ctx: TxCtx,
  job: BulkJobRow,
  status: 'done' | 'cancelled' | 'failed',
  { done, counts, error }: { done?: number; counts?: BulkCounts; error?: string },
): Promise<void> => {
  await endJob(bulkLeases, ctx, job, {
    status,
    ...(done === undefined ? {} : { done }),
    ...(counts ? { counts: ctx.tx.json(counts) } : {}),
    ...(error ? { error } : {}),
  })
  // A dry run changed nothing, so nothing of it is kept for good.
  if (job.dry_run) return tellPassing(ctx, { kind: 'bulk', id: job.id })
  const came_to = counts ?? (await getBulk(ctx, job.id)).counts
  if (job.undo_of) await settleUndone(ctx, { id: job.id, undo_of: job.undo_of, status, counts: came_to })
  await recordActivity(ctx, {
    type: 'bulk_finished',
    subjects: [{ kind: 'bulk', id: job.id }],
    reason: error,
    data: {
      summary: bulkSummary(job, came_to),
      kind: job.record_kind,
      act: job.act,
      status,
      counts: came_to,
      ...(job.undo_of ? { undo_of: job.undo_of } : {}),
    },
  })
}
