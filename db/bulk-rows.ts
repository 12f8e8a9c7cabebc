import { log } from '../log.ts'
import type { Change } from './activities.ts'
import type { BulkJobRow, BulkResult } from './bulk.ts'
import { BulkActName, bulkActs } from './bulk-acts.ts'
import { inSavepoint, type Recorded, recordingOf, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { changesOf } from './inverse.ts'
import { type RecordRef, requireRecord } from './records.ts'
import { isPassing } from './transaction.ts'
import { takeBack } from './undo.ts'

/** What one record came to. */
export type RowOutcome = {
  n: number
  result: Exclude<BulkResult, 'waiting'>
  problem: Problem | null
  changes: Change[]
  activity_ids: string[]
}

type Problem = { code: string; message: string }
type Row = { n: number; record_id: string; undoes: string[] | null }

/** Does a job's act to one record, alone: when it fails, nothing of it stands, and the next one goes on. */
export const workRow = async (ctx: TxCtx, job: BulkJobRow, row: Row): Promise<RowOutcome> => {
  const { n } = row
  try {
    return { n, ...(await inSavepoint(ctx, (ctx) => tryRow(ctx, job, row))) }
  } catch (error) {
    if (error instanceof OnlyTried) return { n, ...error.outcome }
    const nothing = { n, changes: [], activity_ids: [] }
    if (error instanceof DomainError) {
      const { code, message } = error
      return { ...nothing, result: OUT_OF_PLACE[code] ?? 'failed', problem: { code, message } }
    }
    if (isPassing(error)) throw error
    log.error({ err: error, bulk_id: job.id, record_id: row.record_id }, 'a record of a bulk act failed')
    const message = 'It failed for a reason of ours; the log says more.'
    return { ...nothing, result: 'failed', problem: { code: 'unexpected', message } }
  }
}

/** Refusals that say that the act is not for this record as it is, rather than that something is wrong. */
const OUT_OF_PLACE: Record<string, 'skipped' | 'unchanged'> = {
  record_archived: 'skipped',
  opportunity_closed: 'skipped',
  opportunity_open: 'skipped',
  changed_since: 'skipped',
  not_undoable: 'skipped',
  already_undone: 'unchanged',
}

type Outcome = Omit<RowOutcome, 'n'>

/** A dry run goes all the way, and is rolled back by this. */
class OnlyTried extends Error {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    super('only tried')
    this.outcome = outcome
  }
}

const tryRow = async (ctx: TxCtx, job: BulkJobRow, row: Row): Promise<Outcome> => {
  const record = { kind: job.record_kind, id: row.record_id }
  const { recorded, result: problem } = await recordingOf(
    ctx,
    { data: { bulk_id: job.id }, reason: 'bulk' },
    (ctx) => (row.undoes ? takeRowBack(ctx, row.undoes) : act(ctx, job, record)),
  )
  const outcome: Outcome = {
    result: recorded.length > 0 ? 'changed' : 'unchanged',
    problem: problem ?? null,
    changes: recorded.filter(({ type }) => type !== 'undone').flatMap(({ data }) => changesOf(data)),
    activity_ids: job.dry_run ? [] : recorded.filter(isUndone).map(({ id }) => id),
  }
  if (job.dry_run) throw new OnlyTried(outcome)
  return outcome
}

/** What an undo of the row takes back; what an undo did is taken back by the undo's own line. */
const isUndone = ({ data }: Recorded): boolean => data['undo'] !== undefined && data['undoes'] === undefined

const act = async (ctx: TxCtx, job: BulkJobRow, record: RecordRef): Promise<undefined> => {
  const { name, archived_at } = await requireRecord(ctx, record)
  if (archived_at !== null && job.act !== 'restore')
    throw new DomainError('conflict', 'record_archived', `“${name}” is archived.`)
  await bulkActs[BulkActName.parse(job.act)].apply(ctx, record, job.input)
}

/** Newest act first; what somebody changed since is kept, and named. */
const takeRowBack = async (ctx: TxCtx, activity_ids: string[]): Promise<Problem | undefined> => {
  const kept: string[] = []
  for (const id of activity_ids.toReversed()) {
    const taken = await takeBack(ctx, id, { rest: true })
    kept.push(...taken.kept.map(({ field }) => field))
  }
  return kept.length > 0
    ? {
        code: 'changed_since',
        message: `Kept, because somebody changed it since: ${kept.join(', ').replaceAll('_', ' ')}.`,
      }
    : undefined
}
