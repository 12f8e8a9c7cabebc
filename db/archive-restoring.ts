import postgres, { type TransactionSql } from 'postgres'
import { contentOf, damaged, linesOf, openArchive, type OpenArchive, unreadable } from './archive-contents.ts'
import {
  type ArchivedTable,
  archivedTables,
  ArchiveManifest,
  byteStores,
  isByteStore,
} from './archive-tables.ts'
import type { Database } from './client.ts'
import { DomainError, invalid } from './errors.ts'
import type { Fragment } from './filter-operands.ts'
import { type ByteStore, PIECE_BYTES } from './stored-bytes.ts'

/** What was restored: rows by table, and what was under way and ended. */
export type Restored = {
  organization: ArchiveManifest['organization']
  members: ArchiveManifest['members']
  rows: Record<string, number>
  files: number
  ended: Record<string, number>
}

/** Rows written in one statement; a manifest is small. */
const WRITE = { rows: 500, manifest_bytes: 10_000_000 }

/**
 * Writes what an archive holds into a database that has not got the organization, in one transaction: all of it or nothing.
 * Ids, times and the timeline are what they were; the chain of activities is sealed anew. What was under way where the
 * archive was made is ended here, so that nothing is sent twice. Members come without a password.
 * @throws {DomainError} `archive_unreadable`, `archive_damaged`, `archive_newer`, `organization_exists`, `member_exists`
 */
export const restoreArchive = async (db: Database, path: string): Promise<Restored> => {
  const archive = await openArchive(path)
  try {
    const manifest = await readManifest(archive)
    return await db.sql.begin(async (tx) => {
      const { organization, members } = manifest
      await tx`select set_config('app.organization_id', ${organization.id}, true)`
      await writeIdentity(tx, manifest)
      const known = await archivedTables(tx)
      const rows: Record<string, number> = {}
      for (const table of inOrder(manifest.tables, known)) {
        if (isByteStore(table.name)) continue
        const name = `tables/${table.name}.jsonl`
        rows[table.name] = await writeTable(tx, table, linesOf(contentOf(archive, name), WRITE.rows)).catch(
          (error: unknown) => {
            throw isAboutData(error) ? damaged(name, error) : error
          },
        )
      }
      await tx`
        update pipelines p set archived_at = kept.archived_at, is_default = kept.is_default from kept_pipelines kept
        where p.organization_id = ${organization.id} and p.id = kept.id`
      let files = 0
      for (const name of archive.entries.keys()) {
        const [folder, id] = name.split('/')
        const store = byteStores.find((one) => one.folder === folder)
        if (!store || !id) continue
        await writeBytes(tx, organization.id, store, id, contentOf(archive, name))
        files += 1
      }
      return { organization, members, rows, files, ended: await endWork(tx, organization.id) }
    })
  } finally {
    archive.zip.close()
  }
}

/** A row that is no JSON, or fits no column or none of the others: not how it was written. */
const isAboutData = (error: unknown): error is Error =>
  error instanceof postgres.PostgresError && /^2[23]/.test(error.code)

const readManifest = async (archive: OpenArchive): Promise<ArchiveManifest> => {
  const entry = archive.entries.get('manifest.json')
  if (!entry || entry.uncompressedSize > WRITE.manifest_bytes) throw unreadable('it has no manifest')
  const pieces: Buffer[] = []
  for await (const piece of contentOf(archive, 'manifest.json')) pieces.push(piece)
  const manifest = ArchiveManifest.safeParse(parsed(Buffer.concat(pieces).toString()))
  if (manifest.success) return manifest.data
  throw unreadable(manifest.error.issues[0]?.message ?? 'its manifest says nothing')
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw damaged('manifest.json', error)
  }
}

/** @throws {DomainError} `organization_exists`, `member_exists` */
const writeIdentity = async (
  tx: TransactionSql,
  { organization, members }: ArchiveManifest,
): Promise<void> => {
  const [taken] = await tx<{ name: string }[]>`
    select name from identity.organizations where id = ${organization.id}`
  if (taken) {
    throw new DomainError(
      'conflict',
      'organization_exists',
      `“${taken.name}” is here already: restore into a fresh instance.`,
    )
  }
  const [person] = await tx<{ email: string }[]>`
    select u.email from identity.users u
    join jsonb_to_recordset(${tx.json(members)}) as m (user_id uuid, email text) on m.email = u.email and m.user_id <> u.id`
  if (person) {
    throw new DomainError(
      'conflict',
      'member_exists',
      `${person.email} is somebody here already: restore into a fresh instance.`,
    )
  }
  const { id, name, slug, created_at } = organization
  await tx`
    insert into identity.organizations (id, name, slug, created_at)
    select ${id}, ${name}, case when exists (select from identity.organizations where slug = ${slug})
      then ${`${slug}-${id.slice(-6)}`} else ${slug} end, ${created_at}::timestamptz`
  await tx`
    insert into identity.users (id, name, email, email_verified)
    select m.user_id, m.name, m.email, true from jsonb_to_recordset(${tx.json(members)}) as m (user_id uuid, name text, email text)
    on conflict (id) do nothing`
  await tx`
    insert into identity.members (id, organization_id, user_id, role)
    select m.id, ${id}, m.user_id, m.role from jsonb_to_recordset(${tx.json(members)}) as m (id uuid, user_id uuid, role text)`
}

/** What the archive has, in the order in which this version writes it. @throws {DomainError} `archive_newer` */
const inOrder = (archived: ArchivedTable[], known: ArchivedTable[]): ArchivedTable[] => {
  for (const { name, columns } of archived) {
    const table = known.find((one) => one.name === name)
    const more = columns.find((column) => !table?.columns.some((one) => one.name === column.name))
    if (table && !more) continue
    throw invalid(
      'archive_newer',
      '/file',
      `The archive has ${table ? `the column ${name}.${more?.name}` : `the table ${name}`}, which this version does not know. Update Leadhand first.`,
    )
  }
  const names = known.map(({ name }) => name)
  return archived.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
}

/** Where each link of the chain is: given by the sequencer of this installation. */
const SEALED = new Set(['seq', 'key_id', 'hash'])

const writeTable = async (
  tx: TransactionSql,
  { name, columns }: ArchivedTable,
  lines: AsyncIterable<string[]>,
): Promise<number> => {
  const written = columns.filter((column) => !(name === 'activities' && SEALED.has(column.name)))
  const list = (of: (column: string) => Fragment) =>
    written.map((column) => of(column.name)).reduce((all, next) => tx`${all}, ${next}`)
  if (name === 'pipelines') {
    await tx`create temp table kept_pipelines (id uuid, archived_at timestamptz, is_default boolean) on commit drop`
  }
  // Cards enter no pipeline that is archived: theirs are archived again when all is written.
  const value = (column: string) =>
    name === 'pipelines' && column === 'archived_at'
      ? tx`null::timestamptz`
      : name === 'pipelines' && column === 'is_default'
        ? tx`false`
        : tx`row.${tx(column)}`
  let count = 0
  for await (const batch of lines) {
    const rows = `[${batch.join(',')}]`
    if (name === 'pipelines') {
      await tx`
        insert into kept_pipelines select id, archived_at, is_default from jsonb_populate_recordset(null::pipelines, ${rows}::text::jsonb)`
    }
    const added = await tx`
      insert into ${tx(name)} (${list((column) => tx`${tx(column)}`)})
      select ${list(value)} from jsonb_populate_recordset(null::${tx(name)}, ${rows}::text::jsonb) row`
    count += added.count
  }
  return count
}

const writeBytes = async (
  tx: TransactionSql,
  organization_id: string,
  { table, owner }: ByteStore,
  id: string,
  pieces: AsyncIterable<Buffer>,
): Promise<void> => {
  let held: Buffer = Buffer.alloc(0)
  let n = 0
  const write = async (bytes: Buffer): Promise<void> => {
    await tx`
      insert into ${tx(table)} (organization_id, ${tx(owner)}, n, bytes)
      values (${organization_id}, ${id}, ${n}, decode(${bytes.toString('base64')}, 'base64'))`
    n += 1
  }
  for await (const piece of pieces) {
    held = Buffer.concat([held, piece])
    for (; held.length >= PIECE_BYTES; held = held.subarray(PIECE_BYTES))
      await write(held.subarray(0, PIECE_BYTES))
  }
  if (held.length > 0) await write(held)
}

/** What was under way where the archive was made goes on there, not here. */
const UNDER_WAY: { table: string; statuses: string[]; ended: string }[] = [
  { table: 'runs', statuses: ['queued', 'running', 'paused'], ended: 'cancelled' },
  { table: 'approvals', statuses: ['approved', 'executing'], ended: 'outcome_unknown' },
  { table: 'messages', statuses: ['queued', 'sending'], ended: 'outcome_unknown' },
  { table: 'bulk_jobs', statuses: ['queued', 'running'], ended: 'cancelled' },
  { table: 'imports', statuses: ['queued', 'running'], ended: 'cancelled' },
  { table: 'score_jobs', statuses: ['queued', 'running'], ended: 'cancelled' },
]

const endWork = async (tx: TransactionSql, organization_id: string): Promise<Record<string, number>> => {
  const ended: Record<string, number> = {}
  for (const { table, statuses, ended: status } of UNDER_WAY) {
    const { count } = await tx`
      update ${tx(table)} set status = ${status} where organization_id = ${organization_id} and status = any(${statuses})`
    if (count > 0) ended[table] = count
  }
  return ended
}
