import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveApi, type ApiServer } from '../api/server.ts'
import { startSequencer } from '../db/audit.ts'
import { createApiKey, revokeApiKey } from '../db/identity.ts'
import { inTx } from '../db/context.ts'
import { createLead } from '../db/leads.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
let server: ApiServer
let sequencer: { stop: () => Promise<void> }
beforeAll(async () => {
  api = await openApi()
  server = await serveApi(api.app, { host: '127.0.0.1', port: 0 })
  sequencer = startSequencer(api.db, `${api.folder}/heads.jsonl`)
})
afterAll(async () => {
  await server.close()
  await sequencer.stop()
  await api.stop()
})

type Told = { id: number; event: string; data: any }

/** Reads a stream until it is stopped. */
const follow = async (headers: Record<string, string> = {}, key = api.key) => {
  const abort = new AbortController()
  const response = await fetch(`${server.url}/api/events`, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal: abort.signal,
  })
  const told: Told[] = []
  let text = ''
  let ended = false
  let lastId = ''
  const reading = (async () => {
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      text += part
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const field = (name: string) =>
          block
            .split('\n')
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2)
        lastId = field('id') ?? lastId
        if (field('event'))
          told.push({ id: Number(lastId), event: field('event')!, data: JSON.parse(field('data')!) })
      }
    }
    ended = true
  })().catch(() => {
    ended = true
  })
  return {
    response,
    told,
    lastId: () => lastId,
    ended: () => ended,
    stop: async () => {
      abort.abort()
      await reading
    },
  }
}

const until = async (holds: () => boolean, what: string): Promise<void> => {
  for (let n = 0; n < 200; n++) {
    if (holds()) return
    await delay(25)
  }
  throw new Error(`never: ${what}`)
}

const make = (name: string) => createLead(api.ctx, { contact_name: name }, { door: 'ui' })

test('a change is heard at once, by everybody of the organization and by nobody else', async () => {
  const other = await api.other()
  const { key } = await createApiKey(other.ctx, {
    name: 'Theirs',
    scopes: ['*'],
    user_id: other.owner.user_id,
  })
  const [one, two, theirs] = [await follow(), await follow(), await follow({}, key)]
  expect(one.response.headers.get('content-type')).toContain('text/event-stream')
  await until(() => one.lastId() !== '' && two.lastId() !== '', 'the streams start')
  const started = Date.now()
  const lead = await make('Ana Ruiz')
  await until(() => one.told.length > 0 && two.told.length > 0, 'both hear of it')
  expect(Date.now() - started).toBeLessThan(900)
  expect(one.told).toMatchObject([
    { event: 'change', data: { type: 'lead_imported', subject: { kind: 'lead', id: lead.id }, version: 1 } },
  ])
  expect(one.told[0]!.id).toBe(one.told[0]!.data.id)
  await delay(50)
  expect(theirs.told).toEqual([])
  await Promise.all([one.stop(), two.stop(), theirs.stop()])
})

test('who resumes misses nothing and hears nothing twice', async () => {
  const first = await follow()
  await until(() => first.lastId() !== '', 'the stream starts')
  const start = first.lastId()
  await first.stop()
  const names = Array.from({ length: 25 }, (_, n) => `Missed ${n}`)
  await Promise.all(names.map(make))
  await delay(200)
  const resumed = await follow({ 'last-event-id': start })
  await make('Live')
  await until(() => resumed.told.length >= 26, 'all are told')
  await delay(100)
  const ids = resumed.told.map(({ id }) => id)
  expect(ids).toEqual(Array.from({ length: 26 }, (_, n) => Number(start) + 1 + n))
  await resumed.stop()
})

test('who was away too long, or knows a number that never was, is told to read anew', async () => {
  for (let n = 0; n < 4; n++) await make(`Old ${n}`)
  await delay(100)
  await inTx(
    api.ctx,
    ({ tx }) => tx`update activities set occurred_at = now() - interval '8 days' where seq <= 3`,
  )
  for (const seen of ['1', '999999999']) {
    const reader = await follow({ 'last-event-id': seen })
    await until(() => reader.told.length > 0, 'a reset')
    expect(reader.told[0]).toMatchObject({ event: 'reset' })
    await make(`After a reset from ${seen}`)
    await until(() => reader.told.some(({ event }) => event === 'change'), 'the next change')
    await reader.stop()
  }
  expect((await api.json('GET', '/api/events?last_event_id=abc')).status).toBe(422)
})

test('nobody follows without the right to', async () => {
  expect((await api.json('GET', '/api/events', undefined, { authorization: 'Bearer no' })).status).toBe(401)
  const { key, id } = await createApiKey(api.ctx, {
    name: 'Leads only',
    scopes: ['leads:read'],
    user_id: api.owner.user_id,
  })
  expect((await api.json('GET', '/api/events', undefined, { authorization: `Bearer ${key}` })).status).toBe(
    403,
  )
  await revokeApiKey(api.ctx, id)
})

test('a server that stops ends its streams', async () => {
  const another = await openApi()
  const listening = await serveApi(another.app, { host: '127.0.0.1', port: 0 })
  const response = await fetch(`${listening.url}/api/events`, {
    headers: { authorization: `Bearer ${another.key}` },
  })
  const started = Date.now()
  await Promise.all([listening.close(), response.text()])
  expect(Date.now() - started).toBeLessThan(2_000)
  await expect(
    serveApi(another.app, { host: '127.0.0.1', port: Number(new URL(server.url).port) }),
  ).rejects.toThrow(/PORT/)
  await another.stop()
})
