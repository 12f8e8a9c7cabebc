import { hashPassword } from 'better-auth/crypto'
import { v7 as uuidv7 } from 'uuid'
import { connect, type Database } from './client.ts'
import { inTx, sendStatement, systemCtx, type Ctx } from './context.ts'
import { createDefaultReasons } from './discard-reasons.ts'
import { invalid, notFound } from './errors.ts'
import { identityStorage } from './identity-storage.ts'
import { hashToken, newToken } from './keys.ts'
import { createFirstPipelines } from './pipeline-creation.ts'
import { OFFICE_HOURS } from './settings.ts'
import { once } from './together.ts'

/** What a member may do; from most to least. */
export const roles = ['owner', 'admin', 'manager', 'rep', 'viewer'] as const
export type Role = (typeof roles)[number]

export type Organization = { id: string; name: string; slug: string }
export type Member = { id: string; user_id: string; name: string; email: string; role: Role }

/** The storage that sign-in runs on, with a small pool of its own. */
export const identityAdapter = (appUrl: string) => {
  const sql = connect(appUrl, { max: 4, name: 'leadhand-identity' })
  return { adapter: identityStorage(sql), close: () => sql.end({ timeout: 1 }) }
}

/** Makes an organization with its settings, the two pipelines and the discard reasons that every one starts with. */
export const createOrganization = async (db: Database, name: string): Promise<Organization> => {
  const id = uuidv7()
  const base =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'organization'
  return inTx(systemCtx(db, id, 'setup'), async (ctx) => {
    const { tx } = ctx
    // Two of one name at a time would both find its slug free.
    sendStatement(ctx, tx`select pg_advisory_xact_lock(hashtextextended(${`slug ${base}`}, 0))`)
    const [taken] = await tx`select 1 from identity.organizations where slug = ${base}`
    const slug = taken ? `${base}-${id.slice(-6)}` : base
    await tx`insert into identity.organizations ${tx({ id, name, slug })}`
    await tx`insert into settings (organization_id, business_hours) values (${id}, ${tx.json(OFFICE_HOURS)})`
    await createFirstPipelines(ctx)
    await createDefaultReasons(ctx)
    return { id, name, slug }
  })
}

/** An organization by its name, as `BOOTSTRAP_ORGANIZATION` names it. */
export const findOrganization = async (db: Database, name: string): Promise<Organization | undefined> => {
  const [row] = await db.sql<Organization[]>`
    select id, name, slug from identity.organizations where name = ${name} order by created_at limit 1`
  return row
}

/** Whether anybody has set this database up yet. */
export const hasOrganizations = async (db: Database): Promise<boolean> => {
  const rows = await db.sql`select 1 from identity.organizations limit 1`
  return rows.length > 0
}

/** A person with a password and a role; one who exists already gets the membership only. Idempotent. */
export const addMember = async (
  db: Database,
  input: { organization_id: string; name: string; email: string; password?: string | undefined; role: Role },
): Promise<Member> => {
  const email = input.email.trim().toLowerCase()
  const hash = input.password ? await hashPassword(input.password) : undefined
  return db.sql.begin(async (tx) => {
    await tx`
      insert into identity.users ${tx({ id: uuidv7(), name: input.name, email, email_verified: true })}
      on conflict (email) do nothing`
    const [user] = await tx<{ id: string; name: string }[]>`
      select id, name from identity.users where email = ${email}`
    if (!user) throw notFound('user', email)
    if (hash) {
      await tx`
        insert into identity.credentials (id, user_id, account_id, provider_id, password)
        select ${uuidv7()}, ${user.id}, ${user.id}, 'credential', ${hash}
        where not exists (
          select 1 from identity.credentials where user_id = ${user.id} and provider_id = 'credential')`
    }
    await tx`
      insert into identity.members ${tx({ id: uuidv7(), organization_id: input.organization_id, user_id: user.id, role: input.role })}
      on conflict (organization_id, user_id) do nothing`
    const [member] = await tx<Member[]>`
      select id, user_id, role from identity.members
      where organization_id = ${input.organization_id} and user_id = ${user.id}`
    if (!member) throw notFound('member', email)
    return { ...member, name: user.name, email }
  })
}

/** Everybody with a login in the organization. */
export const listMembers = (ctx: Ctx): Promise<Member[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<Member[]>`
      select m.id, m.user_id, u.name, u.email, m.role from identity.members m
      join identity.users u on u.id = m.user_id
      where m.organization_id = ${organization_id} order by u.name, m.id`
    return [...rows]
  })

/**
 * Refuses an owner who is nobody here.
 * @throws {DomainError} `owner_unknown`
 */
export const requireMember = (ctx: Ctx, user_id: string): Promise<void> => requireMembers(ctx, [user_id])

/** The same for many. @throws {DomainError} `owner_unknown` when one of them is no member */
export const requireMembers = once((ctx: Ctx, user_ids: readonly string[]): Promise<void> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const wanted = [...new Set(user_ids)]
    if (wanted.length === 0) return
    const rows = await tx`
        select 1 from identity.members where organization_id = ${organization_id} and user_id = any(${wanted}::uuid[])`
    if (rows.length < wanted.length)
      throw invalid('owner_unknown', '/owner_id', 'An owner is a member of this organization.')
  }),
)

/** The organizations that a signed-in person belongs to, with the role in each. */
export const membershipsOf = async (
  db: Database,
  user_id: string,
): Promise<{ organization: Organization; role: Role }[]> => {
  const rows = await db.sql<{ id: string; name: string; slug: string; role: Role }[]>`
    select o.id, o.name, o.slug, m.role from identity.members m
    join identity.organizations o on o.id = m.organization_id
    where m.user_id = ${user_id} order by m.created_at, o.id`
  return rows.map(({ role, ...organization }) => ({ organization, role }))
}

/** The first owner of an organization: who API keys made at boot act for. */
export const ownerOf = async (db: Database, organization_id: string): Promise<Member | undefined> => {
  const [row] = await db.sql<Member[]>`
    select m.id, m.user_id, u.name, u.email, m.role from identity.members m
    join identity.users u on u.id = m.user_id
    where m.organization_id = ${organization_id} and m.role = 'owner' order by m.created_at, m.id limit 1`
  return row
}

export type ApiKey = {
  id: string
  name: string
  prefix: string
  scopes: string[]
  rate_limit_per_minute: number
  created_at: Date
  last_used_at: Date | null
  expires_at: Date | null
  revoked_at: Date | null
}

/** What a presented key stands for: its scopes, and the member it acts for with that member's role. */
export type KeyPrincipal = {
  organization_id: string
  id: string
  name: string
  scopes: string[]
  rate_limit_per_minute: number
  user_id: string
  role: Role
}

/** Makes a key; its text is answered once and never stored. `text` is given only at boot (`BOOTSTRAP_API_KEY`). */
export const createApiKey = (
  ctx: Ctx,
  input: {
    name: string
    scopes: string[]
    user_id: string
    expires_at?: string | undefined
    rate_limit_per_minute?: number | undefined
    text?: string
  },
): Promise<ApiKey & { key: string }> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const key = input.text ?? newToken('lh')
    const [row] = await tx<ApiKey[]>`
      insert into identity.api_keys ${tx({
        organization_id,
        id: uuidv7(),
        name: input.name,
        prefix: key.slice(0, 8),
        hash: hashToken(key),
        scopes: input.scopes,
        user_id: input.user_id,
        expires_at: input.expires_at ?? null,
        ...(input.rate_limit_per_minute ? { rate_limit_per_minute: input.rate_limit_per_minute } : {}),
      })}
      on conflict (hash) do update set scopes = excluded.scopes
      returning id, name, prefix, scopes, rate_limit_per_minute, created_at, last_used_at, expires_at, revoked_at`
    if (!row) throw notFound('api_key')
    return { ...row, key }
  })

/** The organization's keys, newest first, without their texts. */
export const listApiKeys = (ctx: Ctx): Promise<ApiKey[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<ApiKey[]>`
      select id, name, prefix, scopes, rate_limit_per_minute, created_at, last_used_at, expires_at, revoked_at
      from identity.api_keys where organization_id = ${organization_id} order by id desc`
    return [...rows]
  })

/** Ends a key at once. */
export const revokeApiKey = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx`
      update identity.api_keys set revoked_at = coalesce(revoked_at, now())
      where organization_id = ${organization_id} and id = ${id} returning id`
    if (rows.length === 0) throw notFound('api_key', id)
  })

/** Who presents this key; nothing when it is unknown, revoked, expired, or its member has left. */
export const resolveApiKey = async (db: Database, key: string): Promise<KeyPrincipal | undefined> => {
  const [row] = await db.sql<KeyPrincipal[]>`
    select k.organization_id, k.id, k.name, k.scopes, a.rate_limit_per_minute, k.user_id, m.role
    from finder.resolve_api_key(${hashToken(key)}) k
    join identity.api_keys a on a.organization_id = k.organization_id and a.id = k.id
    join identity.members m on m.organization_id = k.organization_id and m.user_id = k.user_id`
  return row
}

/** Notes when a key was last used, at most once a minute. */
export const touchApiKey = async (db: Database, principal: KeyPrincipal): Promise<void> => {
  await db.sql`
    update identity.api_keys set last_used_at = now()
    where organization_id = ${principal.organization_id} and id = ${principal.id}
      and (last_used_at is null or last_used_at < now() - interval '1 minute')`
}

/** What a token in a link or a door's address opens. */
export const resolveToken = async (
  db: Database,
  kind: 'intake' | 'unsubscribe',
  token: string,
): Promise<{ organization_id: string; principal: string } | undefined> => {
  const [row] = await db.sql<{ organization_id: string; principal: string }[]>`
    select organization_id, principal from finder.resolve_token(${kind}, ${hashToken(token)})`
  return row
}

/** Gives a person a new password and ends their sessions. */
export const setPassword = async (db: Database, email: string, password: string): Promise<void> => {
  const hash = await hashPassword(password)
  await db.sql.begin(async (tx) => {
    const rows = await tx`
      update identity.credentials c set password = ${hash}, updated_at = now() from identity.users u
      where u.id = c.user_id and c.provider_id = 'credential' and u.email = ${email.toLowerCase()} returning u.id`
    if (rows.length === 0) throw notFound('user', email)
    await tx`delete from identity.sessions s using identity.users u where u.id = s.user_id and u.email = ${email.toLowerCase()}`
  })
}

/** Every organization of this installation, for jobs of the system. */
export const listOrganizations = async (db: Database): Promise<Organization[]> => {
  const rows = await db.sql<
    Organization[]
  >`select id, name, slug from identity.organizations order by created_at, id`
  return [...rows]
}
