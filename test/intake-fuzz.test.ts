import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createSource } from '../db/intake-sources.ts'
import { openApi, type ApiWorld } from './api.ts'
import { furnish, type Furnished } from './furnished.ts'
import { operationsOf, pathOf, type Described } from './operations.ts'

vi.setConfig({ testTimeout: 120_000 })

let api: ApiWorld
let operations: Described[]
let ours: Furnished
let token: string
beforeAll(async () => {
  api = await openApi()
  operations = await operationsOf(api)
  ours = await furnish(api.ctx, api.owner.user_id)
  token = (await createSource(api.ctx, { name: 'Open' })).token
})
afterAll(() => api.stop())

/** Stands where an odd value goes. */
const ODD = Symbol('odd')

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

/** Values that something somewhere does not expect, as JSON text. */
const oddValues = [
  'null',
  'true',
  '0',
  '-1',
  '1.5',
  '1e400',
  '9007199254740993',
  '""',
  '" "',
  '"x"',
  '[]',
  '[null]',
  '{}',
  '{"__proto__":{"a":1}}',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e\\u200b"',
  JSON.stringify('x'.repeat(100_000)),
  '"2026-13-45"',
  '"0000-00-00T00:00:00Z"',
  '"01990000-0000-7000-8000-000000000000"',
  '["\\u0000"]',
  nested(60),
  '"‘ OR 1=1; --"',
  '"%00"',
  '"-infinity"',
]

const oddBodies = [
  '',
  'null',
  '[]',
  '"x"',
  '0',
  '{',
  '{"a":}',
  '\u0000',
  '{"__proto__":null,"constructor":{},"toString":1}',
  nested(10_000),
  nested(100_000),
  `{"x":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
  `{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":1`).join(',')}}`,
]

const oddQueries = [
  '',
  'x',
  '-1',
  '0',
  '201',
  '1e9',
  '%00',
  '%ed%a0%80',
  'null',
  '{}',
  '[]',
  '{"and":[]}',
  '{"field":"name","op":"eq","value":{}}',
  '{"field":"score","op":"between","value":[1]}',
  '{"field":"created_at","op":"gt","value":"x"}',
  '{"field":"owner_id","op":"in","value":["x"]}',
  'WyJhIiwiYiJd',
  'W251bGwsbnVsbF0',
  '-name,,',
  'x'.repeat(3_000),
  encodeURIComponent(nested(5_000)),
  '‘ or 1=1',
]

/** How often each class of status was answered: a fuzz that only ever meets one wall tests nothing. */
type Tally = Record<number, number>

const check = async (what: string, response: Response, tally: Tally): Promise<void> => {
  const status_class = Math.floor(response.status / 100)
  tally[status_class] = (tally[status_class] ?? 0) + 1
  const type = response.headers.get('content-type') ?? ''
  if (type.includes('event-stream')) {
    await response.body?.cancel()
    return
  }
  const text = await response.text()
  expect(response.status, `${what}\n${text.slice(0, 500)}`).toBeLessThan(500)
  if (response.status >= 400) {
    expect(type, what).toBe('application/problem+json')
    expect(JSON.parse(text), what).toMatchObject({ code: expect.any(String), detail: expect.any(String) })
  }
}

const isVaried = (tally: Tally): boolean =>
  (tally[2] ?? 0) > 100 && (tally[4] ?? 0) > 500 && tally[5] === undefined

const OWN: [part: string, kind: keyof Furnished][] = [
  ['approvals', 'approval'],
  ['/runs', 'failed_run'],
  ['failures', 'failed_run'],
  ['intake-sources', 'source'],
  ['submissions', 'submission'],
  ['messages', 'message'],
  ['api-keys', 'api_key'],
  ['tasks', 'task'],
  ['pipelines', 'pipeline'],
]

const idsFor = (path: string): string => ours[OWN.find(([part]) => path.includes(part))?.[1] ?? 'lead']

const place = (path: string): string =>
  pathOf(path, { id: idsFor(path), name: 'lead_worker', agent: 'lead_worker', tool: 'add_note', token })

test('no body makes any operation fail: whole bodies and every field of them', async () => {
  const tally: Tally = {}
  for (const { method, path, example, body } of operations.filter(
    ({ method }) => method !== 'GET' && method !== 'DELETE',
  )) {
    const fields = Object.keys(body?.properties ?? {})
    const mutated = fields.flatMap((field) =>
      oddValues.map((value) => {
        const members = Object.entries({ ...example, [field]: ODD }).map(
          ([name, sent]) => `${JSON.stringify(name)}:${sent === ODD ? value : JSON.stringify(sent)}`,
        )
        return `{${members.join(',')}}`
      }),
    )
    for (const text of [...oddBodies, ...mutated]) {
      const response = await api.app.request(place(path), {
        method,
        headers: { authorization: `Bearer ${api.key}`, 'content-type': 'application/json' },
        body: text,
      })
      await check(`${method} ${path} ${text.slice(0, 200)}`, response, tally)
    }
  }
  expect(isVaried(tally), JSON.stringify(tally)).toBe(true)
})

test('no address makes any operation fail: ids, queries, headers', async () => {
  const tally: Tally = {}
  for (const { method, path, query, example } of operations) {
    const ask = (address: string, headers: Record<string, string> = {}) =>
      api.app.request(address, {
        method,
        headers: { authorization: `Bearer ${api.key}`, ...headers },
        ...(method === 'GET' ? {} : { body: JSON.stringify(example ?? {}) }),
      })
    if (path.includes('{')) {
      for (const id of [
        'x',
        '%00',
        '%',
        '%ff',
        '__proto__',
        '..%2f..',
        "'",
        'x'.repeat(5_000),
        '0199000000007000800000000000000',
        '%F0%9F%98%80',
      ]) {
        await check(
          `${method} ${path} with ${id.slice(0, 50)}`,
          await ask(path.replaceAll(/\{\w+\}/g, id)),
          tally,
        )
      }
    }
    for (const name of [...query, 'unknown']) {
      for (const value of oddQueries)
        await check(
          `${method} ${path}?${name}=${value.slice(0, 50)}`,
          await ask(`${place(path)}?${name}=${value}`),
          tally,
        )
    }
    const odd: Record<string, string>[] = [
      { 'if-match': '*' },
      { 'if-match': '"x"' },
      { 'idempotency-key': '' },
      { 'idempotency-key': 'ü' },
      { 'last-event-id': '-1' },
      { 'content-length': '-5' },
      { 'content-type': 'multipart/form-data' },
    ]
    for (const headers of odd) {
      await check(`${method} ${path} ${JSON.stringify(headers)}`, await ask(place(path), headers), tally)
    }
  }
  expect(isVaried(tally), JSON.stringify(tally)).toBe(true)
})

test('20 MB are refused without a stall', async () => {
  const body = `{"name":"${'x'.repeat(20_000_000)}"}`
  for (const path of [`/intake/webhook/${token}`, '/api/leads', `/api/approvals/${ours.approval}/approve`]) {
    const started = performance.now()
    const response = await api.app.request(path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${api.key}`,
        'content-type': 'application/json',
        'content-length': String(body.length),
      },
      body,
    })
    expect(response.status).toBe(413)
    expect(performance.now() - started).toBeLessThan(1_000)
  }
})
