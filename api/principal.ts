import { hashToken } from '../db/keys.ts'
import type { Editor } from '../db/authorship.ts'
import type { Database } from '../db/client.ts'
import type { Actor } from '../db/context.ts'
import { membershipsOf, resolveApiKey, touchApiKey, type Role } from '../db/identity.ts'
import { log } from '../log.ts'
import { explained, trustedOrigins, type Auth } from './auth.ts'
import { permissionsOf, permissionsOfKey, type Permission } from './permissions.ts'
import { Problem } from './problem.ts'

/** Who asks, for which organization, and what they may do there. */
export type Principal = {
  actor: Actor
  /** The person, or the member that a key acts for. */
  user_id: string
  organization_id: string
  role: Role
  permissions: readonly Permission[]
  /** How often a key may ask; absent for people. */
  rate_limit_per_minute?: number
  /** Session cookies that were prolonged and have to be handed on. */
  renewed: string[]
}

/** Finds out who asks. */
export type Authenticate = {
  (request: Request): Promise<Principal>
  /** Forgets what was found out: a session ended, a key was revoked. */
  forget(): void
}

/** How long an answer about a credential is kept: so long may a revoked one still work in another process. */
const CACHE = { ttl_ms: 1_000, max_entries: 10_000 }

/** Recognises API keys (`Authorization: Bearer …`) and session cookies. */
export const createAuthenticate = (parts: { db: Database; auth: Auth; app_url: string }): Authenticate => {
  const known = new Map<string, { principal: Principal; until: number }>()
  const remember = (credential: string, principal: Principal): Principal => {
    if (known.size >= CACHE.max_entries) known.clear()
    known.set(credential, { principal: { ...principal, renewed: [] }, until: Date.now() + CACHE.ttl_ms })
    return principal
  }

  const authenticate = async (request: Request): Promise<Principal> => {
    const authorization = request.headers.get('authorization')
    const cookie = request.headers.get('cookie')
    if (!authorization && !cookie)
      throw unauthenticated('Sign in, or send an API key as “Authorization: Bearer …”.')
    if (!authorization) refuseForeignPage(request, parts.app_url)
    const credential = hashToken(authorization ?? `cookie ${cookie}`)
    const cached = known.get(credential)
    if (cached && cached.until > Date.now()) return cached.principal
    known.delete(credential)
    return remember(
      credential,
      authorization
        ? await keyPrincipal(parts.db, authorization)
        : await sessionPrincipal(parts, request.headers),
    )
  }
  return Object.assign(authenticate, { forget: () => known.clear() })
}

/** Whom a principal edits what people wrote as. */
export const editorOf = ({ user_id, role }: Principal): Editor => ({
  user_id,
  oversees: role === 'owner' || role === 'admin' || role === 'manager',
})

/** @throws {Problem} 403 `permission_missing`, naming what is missing */
export const requirePermission = (principal: Principal, permission: Permission): void => {
  if (principal.permissions.includes(permission)) return
  const who = principal.actor.kind === 'api_key' ? 'This API key' : `Your role (${principal.role})`
  throw new Problem(403, 'permission_missing', `${who} does not include “${permission}”.`, {
    extra: { permission },
  })
}

/** @throws {Problem} 403 `api_key_required` */
export const requireKey = (principal: Principal): void => {
  if (principal.actor.kind === 'api_key') return
  throw new Problem(
    403,
    'api_key_required',
    'This address is for programs: send an API key as “Authorization: Bearer …”. Keys are made under Settings.',
  )
}

const keyPrincipal = async (db: Database, authorization: string): Promise<Principal> => {
  const key = /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
  const found = key ? await resolveApiKey(db, key) : undefined
  if (!found) throw unauthenticated('This API key is unknown, expired or revoked.')
  void touchApiKey(db, found).catch((error: unknown) =>
    log.warn({ err: error }, 'the use of an API key was not noted'),
  )
  return {
    actor: { kind: 'api_key', id: found.id, name: found.name },
    user_id: found.user_id,
    organization_id: found.organization_id,
    role: found.role,
    permissions: permissionsOfKey(found.role, found.scopes),
    rate_limit_per_minute: found.rate_limit_per_minute,
    renewed: [],
  }
}

const sessionPrincipal = async (
  { auth, db }: { auth: Auth; db: Database },
  headers: Headers,
): Promise<Principal> => {
  const session = await explained(db, () => auth.session(headers))
  if (!session) throw unauthenticated('Sign in first.')
  const memberships = await membershipsOf(db, session.user.id)
  const active =
    memberships.find(({ organization }) => organization.id === session.active_organization_id) ??
    memberships[0]
  if (!active)
    throw new Problem(403, 'no_organization', 'You are signed in, but belong to no organization any more.')
  return {
    actor: { kind: 'user', id: session.user.id, name: session.user.name },
    user_id: session.user.id,
    organization_id: active.organization.id,
    role: active.role,
    permissions: permissionsOf(active.role),
    renewed: session.renewed,
  }
}

/**
 * A page of another site can make a browser send the cookie, but not hide where it stands.
 * @throws {Problem} 403 `foreign_origin`
 */
export const refuseForeignPage = (request: Request, app_url: string): void => {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const origin = request.headers.get('origin')
  const foreign =
    origin === null
      ? request.headers.get('sec-fetch-site') === 'cross-site'
      : !trustedOrigins(request, app_url).has(origin)
  if (foreign) {
    throw new Problem(
      403,
      'foreign_origin',
      'This request came from a page of another site, so the session cookie does not count.',
    )
  }
}

const unauthenticated = (detail: string): Problem =>
  new Problem(401, 'unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer realm="leadhand"' } })
