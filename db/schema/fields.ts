import { sql } from 'drizzle-orm'
import {
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
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, stamps, tenant } from './columns.ts'

/** A field that an organization added to a kind of record. */
export const fields = pgTable(
  'fields',
  {
    ...tenant,
    record_kind: text().notNull(),
    /** Never changes: `custom.<key>` in filters, imports and tools. */
    key: text().notNull(),
    label: text().notNull(),
    description: text(),
    type: text().notNull(),
    /** `[{value, label}]` of a select; `value` never changes. */
    options: jsonb().notNull().default([]),
    position: text().notNull(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('fields_key').on(t.organization_id, t.record_kind, t.key),
    check('fields_record_kind', sql`record_kind in ('lead', 'deal', 'account', 'contact')`),
    check(
      'fields_type',
      sql`type in ('short_text', 'long_text', 'integer', 'decimal', 'date', 'select', 'multi_select')`,
    ),
  ],
)

/** One value of a custom field on a record, in the column of its type; a multi-select has a row per choice. */
export const custom_values = pgTable(
  'custom_values',
  {
    organization_id: uuid().notNull(),
    record_id: uuid().notNull(),
    field_id: uuid().notNull(),
    n: integer().notNull().default(0),
    /** Short texts and choices. */
    text_value: text(),
    /** Long texts, which no index takes. */
    long_value: text(),
    number_value: doublePrecision(),
    date_value: date({ mode: 'string' }),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.record_id, t.field_id, t.n] }),
    index('custom_values_text')
      .on(t.organization_id, t.field_id, t.text_value, t.record_id)
      .where(sql`text_value is not null`),
    index('custom_values_number')
      .on(t.organization_id, t.field_id, t.number_value, t.record_id)
      .where(sql`number_value is not null`),
    index('custom_values_date')
      .on(t.organization_id, t.field_id, t.date_value, t.record_id)
      .where(sql`date_value is not null`),
    foreignKey({
      name: 'custom_values_field',
      columns: [t.organization_id, t.field_id],
      foreignColumns: [fields.organization_id, fields.id],
    }),
  ],
)

/** A list as somebody likes to see it. */
export const views = pgTable(
  'views',
  {
    ...tenant,
    name: text().notNull(),
    record_kind: text().notNull(),
    /** Null: everything. */
    filter: jsonb(),
    sort: text(),
    columns: jsonb().notNull().default([]),
    /** `kanban`, `list` or `grid`. */
    layout: text(),
    pipeline_id: uuid(),
    shared: boolean().notNull().default(false),
    owner_id: uuid().notNull(),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('views_kind').on(t.organization_id, t.record_kind, t.name, t.id),
  ],
)

/** What a user set for their own screens, such as `view:<pipeline_id>`. */
export const preferences = pgTable(
  'preferences',
  {
    organization_id: uuid().notNull(),
    user_id: uuid().notNull(),
    key: text().notNull(),
    value: jsonb().notNull(),
    updated_at: at('updated_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.user_id, t.key] })],
)
