import { v7 as uuidv7 } from 'uuid'
import { type ActivityType, type NewActivity, recordActivity } from './activities.ts'
import type { TxCtx } from './context.ts'
import { insertCustomValues } from './custom-values.ts'
import { linkNew } from './links.ts'
import { type Origin, writeOriginsOf } from './origins.ts'
import { type RecordKind, type RecordRef, tableOf } from './records.ts'
import { insertRows } from './row-sets.ts'

/** What a new record is made of. */
export type NewRecord = {
  /** Its columns, as `insertRows` takes them: what is required and has a default only in the table is given by all or none. */
  row: Record<string, unknown> & { name: string }
  /** The fields that somebody gave it, whose origin is kept. */
  given: string[]
  origin: Origin
  custom?: Record<string, unknown> | undefined
  contact_ids?: string[] | undefined
  account_ids?: string[] | undefined
}

/** Writes a new record with its custom values, its links and where each came from. Answers its id. */
export const insertRecord = async (ctx: TxCtx, kind: RecordKind, made: NewRecord): Promise<string> => {
  const [id] = await insertRecords(ctx, kind, [made])
  if (id === undefined) throw new Error('a record was not written')
  return id
}

/** The same for many, one statement per table. Answers their ids, in the same order. */
export const insertRecords = async (
  ctx: TxCtx,
  kind: RecordKind,
  made: readonly NewRecord[],
): Promise<string[]> => {
  const records = made.map((record) => ({ ...record, id: uuidv7() }))
  insertRows(
    ctx,
    tableOf[kind],
    records.map(({ id, row }) => ({ ...row, id })),
  )
  const custom = await insertCustomValues(ctx, kind, records)
  const holders = records.map(({ id, row }) => ({ kind, id, name: row.name, archived_at: null }))
  for (const linked of ['contact', 'account'] as const)
    await linkNew(
      ctx,
      linked,
      holders.map((holder, n) => ({ holder, ids: made[n]?.[`${linked}_ids`] })),
    )
  writeOriginsOf(
    ctx,
    records.map(({ id, given, origin }, n) => ({
      record: { kind, id },
      fields: [...given, ...(custom[n] ?? [])],
      origin,
    })),
  )
  return records.map(({ id }) => id)
}

/** Says on the timeline that a record was made, and how that is taken back; what a submission brought stays in. */
export const recordCreated = (
  ctx: TxCtx,
  record: RecordRef & { name: string },
  data: CreationData = {},
): Promise<string> => recordActivity(ctx, creationOf(record, data))

/** The line of the timeline that says that a record was made. */
export const creationOf = (
  { kind, id, name }: RecordRef & { name: string },
  data: CreationData = {},
  type: ActivityType = 'record_created',
): NewActivity => ({
  type,
  subjects: [{ kind, id }],
  record_version: 1,
  data: {
    kind,
    name,
    ...Object.fromEntries(Object.entries(data).filter(([, detail]) => detail !== undefined)),
    ...(data.submission_id
      ? {}
      : { undo: { tool: 'archive_record', input: { record_kind: kind, record_id: id } } }),
  },
})

/** What a creation says beside the record; what a submission brought is not taken back. */
type CreationData = { submission_id?: string | undefined; [detail: string]: unknown }
