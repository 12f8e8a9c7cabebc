import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveApi, type ApiServer } from '../api/server.ts'
import { EVENTS_CHANNEL, startSequencer } from '../db/audit.ts'
import { workBulk } from '../db/bulk-work.ts'
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

const until = async (holds: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  for (let n = 0; n < 400; n++) {
    // Looked at again and again.
    if (await holds()) return
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

test('F71: while records of every kind change at once, a reader that is cut off again and again misses nothing', async () => {
  const another = await follow()
  await until(() => another.lastId() !== '', 'the stream starts')
  const start = Number(another.lastId())
  const heard: Told[] = []
  let last = String(start)
  let writing = true
  const reading = (async () => {
    for (let n = 0; writing; n++) {
      const reader = await follow({ 'last-event-id': last })
      await delay(10 + ((n * 37) % 90))
      await reader.stop()
      heard.push(...reader.told)
      last = reader.lastId() || last
    }
  })()
  const lead = await make('Everybody’s')
  const subject = { kind: 'lead', id: lead.id }
  const { data: pipelines } = (await api.json('GET', '/api/pipelines')).body
  const stages = pipelines.find(({ id }: any) => id === lead.pipeline_id).stages.slice(0, 4)
  const acts: ((n: number) => Promise<{ status: number }>)[] = [
    (n) => api.json('POST', '/api/leads', { contact_name: `Lead ${n}` }),
    (n) => api.json('POST', '/api/deals', { name: `Deal ${n}` }),
    (n) => api.json('POST', '/api/accounts', { name: `Account ${n}` }),
    (n) => api.json('POST', '/api/contacts', { name: `Contact ${n}` }),
    (n) => api.json('POST', '/api/notes', { subject, body: `Note ${n}` }),
    (n) => api.json('POST', '/api/tasks', { title: `Task ${n}`, subjects: [subject] }),
    (n) => api.json('POST', `/api/opportunities/${lead.id}/move`, { stage_id: stages[n % 4].id }),
    (n) => api.json('POST', '/api/fields', { record_kind: 'lead', label: `Field ${n}`, type: 'integer' }),
    (n) =>
      api.json('POST', '/external/v1/leads/batch', {
        items: Array.from({ length: 40 }, (_, k) =>
          k % 10 === 3 ? {} : { contact_name: `Batch ${n} ${k}` },
        ),
      }),
  ]
  await Promise.all(
    acts.map(async (act) => {
      for (let n = 0; n < 12; n++) expect((await act(n)).status).toBeLessThan(300)
    }),
  )
  await until(() => heard.length > 500, 'most of it is heard')
  writing = false
  await reading
  const rest = await follow({ 'last-event-id': last })
  const [{ newest } = { newest: 0 }] = await inTx(api.ctx, async ({ tx, organization_id }) => {
    await delay(300)
    return tx<{ newest: number }[]>`
      select max(seq)::int as newest from activities where organization_id = ${organization_id}`
  })
  await until(() => Number(rest.lastId()) === newest, 'the rest')
  heard.push(...rest.told)
  const ids = heard.map(({ id }) => id)
  expect(ids).toEqual(Array.from({ length: newest - start }, (_, n) => start + 1 + n))
  // Who was never cut off heard the same.
  await until(() => another.told.length === ids.length, 'the other reader')
  expect(another.told.map(({ data }) => data)).toEqual(heard.map(({ data }) => data))
  const kinds = new Set(heard.flatMap(({ data }) => data.subjects.map(({ kind }: any) => kind)))
  for (const kind of ['lead', 'deal', 'account', 'contact', 'note', 'task']) expect(kinds).toContain(kind)
  await Promise.all([rest.stop(), another.stop()])
})

test('F71: a thousand records that change together are told with a handful of notifications, and no trigger sends one', async () => {
  const listener = postgres(api.owner_url, { max: 1 })
  let heard = 0
  await listener.listen(EVENTS_CHANNEL, () => {
    heard += 1
  })
  const newest = async () => Number((await api.json('GET', '/api/activities?limit=1')).body.data[0].seq)
  const sealed = (n: number) => until(async () => (await newest()) >= n, `${n} are sealed`)
  const before = await newest()
  const items = Array.from({ length: 1_000 }, (_, n) => ({ contact_name: `Together ${n}` }))
  const made = await api.json(
    'POST',
    '/external/v1/leads/batch',
    { items },
    { 'idempotency-key': 'together' },
  )
  expect(made.body.succeeded).toBe(1_000)
  await sealed(before + 1_000)
  // 500 are sealed at a time.
  expect(heard).toBeGreaterThan(0)
  expect(heard).toBeLessThanOrEqual(6)

  heard = 0
  const ids = made.body.results.map(({ id }: any) => id)
  const act = await api.json('POST', '/api/bulk', {
    kind: 'lead',
    ids,
    act: 'add_tags',
    input: { tags: ['x'] },
  })
  await workBulk(api.db, api.organization.id, act.body.id)
  await sealed(before + 2_000)
  expect((await api.json('GET', `/api/bulk/${act.body.id}`)).body.counts.changed).toBe(1_000)
  expect(heard).toBeLessThanOrEqual(40)

  const notifying = await listener`
    select p.proname from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal and p.prosrc ~* 'notify'`
  expect([...notifying]).toEqual([])
  await listener.end()
}, 60_000)

test('F71: what is told of an old call is news: nobody has to read anew for it', async () => {
  await make('Before an old call')
  const early = await follow()
  await make('Right before')
  await until(() => early.told.length > 0, 'the change right before')
  await early.stop()
  const lead = await make('Called long ago')
  const logged = await api.json('POST', '/api/activities', {
    type: 'call_logged',
    subjects: [{ kind: 'lead', id: lead.id }],
    occurred_at: new Date(Date.now() - 40 * 86_400_000).toISOString(),
    data: { subject: 'An old call' },
  })
  expect(logged.status, JSON.stringify(logged.body)).toBe(201)
  const reader = await follow({ 'last-event-id': String(early.told.at(-1)?.id) })
  await until(() => reader.told.some(({ data }) => data.type === 'call_logged'), 'the call')
  expect(reader.told.filter(({ event }) => event === 'reset')).toEqual([])
  await reader.stop()
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

test('F85: a key hears of what it may read, by what it is about; the ids go on over the rest, and resuming misses nothing', async () => {
  const keyOf = async (...scopes: string[]) =>
    (await createApiKey(api.ctx, { name: scopes.join(' '), scopes, user_id: api.owner.user_id })).key
  const key = await keyOf('activities:read', 'contacts:read')
  const first = await follow({}, key)
  await until(() => first.lastId() !== '', 'the stream starts')
  const start = first.lastId()
  const noted = async (noun: string, n: number) => {
    const { id } = (await api.json('POST', `/api/${noun}s`, { name: `Heard ${n}` })).body
    await api.json('POST', '/api/notes', { subject: { kind: noun, id }, body: 'Heard' })
    return id as string
  }
  const contacts: string[] = []
  for (let n = 0; n < 3; n++) {
    contacts.push(await noted('contact', n))
    for (const noun of ['lead', 'deal', 'account']) await noted(noun, n)
  }
  await api.json('POST', '/api/tasks', { title: 'About nothing' })
  const everything = await follow({ 'last-event-id': start })
  await until(() => everything.told.length >= 25, 'all is told to whoever reads all')
  const newest = everything.lastId()
  await until(() => first.lastId() === newest, 'the ids go on over what is left out')
  const heard = (told: Told[]) => told.map(({ data }) => data.subject.id)
  const theirs = contacts.flatMap((id) => [id, id])
  expect(first.told.every(({ data }) => data.subject.kind === 'contact')).toBe(true)
  expect(heard(first.told)).toEqual(theirs)
  // From every place in between, what comes after it.
  for (const { id } of everything.told.slice(0, -1)) {
    const resumed = await follow({ 'last-event-id': String(id) }, key)
    await until(() => resumed.lastId() === newest, 'it caught up')
    expect(heard(resumed.told)).toEqual(heard(first.told.filter((one) => one.id > id)))
    await resumed.stop()
  }
  const nothing = await follow({ 'last-event-id': start }, await keyOf('activities:read'))
  await until(() => nothing.lastId() === newest, 'nothing is for it')
  expect(nothing.told).toEqual([])
  // What passes is told by the same rule.
  const act = { kind: 'contact', ids: contacts, act: 'add_tags', input: { tags: ['x'] }, dry_run: true }
  const bulk = (await api.json('POST', '/api/bulk', act)).body
  await workBulk(api.db, api.organization.id, bulk.id)
  const passing = ({ told }: { told: Told[] }) => told.filter(({ data }) => data.type === 'bulk_progress')
  await until(() => passing(everything).length > 0, 'the progress is told')
  await delay(100)
  expect([passing(first), passing(nothing)]).toEqual([[], []])
  await Promise.all([first.stop(), everything.stop(), nothing.stop()])
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
