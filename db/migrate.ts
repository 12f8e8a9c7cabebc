import { createHash, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import postgres, { type Sql } from 'postgres'
import { migrateQueue } from './queue.ts'

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url))
/** Any number that nobody else uses: boots of several processes migrate one after the other. */
const LOCK = 4_217_700_001
/** Owns the finder functions; nobody can log in as it. Roles belong to the whole server, so it has one name. */
const FINDER = 'leadhand_finder'

/** The database may not be prepared with the rights of this login; the message holds the SQL that somebody else must run. */
export class MissingRights extends Error {
  constructor(sql: string, cause: unknown) {
    super(
      `The login of DATABASE_URL may not create the roles that Leadhand needs. Ask an administrator of the database to run:\n\n${sql}\n\nthen start again, with DATABASE_APP_URL set to the app's login.`,
      { cause },
    )
    this.name = 'MissingRights'
  }
}

/**
 * Brings a database to this version: roles, tables, queue, rights. Idempotent; concurrent boots wait for each other.
 * @param ownerUrl login that owns the database
 * @returns the URL of the app's login, which owns nothing and cannot bypass row-level security
 * @throws {MissingRights} when the owner may not create roles and they are not there
 */
export const migrate = async (
  ownerUrl: string,
  options: { appSecret: string; appUrl?: string | undefined },
): Promise<{ appUrl: string }> => {
  const sql = postgres(ownerUrl, {
    max: 1,
    onnotice: () => {},
    connection: { application_name: 'leadhand-migration' },
  })
  try {
    await sql`select pg_advisory_lock(${LOCK})`.catch((error: unknown) => explainConnection(ownerUrl, error))
    const app = appLogin(ownerUrl, options)
    await makeRoles(sql, app)
    await applyMigrations(sql)
    await migrateQueue(ownerUrl)
    await grantRights(sql, app.name)
    await sql`select pg_advisory_unlock(${LOCK})`
    return { appUrl: app.url }
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Throws when the database is older than this code: `/readyz` asks. */
export const checkMigrations = async (sql: Sql): Promise<void> => {
  const [row] = await sql<{ newest: number | null }[]>`
    select max(created_at)::float8 as newest from drizzle.__drizzle_migrations`
  const wanted = Math.max(...readJournal().map((entry) => entry.when))
  if (!row?.newest || row.newest < wanted)
    throw new Error('the database is older than this version: migrations are missing')
}

const Journal = z.object({ entries: z.array(z.object({ when: z.number(), tag: z.string() })) })

const readJournal = () =>
  Journal.parse(JSON.parse(readFileSync(`${FOLDER}/meta/_journal.json`, 'utf8'))).entries

/**
 * Applies what drizzle-kit generated and the database has not seen, all of it or nothing, and notes it where drizzle does.
 * Not through drizzle itself: its modules took 240 MB and half a second at every start.
 */
const applyMigrations = (sql: Sql): Promise<unknown> =>
  sql.begin(async (tx) => {
    await tx`create schema if not exists drizzle`
    await tx`
      create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`
    const [row] = await tx<{ newest: number | null }[]>`
      select max(created_at)::float8 as newest from drizzle.__drizzle_migrations`
    for (const { when, tag } of readJournal()) {
      if (row?.newest && when <= row.newest) continue
      const text = readFileSync(`${FOLDER}/${tag}.sql`, 'utf8')
      // All of it at once: a thousand statements, each with an answer to wait for, would take half a second.
      await tx.unsafe(text)
      const hash = createHash('sha256').update(text).digest('hex')
      await tx`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${when})`
    }
  })

type Login = { name: string; password: string; url: string; given: boolean }

const appLogin = (ownerUrl: string, options: { appSecret: string; appUrl?: string | undefined }): Login => {
  if (options.appUrl) {
    const url = new URL(options.appUrl)
    return {
      name: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      url: options.appUrl,
      given: true,
    }
  }
  const url = new URL(ownerUrl)
  const database = decodeURIComponent(url.pathname.slice(1)) || decodeURIComponent(url.username)
  // PostgreSQL cuts names at 63 bytes.
  const name = `${database.slice(0, 59)}_app`
  const password = Buffer.from(
    hkdfSync('sha256', options.appSecret, '', `database login ${name}`, 24),
  ).toString('hex')
  url.username = encodeURIComponent(name)
  url.password = password
  return { name, password, url: url.toString(), given: false }
}

const makeRoles = async (sql: Sql, app: Login): Promise<void> => {
  const quoted = `"${app.name.replaceAll('"', '""')}"`
  const finder = `create role ${FINDER} nologin nosuperuser nobypassrls;`
  const login = `create role ${quoted} login nosuperuser nobypassrls nocreatedb nocreaterole password '${app.password}';`
  const member = `grant ${FINDER} to current_user;`
  const wanted: string[] = []
  const roles = await sql<{ rolname: string; rolsuper: boolean; rolbypassrls: boolean }[]>`
    select rolname, rolsuper, rolbypassrls from pg_roles where rolname in (${FINDER}, ${app.name})`
  const present = roles.find((role) => role.rolname === app.name)
  if (present && (present.rolsuper || present.rolbypassrls)) {
    throw new Error(
      `The app's login ${app.name} may bypass row-level security, which keeps the organizations apart. Name another login in DATABASE_APP_URL.`,
    )
  }
  if (!roles.some((role) => role.rolname === FINDER)) wanted.push(finder)
  if (!present) wanted.push(login)
  else if (!app.given) wanted.push(`alter role ${quoted} password '${app.password}';`)
  const [is] = await sql<{ member: boolean }[]>`
    select coalesce((select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = ${FINDER}), false) as member`
  if (!is?.member) wanted.push(member)
  for (const statement of wanted) {
    try {
      await sql.unsafe(statement)
    } catch (error) {
      const code = postgresCode(error)
      // Another boot on the same server made it between our look and our statement.
      if (code === '42710' || code === '23505') continue
      if (code === 'XX000' && statement.startsWith('alter role')) continue
      if (code === '42501') throw new MissingRights(wanted.join('\n'), error)
      throw error
    }
  }
}

/** No PostgreSQL answers where the address says, or it does not let this login in. */
export class CannotConnect extends Error {}

const explainConnection = (url: string, error: unknown): never => {
  const { hostname, port, username } = new URL(url)
  const code = postgresCode(error) ?? ''
  const where = `${hostname}:${port || 5432}`
  if (
    ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT', 'CONNECT_TIMEOUT', 'EAI_AGAIN'].includes(code)
  ) {
    throw new CannotConnect(
      `DATABASE_URL: no PostgreSQL answers at ${where}. Start it, or give the address of one that runs.`,
      { cause: error },
    )
  }
  if (['28P01', '28000', '3D000'].includes(code)) {
    throw new CannotConnect(
      `DATABASE_URL: the PostgreSQL at ${where} does not let ${username} in: ${error instanceof Error ? error.message : code}.`,
      { cause: error },
    )
  }
  throw error
}

const postgresCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/**
 * Every table with an organization is forced behind the same policy, also the ones of later migrations;
 * the app may read and write rows, never change tables.
 */
const grantRights = async (sql: Sql, app: string): Promise<void> => {
  const role = `"${app.replaceAll('"', '""')}"`
  const tables = await sql<{ name: string; forced: boolean; policies: string[] }[]>`
    select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as forced,
      coalesce(array_agg(p.polname) filter (where p.polname is not null), '{}')::text[] as policies
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
    left join pg_policy p on p.polrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    group by 1, 2`
  const statements = tables.flatMap(({ name, forced, policies }) => [
    ...(forced ? [] : [`alter table "${name}" enable row level security, force row level security`]),
    ...(policies.includes('tenant')
      ? []
      : [
          `create policy tenant on "${name}" for all using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid) with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)`,
        ]),
  ])
  statements.push(
    `grant usage on schema public, identity, finder, pgboss, drizzle to ${role}`,
    `grant select, insert, update, delete on all tables in schema public, identity, pgboss to ${role}`,
    `grant usage, select on all sequences in schema public, identity, pgboss to ${role}`,
    `grant execute on all functions in schema finder, pgboss to ${role}`,
    `grant select on all tables in schema drizzle to ${role}`,
    `revoke create on schema public from public`,
  )
  await sql.unsafe(statements.join(';\n'))
}
