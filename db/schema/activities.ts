import {
  bigint,
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

/** What happened, by whom and why. `seq` and `hash` are given by the sequencer after the commit. */
export const activities = pgTable(
  'activities',
  {
    organization_id: uuid().notNull(),
    id: uuid().notNull(),
    type: text().notNull(),
    occurred_at: at('occurred_at').notNull(),
    /** When it was written down, where somebody said when it occurred; null: then. */
    recorded_at: at('recorded_at'),
    actor_kind: text().notNull(),
    actor_id: text().notNull(),
    actor_name: text().notNull(),
    actor_version: text(),
    on_behalf_of: jsonb(),
    reason: text(),
    run_id: uuid(),
    approval_id: uuid(),
    /** `[{kind, id}]`, the first one is what it is mainly about. */
    subjects: jsonb().notNull(),
    /** The record's version after the change, where it has one. */
    record_version: integer(),
    data: jsonb().notNull(),
    /** Random, so that a hash that stays behind after an erasure says nothing. */
    salt: text(),
    payload_hash: text().notNull(),
    seq: bigint({ mode: 'number' }),
    key_id: text(),
    hash: text(),
    undone_by: uuid(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('activities_seq').on(t.organization_id, t.seq),
    index('activities_unsealed')
      .on(t.organization_id, t.id)
      .where(sql`seq is null`),
    index('activities_type').on(t.organization_id, t.type, t.id),
    index('activities_run')
      .on(t.organization_id, t.run_id)
      .where(sql`run_id is not null`),
  ],
)

export const activity_subjects = pgTable(
  'activity_subjects',
  {
    organization_id: uuid().notNull(),
    kind: text().notNull(),
    subject_id: uuid().notNull(),
    activity_id: uuid().notNull(),
    /** As the activity says them, so that a timeline is narrowed down without reading what it leaves out. */
    type: text().notNull(),
    actor_kind: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.kind, t.subject_id, t.activity_id] }),
    foreignKey({
      name: 'activity_subjects_activity',
      columns: [t.organization_id, t.activity_id],
      foreignColumns: [activities.organization_id, activities.id],
    }),
  ],
)

/** What a person made of their own entry later: the newest one is shown, the sealed line below it never changes. */
export const activity_revisions = pgTable(
  'activity_revisions',
  {
    organization_id: uuid().notNull(),
    activity_id: uuid().notNull(),
    n: integer().notNull(),
    editor: jsonb().notNull(),
    edited_at: at('edited_at').notNull().defaultNow(),
    /** The entry as it reads now; null is a tombstone. */
    data: jsonb(),
    subjects: jsonb(),
    occurred_at: at('occurred_at'),
    reason: text(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.activity_id, t.n] }),
    index('activity_revisions_occurred').on(t.organization_id, t.occurred_at),
    foreignKey({
      name: 'activity_revisions_activity',
      columns: [t.organization_id, t.activity_id],
      foreignColumns: [activities.organization_id, activities.id],
    }),
  ],
)

/** The last sealed link of each organization's chain. */
export const audit_heads = pgTable('audit_heads', {
  organization_id: uuid().primaryKey(),
  seq: bigint({ mode: 'number' }).notNull(),
  hash: text().notNull(),
  sealed_at: at('sealed_at').notNull().defaultNow(),
})
