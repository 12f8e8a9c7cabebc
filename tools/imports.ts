import type { Database } from '../db/client.ts'
import { findOverdueImports, workImport } from '../db/import-work.ts'
import { startLeasedWork } from './leased-work.ts'

/** Works imports, their dry runs and undos. */
export const startImportWork = (db: Database): Promise<{ stop: () => Promise<void> }> =>
  startLeasedWork(db, {
    queue: 'import.queued',
    idOf: ({ import_id }) => import_id,
    organizationOf: ({ organization_id }) => organization_id,
    called: 'import',
    slots: 2,
    work: workImport,
    findOverdue: findOverdueImports,
  })
