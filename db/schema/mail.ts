import { sql } from 'drizzle-orm'
import {
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at } from './columns.ts'

/** The outbox: what reaches somebody outside, written before it is sent. */
export const messages = pgTable(
  'messages',
  {
    organization_id: uuid().notNull(),
    id: uuid().notNull(),
    channel: text().notNull().default('email'),
    status: text().notNull().default('queued'),
    message_id: text().notNull(),
    sender: text().notNull(),
    recipient: text().notNull(),
    subject: text().notNull(),
    body: text().notNull(),
    headers: jsonb().notNull().default({}),
    approval_id: uuid(),
    run_id: uuid(),
    record_kind: text().notNull(),
    record_id: uuid().notNull(),
    attempts: integer().notNull().default(0),
    next_attempt_at: at('next_attempt_at').notNull().defaultNow(),
    /** Written before the provider is called; a sending without a result by `lease_until` has an unknown outcome. */
    intent_at: at('intent_at'),
    lease_until: at('lease_until'),
    fence: integer().notNull().default(0),
    provider_response: text(),
    error: text(),
    sent_at: at('sent_at'),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('messages_approval').on(t.organization_id, t.approval_id),
    index('messages_status').on(t.organization_id, t.status, t.id),
    index('messages_record').on(t.organization_id, t.record_kind, t.record_id, t.id),
    index('messages_due')
      .on(t.next_attempt_at)
      .where(sql`status in ('queued', 'sending')`),
    check(
      'messages_status',
      sql`status in ('queued', 'sending', 'sent', 'captured', 'failed', 'outcome_unknown', 'cancelled')`,
    ),
  ],
)

/** Addresses that asked not to be written to. */
export const opt_outs = pgTable(
  'opt_outs',
  {
    organization_id: uuid().notNull(),
    email: text().notNull(),
    reason: text().notNull(),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.email] })],
)

/** Answers to writes that carried an `Idempotency-Key`. */
export const idempotency_keys = pgTable(
  'idempotency_keys',
  {
    organization_id: uuid().notNull(),
    principal: text().notNull(),
    key: text().notNull(),
    request_hash: text().notNull(),
    status: integer(),
    response: text(),
    content_type: text(),
    created_at: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.principal, t.key] }),
    index('idempotency_keys_age').on(t.created_at),
  ],
)
