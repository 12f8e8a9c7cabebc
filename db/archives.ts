import { Readable } from 'node:stream'
import type { TransactionSql } from 'postgres'
import { ZipFile } from 'yazl'
import {
  type ArchivedTable,
  archivedTables,
  type ArchiveManifest,
  byteStores,
  isByteStore,
  SECRETS,
} from './archive-tables.ts'
import type { Ctx } from './context.ts'
import { readBytes } from './stored-bytes.ts'

/** Rows read at a time. */
const CHUNK = 1_000

/**
 * Writes everything that an organization has, as it stood at one moment, as a ZIP: `manifest.json` (the schema, who is a
 * member, the last link of the chain), `tables/<name>.jsonl` (one row a line), `files/<id>` and `imports/<id>` (their
 * bytes). Secrets, keys, tokens and passwords are not in it.
 */
export const writeArchive = async (ctx: Ctx, write: (bytes: Uint8Array) => Promise<void>): Promise<void> => {
  const { db, organization_id } = ctx
  await db.sql.begin('isolation level repeatable read read only', async (tx) => {
    await tx`select set_config('app.organization_id', ${organization_id}, true)`
    const manifest = await readManifest(tx, organization_id)
    const zip = new ZipFile()
    const failed = new Promise<never>((_, reject) => {
      zip.on('error', reject)
    })
    zip.addBuffer(Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`), 'manifest.json')
    const add = (name: string, chunks: () => AsyncIterable<Uint8Array>) => {
      // One after the other, each only when its turn comes: they share one connection.
      zip.addReadStreamLazy(name, (done) => {
        const stream = Readable.from(chunks(), { objectMode: false })
        stream.on('error', (error) => zip.emit('error', error))
        done(null, stream)
      })
    }
    for (const table of manifest.tables) {
      if (!isByteStore(table.name))
        add(`tables/${table.name}.jsonl`, () => linesOf(tx, organization_id, table))
    }
    for (const { folder, ...store } of byteStores) {
      const ids = await tx<{ id: string }[]>`
        select distinct ${tx(store.owner)} as id from ${tx(store.table)} where organization_id = ${organization_id} order by 1`
      for (const { id } of ids) add(`${folder}/${id}`, () => readBytes({ ...ctx, tx }, store, id))
    }
    zip.end()
    const written = (async () => {
      for await (const bytes of zip.outputStream) await write(bytes as Uint8Array)
    })()
    await Promise.race([written, failed])
  })
}

const readManifest = async (tx: TransactionSql, organization_id: string): Promise<ArchiveManifest> => {
  const [organization] = await tx<ArchiveManifest['organization'][]>`
    select id, name, slug, to_jsonb(created_at) #>> '{}' as created_at from identity.organizations where id = ${organization_id}`
  if (!organization) throw new Error(`there is no organization ${organization_id}`)
  const members = await tx<ArchiveManifest['members']>`
    select m.id, m.user_id, u.name, u.email, m.role from identity.members m join identity.users u on u.id = m.user_id
    where m.organization_id = ${organization_id} order by m.created_at, m.id`
  const [head] = await tx<NonNullable<ArchiveManifest['head']>[]>`
    select seq, hash from audit_heads where organization_id = ${organization_id}`
  return {
    format: 'leadhand-archive',
    version: 1,
    made_at: new Date().toISOString(),
    organization,
    members: [...members],
    tables: await archivedTables(tx),
    head: head ?? null,
  }
}

/** Rows as PostgreSQL writes them: no number loses a digit on its way. */
async function* linesOf(
  tx: TransactionSql,
  organization_id: string,
  { name, columns }: ArchivedTable,
): AsyncGenerator<Uint8Array> {
  const secret = SECRETS[name] ?? []
  const row = columns.map(({ name }) => (secret.includes(name) ? tx`null as ${tx(name)}` : tx`t.${tx(name)}`))
  const rows = tx<{ line: string }[]>`
    select to_jsonb(row)::text as line from ${tx(name)} t
    cross join lateral (select ${row.reduce((all, next) => tx`${all}, ${next}`)}) row
    where t.organization_id = ${organization_id}`
  for await (const chunk of rows.cursor(CHUNK))
    yield Buffer.from(chunk.map(({ line }) => `${line}\n`).join(''))
}
