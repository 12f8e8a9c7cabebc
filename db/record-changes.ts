import { type Change, recordActivities } from './activities.ts'
import { recheckApprovalsOf } from './approval-reads.ts'
import type { Ctx, TxCtx } from './context.ts'
import { staleVersion } from './errors.ts'
import { requireMember } from './identity.ts'
import { countryCode } from './lead-fields.ts'
import { type Origin, writeOriginsOf } from './origins.ts'
import { normaliseFields } from './record-fields.ts'
import { type RecordKind, requireFreeExternalId, requireRecordInUse, tableOf } from './records.ts'
import { updateRows } from './row-sets.ts'

/** A record as it was read, locked, before it is changed. */
type Before = { id: string; version: number }

/** What is set on one record: columns, and what `writeCustomValues` changed beside them. */
export type ValuesSet = {
  values: Record<string, unknown>
  custom?: Change[] | undefined
  origin: Origin
  reason?: string | undefined
}

/**
 * Writes the values that differ, with before and after on the timeline and what takes them back. Of nothing, nothing:
 * the version stays.
 */
export const writeChanges = async (
  ctx: TxCtx,
  kind: RecordKind,
  before: Before,
  set: ValuesSet,
): Promise<Change[]> => {
  const [written] = await writeChangesOf(ctx, kind, [{ before, ...set }])
  return written?.changes ?? []
}

/** What was changed of a record, and the line that says so; without one, nothing was. */
export type Written = { changes: Change[]; activity_id?: string | undefined }

/** The same for many records of one kind, each once, with one statement per table. */
export const writeChangesOf = async (
  ctx: TxCtx,
  kind: RecordKind,
  sets: readonly (ValuesSet & { before: Before })[],
): Promise<Written[]> => {
  const written = sets.map(({ before, values, custom = [], ...rest }) => {
    const columns = differences(before, values)
    return { ...rest, before, columns, changes: [...columns, ...custom] }
  })
  const changed = written.filter(({ changes }) => changes.length > 0)
  if (changed.length === 0) return sets.map(() => ({ changes: [] }))
  // Locked by their reader: what one of them does not change is written as it was read.
  const names = [...new Set(changed.flatMap(({ columns }) => columns.map(({ field }) => field)))]
  updateRows(
    ctx,
    tableOf[kind],
    changed.map(({ before, columns }) => {
      const after = new Map(columns.map((column) => [column.field, column.after]))
      const standing = before as unknown as Record<string, unknown>
      return {
        id: before.id,
        ...Object.fromEntries(
          names.map((name) => [name, after.has(name) ? after.get(name) : standing[name]]),
        ),
        version: before.version + 1,
        updated_at: new Date(),
      }
    }),
  )
  writeOriginsOf(
    ctx,
    changed.map(({ before, changes, origin }) => ({
      record: { kind, id: before.id },
      fields: changes.map(({ field }) => field),
      origin,
    })),
  )
  const ids = recordActivities(
    ctx,
    changed.map(({ before, changes, reason }) => ({
      type: 'record_updated',
      subjects: [{ kind, id: before.id }],
      reason,
      record_version: before.version + 1,
      data: {
        changes,
        undo: {
          tool: 'update_record',
          input: { record_kind: kind, record_id: before.id, values: valuesBefore(changes) },
        },
      },
    })),
  )
  await recheckApprovalsOf(
    ctx,
    changed.map(({ before }) => ({ kind, id: before.id })),
  )
  return written.map((one) => ({ changes: one.changes, activity_id: ids[changed.indexOf(one)] }))
}

/**
 * What a change sets, ready for the columns.
 * @param fields the names that are columns
 * @param default_country assumed for a phone where neither the record nor the change names a country
 * @throws {DomainError} stale when `version` is not the current one; `record_archived`, `external_id_taken`, `owner_unknown`
 */
export const readChange = async (
  ctx: TxCtx,
  kind: RecordKind,
  before: Before & {
    name: string
    country: string | null
    external_id: string | null
    archived_at: Date | null
  },
  input: { version?: number | undefined; owner_id?: string | null | undefined },
  fields: object,
  default_country: string | null,
): Promise<Record<string, unknown>> => {
  const { version, owner_id } = input
  if (version !== undefined && version !== before.version) throw staleVersion(before)
  requireRecordInUse({ ...before, kind })
  const own = before.country && countryCode(before.country)
  const { values } = normaliseFields(input, fields, own ?? default_country)
  if (values['external_id'] !== before.external_id)
    await requireFreeExternalId(ctx, kind, values['external_id'], before.id)
  if (owner_id) await requireMember(ctx, owner_id)
  return values
}

/** Who or what a value comes from, as the caller acts. */
export const originOf = (
  ctx: Ctx,
  from?: { door: string; submission_id?: string | undefined; import_id?: string | undefined },
): Origin => {
  if (from?.submission_id) return { kind: 'submission', submission_id: from.submission_id, name: from.door }
  if (from?.import_id) return { kind: 'import', import_id: from.import_id }
  return {
    kind: ctx.actor.kind === 'user' ? 'person' : ctx.actor.kind === 'visitor' ? 'submission' : ctx.actor.kind,
    name: ctx.actor.name,
    ...(ctx.run_id ? { run_id: ctx.run_id } : {}),
  }
}

const differences = (before: Before, values: Record<string, unknown>): Change[] =>
  Object.entries(values)
    .map(([field, after]) => ({ field, before: (before as Record<string, unknown>)[field] ?? null, after }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))

/** What `updateRecord` takes to make it as it was. */
const valuesBefore = (changes: Change[]): Record<string, unknown> => {
  const custom = changes.filter(({ field }) => field.startsWith(CUSTOM))
  return {
    ...Object.fromEntries(
      changes.filter((change) => !custom.includes(change)).map(({ field, before }) => [field, before]),
    ),
    ...(custom.length > 0
      ? {
          custom: Object.fromEntries(custom.map(({ field, before }) => [field.slice(CUSTOM.length), before])),
        }
      : {}),
  }
}

const CUSTOM = 'custom.'
