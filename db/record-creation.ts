import { v7 as uuidv7 } from 'uuid'
import { type ActivityType, recordActivity } from './activities.ts'
import { sendStatement, type TxCtx } from './context.ts'
import { writeCustomValues } from './custom-values.ts'
import { linkNew } from './links.ts'
import { type Origin, writeOrigins } from './origins.ts'
import { type RecordKind, type RecordRef, tableOf } from './records.ts'

/** What a new record is made of. */
export type NewRecord = {
  /** Its columns. */
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
  const { tx, organization_id } = ctx
  const id = uuidv7()
  const { row, given, origin } = made
  sendStatement(ctx, tx`insert into ${tx(tableOf[kind])} ${tx({ ...row, organization_id, id } as never)}`)
  const custom = made.custom ? await writeCustomValues(ctx, kind, id, made.custom, { made: true }) : []
  const holder = { kind, id, name: row.name, archived_at: null }
  await linkNew(ctx, holder, 'contact', made.contact_ids)
  await linkNew(ctx, holder, 'account', made.account_ids)
  writeOrigins(ctx, { kind, id }, [...given, ...custom.map(({ field }) => field)], origin)
  return id
}

/** Says on the timeline that a record was made, and how that is taken back; what a submission brought stays in. */
export const recordCreated = (
  ctx: TxCtx,
  { kind, id, name }: RecordRef & { name: string },
  data: { submission_id?: string | undefined; [detail: string]: unknown } = {},
  type: ActivityType = 'record_created',
): Promise<string> =>
  recordActivity(ctx, {
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
