import type { RecordKind } from './records.ts'

/** Where records of a kind are kept: leads and deals share a table. */
export const tableOf = {
  lead: 'opportunities',
  deal: 'opportunities',
  account: 'accounts',
  contact: 'contacts',
} as const satisfies Record<RecordKind, string>
