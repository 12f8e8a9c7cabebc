import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { startEmbedded } from '../db/embedded.ts'
import { migrate } from '../db/migrate.ts'

/** The secret of every test installation. */
export const testSecret = 'a secret of the tests, thirty-two characters or more'

/** A database of a test's own: the owner's login, the app's login, and its end. */
export type TestDatabase = { owner_url: string; app_url: string; drop: () => Promise<void> }

declare module 'vitest' {
  /** What the set-up hands to the tests: a migrated database that is copied, and nobody else connects to. */
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface can be extended
  interface ProvidedContext {
    template: { owner_url: string; app_url: string }
  }
}

/**
 * Copies the migrated template in milliseconds. Its name ends in `_test`; it lives on the server of
 * `TEST_DATABASE_URL` or `DATABASE_URL` where one is set, else on an embedded one that ends with the tests.
 */
export const createTestDatabase = async (): Promise<TestDatabase> => {
  const template = inject('template')
  const name = `leadhand_${randomBytes(6).toString('hex')}_test`
  await onServer(template.owner_url, async (sql) => {
    await sql`create database ${sql(name)} template ${sql(databaseOf(template.owner_url))} strategy file_copy`
  })
  return {
    owner_url: withDatabase(template.owner_url, name),
    app_url: withDatabase(template.app_url, name),
    drop: () =>
      onServer(template.owner_url, async (sql) => {
        await sql`drop database if exists ${sql(name)} with (force)`
      }),
  }
}

/** Runs once before a suite: brings up the server and the template that its tests copy. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const given = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL
  const server = given ? { url: given, stop: async () => {} } : await startTemporaryServer()
  try {
    const template = await createTemplate(
      server.url,
      given ? `leadhand_template_${randomBytes(4).toString('hex')}_test` : 'leadhand_template_test',
    )
    project.provide('template', template)
    return async () => {
      if (given) await dropTemplate(template)
      await server.stop()
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

const startTemporaryServer = async (): Promise<{ url: string; stop: () => Promise<void> }> => {
  const dir = mkdtempSync(join(tmpdir(), 'leadhand-test-'))
  const embedded = await startEmbedded({ dir, fast: true })
  return {
    url: embedded.url,
    stop: async () => {
      await embedded.stop()
      rmSync(dir, { recursive: true })
    },
  }
}

type Template = { owner_url: string; app_url: string }

const createTemplate = async (server: string, name: string): Promise<Template> => {
  await onServer(server, (sql) => sql`create database ${sql(name)}`)
  const owner_url = withDatabase(server, name)
  const { appUrl } = await migrate(owner_url, { appSecret: testSecret })
  return { owner_url, app_url: appUrl }
}

const dropTemplate = ({ owner_url, app_url }: Template): Promise<void> =>
  onServer(owner_url, async (sql) => {
    const login = decodeURIComponent(new URL(app_url).username)
    await sql`drop database ${sql(databaseOf(owner_url))} with (force)`
    if (login.startsWith(databaseOf(owner_url))) await sql`drop role ${sql(login)}`
  })

const databaseOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1))

const withDatabase = (url: string, name: string): string =>
  Object.assign(new URL(url), { pathname: `/${name}` }).href

const onServer = async (url: string, act: (sql: postgres.Sql) => PromiseLike<unknown>): Promise<void> => {
  const sql = postgres(withDatabase(url, 'postgres'), { max: 1, onnotice: () => {} })
  try {
    await act(sql)
  } finally {
    await sql.end()
  }
}
