import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../api/app.ts'
import { type Allowance, openAllowances } from '../api/rate-limit.ts'
import { connect } from '../db/client.ts'
import { createSource } from '../db/intake-sources.ts'
import { APP_URL, nothingOutside, openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const limitsOf = ({ headers }: Response) =>
  ['limit', 'remaining', 'reset'].map((name) => headers.get(`ratelimit-${name}`))

const holder = () => ({ organization_id: api.organization.id, id: randomUUID() })
/** How many of so many requests are let through, one after the other. */
const taken = async (count: number, next: (n: number) => Allowance): Promise<number> => {
  let through = 0
  for (let n = 0; n < count; n++) if ((await next(n).take()) === 0) through += 1
  return through
}

test('an allowance holds a minute’s worth and fills steadily, never beyond', async () => {
  const allowance = openAllowances(api.db).of(holder(), 60)
  const before = Date.now()
  let through = (await allowance.take()) === 0 ? 1 : 0
  const after = Date.now()
  /** Takes all there are. Answers how long it would take until there is one again. */
  const takeAll = async (): Promise<number> => {
    for (;;) {
      const wait_s = await allowance.take()
      if (wait_s > 0) return wait_s
      through += 1
    }
  }
  for (const pause_ms of [0, 1_600, 2_300]) {
    await setTimeout(pause_ms)
    // One comes back each second, known a round trip later, however long this machine took for what is above.
    const least = 60 + Math.floor((Date.now() - after - 200) / 1_000)
    expect([await takeAll(), allowance.left(), allowance.full_in_s()]).toEqual([1, 0, 60])
    expect(through).toBeGreaterThanOrEqual(least)
    expect(through).toBeLessThanOrEqual(60 + (Date.now() - before) / 1_000)
  }
})

test('F71: every answer to a key says what is left, a refusal too; beyond it 429 says when to ask again', async () => {
  const made = await api.json('POST', '/api/api-keys', {
    name: 'Slow',
    scopes: ['leads:read', 'activities:read'],
    rate_limit_per_minute: 4,
  })
  expect(made).toMatchObject({ status: 201, body: { rate_limit_per_minute: 4 } })
  const ask = (path: string) => api.ask('GET', path, undefined, { authorization: `Bearer ${made.body.key}` })
  expect(limitsOf(await ask('/api/leads'))).toEqual(['4', '3', '15'])
  expect(limitsOf(await ask('/api/settings'))).toEqual(['4', '2', '30'])
  expect(limitsOf(await ask('/external/v1/leads?limit=x'))).toEqual(['4', '1', '45'])
  const events = await ask('/api/events')
  expect(limitsOf(events)).toEqual(['4', '0', '60'])
  await events.body?.cancel()
  for (const path of ['/api/leads', '/external/v1/leads', '/api/events']) {
    const refused = await ask(path)
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, 15])
    expect(limitsOf(refused)).toEqual(['4', '0', '60'])
    expect(await refused.json()).toMatchObject({ code: 'too_many_requests' })
  }
  // Another key, and what is open to everybody, are not slowed down by it.
  expect((await api.ask('GET', '/api/leads')).status).toBe(200)
  expect((await api.ask('GET', '/healthz')).headers.get('ratelimit-limit')).toBeNull()
  expect((await api.json('GET', '/api/api-keys')).body.data).toMatchObject([
    { name: 'Slow', rate_limit_per_minute: 4 },
    { name: 'Everything', rate_limit_per_minute: 600_000 },
  ])
})

test('a key’s limit is a whole number that makes sense', async () => {
  for (const rate_limit_per_minute of [0, -1, 1.5, '10', 1e9]) {
    expect(
      await api.json('POST', '/api/api-keys', { name: 'x', scopes: ['leads:read'], rate_limit_per_minute }),
    ).toMatchObject({ status: 422, body: { errors: [{ pointer: '/rate_limit_per_minute' }] } })
  }
})

test('F71: two processes on one database allow together what one does, and give back what one of them left', async () => {
  const [one, other] = [openAllowances(api.db), openAllowances(api.db)]
  for (const per_minute of [30, 600]) {
    const of = holder()
    const [a, b] = [one.of(of, per_minute), other.of(of, per_minute)]
    const began = performance.now()
    const through = await taken(3 * per_minute, (n) => (n % 2 === 0 ? a : b))
    const refilled = ((performance.now() - began) / 60_000) * per_minute
    expect(through).toBeGreaterThanOrEqual(per_minute)
    expect(through).toBeLessThanOrEqual(per_minute + refilled + 1)
    expect([a.left(), b.left()]).toEqual([0, 0])
  }

  // One takes a slice of ten and uses one; the other may have all the rest.
  const of = holder()
  const [idle, busy] = [one.of(of, 1_000), other.of(of, 1_000)]
  expect(await taken(1, () => idle)).toBe(1)
  const began = performance.now()
  const early = await taken(1_100, () => busy)
  const refilled = ((performance.now() - began) / 60_000) * 1_000
  expect(early).toBeGreaterThanOrEqual(990)
  expect(early).toBeLessThanOrEqual(990 + refilled + 1)
  // What it has not used is stale by now: it goes back, and what is left is what both have left.
  await setTimeout(1_100)
  expect(await idle.take()).toBe(0)
  expect(idle.left()).toBeLessThanOrEqual(9 + 1_000 * ((performance.now() - began) / 60_000))
})

test('F71: a key’s limit holds over two APIs, whose headers say what is left of both; so does a door’s', async () => {
  const { db, auth } = api
  const second = createApp({ db, auth, outside: nothingOutside, app_url: APP_URL, model: 'rules' })
  const turn = (n: number) => (n % 2 === 0 ? api.app : second)
  try {
    const { body } = await api.json('POST', '/api/api-keys', {
      name: 'Both',
      scopes: ['leads:read'],
      rate_limit_per_minute: 6,
    })
    const ask = (n: number) =>
      turn(n).request('/api/leads', { headers: { authorization: `Bearer ${body.key}` } })
    for (let n = 0; n < 6; n++) {
      const answer = await ask(n)
      expect([answer.status, ...limitsOf(answer)]).toEqual([200, '6', String(5 - n), String(10 * (n + 1))])
    }
    for (let n = 0; n < 2; n++) {
      const refused = await ask(n)
      expect([refused.status, ...limitsOf(refused)]).toEqual([429, '6', '0', '60'])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    }

    const { token } = await createSource(api.ctx, { name: 'Website', rate_limit_per_minute: 4 })
    const deliver = async (n: number) => {
      const answer = await turn(n).request(`/intake/webhook/${token}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: `Ana ${n}`, email: `ana.${n}@moss.example` }),
      })
      return answer.status
    }
    const statuses: number[] = []
    for (let n = 0; n < 6; n++) statuses.push(await deliver(n))
    expect(statuses).toEqual([202, 202, 202, 202, 429, 429])
  } finally {
    await second.stop()
  }
})

test('F71: many at once are counted as well, each once', async () => {
  const of = holder()
  const both = [openAllowances(api.db).of(of, 100), openAllowances(api.db).of(of, 100)]
  const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => both[n % 2]!.take()))
  const through = answers.filter((wait_s) => wait_s === 0).length
  expect(through).toBeGreaterThanOrEqual(100)
  expect(through).toBeLessThanOrEqual(104)
  expect(answers.filter((wait_s) => wait_s > 0).every((wait_s) => wait_s === 1)).toBe(true)
})

test('F71: counting is cheap: the database is asked for a hundredth at a time', async () => {
  let statements = 0
  const sql = connect(api.app_url, { onStatement: () => (statements += 1) })
  try {
    const allowance = openAllowances({ ...api.db, sql }).of(holder(), 600_000)
    await allowance.take()
    statements = 0
    const began = performance.now()
    expect(await taken(60_000, () => allowance)).toBe(60_000)
    const took_us = ((performance.now() - began) * 1_000) / 60_000
    process.stdout.write(`60,000 requests counted: ${took_us.toFixed(2)} µs each, ${statements} statements\n`)
    // Begin, the organization, no wait for the disk, the slice, commit; eleven slices, and one for each second that it took.
    expect(statements).toBeLessThanOrEqual(5 * 15)
    expect(took_us).toBeLessThan(50)
  } finally {
    await sql.end()
  }
})

test('F71: a limit that is changed counts from the next request on', async () => {
  const of = holder()
  const allowances = openAllowances(api.db)
  expect(await taken(6, () => allowances.of(of, 3))).toBe(3)
  expect(await taken(12, () => allowances.of(of, 9))).toBe(9)
})

test('F71: a database that is away is an error, not a refusal, and the next request asks it again', async () => {
  const away = connect('postgres://nobody@127.0.0.1:1/none', { max: 1 })
  const parts = { ...api.db, sql: away }
  const allowance = openAllowances(parts).of(holder(), 5)
  await expect(allowance.take()).rejects.toThrow(/ECONNREFUSED/)
  parts.sql = api.db.sql
  expect(await taken(7, () => allowance)).toBe(5)
  await away.end({ timeout: 0 })
})
