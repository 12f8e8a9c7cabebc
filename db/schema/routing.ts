import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, stamps, tenant } from './columns.ts'

/** Which leads go to whom: tried in the order of `priority`, then of the id; the first one that fits decides. */
export const routing_rules = pgTable(
  'routing_rules',
  {
    ...tenant,
    name: text().notNull(),
    priority: integer().notNull(),
    active: boolean().notNull().default(true),
    /** What a lead must be like; nothing fits everybody. */
    conditions: jsonb().notNull(),
    /** A member, a pool, or one of them by the lead's sector. */
    target: jsonb().notNull(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('routing_rules_order')
      .on(t.organization_id, t.priority, t.id)
      .where(sql`archived_at is null`),
  ],
)

/** Members who take leads by turns. */
export const routing_pools = pgTable(
  'routing_pools',
  {
    ...tenant,
    name: text().notNull(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.id] })],
)

/** Who is in a pool. The turns are derived: they never raise the pool's version. */
export const routing_pool_members = pgTable(
  'routing_pool_members',
  {
    organization_id: uuid().notNull(),
    pool_id: uuid().notNull(),
    user_id: uuid().notNull(),
    /** In which order those who are equal come. */
    position: integer().notNull(),
    weight: integer().notNull().default(1),
    /** Turns taken or let pass, each divided by the weight: whoever has the least is next. */
    pass: doublePrecision().notNull().default(0),
    /** Leads that the pool gave to this member. */
    taken: bigint({ mode: 'number' }).notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.pool_id, t.user_id] }),
    foreignKey({
      name: 'routing_pool_members_pool',
      columns: [t.organization_id, t.pool_id],
      foreignColumns: [routing_pools.organization_id, routing_pools.id],
    }).onDelete('cascade'),
    check('routing_pool_members_weight', sql`weight between 1 and 100`),
  ],
)

/** What becomes of a lead that no rule takes. An organization without a row leaves it to nobody. */
export const routing_settings = pgTable('routing_settings', {
  organization_id: uuid().primaryKey(),
  /** A member, a pool, or nobody. */
  fallback: jsonb().notNull(),
  updated_at: at('updated_at').notNull().defaultNow(),
  version: integer().notNull().default(1),
})

/** How much a member can take on. Without a row there is no limit. */
export const member_availability = pgTable(
  'member_availability',
  {
    organization_id: uuid().notNull(),
    user_id: uuid().notNull(),
    /** Open leads that the member owns; null is no limit. */
    max_open_leads: integer(),
    updated_at: at('updated_at').notNull().defaultNow(),
    version: integer().notNull().default(1),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.user_id] }),
    check('member_availability_max_open_leads', sql`max_open_leads >= 0`),
  ],
)

/** Days on which a member is away, both included, where the organization is. */
export const time_off = pgTable(
  'time_off',
  {
    ...tenant,
    user_id: uuid().notNull(),
    from_on: date({ mode: 'string' }).notNull(),
    until_on: date({ mode: 'string' }).notNull(),
    note: text(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('time_off_member')
      .on(t.organization_id, t.user_id, t.until_on)
      .where(sql`archived_at is null`),
    check('time_off_days', sql`from_on <= until_on`),
  ],
)
