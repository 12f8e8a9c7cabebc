import { log } from '../log.ts'
import type { Change } from './activities.ts'
import type { BulkJobRow, BulkResult } from './bulk.ts'
import { BulkActName, bulkActs } from './bulk-acts.ts'
import { type BulkLabel, requireLabel } from './bulk-kinds.ts'
import { type Recorded, recordingOf, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { changesOf } from './inverse.ts'
import { doTogether } from './together.ts'
import { isPassing } from './transaction.ts'
import { goesWithAnother, takeBack } from './undo.ts'

/** What one record came to. */
export type RowOutcome = {
  n: number
  result: Exclude<BulkResult, 'waiting'>
  problem: Problem | null
  changes: Change[]
  activity_ids: string[]
}

type Problem = { code: string; message: string }

/** A record that is to be acted on, as it is when it is its turn; of an undo, with what the act on it recorded. */
export type Row = { n: number; record_id: string; label: BulkLabel | undefined; undoes: string[] | null }

/** So many at once keep the database busy: each sends a few statements ahead of an answer. */
const AT_ONCE = 20

/** The transaction cannot stand, because some of its rows were refused: what came of each, and whether it would have gone well. */
export class SomeRefused extends Error {
  readonly outcomes: readonly RowOutcome[]
  readonly refused: ReadonlySet<number>
  constructor(outcomes: readonly RowOutcome[], refused: ReadonlySet<number>) {
    super(`${refused.size} of ${outcomes.length} rows were refused`)
    this.outcomes = outcomes
    this.refused = refused
  }
}

/**
 * Does a job's act to some records, side by side in the caller's transaction.
 * @throws {SomeRefused} when a rule refuses one of them: the transaction has to end without a trace then
 */
export const workRows = async (ctx: TxCtx, job: BulkJobRow, rows: readonly Row[]): Promise<RowOutcome[]> => {
  const results = await doTogether(ctx, rows, AT_ONCE, (ctx, row) => workRow(ctx, job, row))
  const refused = new Set<number>()
  const outcomes = results.map((result, at): RowOutcome => {
    if (result.status === 'fulfilled') return result.value
    const { n = -1 } = rows[at] ?? {}
    if (!(result.reason instanceof DomainError)) throw result.reason
    refused.add(n)
    return refusalOf(n, result.reason)
  })
  if (refused.size > 0) throw new SomeRefused(outcomes, refused)
  return outcomes
}

/** What a record comes to whose act failed for a reason of ours; @throws what may go well another time */
export const failureOf = (job: BulkJobRow, { n, record_id }: Row, error: unknown): RowOutcome => {
  if (isPassing(error)) throw error
  log.error({ err: error, bulk_id: job.id, record_id }, 'a record of a bulk act failed')
  const message = 'It failed for a reason of ours; the log says more.'
  return { n, result: 'failed', problem: { code: 'unexpected', message }, changes: [], activity_ids: [] }
}

const refusalOf = (n: number, { code, message }: DomainError): RowOutcome => ({
  n,
  result: OUT_OF_PLACE[code] ?? 'failed',
  problem: { code, message },
  changes: [],
  activity_ids: [],
})

/** Refusals that say that the act is not for this record as it is, rather than that something is wrong. */
const OUT_OF_PLACE: Record<string, 'skipped' | 'unchanged'> = {
  record_archived: 'skipped',
  lead_merged: 'skipped',
  lead_converted: 'skipped',
  task_archived: 'skipped',
  task_cancelled: 'skipped',
  opportunity_closed: 'skipped',
  opportunity_open: 'skipped',
  changed_since: 'skipped',
  not_undoable: 'skipped',
  already_undone: 'unchanged',
}

const workRow = async (ctx: TxCtx, job: BulkJobRow, row: Row): Promise<RowOutcome> => {
  const { recorded, result } = await recordingOf(ctx, { data: { bulk_id: job.id }, reason: 'bulk' }, (ctx) =>
    row.undoes ? takeRowBack(ctx, row.undoes) : act(ctx, job, row),
  )
  return {
    n: row.n,
    result: recorded.length > 0 ? 'changed' : 'unchanged',
    problem: result?.problem ?? null,
    changes: recorded.filter(({ type }) => type !== 'undone').flatMap(({ data }) => changesOf(data)),
    activity_ids: job.dry_run
      ? []
      : [...recorded.filter(isUndone).map(({ id }) => id), ...(result?.stand_again ?? [])],
  }
}

/**
 * What an undo of the row takes back. What an undo did is taken back by the undo's own line; an undo of that leaves the
 * first act standing, which is then what the row did.
 */
const isUndone = (recorded: Recorded): boolean =>
  recorded.data['undo'] !== undefined && recorded.data['undoes'] === undefined && !goesWithAnother(recorded)

const act = async (ctx: TxCtx, job: BulkJobRow, { record_id, label }: Row): Promise<undefined> => {
  const name = BulkActName.parse(job.act)
  const record = requireLabel(job.record_kind, record_id, label, name === 'restore')
  await bulkActs[name].apply(ctx, record, job.input)
}

/** Newest act first; what somebody changed since is kept, and named. */
const takeRowBack = async (
  ctx: TxCtx,
  activity_ids: string[],
): Promise<{ problem: Problem | undefined; stand_again: string[] }> => {
  if (activity_ids.length === 0) {
    const message = 'This was taken back already.'
    return { problem: { code: 'already_undone', message }, stand_again: [] }
  }
  const kept: string[] = []
  const stand_again: string[] = []
  for (const id of activity_ids.toReversed()) {
    const taken = await takeBack(ctx, id, { rest: true })
    kept.push(...taken.kept.map(({ field }) => field))
    if (taken.stands_again !== undefined) stand_again.push(taken.stands_again)
  }
  const problem =
    kept.length > 0
      ? {
          code: 'changed_since',
          message: `Kept, because somebody changed it since: ${kept.join(', ').replaceAll('_', ' ')}.`,
        }
      : undefined
  return { problem, stand_again }
}
