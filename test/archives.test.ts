import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPromise } from 'yauzl'
import { restoreArchive } from '../db/archive-restoring.ts'
import { archivedTables } from '../db/archive-tables.ts'
import { sealAll, verifyAudit } from '../db/audit.ts'
import { connect, type Database } from '../db/client.ts'
import { readContent } from '../db/files.ts'
import { deriveKeys } from '../db/keys.ts'
import { openQueue } from '../db/queue.ts'
import { deletePipeline } from '../db/pipeline-deletion.ts'
import { createPipeline } from '../db/pipeline-creation.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal } from './cards.ts'
import { createTestDatabase, testSecret } from './database.ts'
import { placeFile } from './documents.ts'
import { fillTenant } from './tenant.ts'

let api: ApiWorld
let fresh: Database & { owner_url: string; drop: () => Promise<void> }
let folder: string
let archive: string
let large_id: string
let type: string | null
beforeAll(async () => {
  api = await openApi()
  const database = await createTestDatabase()
  fresh = {
    ...database,
    sql: connect(database.app_url, { name: 'leadhand-test' }),
    queue: await openQueue(database.app_url, { works: false }),
    keys: deriveKeys(testSecret),
  }
  folder = mkdtempSync(path.join(tmpdir(), 'leadhand-archive-'))
  archive = path.join(folder, 'leadhand.zip')
  await fillTenant(api, api.ctx)
  const pipeline = await createPipeline(api.ctx, {
    name: 'Old business',
    record_kind: 'deal',
    template: 'sales',
  })
  const old = await makeDeal(api.ctx, { pipeline_id: pipeline.id })
  await closeOpportunity(api.ctx, old.id, { outcome: 'won' })
  await deletePipeline(api.ctx, pipeline.id)
  large_id = (await placeFile(api.ctx, { kind: 'deal', id: old.id }, 'large.txt', 'x'.repeat(1_300_000))).id
  await sealAll(api.db, path.join(folder, 'heads.jsonl'))
  const response = await api.ask('GET', '/api/exports/archive')
  type = response.headers.get('content-type')
  writeFileSync(archive, Buffer.from(await response.arrayBuffer()))
})
afterAll(async () => {
  await api.stop()
  await fresh.queue.close(500)
  await fresh.sql.end({ timeout: 1 })
  await fresh.drop()
  rmSync(folder, { recursive: true, force: true })
})

/** Every row of the organization, by table, as PostgreSQL says it. */
const contentOf = async (owner_url: string, organization_id: string): Promise<Record<string, unknown[]>> => {
  const sql = postgres(owner_url, { max: 1, onnotice: () => {} })
  try {
    return await sql.begin(async (tx) => {
      const content: Record<string, unknown[]> = {}
      for (const { name } of await archivedTables(tx)) {
        const rows = await tx`
          select to_jsonb(t) as row from ${tx(name)} t where organization_id = ${organization_id} order by to_jsonb(t)::text`
        content[name] = rows.map(({ row }) => row as unknown)
      }
      return content
    })
  } finally {
    await sql.end()
  }
}

describe('P25: an organization takes its data with it', () => {
  test('the archive opens in a fresh instance, equal; what is of the installation alone is not in it', async () => {
    expect(type).toBe('application/zip')
    const { organization, rows, files, ended } = await restoreArchive(fresh, archive)
    expect(organization.id).toBe(api.ctx.organization_id)
    expect(files).toBeGreaterThanOrEqual(2)
    const [there, here] = await Promise.all([
      contentOf(api.owner_url, organization.id),
      contentOf(fresh.owner_url, organization.id),
    ])
    process.stdout.write(
      `archive: ${Object.values(rows).reduce((all, n) => all + n, 0)} rows of ${Object.keys(rows).length} tables, ${files} files; ended: ${JSON.stringify(ended)}\n`,
    )
    const expected = new Set(['intake_sources', 'activities', ...Object.keys(ended)])
    for (const [table, content] of Object.entries(there)) {
      expect(content.length, table).toBeGreaterThan(0)
      if (!expected.has(table)) expect(here[table], table).toEqual(content)
      else expect(here[table], table).toHaveLength(content.length)
    }
    const plain = (content: unknown[] | undefined) =>
      content?.map((row) => ({ ...(row as object), seq: null, hash: null, key_id: null }))
    expect(plain(here['activities'])).toEqual(expect.arrayContaining(plain(there['activities']) ?? []))
    const ctx = { ...api.ctx, db: fresh }
    const boards = await Promise.all(
      [api.owner_url, fresh.owner_url].map(async (url) => {
        const sql = postgres(url, { max: 1 })
        try {
          return [
            ...(await sql`
              select stage_id, currency, sum(cards)::int as cards, sum(value_minor)::float8 as value_minor from stage_totals
              where organization_id = ${organization.id} group by 1, 2 having sum(cards) <> 0 order by 1, 2`),
          ]
        } finally {
          await sql.end()
        }
      }),
    )
    expect(boards[1]).toEqual(boards[0])
    // The chain is sealed anew, in the order in which things happened, and whole.
    await sealAll(fresh, path.join(folder, 'fresh.jsonl'))
    expect(await verifyAudit(fresh, organization.id, path.join(folder, 'fresh.jsonl'))).toMatchObject({
      problem: null,
      activities: there['activities']?.length,
    })
    const large = (here['files'] as { name: string; id: string; size: number }[]).find(
      ({ name }) => name === 'large.txt',
    )
    let bytes = 0
    for await (const piece of readContent(ctx, large!.id)) bytes += piece.byteLength
    expect(bytes).toBe(1_300_000)
  })

  test('a second time is refused and changes nothing; so is a file that is no archive', async () => {
    await expect(restoreArchive(fresh, archive)).rejects.toMatchObject({ code: 'organization_exists' })
    const text = path.join(folder, 'no.zip')
    writeFileSync(text, 'no archive')
    await expect(restoreArchive(fresh, text)).rejects.toMatchObject({ code: 'archive_unreadable' })
  })

  test('a damaged one is told in one line, with what to do, and leaves nothing', async () => {
    const whole = readFileSync(archive)
    const database = await createTestDatabase()
    const restore = (file: string) =>
      spawnSync(process.execPath, ['restore.ts', file], {
        env: { ...process.env, DATABASE_URL: database.owner_url, APP_SECRET: testSecret, DATA_DIR: folder },
        encoding: 'utf8',
      })
    const zip = await openPromise(archive, { lazyEntries: true, autoClose: false })
    /** Where the middle of each entry's content is. */
    const middles = new Map<string, number>()
    for await (const {
      fileName: name,
      compressedSize: size,
      relativeOffsetOfLocalHeader: at,
    } of zip.eachEntry()) {
      middles.set(name, at + 30 + name.length + Math.floor(size / 2))
    }
    zip.close()
    // The large one is the same letter all along: there, another bit can say the same.
    const [small = ''] = [...middles.keys()].filter(
      (name) => /^(files|imports)\//.test(name) && name !== `files/${large_id}`,
    )
    /** The archive with one bit the other way in the content of an entry. */
    const spoilt = (name: string): Buffer => {
      const copy = Buffer.from(whole)
      const at = middles.get(name) ?? 0
      copy[at] = (copy[at] ?? 0) ^ 4
      return copy
    }
    try {
      for (const [bytes, said] of [
        [whole.subarray(0, whole.length / 2), /no ZIP file, or its end is missing.*copy it again/],
        [spoilt('manifest.json'), /damaged, in manifest\.json: .*Copy it again/],
        [
          spoilt('tables/opportunities.jsonl'),
          /damaged, in tables\/opportunities\.jsonl: .*Nothing of it was restored/,
        ],
        [spoilt('tables/activities.jsonl'), /damaged, in tables\/activities\.jsonl: .*Copy it again/],
        [spoilt(small), /damaged, in (files|imports)\/.*Copy it again/],
      ] as const) {
        const path_of = path.join(folder, 'damaged.zip')
        writeFileSync(path_of, bytes)
        const { status, stdout, stderr } = restore(path_of)
        expect([status, stdout, stderr.trim().split('\n')], String(said)).toEqual([
          1,
          '',
          [expect.stringMatching(said)],
        ])
      }
      const missing = restore(path.join(folder, 'nowhere.zip'))
      expect([missing.status, missing.stderr.trim()]).toEqual([
        1,
        expect.stringMatching(/cannot be opened.*Check where/),
      ])
      const sql = connect(database.app_url, { name: 'leadhand-test' })
      const [row] = await sql<{ n: number }[]>`select count(*)::int as n from identity.organizations`
      await sql.end({ timeout: 1 })
      expect(row?.n).toBe(0)
    } finally {
      await database.drop()
    }
  })

  test('no secret, key, token or password is in it', async () => {
    const zip = await openPromise(archive, { lazyEntries: true, autoClose: false })
    const names: string[] = []
    let sources = ''
    for await (const entry of zip.eachEntry()) {
      names.push(entry.fileName)
      if (entry.fileName !== 'tables/intake_sources.jsonl') continue
      for await (const piece of await zip.openReadStreamPromise(entry)) sources += String(piece)
    }
    zip.close()
    expect(names).toContain('manifest.json')
    expect(names.join(' ')).not.toMatch(/api_keys|tokens|sessions|credentials|idempotency/)
    expect(JSON.parse(sources.split('\n')[0] ?? '')).toMatchObject({
      signing_secret: null,
      previous_secret: null,
    })
  })

  test('`npm run restore` opens it in an empty database and says how to sign in', async () => {
    const database = await createTestDatabase()
    try {
      const printed = execFileSync(process.execPath, ['restore.ts', archive], {
        env: { ...process.env, DATABASE_URL: database.owner_url, APP_SECRET: testSecret, DATA_DIR: folder },
      }).toString()
      expect(printed).toMatch(/\d+ rows, \d+ files, 1 members/)
      expect(printed).toContain(`Sign in as ${api.owner.email}`)
      const sql = connect(database.app_url, { name: 'leadhand-test' })
      const [row] = await sql<{ n: number }[]>`select count(*)::int as n from identity.organizations`
      await sql.end({ timeout: 1 })
      expect(row?.n).toBe(1)
    } finally {
      await database.drop()
    }
  })
})
