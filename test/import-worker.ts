import { setTimeout as pause } from 'node:timers/promises'
import { connect, type Database } from '../db/client.ts'
import { inTx, systemCtx } from '../db/context.ts'
import { importWork } from '../db/import-leases.ts'
import { workImport } from '../db/import-work.ts'
import { readImport } from '../db/imports.ts'
import { deriveKeys } from '../db/keys.ts'
import { openQueue } from '../db/queue.ts'
import { isPassing } from '../db/transaction.ts'

// A worker of imports in a process of its own, for tests that kill it: works one import until it has ended.

const [app_url = '', secret = '', organization_id = '', id = '', piece = '', lease_ms = ''] =
  process.argv.slice(2)
Object.assign(importWork, { piece: Number(piece), lease_ms: Number(lease_ms) })

const db: Database = {
  sql: connect(app_url, { max: 2, name: 'leadhand-test-worker' }),
  queue: await openQueue(app_url, { works: false }),
  keys: deriveKeys(secret),
}
for (;;) {
  // Returns at once while the lease of one that was killed still runs; as in the product, what passes is tried again.
  await workImport(db, organization_id, id).catch((error: unknown) => {
    if (!isPassing(error)) throw error
  })
  const { status } = await inTx(systemCtx(db, organization_id, 'test'), (ctx) => readImport(ctx, id))
  if (status !== 'queued' && status !== 'running') break
  await pause(20)
}
await db.queue.close(500)
await db.sql.end({ timeout: 1 })
