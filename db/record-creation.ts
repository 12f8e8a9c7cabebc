import { v7 as uuidv7 } from 'uuid'
import { type ActivityType, type NewActivity, recordActivities } from './activities.ts'
import type { TxCtx } from './context.ts'
import { insertCustomValues } from './custom-values.ts'
import { requireMembers } from './identity.ts'
import { linkNew } from './links.ts'
import { type Origin, writeOriginsOf } from './origins.ts'
import { originOf } from './record-changes.ts'
import { type RecordKind, type RecordRef, requireFreeExternalIds, tableOf } from './records.ts'
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

/**
 * Writes new records with their custom values, their links and where each came from, one statement per table. Answers their
 * ids, in the same order.
 */
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
    { made: true },
  )
  return records.map(({ id }) => id)
}

/** How a record of the address book came in, where nobody made it by hand. */
export type Arrival = { door: string; import_id: string; line: number }

/** An account or a contact to be made: what was given, and the same ready for its columns. */
type NewEntry = {
  input: Pick<NewRecord, 'custom' | 'account_ids'> & {
    owner_id?: string | undefined
    source?: string | undefined
  }
  values: Record<string, unknown>
  row: NewRecord['row']
  from: Arrival | undefined
}

/**
 * Makes accounts or contacts, each with its line on the timeline.
 * @throws {DomainError} `external_id_taken`, `owner_unknown`, `account_not_found`, and what custom fields refuse
 */
export const createEntries = async (
  ctx: TxCtx,
  kind: 'account' | 'contact',
  entries: readonly NewEntry[],
): Promise<string[]> => {
  await requireMembers(
    ctx,
    entries.flatMap(({ input }) => input.owner_id ?? []),
  )
  await requireFreeExternalIds(
    ctx,
    kind,
    entries.map(({ values }) => ({ external_id: values['external_id'] })),
  )
  const ids = await insertRecords(
    ctx,
    kind,
    entries.map(({ input: { custom, account_ids }, values, row, from }) => ({
      row,
      given: Object.keys(values),
      origin: originOf(ctx, from),
      custom,
      account_ids,
    })),
  )
  recordActivities(
    ctx,
    entries.map(({ input: { source, account_ids }, row: { name }, from }, n) =>
      creationOf({ kind, id: ids[n] ?? '', name }, { ...from, source, account_ids }),
    ),
  )
  return ids
}

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
