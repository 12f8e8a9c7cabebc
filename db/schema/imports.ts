import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  customType,
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

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

/** A table that somebody brought, and what was made of it. */
export const imports = pgTable(
  'imports',
  {
    ...tenant,
    record_kind: text().notNull(),
    file_name: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
    sha256: text().notNull(),
    /** Hash of the names of its columns: what was mapped once is suggested for the next such file. */
    header_hash: text().notNull(),
    /** How it is written and what its columns seem to hold, as it was told at the upload. */
    survey: jsonb().notNull(),
    suggestions: jsonb().notNull(),
    /** What it was last asked: `{mapping, mode, defaults, dialect, …}`. */
    request: jsonb(),
    /** What the job does: `dry_run`, `run` or `undo`. */
    task: text(),
    status: text().notNull().default('uploaded'),
    done: integer().notNull().default(0),
    total: integer().notNull(),
    /** `{create, update, skip, error}` of the newest dry run, and of the run. */
    dry_run_counts: jsonb(),
    counts: jsonb(),
    /** `{restored, kept}` of the undo: how many records. */
    undo_counts: jsonb(),
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
    index('imports_header').on(t.organization_id, t.record_kind, t.header_hash, t.id),
    index('imports_due')
      .on(t.lease_until)
      .where(sql`status in ('queued', 'running')`),
    check('imports_record_kind', sql`record_kind in ('lead', 'deal', 'account', 'contact')`),
    check('imports_task', sql`task in ('dry_run', 'run', 'undo')`),
    check(
      'imports_status',
      sql`status in ('uploaded', 'queued', 'running', 'dry_run_done', 'done', 'failed', 'cancelled', 'undone')`,
    ),
  ],
)

/** The file of an import, piece by piece. */
export const import_chunks = pgTable(
  'import_chunks',
  {
    organization_id: uuid().notNull(),
    import_id: uuid().notNull(),
    n: integer().notNull(),
    bytes: bytea().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.import_id, t.n] }),
    foreignKey({
      name: 'import_chunks_import',
      columns: [t.organization_id, t.import_id],
      foreignColumns: [imports.organization_id, imports.id],
    }).onDelete('cascade'),
  ],
)

/** What one row of a file came to: of the run, or of the dry run before it. */
export const import_rows = pgTable(
  'import_rows',
  {
    organization_id: uuid().notNull(),
    import_id: uuid().notNull(),
    /** Among the rows that are not blank, from 1. */
    n: integer().notNull(),
    line: integer().notNull(),
    /** `create`, `update`, `skip` or `error`. */
    result: text().notNull(),
    record_id: uuid(),
    matched_by: text(),
    /** `[{column, code, message, accepted?, nearest?}]`, or why it was skipped. */
    problems: jsonb(),
    /** Of an update, each field before and after. */
    changes: jsonb(),
    /** `[{kind, id, version}]`: the record that was made, and what was made for it to be linked with. */
    made: jsonb(),
    /** The lines of the timeline that an undo takes back by their own verbs. */
    activity_ids: uuid().array(),
    /** What the row says, hashed: the same row again is known by it. Null in a dry run, and once it was taken back. */
    fingerprint: uuid(),
    /** What an undo left, and why: `[{kind, id, fields, changed_by, changed_at}]`. */
    kept: jsonb(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.import_id, t.n] }),
    index('import_rows_result').on(t.organization_id, t.import_id, t.result, t.n),
    index('import_rows_fingerprint')
      .on(t.organization_id, t.fingerprint)
      .where(sql`fingerprint is not null`),
    index('import_rows_kept')
      .on(t.organization_id, t.import_id, t.n)
      .where(sql`kept is not null`),
    foreignKey({
      name: 'import_rows_import',
      columns: [t.organization_id, t.import_id],
      foreignColumns: [imports.organization_id, imports.id],
    }).onDelete('cascade'),
    check('import_rows_result', sql`result in ('create', 'update', 'skip', 'error')`),
  ],
)

/** How columns are mapped, kept under a name. */
export const import_mappings = pgTable(
  'import_mappings',
  {
    ...tenant,
    record_kind: text().notNull(),
    name: text().notNull(),
    header_hash: text().notNull(),
    columns: jsonb().notNull(),
    mapping: jsonb().notNull(),
    /** `{mode?, defaults?, match_by?, erase_blanks?, dialect?}` */
    options: jsonb().notNull().default({}),
    created_by: jsonb().notNull(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('import_mappings_header').on(t.organization_id, t.record_kind, t.header_hash, t.id),
    check('import_mappings_record_kind', sql`record_kind in ('lead', 'deal', 'account', 'contact')`),
  ],
)
