import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
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

/** One act on many records. */
export const bulk_jobs = pgTable(
  'bulk_jobs',
  {
    ...tenant,
    record_kind: text().notNull(),
    act: text().notNull(),
    input: jsonb().notNull(),
    /** What was asked for: `{ids}` or `{filter, q}`. */
    selection: jsonb().notNull(),
    dry_run: boolean().notNull(),
    status: text().notNull().default('queued'),
    total: integer().notNull().default(0),
    done: integer().notNull().default(0),
    /** `{changed, unchanged, skipped, failed}` */
    counts: jsonb().notNull().default({}),
    /** The job that this one takes back. */
    undo_of: uuid(),
    /** The one that took this one back. */
    undone_by: uuid(),
    error: text(),
    requested_by: jsonb().notNull(),
    on_behalf_of: jsonb(),
    cancel_requested_at: at('cancel_requested_at'),
    lease_until: at('lease_until'),
    fence: integer().notNull().default(0),
    started_at: at('started_at'),
    finished_at: at('finished_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('bulk_jobs_status').on(t.organization_id, t.status, t.id),
    index('bulk_jobs_due')
      .on(t.lease_until)
      .where(sql`status in ('queued', 'running')`),
    check('bulk_jobs_status', sql`status in ('queued', 'running', 'done', 'failed', 'cancelled', 'undone')`),
  ],
)

/** What one of the records of a bulk act came to. */
export const bulk_rows = pgTable(
  'bulk_rows',
  {
    organization_id: uuid().notNull(),
    bulk_id: uuid().notNull(),
    n: integer().notNull(),
    record_id: uuid().notNull(),
    /** `waiting`, `changed`, `unchanged`, `skipped` or `failed`. */
    result: text().notNull().default('waiting'),
    /** `{code, message}` */
    problem: jsonb(),
    changes: jsonb(),
    activity_ids: uuid().array().notNull().default([]),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.bulk_id, t.n] }),
    foreignKey({
      name: 'bulk_rows_job',
      columns: [t.organization_id, t.bulk_id],
      foreignColumns: [bulk_jobs.organization_id, bulk_jobs.id],
    }).onDelete('cascade'),
  ],
)
