import type { TransactionSql } from 'postgres'
import { z } from 'zod'
import type { ByteStore } from './stored-bytes.ts'

/** What an archive says of itself. */
export const ArchiveManifest = z.object({
  format: z.literal('leadhand-archive'),
  version: z.literal(1),
  made_at: z.iso.datetime(),
  organization: z.object({
    id: z.uuid(),
    name: z.string(),
    slug: z.string(),
    created_at: z.string(),
  }),
  members: z.array(
    z.object({ id: z.uuid(), user_id: z.uuid(), name: z.string(), email: z.string(), role: z.string() }),
  ),
  /** In the order in which they can be written. */
  tables: z.array(
    z.object({ name: z.string(), columns: z.array(z.object({ name: z.string(), type: z.string() })) }),
  ),
  /** The last link of the chain of activities, as it was sealed here. */
  head: z.object({ seq: z.number(), hash: z.string() }).nullable(),
})
export type ArchiveManifest = z.infer<typeof ArchiveManifest>
export type ArchivedTable = ArchiveManifest['tables'][number]

/** Of this installation, or made again by itself: what an archive leaves out. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  stage_totals: 'counted again as the cards are written',
  audit_heads: 'sealed anew, under the keys of the installation that it comes to',
  idempotency_keys: 'answers to requests that were made here',
  allowances: 'how often keys asked here',
}

/** Bytes are entries of their own, each in the folder of its store. */
export const byteStores: readonly (ByteStore & { folder: string })[] = [
  { folder: 'files', table: 'file_chunks', owner: 'file_id' },
  { folder: 'imports', table: 'import_chunks', owner: 'import_id' },
]

/** Whether the rows of a table are pieces of bytes. */
export const isByteStore = (table: string): boolean => byteStores.some((store) => store.table === table)

/** Secrets that only this installation can read. */
export const SECRETS: Readonly<Record<string, readonly string[]>> = {
  intake_sources: ['signing_secret', 'previous_secret'],
}

/** Every table of an organization with its columns, those that others refer to before them. Computed columns are left out. */
export const archivedTables = async (tx: TransactionSql): Promise<ArchivedTable[]> => {
  const [tables, references] = await Promise.all([
    tx<ArchivedTable[]>`
      select c.relname as name, jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum) as columns
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        and exists (select from pg_attribute o where o.attrelid = c.oid and o.attname = 'organization_id')
      group by c.relname order by c.relname`,
    tx<{ name: string; refers_to: string }[]>`
      select c.relname as name, r.relname as refers_to from pg_constraint k
      join pg_class c on c.oid = k.conrelid join pg_class r on r.oid = k.confrelid
      where k.contype = 'f' and c.relnamespace = 'public'::regnamespace and c.oid <> r.oid`,
  ])
  const pending = tables.filter(({ name }) => !(name in LEFT_OUT))
  const ordered: ArchivedTable[] = []
  while (pending.length > 0) {
    const next = pending.findIndex(({ name }) =>
      references.every(
        (reference) =>
          reference.name !== name || !pending.some((other) => other.name === reference.refers_to),
      ),
    )
    const [table] = pending.splice(next, 1)
    if (next < 0 || !table) throw new Error('tables refer to each other in a circle')
    ordered.push(table)
  }
  return ordered
}
