import { type Ctx, inTx, type TxCtx } from './context.ts'
import type { CsvChoices } from './csv-dialect.ts'
import { DomainError } from './errors.ts'
import { checkRequest, type ImportRequest, type ReadyRequest } from './import-request.ts'
import { listTargets, resurveyImport } from './import-surveys.ts'
import {
  busy,
  getImport,
  type Import,
  type ImportJob,
  importTable,
  type ImportTask,
  readImport,
  requireIdle,
} from './imports.ts'
import { requestCancel } from './leased-jobs.ts'
import { enqueue } from './queue.ts'

/**
 * Queues a dry run, which changes nothing, or the import itself; no dry run is needed before.
 * @throws {DomainError} `import_busy`, `import_ran`, what `checkRequest` refuses, and what `surveyCsv` does for a dialect
 */
export const startImport = (
  ctx: Ctx,
  id: string,
  task: 'dry_run' | 'run',
  { dialect: choices, ...request }: ImportRequest,
): Promise<Import> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const row = await readImport(ctx, id)
    requireIdle(row)
    const { survey } =
      choices && changesReading(choices)
        ? await resurveyImport(ctx, id, choices).then(() => readImport(ctx, id))
        : row
    const { dialect } = survey
    const ready: ReadyRequest = {
      ...request,
      dialect: { ...dialect, ...choices, dates: { ...dialect.dates, ...choices?.dates } },
    }
    checkRequest(ready, await listTargets(ctx, row.record_kind))
    const counts = { create: 0, update: 0, skip: 0, error: 0 }
    await queueTask(ctx, row, {
      task,
      done: 0,
      request: tx.json(ready),
      ...(task === 'dry_run' ? { dry_run_counts: tx.json(counts) } : { counts: tx.json(counts) }),
    })
    // Of an earlier dry run.
    await tx`delete from import_rows where organization_id = ${organization_id} and import_id = ${id}`
    return getImport(ctx, id)
  })

/** Stops an import at its next piece; what it did stays, and can be taken back. */
export const cancelImport = (ctx: Ctx, id: string): Promise<Import> =>
  inTx(ctx, async (ctx) => {
    await requestCancel(importTable, ctx, await readImport(ctx, id))
    await enqueue(ctx, 'import.queued', { import_id: id })
    return getImport(ctx, id)
  })

/**
 * Queues the taking back of everything that an import did: each value that nobody changed since; `undo` names the others.
 * @throws {DomainError} `import_busy`, `import_changed_nothing`, `already_undone`
 */
export const undoImport = (ctx: Ctx, id: string): Promise<Import> =>
  inTx(ctx, async (ctx) => {
    const { tx } = ctx
    const row = await readImport(ctx, id)
    if (row.status === 'queued' || row.status === 'running') throw busy(row)
    if (row.status === 'undone')
      throw new DomainError('conflict', 'already_undone', 'This import was taken back already.', {
        extra: { state: row.status },
      })
    if (row.task === null || row.task === 'dry_run')
      throw new DomainError(
        'conflict',
        'import_changed_nothing',
        'This import was not run: nothing of it can be taken back.',
        {
          extra: { state: row.status },
        },
      )
    await queueTask(ctx, row, { task: 'undo', done: 0, undo_counts: tx.json({ restored: 0, kept: 0 }) })
    return getImport(ctx, id)
  })

/** Whether the rows would be others. */
const changesReading = ({ decimal: _, dates: __, ...rest }: CsvChoices): boolean =>
  Object.keys(rest).length > 0

/** @throws {DomainError} `import_busy` when somebody else was faster */
const queueTask = async (
  ctx: TxCtx,
  row: ImportJob,
  columns: Record<string, unknown> & { task: ImportTask },
): Promise<void> => {
  const { tx, organization_id, actor, on_behalf_of } = ctx
  const queued = await tx`
    update imports set ${tx({
      ...columns,
      status: 'queued',
      error: null,
      cancel_requested_at: null,
      started_at: null,
      finished_at: null,
      requested_by: tx.json(actor),
      on_behalf_of: on_behalf_of ? tx.json(on_behalf_of) : null,
    } as never)}, version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${row.id} and status = ${row.status} and version = ${row.version}`
  if (queued.count === 0) throw busy(await readImport(ctx, row.id))
  await enqueue(ctx, 'import.queued', { import_id: row.id })
}
