import { appUrl, loadAppSecret, readEnv, type Env } from '../env.ts'
import { connect, type Database } from './client.ts'
import { startEmbedded } from './embedded.ts'
import { deriveKeys } from './keys.ts'
import { migrate } from './migrate.ts'
import { openQueue } from './queue.ts'

/** The installation's database for a command of its own: migrated, nothing works in it, and closed when `work` is done. */
export const withDatabase = async <T>(work: (db: Database, env: Env) => Promise<T>): Promise<T> => {
  const env = readEnv()
  const secret = loadAppSecret(env)
  const embedded = env.DATABASE_URL
    ? undefined
    : await startEmbedded({ dir: env.DATA_DIR, address: appUrl(env) })
  try {
    const owner = env.DATABASE_DIRECT_URL ?? env.DATABASE_URL ?? embedded?.url ?? ''
    const { appUrl: login } = await migrate(owner, { appSecret: secret, appUrl: env.DATABASE_APP_URL })
    const db: Database = {
      sql: connect(login),
      queue: await openQueue(login, { works: false }),
      keys: deriveKeys(secret, env.APP_SECRET_PREVIOUS),
    }
    try {
      return await work(db, env)
    } finally {
      await db.queue.close()
      await db.sql.end({ timeout: 5 })
    }
  } finally {
    await embedded?.stop()
  }
}
