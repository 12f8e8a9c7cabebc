import type { TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import type { Filter } from './filters.ts'
import {
  type RecordKind,
  recordKinds,
  type RecordLabel,
  type RecordRef,
  requireRecordInUse,
  tableOf,
} from './records.ts'
import { speaksOfState } from './tasks.ts'

/** What can be acted on in bulk: the kinds of record, leads and deals in one list, and tasks. */
export const bulkKinds = [...recordKinds, 'opportunity', 'task'] as const
export type BulkKind = (typeof bulkKinds)[number]

/** One of them, as its row names it; of a list of both kinds of card it says which it is. */
export type BulkRecord = RecordRef | { kind: 'task'; id: string }
export type BulkLabel = BulkRecord & { name: string; archived_at: Date | null }

/** Where they are kept, and what people call them by. */
export const bulkTables = {
  ...tableOf,
  opportunity: 'opportunities',
  task: 'tasks',
} as const satisfies Record<RecordKind | BulkKind, string>

/** These ones by their ids, those that are there. */
export const readLabels = async (
  { tx, organization_id }: TxCtx,
  kind: BulkKind,
  ids: readonly string[],
): Promise<Map<string, BulkLabel>> => {
  const is_card = bulkTables[kind] === 'opportunities'
  const rows = await tx<BulkLabel[]>`
    select ${is_card ? tx`kind` : tx`${kind} as kind`}, id, ${kind === 'task' ? tx`title as name` : tx`name`}, archived_at
    from ${tx(bulkTables[kind])} where organization_id = ${organization_id} and id = any(${[...ids]}::uuid[])
      ${is_card && kind !== 'opportunity' ? tx`and kind = ${kind}` : tx``}`
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * One that may be acted on; what is archived is only restored.
 * @throws {DomainError} `<kind>_not_found`; `record_archived`, `task_archived`
 */
export const requireLabel = (
  kind: BulkKind,
  id: string,
  label: BulkLabel | undefined,
  restores: boolean,
): BulkLabel => {
  if (!label) throw notFound(kind, id)
  if (restores || label.archived_at === null) return label
  if (isRecord(label)) requireRecordInUse(label)
  throw new DomainError('conflict', 'task_archived', `“${label.name}” is archived. Restore it first.`)
}

const isRecord = (label: BulkLabel): label is RecordLabel => label.kind !== 'task'

/** Of tasks the open ones are meant, unless the filter speaks of their state: as in their list. */
export const meantBy = (kind: BulkKind, filter: Filter | undefined): Filter | undefined => {
  if (kind !== 'task' || speaksOfState(filter)) return filter
  const open: Filter = { field: 'status', op: 'eq', value: 'open' }
  return filter ? { and: [open, filter] } : open
}
