import { type Change, recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import type { Ctx, TxCtx } from './context.ts'
import { staleVersion } from './errors.ts'
import { requireMember } from './identity.ts'
import { countryCode } from './lead-fields.ts'
import { type Origin, writeOrigins } from './origins.ts'
import { normaliseFields } from './record-fields.ts'
import { type RecordKind, requireFreeExternalId, requireRecordInUse, tableOf } from './records.ts'

/** A record as it was read, locked, before it is changed. */
type Before = { id: string; version: number }

/**
 * Writes the values that differ, with before and after on the timeline and what takes them back. Of nothing, nothing:
 * the version stays.
 * @param custom what `writeCustomValues` changed beside the columns
 */
export const writeChanges = async (
  ctx: TxCtx,
  kind: RecordKind,
  before: Before,
  {
    values,
    custom = [],
    origin,
    reason,
  }: {
    values: Record<string, unknown>
    custom?: Change[] | undefined
    origin: Origin
    reason?: string | undefined
  },
): Promise<Change[]> => {
  const { tx, organization_id } = ctx
  const columns = differences(before, values)
  const changes = [...columns, ...custom]
  if (changes.length === 0) return []
  const changed = Object.fromEntries(columns.map(({ field, after }) => [field, after]))
  const set = { ...changed, version: before.version + 1, updated_at: new Date() }
  await tx`
    update ${tx(tableOf[kind])} set ${tx(set as never)} where organization_id = ${organization_id} and id = ${before.id}`
  writeOrigins(
    ctx,
    { kind, id: before.id },
    changes.map(({ field }) => field),
    origin,
  )
  await recordActivity(ctx, {
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
  })
  await recheckApprovals(ctx, { kind, id: before.id })
  return changes
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
export const originOf = (ctx: Ctx, from?: { door: string; submission_id?: string | undefined }): Origin =>
  from?.submission_id
    ? { kind: 'submission', submission_id: from.submission_id, name: from.door }
    : {
        kind:
          ctx.actor.kind === 'user' ? 'person' : ctx.actor.kind === 'visitor' ? 'submission' : ctx.actor.kind,
        name: ctx.actor.name,
        ...(ctx.run_id ? { run_id: ctx.run_id } : {}),
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
