import type { BulkKind } from '../db/bulk-kinds.ts'
import type { Database } from '../db/client.ts'
import type { Ctx } from '../db/context.ts'
import { type Filter, linksOf } from '../db/filters.ts'
import type { Reading } from '../db/reading.ts'
import { type RecordKind, recordKinds } from '../db/records.ts'
import type { Permission } from './permissions.ts'
import { type Principal, requirePermission } from './principal.ts'

/** What it takes to read and to change records of each kind, for operations that are about several kinds. */
export const recordPermissions: Record<RecordKind, { read: Permission; write: Permission }> = {
  lead: { read: 'leads:read', write: 'leads:write' },
  deal: { read: 'leads:read', write: 'leads:write' },
  account: { read: 'accounts:read', write: 'accounts:write' },
  contact: { read: 'contacts:read', write: 'contacts:write' },
}

/** The same for what is acted on in bulk. */
export const bulkPermissions: Record<BulkKind, { read: Permission; write: Permission }> = {
  ...recordPermissions,
  opportunity: recordPermissions.lead,
  task: { read: 'tasks:read', write: 'tasks:write' },
}

/** What it takes to read whatever an activity can be about, or tell of. */
const readPermissions: Record<string, Permission> = {
  lead: recordPermissions.lead.read,
  deal: recordPermissions.deal.read,
  account: recordPermissions.account.read,
  contact: recordPermissions.contact.read,
  task: bulkPermissions.task.read,
  note: 'notes:read',
  file: 'files:read',
  activity: 'activities:read',
  message: 'messages:read',
  approval: 'approvals:read',
  run: 'runs:read',
  bulk: 'bulk:read',
  import: 'imports:read',
  campaign: 'campaigns:read',
  pipeline: 'pipelines:read',
  field: 'fields:read',
  score_formula: 'scores:read',
}

/** What it takes to ask about linked records: whether one is there is as good as reading it. */
const linkPermissions: Record<string, Permission> = {
  leads: 'leads:read',
  deals: 'leads:read',
  accounts: 'accounts:read',
  contacts: 'contacts:read',
  tasks: 'tasks:read',
  notes: 'notes:read',
  activities: 'activities:read',
  files: 'files:read',
  submissions: 'intake:read',
  touchpoints: 'leads:read',
}

/** @throws {Problem} 403 `permission_missing` when a filter asks about linked records that the principal may not read */
export const requireLinks = (principal: Principal, filter: Filter | undefined): void => {
  for (const link of filter ? linksOf(filter) : []) {
    const permission = linkPermissions[link]
    if (permission) requirePermission(principal, permission)
  }
}

/**
 * What is linked to a record, or written about it, is by whoever may read that record.
 * @throws {Problem} 403 `permission_missing` when a body names records that the principal may not read
 */
export const requireLinked = (principal: Principal, body: unknown): void => {
  const named = (body ?? {}) as Record<string, unknown>
  const about = [
    named['subject_kind'],
    ...[named['subject'] ?? [], named['subjects'] ?? []].flat().map(kindOf),
  ]
  for (const kind of about) if (isRecordKind(kind)) requirePermission(principal, recordPermissions[kind].read)
  for (const kind of ['contact', 'account'] as const) {
    const ids = [named[`${kind}_ids`] ?? [], named[`${kind}_id`] ?? []].flat()
    if (ids.length > 0) requirePermission(principal, recordPermissions[kind].read)
  }
}

const kindOf = (subject: unknown): unknown =>
  typeof subject === 'object' && subject !== null && 'kind' in subject ? subject.kind : undefined

const isRecordKind = (kind: unknown): kind is RecordKind => recordKinds.some((one) => one === kind)

/** @throws {Problem} 403 `permission_missing` when there are kinds of record that the principal may not read */
export const requireEveryKind = (principal: Principal): void => {
  for (const kind of recordKinds) requirePermission(principal, recordPermissions[kind].read)
}

/** The context in which a principal acts: what hangs on records of kinds that it may not read is not there for it. */
export const ctxOf = (db: Database, principal: Principal): Ctx => ({
  db,
  organization_id: principal.organization_id,
  actor: principal.actor,
  reading: readingOf(principal),
})

/** Nothing for whoever may read every kind, so that their lists have no condition more. */
const readingOf = ({ permissions }: Principal): Reading | undefined => {
  const hidden = Object.entries(readPermissions).filter(([, read]) => !permissions.includes(read))
  if (hidden.length === 0) return undefined
  const kinds = recordKinds.filter((kind) => permissions.includes(recordPermissions[kind].read))
  return { kinds, hidden: Object.fromEntries(hidden) }
}
