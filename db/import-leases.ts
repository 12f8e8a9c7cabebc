import { recordActivity } from './activities.ts'
import { tellPassing } from './audit.ts'
import type { Ctx, TxCtx } from './context.ts'
import { type KeptCounts, type ImportJob, importTable } from './imports.ts'
import { endJob, type LeasedJobs, releaseJob } from './leased-jobs.ts'
import { enqueue } from './queue.ts'

/** A piece of a file is one transaction. */
export const importWork = {
  lease_ms: 10_000,
  /** Rows of a piece, at most. */
  piece: 500,
  attempts: 5,
  /** How often somebody who follows the events is told of progress, at most. */
  tell_ms: 1_000,
}

export const importLeases: LeasedJobs = { ...importTable, limits: importWork }

/** Nothing yet. */
export const NO_ROWS: KeptCounts = { create: 0, update: 0, skip: 0, error: 0 }

/** Gives an import back, because its worker stops: another one goes on at once. */
export const releaseImport = (ctx: Ctx, job: ImportJob): Promise<void> =>
  releaseJob(importLeases, ctx, job, (ctx) => enqueue(ctx, 'import.queued', { import_id: job.id }))

/** Whether a worker has an import of the organization in hand, or its dry run. */
export const isImporting = async ({ tx, organization_id }: TxCtx): Promise<boolean> => {
  const running = await tx`
    select from imports where organization_id = ${organization_id} and status = 'running' and lease_until > now() limit 1`
  return running.length > 0
}

/** How rows are counted in the table: a dry run apart from the run. */
export const countsOf = ({ tx }: TxCtx, { task }: ImportJob, counts: KeptCounts): Record<string, unknown> =>
  task === 'dry_run' ? { dry_run_counts: tx.json(counts) } : { counts: tx.json(counts) }

/** Ends a job; the timeline says what it came to, unless it was only tried. */
export const endImport = async (
  ctx: TxCtx,
  job: ImportJob,
  status: 'done' | 'dry_run_done' | 'cancelled' | 'failed' | 'undone',
  {
    counts,
    undo_counts,
    ...columns
  }: {
    done?: number
    total?: number
    counts?: KeptCounts
    undo_counts?: { restored: number; kept: number }
    error?: string
  },
): Promise<void> => {
  await endJob(importLeases, ctx, job, {
    ...columns,
    ...(counts ? countsOf(ctx, job, counts) : {}),
    ...(undo_counts ? { undo_counts: ctx.tx.json(undo_counts) } : {}),
    status,
  })
  if (job.task === 'dry_run') return tellPassing(ctx, { kind: 'import', id: job.id })
  await recordActivity(ctx, {
    type: job.task === 'undo' ? 'import_undone' : 'import_finished',
    subjects: [{ kind: 'import', id: job.id }],
    reason: columns.error,
    data: {
      import_id: job.id,
      kind: job.record_kind,
      file_name: job.file_name,
      status,
      ...(job.task === 'undo'
        ? { undone: undo_counts ?? job.undo_counts }
        : { counts: counts ?? job.counts ?? NO_ROWS }),
    },
  })
}
