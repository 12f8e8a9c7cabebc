import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { recordActivity } from '../db/activities.ts'
import { listEventsAfter } from '../db/activity-events.ts'
import { sealAll, startSequencer, verifyAudit, type AuditReport } from '../db/audit.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { deriveKeys } from '../db/keys.ts'
import { listTimeline } from '../db/timeline.ts'
import { testSecret } from './database.ts'
import { eventually } from './eventually.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let owner: postgres.Sql
let heads: string
/** Every test tampers with an organization of its own. */
let ctx: Ctx
let organization_id: string

beforeAll(async () => {
  world = await openWorld()
  owner = postgres(world.owner_url, { max: 1, onnotice: () => {} })
  heads = `${world.folder}/heads.jsonl`
})
afterAll(async () => {
  await owner.end()
  await world.stop()
})
beforeEach(async () => {
  ctx = (await world.other()).ctx
  organization_id = ctx.organization_id
  for (let n = 0; n < 4; n++) await makeLead(ctx)
  await sealAll(world.db, heads)
  for (let n = 0; n < 4; n++) await makeLead(ctx)
  await sealAll(world.db, heads)
  const report = await verify()
  if (report.problem || report.activities !== 8)
    throw new Error(`the chain was not whole to begin with: ${JSON.stringify(report)}`)
})

const verify = (): Promise<AuditReport> => verifyAudit(world.db, organization_id, heads)
/** What somebody with the owner's login does behind the product's back. */
const tamper = (statement: (sql: postgres.TransactionSql) => Promise<unknown>): Promise<unknown> =>
  owner.begin(async (sql) => {
    await sql`set local session_replication_role = replica`
    await sql`select set_config('app.organization_id', ${organization_id}, true)`
    await statement(sql)
  })
const at = (seq: number) => owner`organization_id = ${organization_id} and seq = ${seq}`

describe('a chain that somebody tampered with is found, at the place', () => {
  test.each<[what: string, seq: number, edit: (sql: postgres.TransactionSql) => Promise<unknown>]>([
    [
      'what it says',
      3,
      (sql) => sql`update activities set data = data || '{"name": "Somebody else"}' where ${at(3)}`,
    ],
    ['why', 3, (sql) => sql`update activities set reason = 'because' where ${at(3)}`],
    ['who did it', 3, (sql) => sql`update activities set actor_id = 'somebody' where ${at(3)}`],
    ['whose name it bears', 3, (sql) => sql`update activities set actor_name = 'Somebody' where ${at(3)}`],
    [
      'when',
      3,
      (sql) => sql`update activities set occurred_at = occurred_at - interval '1 day' where ${at(3)}`,
    ],
    ['what kind it is', 3, (sql) => sql`update activities set type = 'note_added' where ${at(3)}`],
    ['what it is about', 3, (sql) => sql`update activities set subjects = '[]' where ${at(3)}`],
    [
      'on whose behalf',
      3,
      (sql) => sql`update activities set on_behalf_of = '{"kind": "user"}' where ${at(3)}`,
    ],
    ['which approval allowed it', 3, (sql) => sql`update activities set approval_id = id where ${at(3)}`],
    [
      'what it says, with a hash that fits it',
      3,
      (sql) =>
        sql`update activities set data = '{}', reason = null, salt = '', payload_hash = encode(sha256('{"data":{},"reason":null}'), 'hex') where ${at(3)}`,
    ],
    [
      'what it says, passed off as erased',
      3,
      (sql) => sql`update activities set data = '{"name": "x"}', salt = null where ${at(3)}`,
    ],
    ['which secret sealed it', 3, (sql) => sql`update activities set key_id = 'unknown' where ${at(3)}`],
  ])('%s was edited', async (_, seq, edit) => {
    await tamper(edit)
    expect(await verify()).toMatchObject({ problem: { seq, activity_id: expect.any(String) } })
  })

  test('one was deleted', async () => {
    await tamper((sql) => sql`delete from activities where ${at(5)}`)
    expect(await verify()).toMatchObject({
      activities: 4,
      problem: { seq: 5, message: expect.stringContaining('missing') },
    })
  })

  test('one was deleted, and the gap was closed', async () => {
    await tamper(async (sql) => {
      await sql`delete from activities where ${at(5)}`
      for (const seq of [6, 7, 8]) await sql`update activities set seq = ${seq - 1} where ${at(seq)}`
      await sql`update audit_heads set seq = 7 where organization_id = ${organization_id}`
    })
    expect(await verify()).toMatchObject({ problem: { seq: 5 } })
  })

  test('two changed places', async () => {
    await tamper(async (sql) => {
      await sql`update activities set seq = 1000 where ${at(2)}`
      await sql`update activities set seq = 2 where ${at(3)}`
      await sql`update activities set seq = 3 where ${at(1000)}`
    })
    expect(await verify()).toMatchObject({ problem: { seq: 2 } })
  })

  test('one was inserted', async () => {
    await tamper(async (sql) => {
      for (const seq of [8, 7, 6, 5]) await sql`update activities set seq = ${seq + 1} where ${at(seq)}`
      await sql`
        insert into activities select (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'seq', 5))).*
        from activities a where ${at(4)}`
    })
    expect(await verify()).toMatchObject({ problem: { seq: 5 } })
  })

  test('one was added at the end', async () => {
    await tamper(
      (sql) => sql`
        insert into activities select (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'seq', 9))).*
        from activities a where ${at(8)}`,
    )
    expect(await verify()).toMatchObject({ problem: { seq: 9 } })
  })

  test('the end was cut, and the stored head with it', async () => {
    await tamper(async (sql) => {
      const [sixth] = await sql<{ hash: string }[]>`select hash from activities where ${at(6)}`
      await sql`delete from activities where organization_id = ${organization_id} and seq > 6`
      await sql`update audit_heads set seq = 6, hash = ${sixth!.hash} where organization_id = ${organization_id}`
    })
    expect(await verify()).toMatchObject({
      activities: 6,
      problem: { seq: 7, message: expect.stringContaining('cut') },
    })
  })

  test('all of it was taken away', async () => {
    await tamper(async (sql) => {
      await sql`delete from activities where organization_id = ${organization_id}`
      await sql`delete from audit_heads where organization_id = ${organization_id}`
    })
    expect(await verify()).toMatchObject({ activities: 0, problem: { seq: 1 } })
  })

  test('the whole chain was written anew under another secret', async () => {
    const forger = deriveKeys('the secret of a forger, thirty-two characters')
    await tamper(
      (sql) => sql`update activities set seq = null, hash = null where organization_id = ${organization_id}`,
    )
    await tamper((sql) => sql`delete from audit_heads where organization_id = ${organization_id}`)
    await sealAll({ ...world.db, keys: forger }, `${world.folder}/forged.jsonl`)
    expect((await verify()).problem).not.toBeNull()
  })
})

describe('the heads outside the database', () => {
  test('that were forged say nothing, and one that a crash cut off does no harm', async () => {
    const kept = await readFile(heads, 'utf8')
    const forged = {
      organization_id,
      seq: 99,
      hash: 'f'.repeat(64),
      key_id: world.db.keys.current.id,
      sealed_at: 'now',
      signature: 'f'.repeat(64),
    }
    await appendFile(heads, `${JSON.stringify(forged)}\n{"organization_id":"${organization_id}","seq":12,"ha`)
    expect(await verify()).toEqual({ activities: 8, problem: null })
    await writeFile(heads, kept)
  })

  test('are not needed to find an edit, only to find a cut', async () => {
    expect(await verifyAudit(world.db, organization_id, `${world.folder}/none.jsonl`)).toEqual({
      activities: 8,
      problem: null,
    })
    await truncate(heads)
    expect(await verify()).toEqual({ activities: 8, problem: null })
  })
})

test('a rotated secret reads what the one before it sealed, and goes on', async () => {
  const rotated = { ...world.db, keys: deriveKeys('the secret after the rotation, long enough', testSecret) }
  await makeLead(ctx)
  await sealAll(rotated, heads)
  expect(await verifyAudit(rotated, organization_id, heads)).toEqual({ activities: 9, problem: null })
  expect((await verify()).problem).toMatchObject({ seq: 9, message: expect.stringContaining('APP_SECRET') })
})

test('many writers and several sequencers at once make one chain without a gap', async () => {
  const sequencers = Array.from({ length: 3 }, () => startSequencer(world.db, heads))
  try {
    await Promise.all(Array.from({ length: 60 }, () => makeLead(ctx)))
    await eventually(async () => (await listEventsAfter(ctx, 0, 500)).length === 68)
  } finally {
    await Promise.all(sequencers.map((sequencer) => sequencer.stop()))
  }
  const events = await listEventsAfter(ctx, 0, 500)
  expect(events.map(({ id }) => id)).toEqual(Array.from({ length: 68 }, (_, n) => n + 1))
  expect(await verify()).toEqual({ activities: 68, problem: null })
})

test('what was rolled back is not in it', async () => {
  const lead = await makeLead(ctx)
  await expect(
    inTx(ctx, async (ctx) => {
      await recordActivity(ctx, { type: 'note_added', subjects: [{ kind: 'lead', id: lead.id }] })
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 10 })
  expect(data.map(({ type }) => type)).toEqual(['lead_imported'])
})

test('a timeline is filtered by who acted, page by page, newest first', async () => {
  const lead = await makeLead(ctx)
  const subjects = [{ kind: 'lead' as const, id: lead.id }]
  const kinds = ['agent', 'system', 'visitor', 'agent', 'api_key'] as const
  for (const kind of kinds) {
    const as: Ctx = { ...ctx, actor: { kind, id: kind, name: kind } }
    await inTx(as, (as) => recordActivity(as, { type: 'note_added', subjects }))
  }
  const of = async (actor?: 'human' | 'agent' | 'system') =>
    (await listTimeline(ctx, subjects[0]!, { actor, limit: 20 })).data.map((line) => line.actor.kind)
  expect(await of()).toEqual(['api_key', 'agent', 'visitor', 'system', 'agent', 'user'])
  expect(await of('agent')).toEqual(['agent', 'agent'])
  expect(await of('system')).toEqual(['system'])
  expect(await of('human')).toEqual(['api_key', 'visitor', 'user'])
  const first = await listTimeline(ctx, subjects[0]!, { limit: 4 })
  const second = await listTimeline(ctx, subjects[0]!, { limit: 4, cursor: first.next_cursor! })
  expect([first.data.length, second.data.length, second.next_cursor]).toEqual([4, 2, null])
})
