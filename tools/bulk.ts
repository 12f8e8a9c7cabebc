import { findOverdueBulks, workBulk } from '../db/bulk-work.ts'
import type { Database } from '../db/client.ts'
import { startLeasedWork } from './leased-work.ts'

/** Works acts on many records. */
export const startBulkWork = (db: Database): Promise<{ stop: () => Promise<void> }> =>
  startLeasedWork(db, {
    queue: 'bulk.queued',
    idOf: ({ bulk_id }) => bulk_id,
    organizationOf: ({ organization_id }) => organization_id,
    called: 'bulk act',
    slots: 2,
    work: workBulk,
    findOverdue: findOverdueBulks,
  })
