import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, type Database } from '../db/client.ts'
import type { Ctx } from '../db/context.ts'
import { addMember, createOrganization, type Member, type Organization } from '../db/identity.ts'
import { deriveKeys } from '../db/keys.ts'
import { openQueue } from '../db/queue.ts'
import { createTestDatabase, testSecret } from './database.ts'

/** A database of its own with one organization and its owner: what most tests start from. */
export type World = {
  db: Database
  app_url: string
  owner_url: string
  organization: Organization
  owner: Member
  /** A folder of its own, for sealed heads and the like. */
  folder: string
  /** A context of the organization in which its owner acts. */
  ctx: Ctx
  /** Another organization in the same database, with its own owner. */
  other(): Promise<{ organization: Organization; owner: Member; ctx: Ctx }>
  stop(): Promise<void>
}

/** Opens a fresh world; `works` lets a worker run in it. `stop` ends its connections and drops it. */
export const openWorld = async (options: { works?: boolean } = {}): Promise<World> => {
  const database = await createTestDatabase()
  const db = await openTestDatabase(database.app_url, options.works ?? false)
  const folder = await mkdtemp(path.join(tmpdir(), 'leadhand-test-'))
  const first = await makeOrganization(db, 'Northwind')
  return {
    db,
    app_url: database.app_url,
    owner_url: database.owner_url,
    folder,
    ...first,
    other: () => makeOrganization(db, 'Southwind'),
    stop: async () => {
      await db.queue.close(500)
      await db.sql.end({ timeout: 1 })
      await database.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const openTestDatabase = async (app_url: string, works: boolean): Promise<Database> => ({
  sql: connect(app_url, { name: 'leadhand-test' }),
  queue: await openQueue(app_url, { works }),
  keys: deriveKeys(testSecret),
})

const makeOrganization = async (
  db: Database,
  name: string,
): Promise<{ organization: Organization; owner: Member; ctx: Ctx }> => {
  const organization = await createOrganization(db, name)
  const owner = await addMember(db, {
    organization_id: organization.id,
    name: `Owner of ${name}`,
    email: `owner@${organization.slug}.example`,
    role: 'owner',
  })
  const ctx: Ctx = {
    db,
    organization_id: organization.id,
    actor: { kind: 'user', id: owner.user_id, name: owner.name },
  }
  return { organization, owner, ctx }
}
