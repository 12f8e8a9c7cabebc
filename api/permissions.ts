import type { Role } from '../db/identity.ts'

/** What a member or a key may be allowed: `<noun>:<act>`. Scopes of API keys carry the same names. */
export const permissions = [
  'leads:read',
  'leads:write',
  'accounts:read',
  'accounts:write',
  'contacts:read',
  'contacts:write',
  'pipelines:read',
  'pipelines:write',
  'campaigns:read',
  'campaigns:write',
  'approvals:read',
  'approvals:decide',
  'runs:read',
  'runs:write',
  'agents:read',
  'agents:write',
  'settings:read',
  'settings:write',
  'members:read',
  'intake:read',
  'intake:write',
  'messages:read',
  'activities:read',
  'activities:write',
  'tasks:read',
  'tasks:write',
  'notes:read',
  'notes:write',
  'files:read',
  'files:write',
  'bulk:read',
  'bulk:write',
  'imports:read',
  'imports:write',
  'exports:write',
  'fields:read',
  'fields:write',
  'scores:read',
  'scores:write',
  'routing:read',
  'routing:write',
  'availability:write',
  'time_off:write',
  'keys:read',
  'keys:write',
] as const
export type Permission = (typeof permissions)[number]

/** The scope that stands for everything its member may do, also what is added later. */
export const EVERYTHING = '*'

const reads = permissions.filter((permission) => permission.endsWith(':read'))
const work: Permission[] = [
  'leads:write',
  'accounts:write',
  'contacts:write',
  'tasks:write',
  'notes:write',
  'files:write',
  'runs:write',
  'activities:write',
  'bulk:write',
  'imports:write',
  'exports:write',
  'approvals:decide',
]
/** What everybody may do about themselves. */
const own: Permission[] = ['time_off:write']
const organization: Permission[] = ['settings:write', 'agents:write', 'keys:write']

const granted: Record<Role, readonly Permission[]> = {
  owner: permissions,
  admin: permissions,
  manager: permissions.filter((permission) => !organization.includes(permission)),
  rep: [...reads, ...work, ...own],
  viewer: [...reads, ...own],
}

/** What a role may do. */
export const permissionsOf = (role: Role): readonly Permission[] => granted[role]

/** What a key may do: its scopes, and never more than the role of the member it acts for. */
export const permissionsOfKey = (role: Role, scopes: string[]): readonly Permission[] =>
  scopes.includes(EVERYTHING)
    ? granted[role]
    : granted[role].filter((permission) => scopes.includes(permission))
