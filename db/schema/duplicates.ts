import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, tenant } from './columns.ts'
import { opportunities } from './record.ts'

/** What leads that resemble each other have in common, as hashes: where near matches are looked for. */
export const lead_hints = pgTable(
  'lead_hints',
  {
    organization_id: uuid().notNull(),
    hint: bigint({ mode: 'bigint' }).notNull(),
    opportunity_id: uuid().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.hint, t.opportunity_id] }),
    index('lead_hints_lead').on(t.organization_id, t.opportunity_id),
  ],
)

/** Two leads that are, or may be, one; the older one first. */
export const duplicate_pairs = pgTable(
  'duplicate_pairs',
  {
    organization_id: uuid().notNull(),
    lead_id: uuid().notNull(),
    other_id: uuid().notNull(),
    /** They share a key; otherwise they are near. */
    exact: boolean().notNull(),
    /** `[{kind, value}]`: the keys that they share. */
    shared_keys: jsonb().notNull().default([]),
    /** 0 to 100: how alike they are. */
    points: integer().notNull(),
    /** `[{factor, points, reason}]` */
    reasons: jsonb().notNull().default([]),
    /** Both are open and in use; a trigger follows their stages and archiving. */
    standing: boolean().notNull().default(true),
    /** Somebody said that they are not the same. */
    dismissed_at: at('dismissed_at'),
    dismissed_by: jsonb(),
    found_at: at('found_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.lead_id, t.other_id] }),
    index('duplicate_pairs_other').on(t.organization_id, t.other_id, t.lead_id),
    index('duplicate_pairs_exact')
      .on(t.organization_id, t.lead_id, t.other_id)
      .where(sql`exact and standing and dismissed_at is null`),
    index('duplicate_pairs_near')
      .on(t.organization_id, t.points, t.lead_id, t.other_id)
      .where(sql`not exact and standing and dismissed_at is null`),
    foreignKey({
      name: 'duplicate_pairs_lead',
      columns: [t.organization_id, t.lead_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'duplicate_pairs_other_lead',
      columns: [t.organization_id, t.other_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    check('duplicate_pairs_order', sql`lead_id < other_id`),
    check('duplicate_pairs_points', sql`points between 0 and 100`),
  ],
)

/** Every merge, with what takes it back. */
export const lead_merges = pgTable(
  'lead_merges',
  {
    ...tenant,
    primary_id: uuid().notNull(),
    duplicate_id: uuid().notNull(),
    /** Both leads as they were, and every row that was moved. */
    pre_image: jsonb().notNull(),
    merged_at: at('merged_at').notNull().defaultNow(),
    merged_by: jsonb().notNull(),
    unmerged_at: at('unmerged_at'),
    unmerged_by: jsonb(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('lead_merges_primary').on(t.organization_id, t.primary_id, t.id),
    uniqueIndex('lead_merges_one_standing')
      .on(t.organization_id, t.duplicate_id)
      .where(sql`unmerged_at is null`),
    foreignKey({
      name: 'lead_merges_primary_lead',
      columns: [t.organization_id, t.primary_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'lead_merges_duplicate_lead',
      columns: [t.organization_id, t.duplicate_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)
