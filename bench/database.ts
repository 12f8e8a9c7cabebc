import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { addMember, createOrganization } from '../db/identity.ts'
import { connect, type Database } from '../db/client.ts'
import type { Ctx } from '../db/context.ts'
import { startEmbedded } from '../db/embedded.ts'
import { deriveKeys } from '../db/keys.ts'
import { migrate } from '../db/migrate.ts'
import { openQueue } from '../db/queue.ts'

/** The secret of a benchmark's installation. */
export const SECRET = 'a secret of the benchmarks, thirty-two characters or more'

/** A PostgreSQL of a benchmark's own, with the settings and the durability that people get, migrated. */
export type BenchDatabase = {
  folder: string
  pid: number
  owner_url: string
  app_url: string
  stop: () => Promise<void>
}

/** Starts one in a temporary folder; `stop` removes it. */
export const openBenchDatabase = async (): Promise<BenchDatabase> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'leadhand-bench-'))
  const embedded = await startEmbedded({ dir: folder })
  const { appUrl } = await migrate(embedded.url, { appSecret: SECRET })
  return {
    folder,
    pid: embedded.pid,
    owner_url: embedded.url,
    app_url: appUrl,
    stop: async () => {
      await embedded.stop()
      await rm(folder, { recursive: true })
    },
  }
}

/** Opens the record under the app's login, as a process of the product does. */
export const openRecord = async (
  { app_url }: { app_url: string },
  options: { works: boolean },
): Promise<{ db: Database; close: () => Promise<void> }> => {
  const db: Database = {
    sql: connect(app_url, { name: 'leadhand-bench' }),
    queue: await openQueue(app_url, options),
    keys: deriveKeys(SECRET),
  }
  return {
    db,
    close: async () => {
      await db.queue.close(1_000)
      await db.sql.end({ timeout: 1 })
    },
  }
}

/** An organization with its owner, in which the owner acts. */
export const makeOrganization = async (db: Database): Promise<Ctx> => {
  const organization = await createOrganization(db, 'Northwind')
  const owner = await addMember(db, {
    organization_id: organization.id,
    name: 'Mira Kern',
    email: 'mira@northwind.example',
    role: 'owner',
  })
  return {
    db,
    organization_id: organization.id,
    actor: { kind: 'user', id: owner.user_id, name: owner.name },
  }
}
