import type { RecordKind } from '../db/records.ts'
import type { Permission } from './permissions.ts'

/** What it takes to read and to change records of each kind, for operations that are about several kinds. */
export const recordPermissions: Record<RecordKind, { read: Permission; write: Permission }> = {
  lead: { read: 'leads:read', write: 'leads:write' },
  deal: { read: 'leads:read', write: 'leads:write' },
  account: { read: 'accounts:read', write: 'accounts:write' },
  contact: { read: 'contacts:read', write: 'contacts:write' },
}
