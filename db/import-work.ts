import { setImmediate } from 'node:timers/promises'
import type { Change } from './activities.ts'
import { tellPassing } from './audit.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, sendStatement, type TxCtx } from './context.ts'
import { type CsvRow, readRows } from './csv-rows.ts'
import { DomainError } from './errors.ts'
import { freshPlans } from './fresh-plans.ts'
import { readDirectory } from './import-directory.ts'
import { type RowTerms, rowTerms } from './import-drafts.ts'
import { type Foresight, openForesight } from './import-foresight.ts'
import { type NearNames, openNearNames } from './import-near-names.ts'
import { type PlannedRow, planRows, readAhead } from './import-plan.ts'
import type { PlannedUpdate } from './import-plan-update.ts'
import type { ReadyRequest } from './import-request.ts'
import { undoPieces } from './import-undo.ts'
import { type RowOutcome, writePlanned, writeSingly } from './import-write.ts'
import { countsOf, endImport, importLeases, importWork, NO_ROWS, releaseImport } from './import-leases.ts'
import { listTargets } from './import-surveys.ts'
import { importFiles, type KeptCounts, type ImportJob } from './imports.ts'
import { beginPiece, holdJob, persistently, workLeased } from './leased-jobs.ts'
import { lockNames } from './named-locks.ts'
import { type RecordKind, tableOf } from './records.ts'
import { insertRows } from './row-sets.ts'
import { readSettings } from './settings.ts'
import { readBytes } from './stored-bytes.ts'

/** Works an import, its dry run or its undo to the end, or gives it back when `stopping`. Pieces that are done stay done, whoever takes it up. */
export const workImport = (
  db: Database,
  organization_id: string,
  id: string,
  stopping?: AbortSignal,
): Promise<void> =>
  workLeased<ImportJob>(
    importLeases,
    db,
    organization_id,
    id,
    (ctx, job) => (job.task === 'undo' ? undoPieces(ctx, job, stopping) : workRows(ctx, job, stopping)),
    (ctx, job, error) => endImport(ctx, job, 'failed', { error }),
  )

/** Imports of any organization that wait too long, or whose worker fell silent. */
export const findOverdueImports = async (
  db: Database,
): Promise<{ organization_id: string; id: string }[]> => [
  ...(await db.sql<{ organization_id: string; id: string }[]>`select * from finder.overdue_imports(100)`),
]

/** How far the rows have been worked. */
type Standing = { done: number; counts: KeptCounts; ended: boolean }

const workRows = async (ctx: Ctx, job: ImportJob, stopping?: AbortSignal): Promise<void> => {
  const request = requestOf(job)
  const dry = job.task === 'dry_run'
  // What a dry run foresaw was in the memory of the worker that died: it begins anew.
  if (dry && job.done > 0) await inTx(ctx, (ctx) => forgetRows(ctx, job))
  let at: Standing = dry
    ? { done: 0, counts: NO_ROWS, ended: false }
    : { done: job.done, counts: job.counts ?? NO_ROWS, ended: false }
  const foresight = openForesight()
  const near = openNearNames(job.started_at)
  let told = 0
  const rows = readRows(readBytes(ctx, importFiles, job.id), request.dialect, {
    batch_rows: importWork.piece,
    after: at.done,
  })
  let next = rows.next()
  for (;;) {
    const { value: batch, done } = await next
    if (done) break
    // While these are written.
    next = rows.next()
    const following = next.then(({ value }) => value ?? [])
    following.catch(() => {})
    for (let rest = batch; rest.length > 0 && !at.ended;) {
      if (stopping?.aborted) {
        await rows.return(undefined)
        return releaseImport(ctx, job)
      }
      const tells = Date.now() - told >= importWork.tell_ms
      if (tells) told = Date.now()
      const before = at
      at = dry
        ? await tryPiece(ctx, job, rest, { foresight, near, at, tells })
        : await persistently(importLeases, () =>
            workPiece(ctx, job, rest, { at: before, tells, near, following }),
          )
      rest = rest.slice(rest.findLastIndex(({ n }) => n <= at.done) + 1)
    }
    if (at.ended) break
  }
  await rows.return(undefined)
  if (at.ended) return
  await inTx(ctx, (ctx) =>
    endImport(ctx, job, dry ? 'dry_run_done' : 'done', { done: at.done, total: at.done, counts: at.counts }),
  )
}

const requestOf = ({ id, request }: ImportJob): ReadyRequest => {
  if (request === null) throw new Error(`import ${id} was queued and not asked anything`)
  return request
}

/** Reads what rows are planned by, as it is now. */
const readTerms = async (ctx: TxCtx, job: ImportJob): Promise<RowTerms> => {
  const kind = job.record_kind
  const [settings, targets, directory] = await Promise.all([
    readSettings(ctx),
    listTargets(ctx, kind),
    readDirectory(ctx, kind),
  ])
  return rowTerms(kind, requestOf(job), targets, {
    directory,
    currency: settings.currency,
    country: settings.default_country,
  })
}

/** Where a piece stands in its file, and the rows after it. */
type Piece = { at: Standing; tells: boolean; near: NearNames; following: Promise<readonly CsvRow[]> }

/** One piece of a run: planned and written in one transaction, with what each row came to and how far it is. */
const workPiece = async (
  ctx: Ctx,
  job: ImportJob,
  rows: readonly CsvRow[],
  piece: Piece,
): Promise<Standing> => {
  try {
    return await runPiece(ctx, job, rows, piece, false)
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    // Somebody was faster with something that a row needed: it is found by going row by row.
    return runPiece(ctx, job, rows, piece, true)
  }
}

const runPiece = (
  ctx: Ctx,
  job: ImportJob,
  rows: readonly CsvRow[],
  { at, tells, near, following }: Piece,
  singly: boolean,
): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    takeTurn(ctx)
    const { cancelled } = await beginPiece(importLeases, ctx, job)
    if (cancelled) return stop(ctx, job, at)
    await freshPlans(ctx, tableOf[job.record_kind])
    const terms = await readTerms(ctx, job)
    const planned = await planRows(ctx, terms, rows, openForesight(), {
      import_id: job.id,
      near,
      lock: true,
      cuts: true,
    })
    const outcomes = await (singly ? writeSingly : writePlanned)(ctx, terms, job, planned)
    const kept = keep(ctx, job, outcomes, outcomes.flatMap(madeBeside), { at, tells })
    kept.catch(() => {})
    // The database is busy with what was sent: time to read the next rows.
    await setImmediate()
    readAhead(terms, await following.catch(() => []))
    return kept
  })

/**
 * Two runs of an organization take turns, piece by piece, whatever they import: each finds what the other's rows made, also
 * where only what a row says tells that it is there. Dry runs and other doors know nothing of it.
 */
const takeTurn = (ctx: TxCtx): void => lockNames(ctx, ['imports'])

/** A dry run goes as far as planning, and is rolled back by this. */
class OnlyPlanned extends Error {
  readonly planned: PlannedRow[]
  constructor(planned: PlannedRow[]) {
    super('only planned')
    this.planned = planned
  }
}

/** One piece of a dry run: planned in a transaction that can only read and locks nothing, so that nobody waits for it. */
const tryPiece = async (
  ctx: Ctx,
  job: ImportJob,
  rows: readonly CsvRow[],
  { foresight, near, at, tells }: Omit<Piece, 'following'> & { foresight: Foresight },
): Promise<Standing> => {
  const planned = await inTx(ctx, async (ctx): Promise<never> => {
    sendStatement(ctx, ctx.tx`set transaction read only`)
    const terms = await readTerms(ctx, job)
    throw new OnlyPlanned(
      await planRows(ctx, terms, rows, foresight, { import_id: job.id, near, lock: false, cuts: false }),
    )
  }).catch((error: unknown) => {
    if (error instanceof OnlyPlanned) return error.planned
    throw error
  })
  return inTx(ctx, async (ctx) => {
    const { cancelled } = await beginPiece(importLeases, ctx, job)
    if (cancelled) return stop(ctx, job, at)
    const makes = planned.flatMap((row) => row.makes)
    return keep(ctx, job, planned.map(foreseenOutcome), makes, { at, tells })
  })
}

/** What a row would come to: of what it would make nothing is there. */
const foreseenOutcome = ({ n, line, result, ref, matched_by, problems, update }: PlannedRow): RowOutcome => ({
  n,
  line,
  result,
  record_id: ref !== null && UUID.test(ref) ? ref : null,
  matched_by,
  problems: problems.length > 0 ? problems : null,
  changes: update ? foreseenChanges(update) : null,
  made: null,
  activity_ids: null,
  fingerprint: null,
})

const foreseenChanges = ({ before, values, custom, said }: PlannedUpdate): Change[] | null => {
  const sets = before
    ? {
        ...values,
        ...Object.fromEntries(Object.entries(custom).map(([key, value]) => [`custom.${key}`, value])),
      }
    : {}
  const changes = [
    ...Object.entries(sets).map(([field, after]) => ({ field, before: valueOf(before, field), after })),
    ...said,
  ]
  return changes.length > 0 ? changes : null
}

const UUID = /^[0-9a-f]{8}-/

const valueOf = (record: object | undefined, field: string): unknown => {
  const values = record as { [field: string]: unknown; custom?: Record<string, unknown> } | undefined
  return (
    (field.startsWith('custom.') ? values?.custom?.[field.slice('custom.'.length)] : values?.[field]) ?? null
  )
}

/** What a row made to be linked with it, beside its own record. */
const madeBeside = ({ record_id, made }: RowOutcome): RecordKind[] =>
  (made ?? []).flatMap(({ kind, id }) => (id === record_id ? [] : [kind]))

/** Keeps what rows came to, and how far the file has been worked. */
const keep = async (
  ctx: TxCtx,
  job: ImportJob,
  outcomes: readonly RowOutcome[],
  makes: readonly RecordKind[],
  { at, tells }: Pick<Piece, 'at' | 'tells'>,
): Promise<Standing> => {
  insertRows(
    ctx,
    'import_rows',
    outcomes.map((outcome) => ({ import_id: job.id, ...outcome })),
  )
  const counts = { ...at.counts }
  for (const { result } of outcomes) counts[result] += 1
  for (const kind of makes)
    if (kind === 'account') counts.new_accounts = (counts.new_accounts ?? 0) + 1
    else counts.new_contacts = (counts.new_contacts ?? 0) + 1
  const done = outcomes.at(-1)?.n ?? at.done
  await holdJob(importLeases, ctx, job, { done, ...countsOf(ctx, job, counts) })
  if (tells) tellPassing(ctx, { kind: 'import', id: job.id })
  return { done, counts, ended: false }
}

const stop = async (ctx: TxCtx, job: ImportJob, at: Standing): Promise<Standing> => {
  await endImport(ctx, job, 'cancelled', {
    counts: at.counts,
    error:
      job.task === 'dry_run'
        ? 'It was stopped.'
        : `It was stopped after ${at.done.toLocaleString('en')} of ${job.total.toLocaleString('en')} rows; what was imported stays, and can be taken back.`,
  })
  return { ...at, ended: true }
}

const forgetRows = async ({ tx, organization_id }: TxCtx, job: ImportJob): Promise<void> => {
  await tx`delete from import_rows where organization_id = ${organization_id} and import_id = ${job.id}`
}
