import postgres from 'postgres'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { connect } from '../db/client.ts'
import { checkMigrations, migrate, MissingRights } from '../db/migrate.ts'
import { createTestDatabase, testSecret, type TestDatabase } from './database.ts'

let database: TestDatabase
let owner: postgres.Sql
const roles: string[] = []
beforeEach(async () => {
  database = await createTestDatabase()
  owner = postgres(database.owner_url, { max: 1, onnotice: () => {} })
})
afterEach(async () => {
  await owner.end()
  await database.drop()
  const server = postgres(inject('template').owner_url, { max: 1, onnotice: () => {} })
  for (const role of roles.splice(0)) await server`drop role if exists ${server(role)}`.catch(() => {})
  await server.end()
})

const withLogin = (url: string, name: string, password: string): string =>
  Object.assign(new URL(url), { username: name, password }).href
const nameOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1))

describe('a database that is up to date', () => {
  test('is left as it is, also when five processes start at once', async () => {
    const shape = () => owner`
      select c.relname, c.relrowsecurity, c.relforcerowsecurity, (select count(*) from pg_policy p where p.polrelid = c.oid) as policies
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1`
    const before = await shape()
    const booted = await Promise.all(
      Array.from({ length: 5 }, () => migrate(database.owner_url, { appSecret: testSecret })),
    )
    roles.push(...booted.map(({ appUrl }) => decodeURIComponent(new URL(appUrl).username)))
    expect(new Set(booted.map(({ appUrl }) => appUrl)).size).toBe(1)
    expect(await shape()).toEqual(before)
    const app = connect(booted[0]!.appUrl, { max: 1 })
    expect(await app`select count(*)::int as n from opportunities`).toEqual([{ n: 0 }])
    await expect(checkMigrations(app)).resolves.toBeUndefined()
    await app.end()
  })
})

test('a database that is older than the code is told apart', async () => {
  await owner`delete from drizzle.__drizzle_migrations where id = (select max(id) from drizzle.__drizzle_migrations)`
  await expect(checkMigrations(owner)).rejects.toThrow('migrations are missing')
})

test('a table that comes later is forced behind the tenant policy at the next start', async () => {
  await owner`create table later (organization_id uuid not null, id uuid not null, primary key (organization_id, id))`
  const { appUrl } = await migrate(database.owner_url, { appSecret: testSecret })
  roles.push(decodeURIComponent(new URL(appUrl).username))
  const [table] =
    await owner`select relrowsecurity and relforcerowsecurity as forced from pg_class where relname = 'later'`
  expect(table).toEqual({ forced: true })
  const app = connect(appUrl, { max: 1 })
  const insert = app`insert into later values (gen_random_uuid(), gen_random_uuid())`
  await expect(insert).rejects.toMatchObject({ code: '42501' })
  await app.end()
})

test('the app’s password follows APP_SECRET: after a change the old one opens nothing', async () => {
  const first = await migrate(database.owner_url, { appSecret: testSecret })
  const second = await migrate(database.owner_url, {
    appSecret: 'another secret, thirty-two characters long',
  })
  roles.push(decodeURIComponent(new URL(first.appUrl).username))
  expect(new URL(second.appUrl).username).toBe(new URL(first.appUrl).username)
  const opens = async (url: string): Promise<boolean> => {
    const app = connect(url, { max: 1 })
    try {
      await app`select 1`
      return true
    } catch {
      return false
    } finally {
      await app.end()
    }
  }
  expect(await opens(second.appUrl)).toBe(true)
  // An embedded server trusts whoever reaches its port; elsewhere the password is what counts.
  const [auth] = await owner<
    { method: string }[]
  >`select auth_method as method from pg_hba_file_rules where type = 'host' limit 1`
  if (auth?.method !== 'trust') expect(await opens(first.appUrl)).toBe(false)
})

test('an app’s login that could bypass row-level security is refused', async () => {
  const name = `${nameOf(database.owner_url)}_mighty`
  roles.push(name)
  await owner.unsafe(`create role "${name}" login bypassrls password 'a'`)
  const appUrl = withLogin(database.owner_url, name, 'a')
  await expect(migrate(database.owner_url, { appSecret: testSecret, appUrl })).rejects.toThrow(
    'may bypass row-level security',
  )
})

test('an owner that may not make roles is told which SQL somebody else must run', async () => {
  const name = `${nameOf(database.owner_url)}_small`
  roles.push(name)
  await owner.unsafe(`create role "${name}" login nosuperuser nocreaterole password 'a'`)
  await owner.unsafe(`grant connect, create on database "${nameOf(database.owner_url)}" to "${name}"`)
  const small = withLogin(database.owner_url, name, 'a')
  const refused = await migrate(small, { appSecret: testSecret }).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(MissingRights)
  expect(String(refused)).toMatch(/create role "leadhand_\w+_app" login nosuperuser nobypassrls/)
  expect(String(refused)).toContain('DATABASE_APP_URL')
})
