import { z } from 'zod'
import { connect } from '../db/client.ts'
import { deriveKeys } from '../db/keys.ts'
import { openQueue } from '../db/queue.ts'
import { scoreWork } from '../db/score-jobs.ts'
import { workScoreJob } from '../db/score-work.ts'

// A worker in a process of its own, to be killed: it works one job, in small batches.

const { url, secret, organization_id, id } = z
  .object({ url: z.string(), secret: z.string(), organization_id: z.string(), id: z.string() })
  .parse(JSON.parse(process.env['WORK'] ?? ''))
Object.assign(scoreWork, { batch: 100 })
const db = {
  sql: connect(url, { max: 4 }),
  queue: await openQueue(url, { works: false }),
  keys: deriveKeys(secret),
}
process.send?.('begun')
await workScoreJob(db, organization_id, id)
await db.queue.close(500)
await db.sql.end({ timeout: 1 })
process.disconnect()
