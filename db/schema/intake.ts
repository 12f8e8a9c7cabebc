import {
  boolean,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm'
import { at } from './columns.ts'

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

/** A door that outside systems post leads to. */
export const intake_sources = pgTable(
  'intake_sources',
  {
    organization_id: uuid().notNull(),
    id: uuid().notNull(),
    name: text().notNull(),
    kind: text().notNull().default('webhook'),
    token_prefix: text().notNull(),
    token_hash: text().notNull(),
    signature_required: boolean().notNull().default(false),
    /** Encrypted under APP_SECRET. */
    signing_secret: text(),
    /** The one before the last rotation, accepted until `previous_secret_until`. */
    previous_secret: text(),
    previous_secret_until: at('previous_secret_until'),
    /** field → path in the payload; null is the default mapping. */
    mapping: jsonb(),
    /** field → value where the payload has none. */
    defaults: jsonb().notNull().default({}),
    pipeline_id: uuid(),
    /** Whether a lead that comes in here wakes `lead_worker`. */
    wake_agent: boolean().notNull().default(true),
    rate_limit_per_minute: integer().notNull().default(600_000),
    /** The websites whose pages may send touches, as `https://example.com`; none named: any. */
    origins: text().array().notNull().default([]),
    archived_at: at('archived_at'),
    created_at: at('created_at').notNull().defaultNow(),
    updated_at: at('updated_at').notNull().defaultNow(),
    version: integer().notNull().default(1),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.id] })],
)

/** A raw lead as it came in, stored before anything else happens. */
export const submissions = pgTable(
  'submissions',
  {
    organization_id: uuid().notNull(),
    id: uuid().notNull(),
    source_id: uuid(),
    door: text().notNull(),
    /** `webhook-id` or `Idempotency-Key` of the sender. */
    delivery_id: text(),
    content_type: text(),
    /** The body, byte for byte. */
    raw: bytea().notNull(),
    payload: jsonb().notNull(),
    status: text().notNull(),
    /** `{code, message, errors[]}` when it needs attention or was rejected. */
    problem: jsonb(),
    lead_id: uuid(),
    received_at: at('received_at').notNull().defaultNow(),
    processed_at: at('processed_at'),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('submissions_delivery')
      .on(t.organization_id, t.source_id, t.delivery_id)
      .where(sql`delivery_id is not null`),
    index('submissions_status').on(t.organization_id, t.status, t.id),
    index('submissions_lead')
      .on(t.organization_id, t.lead_id, t.id)
      .where(sql`lead_id is not null`),
    foreignKey({
      name: 'submissions_source',
      columns: [t.organization_id, t.source_id],
      foreignColumns: [intake_sources.organization_id, intake_sources.id],
    }),
  ],
)
