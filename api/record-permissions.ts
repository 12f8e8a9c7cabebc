import type { BulkKind } from '../db/bulk-kinds.ts'
import { type Filter, linksOf } from '../db/filters.ts'
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

/** @throws {Problem} 403 `permission_missing` when a body names records to be linked that the principal may not read */
export const requireLinked = (principal: Principal, body: unknown): void => {
  const named = (body ?? {}) as Record<string, unknown>
  for (const kind of ['contact', 'account'] as const) {
    const ids = [named[`${kind}_ids`] ?? [], named[`${kind}_id`] ?? []].flat()
    if (ids.length > 0) requirePermission(principal, recordPermissions[kind].read)
  }
}

/** The kinds of record that a principal may read. */
export const readableKinds = ({ permissions }: Principal): RecordKind[] =>
  recordKinds.filter((kind) => permissions.includes(recordPermissions[kind].read))
