import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../db/client.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { fillTenant } from './tenant.ts'
import { openWorld, type World } from './world.ts'

// The tenant rules, read from the database's own catalogue: they hold for every table, now and later.

/** Schemas whose tables belong to no organization. */
const EXEMPT_SCHEMAS = new Set(['identity', 'pgboss', 'drizzle', 'finder'])
/** The only functions that look across organizations. They read, and answer ids and hashes' owners. */
const FINDERS = [
  'due_reminders(at_most integer)',
  'due_runs(at_most integer)',
  'long_ledgers(longer_than integer, at_most integer)',
  'overdue_approvals(at_most integer)',
  'overdue_bulk_jobs(at_most integer)',
  'overdue_files(at_most integer)',
  'overdue_imports(at_most integer)',
  'overdue_messages(at_most integer)',
  'overdue_score_jobs(at_most integer)',
  'overdue_submissions(at_most integer)',
  'resolve_api_key(wanted_hash text)',
  'resolve_token(wanted_kind text, wanted_hash text)',
  'search_records(wanted_organization uuid, kinds text[], words text[], at_most integer, among integer)',
  'stuck_stages(at_most integer)',
  'timed_score_formulas(at_most integer)',
  'unassessed_organizations(at_most integer)',
  'unsealed_organizations()',
]

let world: World
let owner: postgres.Sql
let app: postgres.Sql
let there: Ctx
let tables: string[]

beforeAll(async () => {
  world = await openWorld()
  owner = postgres(world.owner_url, { max: 2, onnotice: () => {} })
  app = connect(world.app_url, { max: 2 })
  tables = (
    await owner<{ name: string }[]>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1`
  ).map(({ name }) => name)
  there = (await world.other()).ctx
  for (const ctx of [world.ctx, there]) await fillTenant(world, ctx)
})
afterAll(async () => {
  await owner.end()
  await app.end()
  await world.stop()
})

/** Runs a statement as the app, for an organization or for none. */
const asApp = <T>(
  organization_id: string | undefined,
  work: (tx: postgres.TransactionSql) => Promise<T>,
): Promise<T> =>
  app.begin(async (tx) => {
    if (organization_id) await tx`select set_config('app.organization_id', ${organization_id}, true)`
    return work(tx)
  }) as Promise<T>

test('there are tables, and every one outside the exempt schemas is a tenant’s', async () => {
  const schemas = await owner<{ name: string }[]>`
    select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`
  expect(schemas.map(({ name }) => name).toSorted()).toEqual([...EXEMPT_SCHEMAS, 'public'].toSorted())
  expect(tables.length).toBeGreaterThan(15)
  const without = await owner<{ name: string }[]>`
    select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and not exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id' and a.attnotnull)`
  expect(without.map(({ name }) => name)).toEqual([])
})

describe('every tenant table', () => {
  test('F84: has row-level security enabled and forced', async () => {
    const open = await owner<{ name: string }[]>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not (relrowsecurity and relforcerowsecurity)`
    expect(open.map(({ name }) => name)).toEqual([])
  })

  test('has one policy for everything with USING and WITH CHECK, and at most the finder’s own beside it', async () => {
    const policies = await owner<
      {
        table: string
        name: string
        command: string
        roles: string[]
        permissive: string
        using: string
        check: string
      }[]
    >`select tablename as table, policyname as name, cmd as command, roles::text[], permissive, qual as using, with_check as check
      from pg_policies where schemaname = 'public'`
    const mine =
      "(organization_id = (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid)"
    for (const table of tables) {
      const tenant = policies.filter((policy) => policy.table === table && policy.name === 'tenant')
      expect([table, ...tenant]).toEqual([
        table,
        {
          table,
          name: 'tenant',
          command: 'ALL',
          roles: ['public'],
          permissive: 'PERMISSIVE',
          using: mine,
          check: mine,
        },
      ])
    }
    const others = policies.filter(({ name }) => name !== 'tenant')
    for (const policy of others) {
      expect(policy).toMatchObject({ name: 'finder_reads', command: 'SELECT', roles: ['leadhand_finder'] })
    }
  })

  test('has primary, unique and foreign keys that begin with the organization', async () => {
    const keys = await owner<{ key: string; first: string }[]>`
      select c.conname as key, a.attname as first from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
      where c.connamespace = 'public'::regnamespace and c.contype in ('p', 'u', 'f')
      union all
      select i.indexrelid::regclass::text, coalesce(a.attname, '(expression)') from pg_index i
      join pg_class t on t.oid = i.indrelid and t.relnamespace = 'public'::regnamespace
      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indisunique`
    expect(keys.length).toBeGreaterThan(tables.length)
    expect(keys.filter(({ first }) => first !== 'organization_id')).toEqual([])
    const keyless = await owner<{ name: string }[]>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not exists (select 1 from pg_constraint p where p.conrelid = pg_class.oid and p.contype = 'p')`
    expect(keyless.map(({ name }) => name)).toEqual([])
  })

  test('F84: shows nothing when no organization is set, and only its own rows when one is', async () => {
    for (const table of tables) {
      const count = (organization_id: string | undefined) =>
        asApp(organization_id, async (tx) => {
          const rows = await tx<{ organization_id: string }[]>`select organization_id from ${tx(table)}`
          return rows.map((row) => row.organization_id)
        })
      expect([table, await count(undefined)]).toEqual([table, []])
      const own = await count(world.organization.id)
      const theirs = await count(there.organization_id)
      // A table that the test filled for nobody would make this test say nothing of it.
      expect([table, own.length > 0, theirs.length > 0]).toEqual([table, true, true])
      expect([table, new Set(own), new Set(theirs)]).toEqual([
        table,
        new Set([world.organization.id]),
        new Set([there.organization_id]),
      ])
    }
  })

  test('F84: refuses to write a row of another organization, or to move one there, and cannot touch theirs', async () => {
    for (const table of tables) {
      const into = (organization_id: string | undefined) =>
        asApp(
          organization_id,
          (tx) => tx`insert into ${tx(table)} (organization_id) values (${there.organization_id})`,
        )
      await expect(into(world.organization.id), table).rejects.toMatchObject({ code: '42501' })
      await expect(into(undefined), table).rejects.toMatchObject({ code: '42501' })
      const move = asApp(
        world.organization.id,
        (tx) => tx`update ${tx(table)} set organization_id = ${there.organization_id}`,
      )
      await expect(move, table).rejects.toMatchObject({ code: '42501' })
      const touched = await asApp(world.organization.id, async (tx) => {
        const updated = await tx`
          update ${tx(table)} set organization_id = organization_id where organization_id = ${there.organization_id}`
        const deleted = await tx`delete from ${tx(table)} where organization_id = ${there.organization_id}`
        return [updated.count, deleted.count]
      })
      expect([table, touched]).toEqual([table, [0, 0]])
    }
  })
})

describe('the app’s login', () => {
  const login = () => decodeURIComponent(new URL(world.app_url).username)

  test('is no superuser, cannot bypass row-level security, and owns nothing', async () => {
    const [role] = await owner`
      select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication from pg_roles where rolname = ${login()}`
    expect(role).toEqual({
      rolsuper: false,
      rolbypassrls: false,
      rolcreatedb: false,
      rolcreaterole: false,
      rolreplication: false,
    })
    const owned = await owner<{ name: string }[]>`
      select c.oid::regclass::text as name from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = ${login()}
      union all select p.oid::regprocedure::text from pg_proc p join pg_roles r on r.oid = p.proowner where r.rolname = ${login()}
      union all select n.nspname from pg_namespace n join pg_roles r on r.oid = n.nspowner where r.rolname = ${login()}`
    expect(owned).toEqual([])
  })

  test('is a member of no role that could do more', async () => {
    const roles = await owner<{ name: string }[]>`
      select r.rolname as name from pg_roles r where pg_has_role(${login()}, r.oid, 'member') and r.rolname <> ${login()}`
    expect(roles).toEqual([])
  })

  test.each([
    ['switch row-level security off', 'alter table opportunities disable row level security'],
    ['drop a policy', 'drop policy tenant on opportunities'],
    ['empty a table', 'truncate activities'],
    ['make a table', 'create table mine (id int)'],
    ['become the finder', 'set role leadhand_finder'],
    ['turn row security off for itself', 'set row_security = off; select * from opportunities'],
    ['read the migrations’ journal for writing', 'delete from drizzle.__drizzle_migrations'],
  ])('may not %s', async (_, statement) => {
    await expect(asApp(undefined, (tx) => tx.unsafe(statement).simple())).rejects.toMatchObject({
      code: '42501',
    })
  })
})

describe('the finder functions', () => {
  test('are exactly the listed ones, run as a role nobody can log in as, with a fixed search path, and only read', async () => {
    const functions = await owner<
      {
        name: string
        definer: boolean
        owner: string
        path: string[]
        volatility: string
        definition: string
      }[]
    >`select p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name, p.prosecdef as definer,
        r.rolname as owner, p.proconfig as path, p.provolatile as volatility, p.prosrc as definition
      from pg_proc p join pg_roles r on r.oid = p.proowner where p.pronamespace = 'finder'::regnamespace order by 1`
    expect(functions.map(({ name }) => name)).toEqual(FINDERS)
    for (const found of functions) {
      expect(found).toMatchObject({
        definer: true,
        owner: 'leadhand_finder',
        path: expect.arrayContaining(['search_path=pg_catalog, pg_temp']),
        volatility: 's',
      })
      expect(found.definition).not.toMatch(/\b(?:insert|update|delete|execute)\b/i)
    }
    const [role] = await owner`
      select rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname = 'leadhand_finder'`
    expect(role).toEqual({ rolcanlogin: false, rolsuper: false, rolbypassrls: false })
  })

  test('no other function in reach of the app runs with rights that are not the caller’s', async () => {
    const definers = await owner<{ name: string }[]>`
      select p.oid::regprocedure::text as name from pg_proc p
      where p.prosecdef and p.pronamespace not in ('finder'::regnamespace, 'pg_catalog'::regnamespace)`
    expect(definers).toEqual([])
  })

  test('answer ids and what a hash stands for, never what a record holds', async () => {
    const answers = await owner<{ columns: string[] }[]>`
      select coalesce(p.proargnames[p.pronargs + 1:], '{}') as columns from pg_proc p where p.pronamespace = 'finder'::regnamespace`
    const columns = new Set(answers.flatMap(({ columns }) => columns))
    expect([...columns].toSorted()).toEqual([
      'id',
      'kind',
      'likeness',
      'name',
      'organization_id',
      'principal',
      'scopes',
      'status',
      'user_id',
    ])
  })
})

test('the organization is set for a transaction, never for the session', async () => {
  const sql = connect(world.app_url, { max: 1 })
  try {
    await sql.begin(async (tx) => {
      await tx`select set_config('app.organization_id', ${world.organization.id}, true)`
      expect((await tx`select 1 from opportunities limit 1`).length).toBe(1)
    })
    expect(await sql`select 1 from opportunities`).toHaveLength(0)
  } finally {
    await sql.end()
  }
  await inTx(world.ctx, ({ tx }) => tx`select 1`)
  expect(await world.db.sql`select 1 from opportunities`).toHaveLength(0)
})
