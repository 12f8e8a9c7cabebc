import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ctx } from '../db/context.ts'
import { inTx } from '../db/context.ts'
import { startImport, undoImport } from '../db/import-acts.ts'
import { ImportRequest } from '../db/import-request.ts'
import { createImport } from '../db/import-surveys.ts'
import { workImport } from '../db/import-work.ts'
import { getImport, type Import, readImport } from '../db/imports.ts'
import { updateLead } from '../db/leads.ts'
import { leadColumns, leadRows, tableOfRows } from './csv-files.ts'
import { testSecret } from './database.ts'
import { randomFrom, seed } from './random.ts'
import { openWorld, type World } from './world.ts'

/** `CHAOS=full` is the promise as it is made; otherwise a sample of it. */
const full = process.env['CHAOS'] === 'full'
const scale = full
  ? { rows: 20_000, kills: 20, later_kills: 10, piece: 500, edits: 200 }
  : { rows: 500, kills: 4, later_kills: 1, piece: 40, edits: 20 }
const random = randomFrom(seed)
const LEASE_MS = full ? 3_000 : 1_500
const WORKER = path.join(import.meta.dirname, 'import-worker.ts')

let world: World
let folder: string
beforeAll(async () => {
  world = await openWorld()
  folder = await mkdtemp(path.join(tmpdir(), 'leadhand-kill-'))
})
afterAll(async () => {
  await world.stop()
  await rm(folder, { recursive: true })
})

const columns = [...leadColumns, 'Number']

/** The list, as it is or with other cities and titles. */
const listOf = (changed: boolean): string =>
  tableOfRows([
    columns,
    ...[...leadRows({ rows: scale.rows, seed: 7, repeated: 0.05, faulty: 0.02 })].map(({ cells, is }, n) => {
      if (is === 'blank') return [...cells, '']
      const own = [...cells]
      if (changed && n % 3 === 0) own[7] = `New ${n % 50}`
      if (changed && n % 4 === 0) own[6] = 'Buyer of machines'
      return [...own, '']
    }),
  ])

const queue = async (ctx: Ctx, text: string, mode: 'skip' | 'update'): Promise<string> => {
  const file = path.join(folder, 'list.csv')
  await writeFile(file, text)
  const { id, suggested_mapping: mapping } = await createImport(ctx, {
    kind: 'lead',
    path: file,
    name: 'list.csv',
    size: Buffer.byteLength(text),
    sha256: '0'.repeat(64),
  })
  await startImport(ctx, id, 'run', ImportRequest.parse({ mapping, mode }))
  return id
}

const standing = (ctx: Ctx, id: string) => inTx(ctx, (ctx) => readImport(ctx, id))

/** Works an import in processes that are killed at random rows, and lets the last one finish. Answers how many were killed in its midst. */
const workUnderFire = async (ctx: Ctx, id: string, kills: number): Promise<number> => {
  const { total } = await standing(ctx, id)
  const at = Array.from({ length: kills }, () => Math.floor(random() * total * 0.85)).toSorted(
    (a, b) => a - b,
  )
  let interrupted = 0
  for (const row of at) {
    const worker = startWorker(ctx, id)
    for (;;) {
      const { status, done } = await standing(ctx, id)
      if (worker.child.exitCode !== null || (status === 'running' && done >= row)) break
      await pause(2)
    }
    // Anywhere in the piece that follows.
    await pause(random() * 60)
    const { status } = await standing(ctx, id)
    worker.child.kill('SIGKILL')
    await worker.ended
    if (status === 'running' && worker.child.signalCode === 'SIGKILL') interrupted += 1
  }
  const last = startWorker(ctx, id)
  await last.ended
  return interrupted
}

const startWorker = (ctx: Ctx, id: string) => {
  const child = spawn(
    process.execPath,
    [WORKER, world.app_url, testSecret, ctx.organization_id, id, String(scale.piece), String(LEASE_MS)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  return { child, ended: once(child, 'exit') }
}

/** What an import leaves, without what is an organization's own: ids, times, salts. */
const leftBehind = (ctx: Ctx): Promise<Record<string, readonly object[]>> =>
  inTx(ctx, async ({ tx, organization_id: o }) => ({
    leads: await tx`
      select o.name, o.contact_name, o.company_name, o.title, o.email, o.phone, o.phone_original, o.website, o.city, o.country,
        o.message, o.source, o.value_minor, o.currency, o.expected_close_on, o.tags, o.extra, o.warnings, o.version,
        o.origin ->> 'line' as line, o.archived_at is null as in_use, s.label,
        row_number() over (partition by o.stage_id order by o.position, o.id) as place
      from opportunities o join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
      where o.organization_id = ${o} order by (o.origin ->> 'line')::int`,
    keys: await tx`
      select k.kind, k.value, o.origin ->> 'line' as line from opportunity_keys k
      join opportunities o on o.organization_id = k.organization_id and o.id = k.opportunity_id
      where k.organization_id = ${o} order by 1, 2, 3`,
    scores: await tx`
      select c.score, c.formula, o.origin ->> 'line' as line from opportunity_scores c
      join opportunities o on o.organization_id = c.organization_id and o.id = c.opportunity_id
      where c.organization_id = ${o} order by 3`,
    origins: await tx`
      select r.field, r.tainted, r.origin ->> 'kind' as kind, o.origin ->> 'line' as line from record_origins r
      join opportunities o on o.organization_id = r.organization_id and o.id = r.record_id
      where r.organization_id = ${o} order by 4, 1`,
    timeline: await tx`
      select a.type, a.data -> 'changes' as changes, a.data ->> 'line' as line, o.origin ->> 'line' as of
      from activities a left join opportunities o on o.organization_id = a.organization_id and o.id = (a.subjects -> 0 ->> 'id')::uuid
      where a.organization_id = ${o} order by 4, 1, 3, 2`,
    rows: await tx`
      select n, line, result, matched_by, problems, changes, made is null as made_nothing from import_rows
      where organization_id = ${o} order by import_id, n`,
  }))

const lead = (ctx: Ctx, condition: 'all' | 'in_use') =>
  inTx(ctx, async ({ tx, organization_id }) => [
    ...(await tx<{ id: string; city: string | null; title: string | null }[]>`
      select id, city, title from opportunities where organization_id = ${organization_id}
        ${condition === 'in_use' ? tx`and archived_at is null` : tx``} order by id`),
  ])

const some = <T>(list: readonly T[], count: number): T[] =>
  [...list].toSorted(() => random() - 0.5).slice(0, count)

test(
  `P7: an import can be killed and undone (${scale.rows.toLocaleString('en')} rows, seed ${seed})`,
  async () => {
    const began = performance.now()
    const { ctx: undisturbed } = await world.other()
    const { ctx } = world
    const finish = async (ctx: Ctx, id: string): Promise<Import> => {
      await workImport(ctx.db, ctx.organization_id, id)
      return getImport(ctx, id)
    }

    const whole = await finish(undisturbed, await queue(undisturbed, listOf(false), 'skip'))
    const first = await queue(ctx, listOf(false), 'skip')
    const killed = await workUnderFire(ctx, first, scale.kills)
    const imported = await getImport(ctx, first)
    expect(imported).toMatchObject({ status: 'done', counts: whole.counts, progress: whole.progress })
    expect(imported.counts.create).toBeGreaterThan(scale.rows * 0.85)
    expect(imported.counts.skip).toBeGreaterThan(0)
    expect(imported.counts.error).toBeGreaterThan(0)
    expect(await leftBehind(ctx)).toEqual(await leftBehind(undisturbed))

    const again = await finish(ctx, await queue(ctx, listOf(false), 'skip'))
    expect(again.counts).toMatchObject({ create: 0, update: 0 })
    await finish(undisturbed, await queue(undisturbed, listOf(false), 'skip'))

    const before = new Map((await lead(ctx, 'all')).map(({ id, ...values }) => [id, values]))
    const changes = await queue(ctx, listOf(true), 'update')
    const killed_later = await workUnderFire(ctx, changes, scale.later_kills)
    const changed = await getImport(ctx, changes)
    const reference = await finish(undisturbed, await queue(undisturbed, listOf(true), 'update'))
    expect(changed).toMatchObject({ status: 'done', counts: reference.counts })
    expect(changed.counts.update).toBeGreaterThan(scale.rows * 0.3)
    expect(await leftBehind(ctx)).toEqual(await leftBehind(undisturbed))

    // Somebody changes the city of some, and the title of others.
    const now = await lead(ctx, 'all')
    const by_import = now.filter(({ id, city, title }) => {
      const was = before.get(id)
      return was?.city !== city && was?.title !== title
    })
    const edited = some(by_import, scale.edits)
    for (const [n, { id }] of edited.entries())
      await updateLead(ctx, id, n % 2 === 0 ? { city: `Edited ${n}` } : { title: `Edited ${n}` })

    await undoImport(ctx, changes)
    const killed_undoing = await workUnderFire(ctx, changes, scale.later_kills)
    const undone = await getImport(ctx, changes)
    expect(undone).toMatchObject({ status: 'undone', undo: { kept_records: edited.length } })
    const fields_kept = new Map(undone.undo?.kept.map(({ record, fields }) => [record.id, fields]))
    for (const [n, { id }] of edited.entries())
      if (fields_kept.size === edited.length)
        expect(fields_kept.get(id), id).toEqual([n % 2 === 0 ? 'city' : 'title'])
    for (const { id, city, title } of await lead(ctx, 'all')) {
      const n = edited.findIndex((one) => one.id === id)
      expect({ city, title }, id).toEqual({
        ...before.get(id),
        ...(n < 0 ? {} : n % 2 === 0 ? { city: `Edited ${n}` } : { title: `Edited ${n}` }),
      })
    }

    await undoImport(ctx, first)
    const killed_at_last = await workUnderFire(ctx, first, scale.later_kills)
    expect(await getImport(ctx, first)).toMatchObject({
      status: 'undone',
      undo: { kept_records: edited.length, restored: imported.counts.create - edited.length },
    })
    const left = await lead(ctx, 'in_use')
    expect(left.map(({ id }) => id)).toEqual(edited.map(({ id }) => id).toSorted())

    const kills = [killed, killed_later, killed_undoing, killed_at_last]
    const seconds = ((performance.now() - began) / 1_000).toFixed(1)
    process.stdout.write(
      `P7: ${scale.rows.toLocaleString('en')} rows, seed ${seed}: killed in its midst ${killed} times while importing, ${killed_later} while updating, ${killed_undoing} and ${killed_at_last} while undoing; equal to an uninterrupted run; imported again: ${again.counts.create} rows; undone but for ${edited.length} that somebody edited; ${seconds} s\n`,
    )
    expect(killed).toBeGreaterThanOrEqual(Math.floor(scale.kills * 0.8))
    expect(kills.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(scale.kills)
  },
  full ? 3_600_000 : 240_000,
)
