import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { filterKinds } from '../db/filter-kinds.ts'
import { createApp } from '../api/app.ts'
import { connect } from '../db/client.ts'
import { APP_URL, nothingOutside } from './api.ts'
import { openSurface, openTenant, type Answer, type Surface, type Tenant } from './furnished-tenant.ts'
import type { Furnished } from './furnished.ts'
import {
  IDS,
  isRead,
  isWrite,
  kindIn,
  NOBODYS,
  pathOf,
  placed,
  placesOf,
  setAt,
  valuesOf,
  type Described,
} from './operations.ts'
import { changedTables, type Rows } from './rows.ts'

// P17: with another organization's ids, wherever they are put, everything answers as if they were nobody's.

vi.setConfig({ testTimeout: 120_000 })

let surface: Surface
let operations: Described[]
let ours: Tenant
let theirs: Tenant
let foreign: Set<string>
let untouched: Rows
/** Where their lists go on, by the operation. */
const cursors = new Map<string, string>()
beforeAll(async () => {
  surface = await openSurface()
  operations = surface.operations.filter((one) => isRead(one) || isWrite(one))
  ours = await openTenant(surface)
  theirs = await openTenant(surface)
  await surface.owner`update opportunities set external_id = 'erp-4711' where id = ${theirs.made.lead}`
  foreign = await idsOf(theirs.organization_id)
})
afterAll(() => surface.stop())

/** Acts on many records keep which ones they were asked for, and find out one by one that there is none. */
const ASKED_FOR = ['public.bulk_rows', 'public.bulk_jobs']

/** Every id that stands anywhere in an organization's tables. */
const idsOf = async (organization_id: string, besides: readonly string[] = []): Promise<Set<string>> => {
  const { owner } = surface
  const tables = await owner<{ name: string }[]>`
    select format('%I.%I', table_schema, table_name) as name from information_schema.columns
    where column_name = 'organization_id' and table_schema in ('public', 'identity')
      and table_schema || '.' || table_name <> all(${besides as string[]})`
  const found = await Promise.all(
    tables.map(({ name }) =>
      owner.unsafe<{ row: string }[]>(
        `select to_jsonb(t)::text as row from ${name} t where organization_id = $1`,
        [organization_id],
      ),
    ),
  )
  return new Set(found.flat().flatMap(({ row }) => [...row.matchAll(UUID)].map(([id]) => id)))
}

const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g

/** Whether an answer holds anything that is theirs, beside what was asked for by its id. */
const leaksIn = ({ body }: Answer, asked: string[] = []): string[] =>
  [...JSON.stringify(body).matchAll(UUID)]
    .map(([id]) => id)
    .filter((id) => foreign.has(id) && !asked.includes(id))

/** What a refusal says, without what differs from one request to the next. */
const toldOf = ({ status, body }: Answer, id: string) => ({
  status,
  said: status < 400 ? '' : JSON.stringify({ ...body, instance: '' }).replaceAll(id, 'that id'),
})

/** Their id must be answered as one that is nobody's. */
const expectNobodys = async (
  operation: Described,
  ask: (id: string) => Promise<Answer>,
  id: string,
): Promise<Answer> => {
  const [answered, nobodys] = [await ask(id), await ask(NOBODYS)]
  const what = `${operation.name} with ${id}\n${JSON.stringify(answered.body).slice(0, 300)}`
  expect.soft(toldOf(answered, id), what).toEqual(toldOf(nobodys, NOBODYS))
  expect.soft(leaksIn(answered, [id]), what).toEqual([])
  return answered
}

/** Nothing of theirs changed, and nothing of ours leads to them. */
const expectApart = async (): Promise<void> => {
  expect(changedTables(untouched, await surface.rowsOf(theirs.organization_id))).toEqual([])
  expect([...(await idsOf(ours.organization_id, ASKED_FOR))].filter((id) => foreign.has(id))).toEqual([])
}

test('the organizations have the same things, and none in common', async () => {
  const own = await idsOf(ours.organization_id)
  expect(own.size).toBeGreaterThan(50)
  expect(foreign.size).toBeGreaterThan(50)
  expect([...own].filter((id) => foreign.has(id))).toEqual([])
  for (const id of all()) expect(foreign.has(id), id).toBe(true)
})

test('of whom they belong to they are found, or the tests below would prove nothing', async () => {
  let told = 0
  for (const operation of operations.filter(isRead)) {
    const { path } = placed(operation, theirs.made)
    const found = await theirs.ask(
      operation,
      operation.query.includes('limit') ? withLimit(path) : path,
      undefined,
    )
    expect.soft(found.status, operation.name).toBe(200)
    if (found.body.next_cursor) cursors.set(operation.name, found.body.next_cursor)
    told += leaksIn(found).length
  }
  expect(told).toBeGreaterThan(200)
  expect(cursors.size).toBeGreaterThan(5)
  untouched = await surface.rowsOf(theirs.organization_id)
})

test('F84: in an address: each place of each operation, by itself', async () => {
  let tried = 0
  for (const operation of operations) {
    const own = valuesOf(operation, ours.made)
    const usual = placed(operation, ours.made)
    for (const name of Object.keys(own).filter((place) => place === 'id' || place in IDS)) {
      const ask = (id: string) =>
        ours.ask(
          operation,
          usual.path.replace(pathOf(operation.path, own), pathOf(operation.path, { ...own, [name]: id })),
          usual.body,
        )
      const right = name === 'id' ? kindIn(operation, theirs.made) : IDS[name]!
      for (const id of operation.method === 'GET' ? all() : [theirs.made[right]]) {
        const { status } = await expectNobodys(operation, ask, id)
        expect.soft(status, `${operation.name} with ${id} as ${name}`).toBe(404)
        tried += 1
      }
    }
  }
  expect(tried).toBeGreaterThan(1_000)
  await expectApart()
})

test('F84: in a body: each place of each operation that takes an id', async () => {
  let refused = 0
  let tried = 0
  const replay = async (operation: Described, bodyWith: (id: string) => object, id: string) => {
    const { path } = placed(operation, ours.made)
    const ask = async (one: string) => {
      const { headers } = operation.versioned
        ? await surface.api.ask('GET', path, undefined, asOurs())
        : new Response()
      return ours.ask(operation, path, bodyWith(one), { 'if-match': headers.get('etag') ?? '*' })
    }
    const { status } = await expectNobodys(operation, ask, id)
    tried += 1
    if (status >= 400) refused += 1
  }
  for (const operation of operations.filter(isWrite)) {
    const usual = { ...placed(operation, ours.made).body }
    // A second one of the same other system would be refused for that.
    for (const name of ['version', 'external_id']) delete usual[name]
    for (const place of placesIn(operation.body)) {
      for (const [kind, id] of candidatesFor(place, operation))
        await replay(operation, (one) => withAt(usual, place, one, kind), id)
    }
    for (const { body, id } of besides(operation.name, theirs.made)) await replay(operation, body, id)
  }
  expect(tried).toBeGreaterThan(150)
  // Where a value decides nothing, such as a discard reason of an open lead, it is not looked at: and not kept either.
  expect(refused / tried).toBeGreaterThan(0.7)
  await expectApart()
})

test('F84: in what narrows a list down: its parameters, its filter, its cursor, its words', async () => {
  let tried = 0
  for (const operation of operations.filter((one) => isRead(one) && one.query.length > 0)) {
    const usual = placed(operation, ours.made).path
    const ask = async (name: string, value: string): Promise<Answer> => {
      const address = new URL(usual, 'http://localhost')
      address.searchParams.set(name, value)
      tried += 1
      const answer = await ours.ask(operation, `${address.pathname}${address.search}`, undefined)
      const what = `${operation.name} ${address.search}`
      expect.soft([200, 404, 422], what).toContain(answer.status)
      expect.soft(leaksIn(answer, all()), what).toEqual([])
      return answer
    }
    for (const name of operation.query.filter((one) => one.endsWith('_id')))
      for (const id of fitting(name, operation)) await expectNobodys(operation, (one) => ask(name, one), id)
    if (operation.query.includes('q')) await ask('q', theirs.organization_id.slice(-8))
    const cursor = cursors.get(operation.name)
    if (cursor) await ask('cursor', cursor)
    if (!operation.query.includes('filter')) continue
    const kind = filterKinds[listedIn(operation)]
    const fields = Object.entries(kind.fields).filter(([, { type }]) => type === 'uuid')
    expect(fields.length, operation.name).toBeGreaterThan(0)
    for (const [field] of fields) {
      for (const id of fitting(field, operation)) {
        const { body } = await ask('filter', JSON.stringify({ field, op: 'eq', value: id }))
        if (body.data) expect.soft(body.data, `${operation.name} ${field} ${id}`).toEqual([])
      }
    }
    for (const [link, { kind: linked }] of Object.entries(kind.links)) {
      const value = theirs.made[linked as keyof Furnished] ?? theirs.made.lead
      const { body } = await ask(
        'filter',
        JSON.stringify({ linked: link, some: { field: 'id', op: 'eq', value } }),
      )
      if (body.data) expect.soft(body.data, `${operation.name} ${link}`).toEqual([])
    }
  }
  expect(tried).toBeGreaterThan(500)
  await expectApart()
})

test('F84: two organizations that take turns on two connections never see each other', async () => {
  const { api } = surface
  const sql = connect(api.app_url, { max: 2, name: 'leadhand-two' })
  const { auth, db } = api
  const options = { auth, outside: nothingOutside, app_url: APP_URL, model: 'rules' }
  const app = createApp({ ...options, db: { ...db, sql } })
  const own = await idsOf(ours.organization_id, ASKED_FOR)
  const reads = operations.filter((one) => isRead(one) && !isFile(one))
  const asked = TURNS / 50
  let told = 0
  for (let round = 0; round < 50; round++) {
    await Promise.all(
      Array.from({ length: asked }, async (_, n) => {
        const [tenant, others] = n % 2 === 0 ? [ours, foreign] : [theirs, own]
        const { path } = placed(reads[(round * asked + n) % reads.length]!, tenant.made)
        const response = await app.request(path, { headers: { authorization: `Bearer ${tenant.key}` } })
        const found = [...(await response.text()).matchAll(UUID)].map(([id]) => id)
        expect([response.status, found.filter((id) => others.has(id))], path).toEqual([200, []])
        told += found.length
      }),
    )
  }
  expect(told).toBeGreaterThan(TURNS)
  await app.stop()
  await sql.end()
})

/** Files go out a few at a time; who reads whose is told above. */
const isFile = ({ path }: Described): boolean => /\/content$|\/errors$|^\/api\/exports\//.test(path)

/** 20,000 say more and take a minute. */
const TURNS = Number(process.env['REPLAY_TURNS'] ?? 1_500)

/** Their ids that a field of this name may hold. */
const fitting = (field: string, { name }: Described): string[] => {
  const kind = IDS[field] ?? (field === 'id' ? undefined : field.replace(/_id$/, ''))
  const { made } = theirs
  const known = kind && kind in made ? [made[kind as keyof Furnished]] : []
  return [...known, ...RECORDS.map((record) => made[record]), ...(/task/.test(name) ? [made.task] : [])]
}

/** What a list with a filter is a list of. */
const listedIn = ({ name, path }: Described): keyof typeof filterKinds => {
  const noun = path.split('/').at(-1) ?? ''
  const kind = noun === 'board' ? 'opportunity' : noun.replace(/ies$/, 'y').replace(/s$/, '')
  if (kind in filterKinds) return kind as keyof typeof filterKinds
  throw new Error(`${name}: say in test/replay.test.ts what it lists`)
}

const withLimit = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}limit=1`

const asOurs = () => ({ authorization: `Bearer ${ours.key}` })

const all = (): string[] => [...new Set(Object.values(theirs.made))]

/** Where ids stand in a body: `subjects/0/id`, each once. */
const placesIn = (schema: any): string[][] => {
  const found = placesOf(schema).filter((place) => place.schema.format === 'uuid')
  return [...new Set(found.map(({ steps }) => steps.join('/')))].map((steps) => steps.split('/'))
}

const RECORDS = ['lead', 'deal', 'account', 'contact'] as const

/** Which of their ids belong at a place, each with its kind where the body says it. */
const candidatesFor = (place: string[], operation: Described): [kind: string | undefined, id: string][] => {
  const [last = '', before = ''] = place.filter((step) => step !== '0').toReversed()
  const { made } = theirs
  if (last === 'ids' || last === 'subject_id' || /^subjects?$/.test(before))
    return RECORDS.map((kind) => [kind, made[kind]])
  if (last === 'id' && before === 'rules') return [[undefined, made.routing_rule]]
  if (last === '*' || before === 'stages') return [[undefined, made.stage]]
  if (last === 'before_id' || last === 'after_id' || (last === 'id' && before === 'items'))
    return [[undefined, made[kindIn(operation, made)]]]
  const kind = IDS[last.replace(/_ids$/, '_id')]
  if (!kind)
    throw new Error(`${operation.name}: say in test/replay.test.ts what belongs at ${place.join('/')}`)
  return [[undefined, made[kind]]]
}

/** The body with an id at a place, and its kind beside it where there is one. */
const withAt = (body: any, steps: string[], id: string, kind?: string): any => {
  const place = steps.map((step) => (step === '*' ? ours.made.stage : step))
  const named = place.findLast((step) => step !== '0') ?? ''
  const beside = place.slice(0, place.lastIndexOf(named))
  const kinds = kind ? setAt(body, [...beside, named === 'subject_id' ? 'subject_kind' : 'kind'], kind) : body
  return setAt(kinds, place, id)
}

/** Ids that the document does not know as such. */
const besides = (name: string, made: Furnished): { body: (id: string) => object; id: string }[] => {
  const task = { title: 'x', subjects: [{ kind: 'lead', id: ours.made.lead }] }
  const assignee = (id: string) => ({ assignee: { kind: 'user', id } })
  const act = (input: (id: string) => object, act: string) => (id: string) => ({
    kind: 'lead',
    ids: [ours.made.lead],
    act,
    input: input(id),
    dry_run: false,
  })
  const filter = (id: string) => ({ field: 'id', op: 'eq', value: id })
  const cases: Record<string, { body: (id: string) => object; id: string }[]> = {
    'POST /api/tasks': [{ body: (id) => ({ ...task, ...assignee(id) }), id: made.user }],
    'PATCH /api/tasks/{id}': [{ body: assignee, id: made.user }],
    'POST /external/v1/tasks': [{ body: (id) => ({ ...task, ...assignee(id) }), id: made.user }],
    'POST /api/bulk': [
      { body: act((owner_id) => ({ owner_id }), 'assign_owner'), id: made.user },
      { body: act((stage_id) => ({ stage_id }), 'move'), id: made.stage },
      {
        body: (id) => ({
          ...act(() => ({ tags: ['x'] }), 'add_tags')(id),
          ids: undefined,
          filter: filter(id),
        }),
        id: made.lead,
      },
    ],
  }
  return cases[name] ?? []
}
