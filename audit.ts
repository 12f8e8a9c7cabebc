import { appUrl, loadAppSecret, readEnv } from './env.ts'
import path from 'node:path'
import { verifyAudit } from './db/audit.ts'
import { connect, type Database } from './db/client.ts'
import { startEmbedded } from './db/embedded.ts'
import { listOrganizations } from './db/identity.ts'
import { deriveKeys } from './db/keys.ts'
import { migrate } from './db/migrate.ts'
import { openQueue } from './db/queue.ts'

/** `npm run audit`: walks every organization's chain of activities; exits 1 and names the first bad row of a broken one. */
const main = async (): Promise<number> => {
  const env = readEnv()
  const secret = loadAppSecret(env)
  const embedded = env.DATABASE_URL
    ? undefined
    : await startEmbedded({ dir: env.DATA_DIR, address: appUrl(env) })
  const owner = env.DATABASE_DIRECT_URL ?? env.DATABASE_URL ?? embedded?.url ?? ''
  const { appUrl: login } = await migrate(owner, { appSecret: secret, appUrl: env.DATABASE_APP_URL })
  const db: Database = {
    sql: connect(login),
    queue: await openQueue(login, { works: false }),
    keys: deriveKeys(secret, env.APP_SECRET_PREVIOUS),
  }
  let broken = 0
  for (const { id, name } of await listOrganizations(db)) {
    const { activities, problem } = await verifyAudit(db, id, path.join(env.DATA_DIR, 'sealed-heads.jsonl'))
    if (problem) broken += 1
    process.stdout.write(
      problem
        ? `${name}: BROKEN at ${problem.seq}${problem.activity_id ? ` (activity ${problem.activity_id})` : ''}: ${problem.message}\n`
        : `${name}: ${activities} activities, whole\n`,
    )
  }
  await db.queue.close()
  await db.sql.end({ timeout: 5 })
  await embedded?.stop()
  return broken > 0 ? 1 : 0
}

process.exitCode = await main()
