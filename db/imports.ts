import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { type CsvSurvey } from './csv-survey.ts'
import { DomainError, notFound } from './errors.ts'
import { type Suggestion } from './import-mapping.ts'
import { type ImportMode, type ReadyRequest } from './import-request.ts'
import type { JobTable } from './leased-jobs.ts'
import { page, type Page } from './page.ts'
import { labelRecords, type RecordKind } from './records.ts'
import { type ByteStore } from './stored-bytes.ts'

export const importStatuses = [
  'uploaded',
  'queued',
  'running',
  'dry_run_done',
  'done',
  'failed',
  'cancelled',
  'undone',
] as const
export type ImportStatus = (typeof importStatuses)[number]

/** What the job of an import does. */
export const importTasks = ['dry_run', 'run', 'undo'] as const
export type ImportTask = (typeof importTasks)[number]

export const importResults = ['create', 'update', 'skip', 'error'] as const
export type ImportResult = (typeof importResults)[number]

/** How many rows came to what. */
export type ImportCounts = Record<ImportResult, number>

/** The same as it is kept, with how many accounts and contacts are made because rows name them. */
export type KeptCounts = ImportCounts & { new_accounts?: number; new_contacts?: number }

/** What is wrong with a cell or a row, or why it was passed by. */
export type RowProblem = {
  column?: string
  field?: string
  code: string
  message: string
  accepted?: string | readonly string[]
  nearest?: string
}

/** What an undo left as it is, because somebody changed it since. */
export type Kept = {
  record: { kind: RecordKind; id: string; name: string | null }
  fields: string[]
  changed_by: Actor | null
  changed_at: string | null
}

/** A file that was brought, and how far it has come. */
export type Import = {
  id: string
  kind: RecordKind
  file_name: string
  size: number
  status: ImportStatus
  task: ImportTask | null
  /** What it was last asked. */
  request: ReadyRequest | null
  mode: ImportMode | null
  progress: { done: number; total: number }
  /** Of the task it was last given; of an undo, what the run had made. */
  counts: ImportCounts
  dry_run_counts: ImportCounts | null
  /** What the task makes, or would, because rows name it and nobody is called so. */
  new_associations: { accounts: number; contacts: number }
  undo: { restored: number; kept_records: number; kept: Kept[] } | null
  error: string | null
  requested_by: Actor
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
  updated_at: Date
}

/** How a file is written and what its columns are taken for, as told by its content. */
export type ImportSurvey = Omit<CsvSurvey, 'sample' | 'bytes'> & {
  columns: string[]
  /** Its first rows, a cell for each column; long cells are cut. */
  sample: string[][]
  suggested_mapping: Record<string, string | null>
  suggestions: Record<string, Suggestion>
}

/** What one row came to. */
export type ImportRow = {
  n: number
  line: number
  result: ImportResult
  record: { kind: RecordKind; id: string; name: string | null } | null
  matched_by: string | null
  problems: RowProblem[]
  /** Of an update, before and after. */
  changes: { field: string; before: unknown; after: unknown }[]
}

/** Where imports stand, for jobs on a lease. */
export const importTable: JobTable = { table: 'imports', name: 'import', called: 'import' }

/** Where the files of imports are kept. */
export const importFiles: ByteStore = { table: 'import_chunks', owner: 'import_id' }

/** One import, and how far it has come. */
export const getImport = (ctx: Ctx, id: string): Promise<Import> =>
  inTx(ctx, async (ctx) => toImport(ctx, await readImport(ctx, id)))

/** Imports, newest first. */
export const listImports = (
  ctx: Ctx,
  filter: {
    kind?: RecordKind | undefined
    status?: ImportStatus | undefined
    cursor?: string | undefined
    limit: number
  },
): Promise<Page<Import>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const rows = await tx<ImportJob[]>`
      select * from imports where organization_id = ${organization_id}
        ${filter.kind ? tx`and record_kind = ${filter.kind}` : tx``}
        ${filter.status ? tx`and status = ${filter.status}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    const imports = await Promise.all(rows.map((row) => toImport(ctx, row)))
    return page(imports, filter.limit, ({ id }) => id)
  })

/** What each row came to, in the order of the file. */
export const listImportRows = (
  ctx: Ctx,
  id: string,
  filter: { result?: ImportResult | undefined; cursor?: number | undefined; limit: number },
): Promise<Page<ImportRow>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { record_kind: kind } = await readImport(ctx, id)
    const rows = await tx<
      (Omit<ImportRow, 'record' | 'problems' | 'changes'> & {
        record_id: string | null
        problems: RowProblem[] | null
        changes: ImportRow['changes'] | null
      })[]
    >`
      select n, line, result, record_id, matched_by, problems, changes from import_rows
      where organization_id = ${organization_id} and import_id = ${id}
        ${filter.result ? tx`and result = ${filter.result}` : tx``}
        ${filter.cursor === undefined ? tx`` : tx`and n > ${filter.cursor}`}
      order by n limit ${filter.limit + 1}`
    const names = await labelRecords(
      ctx,
      rows.flatMap(({ record_id }) => (record_id === null ? [] : [{ kind, id: record_id }])),
    )
    return page(
      rows.map(({ record_id, problems, changes, ...row }) => ({
        ...row,
        record: record_id === null ? null : { kind, id: record_id, name: names.get(record_id) ?? null },
        problems: problems ?? [],
        changes: changes ?? [],
      })),
      filter.limit,
      ({ n }) => String(n),
    )
  })

/** A row of `imports`. */
export type ImportJob = Omit<
  Import,
  'kind' | 'mode' | 'progress' | 'counts' | 'dry_run_counts' | 'new_associations' | 'undo'
> & {
  record_kind: RecordKind
  survey: Omit<ImportSurvey, 'suggestions' | 'suggested_mapping'>
  suggestions: Pick<ImportSurvey, 'suggestions' | 'suggested_mapping'>
  counts: KeptCounts | null
  dry_run_counts: KeptCounts | null
  undo_counts: { restored: number; kept: number } | null
  done: number
  total: number
  on_behalf_of: Actor | null
  cancel_requested_at: Date | null
  fence: number
  version: number
}

/** @throws {DomainError} `import_not_found` */
export const readImport = async ({ tx, organization_id }: TxCtx, id: string): Promise<ImportJob> => {
  const [row] = await tx<
    ImportJob[]
  >`select * from imports where organization_id = ${organization_id} and id = ${id}`
  if (!row) throw notFound('import', id)
  return row
}

/** An import as it is answered. */
export const toImport = async (ctx: TxCtx, row: ImportJob): Promise<Import> => ({
  id: row.id,
  kind: row.record_kind,
  file_name: row.file_name,
  size: row.size,
  status: row.status,
  task: row.task,
  request: row.request,
  mode: row.request?.mode ?? null,
  progress: { done: row.done, total: row.total },
  counts: rowsIn(countsOf(row)),
  dry_run_counts: row.dry_run_counts && rowsIn(row.dry_run_counts),
  new_associations: {
    accounts: countsOf(row)?.new_accounts ?? 0,
    contacts: countsOf(row)?.new_contacts ?? 0,
  },
  undo: row.undo_counts && {
    restored: row.undo_counts.restored,
    kept_records: row.undo_counts.kept,
    kept: await listKept(ctx, row.id),
  },
  error: row.error,
  requested_by: row.requested_by,
  created_at: row.created_at,
  started_at: row.started_at,
  finished_at: row.finished_at,
  updated_at: row.updated_at,
})

const countsOf = ({ task, counts, dry_run_counts }: ImportJob): KeptCounts | null =>
  task === 'dry_run' ? dry_run_counts : counts

const rowsIn = (counts: KeptCounts | null): ImportCounts => ({
  create: counts?.create ?? 0,
  update: counts?.update ?? 0,
  skip: counts?.skip ?? 0,
  error: counts?.error ?? 0,
})

/** So many of what an undo kept are named at once; the rows say all of it. */
const NAMED = 200

const listKept = async ({ tx, organization_id, ...ctx }: TxCtx, id: string): Promise<Kept[]> => {
  const rows = await tx<{ kept: (Omit<Kept, 'record'> & { kind: RecordKind; id: string })[] }[]>`
    select kept from import_rows
    where organization_id = ${organization_id} and import_id = ${id} and kept is not null order by n limit ${NAMED}`
  // Several rows may have been about one record.
  const kept = [
    ...Map.groupBy(
      rows.flatMap((row) => row.kept),
      ({ id }) => id,
    ).values(),
  ].flatMap((same) => {
    const [first] = same
    return first ? [{ ...first, fields: [...new Set(same.flatMap(({ fields }) => fields))] }] : []
  })
  const names = await labelRecords({ ...ctx, tx, organization_id }, kept)
  return kept.map(({ kind, id, ...rest }) => ({ record: { kind, id, name: names.get(id) ?? null }, ...rest }))
}

/** @throws {DomainError} `import_busy`, `import_ran` */
export const requireIdle = (row: ImportJob): void => {
  if (row.status === 'queued' || row.status === 'running') throw busy(row)
  if (row.task !== null && row.task !== 'dry_run')
    throw new DomainError(
      'conflict',
      'import_ran',
      `This import was run (${row.status}). Upload the file again: what is there already is found.`,
      { extra: { state: row.status } },
    )
}

/** What is refused while a job works. */
export const busy = ({ status, task }: ImportJob): DomainError =>
  new DomainError(
    'conflict',
    'import_busy',
    `This import is ${status} (${task?.replaceAll('_', ' ')}); stop it first.`,
    {
      extra: { state: status },
    },
  )
