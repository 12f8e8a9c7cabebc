import type { TransactionSql } from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFeed } from '../api/event-feed.ts'
import { eventBounds, type Event } from '../db/activity-events.ts'
import { startSequencer } from '../db/audit.ts'
import type { Bulk } from '../db/bulk.ts'
import { bulkWork, findOverdueBulks, workBulk } from '../db/bulk-work.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { startBulkWork } from '../tools/bulk.ts'
import { openApi, type ApiWorld } from './api.ts'
import { bulksOf } from './bulks.ts'
import { eventually } from './eventually.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const { start, work, read, done, fill, countLeads } = bulksOf(() => api)

/** What the driver says when the server has closed the connection meanwhile. */
const gone = () => {
  throw Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' })
}

/** A database whose next transaction that does something waits when it begins, or just before this statement of it. */
const hanging = (after: number, at?: string) => {
  const released = Promise.withResolvers<void>()
  let begun = 0
  let hangs = false
  const wait = async () => {
    hangs = true
    await released.promise
  }
  const sql = new Proxy(api.db.sql, {
    get: (target, name) => {
      if (name !== 'begin') return Reflect.get(target, name) as unknown
      return async (run: (tx: TransactionSql) => Promise<unknown>) => {
        begun += 1
        const here = begun > after
        if (here && at === undefined) await wait()
        return target.begin((tx) =>
          run(
            new Proxy(tx, {
              apply: (tx, self, given: [TemplateStringsArray | string, ...unknown[]]) => {
                const hangs = here && at !== undefined && [given[0]].flat().join('?').includes(at)
                return hangs ? wait().then(gone) : (Reflect.apply(tx, self, given) as unknown)
              },
            }),
          ),
        )
      }
    },
  })
  return { db: { ...api.db, sql }, hangs: () => hangs, release: () => released.resolve() }
}

describe('F20: a worker that dies, and one that is told to stop', () => {
  test.each([
    ['between two chunks', undefined],
    ['in the middle of a chunk', 'update ? set ?,'],
  ])(
    'one that falls silent %s is replaced when its lease ends; nothing is done twice, and it writes nothing any more',
    async (_, at) => {
      Object.assign(bulkWork, { lease_ms: 2_500, chunk: 20 })
      const source = `silent ${at ?? ''}`
      await fill(120, source)
      const filter = { field: 'source', op: 'eq' as const, value: source }
      const bulk = await start({ kind: 'lead', filter, act: 'update', input: { city: 'Kiel' } })
      // Claim, choice and two chunks go through.
      const silent = hanging(4, at)
      const dead = workBulk(silent.db, ctx.organization_id, bulk.id).then(
        () => 'ended',
        (error: Error) => error.message,
      )
      await eventually(silent.hangs)
      expect((await read(bulk)).progress.done).toBe(40)
      await work(bulk)
      expect(await read(bulk)).toMatchObject({ status: 'running', progress: { done: 40 } })
      await eventually(async () => (await findOverdueBulks(api.db)).some(({ id }) => id === bulk.id))
      await eventually(async () => {
        await work(bulk)
        return (await read(bulk)).status === 'done'
      })
      silent.release()
      expect(await dead).toMatch(/^ended$|CONNECTION|idle-in-transaction/)
      expect(await read(bulk)).toMatchObject({
        status: 'done',
        progress: { done: 120, total: 120 },
        counts: { changed: 120, failed: 0 },
      })
      const [found] = await inTx(
        ctx,
        ({ tx }) => tx<{ lines: number; leads: number }[]>`
          select count(*)::int as lines, count(distinct subjects)::int as leads from activities
          where type = 'record_updated' and data ->> 'bulk_id' = ${bulk.id}`,
      )
      expect(found).toEqual({ lines: 120, leads: 120 })
    },
  )

  test('2,000 records, worked by a worker that is told to stop and another one that goes on', async () => {
    await fill(2_000, 'many')
    const filter = { field: 'source', op: 'eq' as const, value: 'many' }
    const bulk = await start({ kind: 'lead', filter, act: 'update', input: { city: 'Kiel' } })
    const first = await startBulkWork(api.db)
    await eventually(async () => (await read(bulk)).progress.done > 0, 30_000)
    await first.stop()
    const stopped = await read(bulk)
    expect(stopped.status).toBe('queued')
    expect(stopped.progress.done).toBeLessThan(2_000)
    const second = await startBulkWork(api.db)
    const after = await eventually(async () => {
      const now = await read(bulk)
      return now.status === 'done' && now
    }, 60_000)
    await second.stop()
    expect(after.counts).toEqual({ changed: 2_000, unchanged: 0, skipped: 0, failed: 0 })
    expect(await countLeads({ source: 'many', city: 'Kiel' })).toBe(2_000)
  }, 120_000)

  test('cancelled, it stops within a chunk; what it did stays, is counted, and can be taken back', async () => {
    bulkWork.chunk = 10
    await fill(60, 'cancelled')
    const filter = { field: 'source', op: 'eq' as const, value: 'cancelled' }
    const bulk = await start({ kind: 'lead', filter, act: 'update', input: { city: 'Kiel' } })
    const working = work(bulk)
    await eventually(async () => (await read(bulk)).progress.done > 0)
    const asked = (await api.json('POST', `/api/bulk/${bulk.id}/cancel`)).body
    await working
    const after = await read(bulk)
    expect(after.status).toBe('cancelled')
    expect(after.progress.done).toBeLessThan(60)
    expect(after.progress.done).toBeLessThanOrEqual(asked.progress.done + 2 * bulkWork.chunk)
    expect(after.counts.changed).toBe(after.progress.done)
    expect((await api.json('POST', `/api/bulk/${bulk.id}/cancel`)).body).toMatchObject({ code: 'bulk_ended' })
    const { body: undo } = await api.json('POST', `/api/bulk/${bulk.id}/undo`)
    await work(undo)
    expect(await countLeads({ source: 'cancelled', city: 'Kiel' })).toBe(0)
  })
})

test('F20: progress is heard on the events, at most so often; the end is kept, and of a dry run nothing is', async () => {
  Object.assign(bulkWork, { chunk: 10, tell_ms: 20 })
  const feed = openFeed(api.db)
  const sequencer = startSequencer(api.db, `${api.folder}/heads.jsonl`)
  const heard: Event[] = []
  const { newest } = await eventBounds(ctx)
  const following = feed.follow(
    ctx,
    newest,
    (events) => heard.push(...events),
    () => {},
  )
  const of = (bulk: Bulk, type: Event['type']) =>
    heard.filter((event) => event.type === type && event.subject.id === bulk.id)
  try {
    await fill(100, 'heard')
    const selected = { kind: 'lead' as const, filter: { field: 'source', op: 'eq' as const, value: 'heard' } }
    const tried = await done({ ...selected, act: 'update', input: { city: 'Kiel' }, dry_run: true })
    await eventually(() => of(tried, 'bulk_progress').length > 0)
    const before = heard.length
    const bulk = await start({ ...selected, act: 'update', input: { city: 'Kiel' } })
    const began = Date.now()
    await work(bulk)
    const took_ms = Date.now() - began
    await eventually(() => of(bulk, 'bulk_finished').length === 1)
    const told = of(bulk, 'bulk_progress')
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThanOrEqual(Math.ceil(took_ms / bulkWork.tell_ms) + 1)
    expect(heard.slice(before).every(({ id }, n, all) => n === 0 || id >= all[n - 1]!.id)).toBe(true)
    expect(of(tried, 'bulk_finished')).toEqual([])
  } finally {
    following.stop()
    await feed.close()
    await sequencer.stop()
  }
})
