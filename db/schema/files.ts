import {
  bigint,
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
import { sql } from 'drizzle-orm'
import { at, stamps, tenant } from './columns.ts'

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

/** A file on a record. */
export const files = pgTable(
  'files',
  {
    ...tenant,
    subject_kind: text().notNull(),
    subject_id: uuid().notNull(),
    name: text().notNull(),
    /** Told by its content, never by what the sender called it. */
    media_type: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
    sha256: text().notNull(),
    uploaded_by: jsonb().notNull(),
    /** `pending`, `done`, `none` (no text in this type) or `failed`. */
    text_status: text().notNull().default('pending'),
    text_error: text(),
    /** What it says, as far as it was extracted. Written by somebody outside. */
    extracted_text: text(),
    /** `{text, facts[{key, value, quote, page?}], by}`: a suggestion. */
    summary: jsonb(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('files_subject').on(t.organization_id, t.subject_kind, t.subject_id, t.id),
    index('files_unread')
      .on(t.created_at)
      .where(sql`text_status = 'pending'`),
  ],
)

export const file_chunks = pgTable(
  'file_chunks',
  {
    organization_id: uuid().notNull(),
    file_id: uuid().notNull(),
    n: integer().notNull(),
    bytes: bytea().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.file_id, t.n] }),
    foreignKey({
      name: 'file_chunks_file',
      columns: [t.organization_id, t.file_id],
      foreignColumns: [files.organization_id, files.id],
    }).onDelete('cascade'),
  ],
)
