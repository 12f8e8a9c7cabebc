import {
  bigint,
  boolean,
  index,
  integer,
  pgSchema,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at } from './columns.ts'

/**
 * Who may come in: people, sessions, organizations and hashes of keys and tokens.
 * Exempt from row-level security, because it is read before the organization is known.
 */
export const identity = pgSchema('identity')

export const users = identity.table('users', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  email: text().notNull().unique(),
  email_verified: boolean().notNull().default(false),
  image: text(),
  created_at: at('created_at').notNull().defaultNow(),
  updated_at: at('updated_at').notNull().defaultNow(),
})

export const sessions = identity.table(
  'sessions',
  {
    id: uuid().primaryKey(),
    user_id: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    token: text().notNull().unique(),
    expires_at: at('expires_at').notNull(),
    ip_address: text(),
    user_agent: text(),
    active_organization_id: uuid(),
    created_at: at('created_at').notNull().defaultNow(),
    updated_at: at('updated_at').notNull().defaultNow(),
  },
  (t) => [index('sessions_user').on(t.user_id)],
)

/** A way to sign in: a password hash, later an external provider. */
export const credentials = identity.table(
  'credentials',
  {
    id: uuid().primaryKey(),
    user_id: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    account_id: text().notNull(),
    provider_id: text().notNull(),
    access_token: text(),
    refresh_token: text(),
    access_token_expires_at: at('access_token_expires_at'),
    refresh_token_expires_at: at('refresh_token_expires_at'),
    scope: text(),
    id_token: text(),
    password: text(),
    created_at: at('created_at').notNull().defaultNow(),
    updated_at: at('updated_at').notNull().defaultNow(),
  },
  (t) => [index('credentials_user').on(t.user_id)],
)

export const verifications = identity.table(
  'verifications',
  {
    id: uuid().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expires_at: at('expires_at').notNull(),
    created_at: at('created_at').notNull().defaultNow(),
    updated_at: at('updated_at').notNull().defaultNow(),
  },
  (t) => [index('verifications_identifier').on(t.identifier)],
)

/** Sign-in attempts per address, so that guessing passwords is slow on every API process. */
export const rate_limits = identity.table('rate_limits', {
  id: uuid().primaryKey(),
  key: text().notNull().unique(),
  count: integer().notNull(),
  /** Milliseconds since the epoch. */
  last_request: bigint({ mode: 'number' }).notNull(),
})

export const organizations = identity.table('organizations', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  slug: text().notNull().unique(),
  logo: text(),
  metadata: text(),
  created_at: at('created_at').notNull().defaultNow(),
})

export const members = identity.table(
  'members',
  {
    id: uuid().primaryKey(),
    organization_id: uuid()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    user_id: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    role: text().notNull(),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('members_organization_user').on(t.organization_id, t.user_id),
    index('members_user').on(t.user_id),
  ],
)

export const invitations = identity.table(
  'invitations',
  {
    id: uuid().primaryKey(),
    organization_id: uuid()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    email: text().notNull(),
    role: text(),
    status: text().notNull(),
    expires_at: at('expires_at').notNull(),
    inviter_id: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [index('invitations_organization').on(t.organization_id)],
)

/** A key of an integration: only its SHA-256 is kept. */
export const api_keys = identity.table(
  'api_keys',
  {
    organization_id: uuid()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    id: uuid().notNull(),
    name: text().notNull(),
    prefix: text().notNull(),
    hash: text().notNull().unique(),
    scopes: text().array().notNull(),
    /** The member the key acts for: it can never do more than that member's role. */
    user_id: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    rate_limit_per_minute: integer().notNull().default(600_000),
    expires_at: at('expires_at'),
    last_used_at: at('last_used_at'),
    revoked_at: at('revoked_at'),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.id] })],
)

/** Hash of a link or door token → the organization and the thing it opens. */
export const tokens = identity.table(
  'tokens',
  {
    hash: text().primaryKey(),
    /** `intake` opens an intake source, `unsubscribe` an e-mail address' opt-out. */
    kind: text().notNull(),
    organization_id: uuid()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    principal: text().notNull(),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [index('tokens_principal').on(t.organization_id, t.kind, t.principal)],
)
