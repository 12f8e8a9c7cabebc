import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createSource } from '../db/intake-sources.ts'
import { openSurface, openTenant, type Surface, type Tenant } from './furnished-tenant.ts'
import { NOBODYS, pathOf, placed, placesOf, setAt, valuesOf, type Described } from './operations.ts'
import { randomFrom, seed } from './random.ts'

// P20: every operation, made from the document, against what nobody should send. `SEED` and `FUZZ_DEPTH` go further.

/** Odd values per place; from 40 on all there are, at every place. */
const DEPTH = Number(process.env['FUZZ_DEPTH'] ?? 2)

vi.setConfig({ testTimeout: 120_000 * (1 + DEPTH) })

let surface: Surface
let operations: Described[]
let tenant: Tenant
let token: string
beforeAll(async () => {
  surface = await openSurface()
  operations = surface.operations.filter(({ path }) => path !== '/api/events')
  tenant = await openTenant(surface)
  token = (await createSource(surface.api.ctx, { name: 'Open' })).token
})
afterAll(() => surface.stop())

const next = randomFrom(seed)
const some = <T>(among: readonly T[], n: number): T[] =>
  n >= among.length ? [...among] : Array.from({ length: n }, () => among[Math.floor(next() * among.length)]!)

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

/** Values that something somewhere does not expect, as JSON text, with their JSON type. */
const ODD_VALUES: [type: string, text: string][] = [
  ['null', 'null'],
  ['boolean', 'true'],
  ['integer', '0'],
  ['integer', '-1'],
  ['number', '1.5'],
  ['number', '1e400'],
  ['number', '-1e308'],
  ['integer', '9007199254740993'],
  ['integer', '2147483648'],
  ['string', '""'],
  ['string', '" "'],
  ['string', '"x"'],
  ['array', '[]'],
  ['array', '[null]'],
  ['array', '[[[]]]'],
  ['object', '{}'],
  ['object', '{"__proto__":{"a":1}}'],
  ['object', '{"constructor":{"prototype":{}},"toString":1}'],
  ['string', '"__proto__"'],
  ['string', '"\\u202e\\u200b"'],
  ['string', JSON.stringify('x'.repeat(100_000))],
  ['string', JSON.stringify('é😀'.repeat(30_000))],
  ['string', JSON.stringify('a@'.repeat(50_000))],
  ['string', '"2026-13-45"'],
  ['string', '"0000-00-00T00:00:00Z"'],
  ['string', '"+275760-09-13T00:00:00Z"'],
  ['string', '"01990000-0000-7000-8000-000000000000"'],
  // So deep that a body is still read with it at its deepest place.
  ['array', nested(50)],
  ['array', JSON.stringify(Array.from({ length: 20_000 }, () => 'x'))],
  ['string', '"‘ OR 1=1; --"'],
  ['string', '"%00"'],
  ['string', '"-infinity"'],
  ['string', '"NaN"'],
]

/** Text that no database holds: its place is always named. */
const UNSTORABLE = ['"\\u0000"', '"\\ud800"', '{"a\\u0000":1}', '["\\udfff"]']

const ODD_BODIES = [
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
  `{"x":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
  `{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":1`).join(',')}}`,
]

const ODD_QUERIES = [
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
  '{"field":"created_at","op":"within_last","value":{"n":1e15,"unit":"year"}}',
  '{"linked":"contacts","some":{"field":"name","op":"contains","value":"\\u0000"}}',
  '{"field":"custom.x","op":"eq","value":1}',
  '{"field":"__proto__","op":"eq","value":1}',
  'WyJhIiwiYiJd',
  'W251bGwsbnVsbF0',
  '-name,,',
  '__proto__',
  'x'.repeat(3_000),
  encodeURIComponent(nested(5_000)),
  encodeURIComponent(`${'{"not":'.repeat(500)}{}${'}'.repeat(500)}`),
  '‘ or 1=1',
  '9999-99-99',
  '+275760-09-13T00:00:00Z',
]

const ODD_IDS = [
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
]

/** How often each class of status was answered: a fuzz that only ever meets one wall tests nothing. */
type Tally = Record<number, number>

type Told = { status: number; code: string; pointers: string[] }

/** What holds of every answer: never our fault, always a problem that says what to do. */
const check = async (what: string, response: Response, tally: Tally): Promise<Told> => {
  const { status } = response
  const label = `seed ${seed}: ${what}`.slice(0, 600)
  tally[Math.floor(status / 100)] = (tally[Math.floor(status / 100)] ?? 0) + 1
  const type = response.headers.get('content-type') ?? ''
  const text = await response.text()
  expect.soft(status, `${label}\n${text.slice(0, 500)}`).toBeLessThan(500)
  if (status < 400) return { status, code: '', pointers: [] }
  expect.soft(type, label).toBe('application/problem+json')
  const { code, detail, errors = [] } = JSON.parse(text)
  expect.soft([typeof code, typeof detail], label).toEqual(['string', 'string'])
  // The database found what our own checks should have named.
  expect.soft(code, label).not.toBe('invalid_value')
  return { status, code, pointers: errors.map(({ pointer }: { pointer: string }) => pointer) }
}

const place = (operation: Described): { path: string; body: any } => {
  const { path, body } = placed(operation, tenant.made, { token })
  const sent = { ...body }
  delete sent.version
  return { path, body: sent }
}

const headersOf = ({ versioned }: Described): Record<string, string> => ({
  authorization: `Bearer ${tenant.key}`,
  'content-type': 'application/json',
  ...(versioned ? { 'if-match': '"1"' } : {}),
})

/** Whether JSON of this type is none of those that the document knows at a place. */
const isOfOtherType = (schema: any, type: string): boolean => {
  const types = typesOf(schema)
  return types !== undefined && !types.has(type) && !(type === 'integer' && types.has('number'))
}

const typesOf = (schema: any): Set<string> | undefined => {
  if (schema.enum)
    return new Set(schema.enum.map((value: unknown) => (value === null ? 'null' : typeof value)))
  if (schema.const !== undefined) return new Set([typeof schema.const])
  const branches = schema.anyOf ?? schema.oneOf
  if (branches) {
    const each = branches.map(typesOf)
    return each.includes(undefined) ? undefined : new Set(each.flatMap((one: Set<string>) => [...one]))
  }
  return schema.type === undefined ? undefined : new Set([schema.type].flat())
}

/** Every place of a body, with what each branch of the document says of it. */
const placesIn = ({ body, example }: Described): [steps: string[], schemas: any[]][] => {
  // The door of websites takes anything: what it knows is in its example.
  if (body?.properties === undefined) return Object.keys(example ?? {}).map((name) => [[name], [{}]])
  const found = new Map<string, { steps: string[]; schemas: any[] }>()
  for (const { steps, schema } of placesOf(body)) {
    const known = found.get(steps.join('/')) ?? { steps, schemas: [] }
    found.set(steps.join('/'), { steps, schemas: [...known.schemas, schema] })
  }
  return [...found.values()].map(({ steps, schemas }) => [steps, schemas])
}

const ODD = '@@odd@@'

test('no body makes any operation fail, and what is wrong in it is named: every place of every body', async () => {
  const tally: Tally = {}
  let named = 0
  for (const operation of operations) {
    const { name, method, is_form } = operation
    if (method === 'GET' || method === 'DELETE' || is_form) continue
    const { path, body } = place(operation)
    const send = (text: string) =>
      surface.api.app.request(path, {
        method,
        headers: headersOf(operation),
        body: text,
      }) as Promise<Response>
    for (const text of some(ODD_BODIES, DEPTH))
      await check(`${name} ${text.slice(0, 100)}`, await send(text), tally)
    const places = placesIn(operation)
    // What programs send is checked by the same declarations: a part of it says enough.
    const share = path.startsWith('/external/') ? Math.ceil((places.length * DEPTH) / 4) : places.length
    for (const [steps, schemas] of some(places, share)) {
      const where = steps.map((step) => (step === '*' ? 'x' : step))
      const template = JSON.stringify(setAt(body, where, ODD))
      const values = some(ODD_VALUES, DEPTH)
      if (next() < DEPTH / 3) values.push(['unstorable', some(UNSTORABLE, 1)[0]!])
      for (const [type, value] of values) {
        const told = await check(
          `${name} ${where.join('/')} = ${value.slice(0, 100)}`,
          await send(template.replace(JSON.stringify(ODD), () => value)),
          tally,
        )
        if (type !== 'unstorable' && !schemas.every((schema) => isOfOtherType(schema, type))) continue
        // What comes in at a door is kept, whatever it is.
        if (path.startsWith('/intake/')) continue
        // Of a batch each item is told by itself.
        if (path.endsWith('/batch') && where.length > 2 && type !== 'unstorable') continue
        // A branch of several that are possible may be named by what holds them.
        const [top = ''] = where
        expect
          .soft(
            told.status === 422 && told.pointers.some((pointer) => pointer.startsWith(`/${top}`)),
            `seed ${seed}: ${name} ${where.join('/')} = ${value.slice(0, 100)} was told ${JSON.stringify(told)}`,
          )
          .toBe(true)
        named += 1
      }
    }
  }
  report('bodies', tally)
  expect(tally[2] ?? 0).toBeGreaterThan(100)
  expect(named).toBeGreaterThan(300)
})

test('no address makes any operation fail: ids, parameters, headers', async () => {
  const tally: Tally = {}
  for (const operation of operations) {
    const { name, method, query } = operation
    const { path, body } = place(operation)
    const ask = (address: string, headers: Record<string, string> = {}) =>
      surface.api.app.request(address, {
        method,
        headers: { ...headersOf(operation), ...headers },
        ...(method === 'GET' || method === 'DELETE' ? {} : { body: JSON.stringify(body) }),
      }) as Promise<Response>
    const own = valuesOf(operation, { ...tenant.made })
    for (const step of Object.keys(own)) {
      for (const id of some(ODD_IDS, DEPTH)) {
        const told = await check(
          `${name} with ${id.slice(0, 50)} as ${step}`,
          await ask(pathOf(operation.path, { ...own, token, [step]: id })),
          tally,
        )
        if (step.endsWith('id') && step !== 'external_id')
          expect.soft([400, 404], name).toContain(told.status)
      }
    }
    // What takes something away is asked for nobody's.
    const safe = method === 'DELETE' ? pathOf(operation.path, { ...own, id: NOBODYS }) : path
    for (const parameter of [...query, 'unknown']) {
      for (const value of some(ODD_QUERIES, DEPTH)) {
        const told = await check(
          `${name}?${parameter}=${value.slice(0, 100)}`,
          await ask(`${safe}${safe.includes('?') ? '&' : '?'}${parameter}=${value}`),
          tally,
        )
        if (parameter === 'unknown' && operation.path.startsWith('/api/'))
          expect.soft([422, 404], name).toContain(told.status)
      }
    }
    const odd: Record<string, string>[] = [
      { 'if-match': '*' },
      { 'if-match': '"x"' },
      { 'idempotency-key': '' },
      { 'idempotency-key': 'ü' },
      { 'last-event-id': '-1' },
      { 'content-length': '-5' },
      { 'content-type': 'multipart/form-data' },
      { 'content-type': 'text/html; charset=utf-16' },
    ]
    for (const headers of some(odd, DEPTH))
      await check(`${name} ${JSON.stringify(headers)}`, await ask(safe, headers), tally)
  }
  report('addresses', tally)
  expect(tally[2] ?? 0).toBeGreaterThan(50)
})

test('20 MB are refused before they are read, announced or not, wherever a body is taken', async () => {
  const part = new Uint8Array(100_000).fill(120)
  for (const operation of operations.filter(({ method }) => method !== 'GET')) {
    const { path } = place(operation)
    for (const announced of [true, false]) {
      let sent = 0
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (sent >= 20_000_000) return controller.close()
          sent += part.length
          controller.enqueue(part)
        },
      })
      const response = await surface.api.app.request(path, {
        method: operation.method,
        headers: {
          ...headersOf(operation),
          ...(operation.is_form ? { 'content-type': 'multipart/form-data; boundary=x' } : {}),
          ...(announced ? { 'content-length': '2000000000' } : {}),
        },
        body,
        duplex: 'half',
      })
      const what = `${operation.name} ${announced ? 'announced' : 'unannounced'}`
      // A form may hold a large file; this one is none.
      expect.soft(operation.is_form && !announced ? [400, 413, 422] : [413], what).toContain(response.status)
      expect.soft(await response.json(), what).toMatchObject({ code: expect.any(String) })
      if (!operation.is_form) expect.soft(sent, what).toBeLessThan(announced ? 300_000 : 4_500_000)
    }
  }
})

const MAX_STALL_MS = 50

/** The longest that nothing else could run, in milliseconds, of the best of several attempts: others use this machine, too. */
const stallOf = async (work: () => Promise<unknown>): Promise<number> => {
  const attempts: number[] = []
  for (let n = 0; n < 4; n++) {
    let last = performance.now()
    let longest = 0
    const look = () => {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
    }
    const timer = setInterval(look, 1)
    await work()
    look()
    clearInterval(timer)
    if (longest <= MAX_STALL_MS) return longest
    attempts.push(longest)
  }
  return Math.min(...attempts)
}

test('whatever is sent, others wait at most 50 ms', async () => {
  const lead = { contact_name: 'Ana Ruiz' }
  const many = (n: number, one: (index: number) => unknown) =>
    Array.from({ length: n }, (_, index) => one(index))
  const wide = (n: number) => Object.fromEntries(many(n, (index) => [`k${index}`, 1]) as [string, number][])
  const deepFilter = JSON.stringify(
    many(700, () => ({ not: {} })).reduce<object>((inner) => ({ not: inner }), {}),
  )
  const wideFilter = JSON.stringify({
    or: many(250, (index) => ({ field: 'contact_name', op: 'contains', value: `x${index}` })),
  })
  const cases: [name: string, method: string, path: string, body: string | undefined][] = [
    ['half a million brackets', 'POST', '/api/leads', nested(499_000)],
    ['a long text', 'POST', '/api/leads', JSON.stringify({ ...lead, message: 'é😀\u202e '.repeat(80_000) })],
    [
      'a long address',
      'POST',
      '/api/leads',
      JSON.stringify({ ...lead, email: `${'a.'.repeat(250_000)}@example.com` }),
    ],
    [
      'a long website',
      'POST',
      '/api/leads',
      JSON.stringify({ ...lead, website: `http://${'a.'.repeat(250_000)}com` }),
    ],
    ['a long phone', 'POST', '/api/leads', JSON.stringify({ ...lead, phone: '+49'.repeat(300_000) })],
    ['many unknown fields', 'POST', '/api/leads', JSON.stringify(wide(4_900))],
    ['far too many fields', 'POST', '/api/leads', JSON.stringify(wide(45_000))],
    ['many tags', 'POST', '/api/leads', JSON.stringify({ ...lead, tags: many(49_000, () => 'x') })],
    ['many custom fields', 'POST', '/api/leads', JSON.stringify({ ...lead, custom: wide(4_900) })],
    [
      'many ids',
      'POST',
      '/api/bulk',
      JSON.stringify({ kind: 'lead', ids: many(25_000, () => NOBODYS), act: 'archive' }),
    ],
    ['a wide filter', 'GET', `/api/leads?filter=${encodeURIComponent(wideFilter)}`, undefined],
    ['a deep filter', 'GET', `/api/leads?filter=${encodeURIComponent(deepFilter)}`, undefined],
    ['many items', 'POST', '/external/v1/leads/batch', JSON.stringify({ items: many(24_000, () => ({})) })],
    [
      'large items',
      'POST',
      '/external/v1/leads/batch',
      JSON.stringify({ items: many(1_000, () => ({ email: 'x'.repeat(3_900) })) }),
    ],
    [
      'wide items',
      'POST',
      '/external/v1/leads/batch',
      JSON.stringify({ items: many(1_000, () => wide(48)) }),
    ],
    [
      'good items',
      'POST',
      '/external/v1/leads/batch',
      JSON.stringify({ items: many(1_000, (n) => ({ ...lead, email: `ana.${n}@firm${n}.example` })) }),
    ],
    ['deep items', 'POST', '/external/v1/leads/batch', nested(1_999_000)],
  ]
  const stalls: Record<string, number> = {}
  for (const [name, method, path, body] of cases) {
    const bytes = body === undefined ? undefined : Buffer.from(body)
    stalls[name] = Math.round(
      await stallOf(async () => {
        const response = await surface.api.app.request(path, {
          method,
          headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' },
          ...(bytes ? { body: bytes } : {}),
        })
        expect.soft(response.status, name).toBeLessThan(500)
        await response.body?.cancel()
      }),
    )
  }
  process.stdout.write(`api-fuzz stalls in ms: ${JSON.stringify(stalls)}\n`)
  for (const [name, ms] of Object.entries(stalls)) expect.soft(ms, name).toBeLessThanOrEqual(MAX_STALL_MS)
})

const report = (what: string, tally: Tally): void => {
  process.stdout.write(`api-fuzz ${what}: seed ${seed}, ${JSON.stringify(tally)}\n`)
}
