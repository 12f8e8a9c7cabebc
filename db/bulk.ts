import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { Change } from './activities.ts'
import { BulkActName, parseAct } from './bulk-acts.ts'
import { type BulkKind, bulkKinds, meantBy, readLabels } from './bulk-kinds.ts'
import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { invalid, notFound } from './errors.ts'
import { Filter } from './filters.ts'
import { type JobTable, requestCancel } from './leased-jobs.ts'
import { matching } from './listing.ts'
import { page, type Page } from './page.ts'
import { enqueue } from './queue.ts'

/** How many records may be chosen one by one; what matches a filter has no limit. */
export const bulkLimits = { chosen: 10_000 }

/** One act on many records: those that are chosen, or all that match. */
export const NewBulk = z
  .object({
    kind: z.enum(bulkKinds),
    ids: z.array(z.uuid().toLowerCase()).min(1).optional(),
    filter: Filter.optional(),
    q: z.string().trim().min(1).max(200).optional(),
    act: BulkActName,
    input: z.record(z.string(), z.unknown()).default({}),
    /** Does everything and keeps nothing: each row says what would change. */
    dry_run: z.boolean().default(false),
  })
  .strict()
export type NewBulk = z.input<typeof NewBulk>

export const bulkStatuses = ['queued', 'running', 'done', 'failed', 'cancelled', 'undone'] as const
export type BulkStatus = (typeof bulkStatuses)[number]

export const bulkResults = ['waiting', 'changed', 'unchanged', 'skipped', 'failed'] as const
export type BulkResult = (typeof bulkResults)[number]

/** How many rows came to what. */
export type BulkCounts = Record<Exclude<BulkResult, 'waiting'>, number>

/** An act on many records, and how far it has come. */
export type Bulk = {
  id: string
  kind: BulkKind
  /** `undo` takes back what `undo_of` did. */
  act: string
  input: Record<string, unknown>
  /** What was asked for; the records are those that matched when it began. */
  selection: { ids_given?: number; filter?: Filter; q?: string }
  dry_run: boolean
  status: BulkStatus
  progress: { done: number; total: number }
  counts: BulkCounts
  undo_of: string | null
  undone_by: string | null
  error: string | null
  requested_by: Actor
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}

/** What one record came to. */
export type BulkRow = {
  n: number
  /** Of a list of both kinds of card, which one it is. */
  record: { kind: BulkKind; id: string; name: string | null }
  result: BulkResult
  problem: { code: string; message: string } | null
  /** Before and after; of a dry run, what it would be. */
  changes: Change[]
  activity_ids: string[]
}

/**
 * Queues an act on many records; the worker does it, record by record, through the same function as the single act.
 * @throws {DomainError} `selection_missing`, `too_many_ids`, `act_of_other_kind`, and what the filter or the act's input
 * has wrong
 */
export const startBulk = (ctx: Ctx, input: NewBulk): Promise<Bulk> =>
  inTx(ctx, async (ctx) => {
    const { kind, ids, filter, q, act, dry_run, ...rest } = NewBulk.parse(input)
    requireSelection({ ids, filter, q })
    const parsed = await parseAct(ctx, kind, act, rest.input)
    if (ids)
      return queueBulk(ctx, { kind, act, input: parsed, dry_run, selection: { ids_given: ids.length } }, ids)
    // Whatever is wrong with the filter is said now, not by the job.
    await matching(ctx, kind, { filter: meantBy(kind, filter), q })
    return queueBulk(ctx, {
      kind,
      act,
      input: parsed,
      dry_run,
      selection: { ...(filter ? { filter } : {}), ...(q ? { q } : {}) },
    })
  })

/** Where bulk acts stand, as jobs that a worker has on a lease. */
export const bulkTable: JobTable = { table: 'bulk_jobs', name: 'bulk', called: 'bulk act' }

/** Stops a bulk act; what it did already stays, and can be taken back. One that has ended is answered as it is. */
export const cancelBulk = (ctx: Ctx, id: string): Promise<Bulk> =>
  inTx(ctx, async (ctx) => {
    await requestCancel(bulkTable, ctx, await getBulk(ctx, id))
    await enqueue(ctx, 'bulk.queued', { bulk_id: id })
    return getBulk(ctx, id)
  })

/** One bulk act and how far it has come. */
export const getBulk = (ctx: Ctx, id: string): Promise<Bulk> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<
      BulkJobRow[]
    >`select * from bulk_jobs where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('bulk', id)
    return toBulk(row)
  })

/** Bulk acts, newest first. */
export const listBulks = (
  ctx: Ctx,
  filter: { status?: BulkStatus | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<Bulk>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<BulkJobRow[]>`
      select * from bulk_jobs where organization_id = ${organization_id}
        ${filter.status ? tx`and status = ${filter.status}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page(rows.map(toBulk), filter.limit, ({ id }) => id)
  })

/** What each record came to, in the order in which they are worked. */
export const listBulkRows = (
  ctx: Ctx,
  id: string,
  filter: { result?: BulkResult | undefined; cursor?: number | undefined; limit: number },
): Promise<Page<BulkRow>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { kind } = await getBulk(ctx, id)
    const rows = await tx<
      (Omit<BulkRow, 'record' | 'changes'> & { record_id: string; changes: Change[] | null })[]
    >`
      select n, record_id, result, problem, changes, activity_ids from bulk_rows
      where organization_id = ${organization_id} and bulk_id = ${id}
        ${filter.result ? tx`and result = ${filter.result}` : tx``}
        ${filter.cursor === undefined ? tx`` : tx`and n > ${filter.cursor}`}
      order by n limit ${filter.limit + 1}`
    const labels = await readLabels(
      ctx,
      kind,
      rows.map(({ record_id }) => record_id),
    )
    return page(
      rows.map(({ record_id, changes, ...row }) => {
        const { kind: own = kind, name = null } = labels.get(record_id) ?? {}
        return { ...row, record: { kind: own, id: record_id, name }, changes: changes ?? [] }
      }),
      filter.limit,
      ({ n }) => String(n),
    )
  })

const requireSelection = ({ ids, filter, q }: Pick<NewBulk, 'ids' | 'filter' | 'q'>): void => {
  if (ids === undefined && filter === undefined && q === undefined) {
    throw invalid('selection_missing', '/ids', 'Say which records: their ids, or a filter that they match.')
  }
  if (ids !== undefined && (filter !== undefined || q !== undefined)) {
    throw invalid('selection_twice', '/filter', 'Either ids or a filter, not both.')
  }
  if (ids && ids.length > bulkLimits.chosen) {
    throw invalid(
      'too_many_ids',
      '/ids',
      `At most ${bulkLimits.chosen} records can be chosen one by one, not ${ids.length}. For more, send a filter that they match.`,
      { at_most: bulkLimits.chosen },
    )
  }
}

/** Writes a bulk act down for the worker, with the records that were chosen one by one. */
export const queueBulk = async (
  ctx: TxCtx,
  bulk: Pick<Bulk, 'kind' | 'act' | 'input' | 'dry_run' | 'selection'> & { undo_of?: string },
  ids?: string[],
): Promise<Bulk> => {
  const { tx, organization_id, actor, on_behalf_of } = ctx
  const id = uuidv7()
  const records = [...new Set(ids)]
  await tx`
    insert into bulk_jobs ${tx({
      organization_id,
      id,
      record_kind: bulk.kind,
      act: bulk.act,
      input: tx.json(bulk.input as never),
      selection: tx.json(bulk.selection as never),
      dry_run: bulk.dry_run,
      total: records.length,
      counts: tx.json({ changed: 0, unchanged: 0, skipped: 0, failed: 0 }),
      undo_of: bulk.undo_of ?? null,
      requested_by: tx.json(actor),
      on_behalf_of: on_behalf_of ? tx.json(on_behalf_of) : null,
    })}`
  if (ids) {
    await tx`
      insert into bulk_rows (organization_id, bulk_id, n, record_id)
      select ${organization_id}::uuid, ${id}::uuid, chosen.n, chosen.id
      from unnest(${records}::uuid[]) with ordinality as chosen (id, n)`
  }
  await enqueue(ctx, 'bulk.queued', { bulk_id: id })
  return getBulk(ctx, id)
}

/** What a bulk act came to, in a line. */
export const bulkSummary = (
  { act, record_kind }: Pick<BulkJobRow, 'act' | 'record_kind'>,
  counts: BulkCounts,
): string =>
  `${act.replaceAll('_', ' ')}, ${record_kind === 'opportunity' ? 'opportunities' : `${record_kind}s`}: ${
    Object.entries(counts)
      .filter(([, n]) => n > 0)
      .map(([result, n]) => `${n} ${result}`)
      .join(', ') || 'none'
  }`

/** A row of `bulk_jobs`. */
export type BulkJobRow = Omit<Bulk, 'kind' | 'progress' | 'counts'> & {
  record_kind: BulkKind
  done: number
  total: number
  counts: BulkCounts
  on_behalf_of: Actor | null
  cancel_requested_at: Date | null
  fence: number
}

/** A row of `bulk_jobs` as it is answered. */
export const toBulk = (row: BulkJobRow): Bulk => ({
  id: row.id,
  kind: row.record_kind,
  act: row.act,
  input: row.input,
  selection: row.selection,
  dry_run: row.dry_run,
  status: row.status,
  progress: { done: row.done, total: row.total },
  counts: row.counts,
  undo_of: row.undo_of,
  undone_by: row.undone_by,
  error: row.error,
  requested_by: row.requested_by,
  created_at: row.created_at,
  started_at: row.started_at,
  finished_at: row.finished_at,
})
