import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { each, openSurface, openTenant, type Surface } from './furnished-tenant.ts'
import { isWrite, type Described } from './operations.ts'
import { changedTables } from './rows.ts'

vi.setConfig({ testTimeout: 120_000 })

let surface: Surface
let operations: Described[]
beforeAll(async () => {
  surface = await openSurface()
  operations = surface.operations.filter(isWrite)
})
afterAll(() => surface.stop())

/** What every such request leaves behind: the answer that is kept. */
const LEFT_BEHIND = ['public.idempotency_keys']

test('F71: every write happens once under its Idempotency-Key, and is answered the same again', async () => {
  await each(operations, async (operation) => {
    const { name, status } = operation
    const tenant = await openTenant(surface, operation.path)
    const { path, body, version } = await tenant.ready(operation)
    const before = await surface.rowsOf(tenant.organization_id)
    const headers = {
      'idempotency-key': 'once',
      ...(version === undefined ? {} : { 'if-match': `"${version}"` }),
    }
    const first = await tenant.ask(operation, path, body, headers)
    expect.soft(first.status, `${name} ${JSON.stringify(first.body)}`).toBe(status)
    expect.soft(first.headers.get('idempotency-replayed'), name).toBeNull()
    const after = await surface.rowsOf(tenant.organization_id)
    if (!CHANGES_NOTHING.has(name))
      expect.soft(changedTables(before, after, LEFT_BEHIND), name).not.toEqual([])

    const again = await tenant.ask(operation, path, body, headers)
    expect.soft([again.status, again.body], name).toEqual([first.status, first.body])
    expect.soft(again.headers.get('idempotency-replayed'), name).toBe('true')
    expect
      .soft(changedTables(after, await surface.rowsOf(tenant.organization_id), LEFT_BEHIND), name)
      .toEqual([])

    // Another request, although it would do the same.
    const another = { ...headers, 'if-match': version === undefined ? '*' : `W/"${version}"` }
    expect
      .soft(await tenant.ask(operation, path, body, another), name)
      .toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } })
  })
})

/** One only looks; the other finds nothing that a run did. */
const CHANGES_NOTHING = new Set([
  'POST /api/routing-rules/dry-run',
  'POST /api/score-formulas/preview',
  'POST /api/pipelines/{id}/preview',
  'POST /api/leads/{id}/convert/preview',
  'POST /api/runs/{id}/undo',
])

/** Acts may say it; what they do with it is told with them. */
const ACTS = new Set(['POST /api/leads/{id}/merge', 'POST /api/leads/{id}/unmerge'])

test('F71: every change of what may be changed by others, too, says which version it was made upon', async () => {
  const versioned = operations.filter((one) => one.versioned && !ACTS.has(one.name))
  expect(versioned.length).toBeGreaterThan(15)
  await each(versioned, async (operation) => {
    const { name, path: address } = operation
    const tenant = await openTenant(surface, operation.path)
    const { path, body, version = 0 } = await tenant.ready(operation)
    expect.soft(version, name).toBeGreaterThan(0)
    const before = await surface.rowsOf(tenant.organization_id)
    const stale = { status: 412, body: { code: 'version_mismatch', current: { version } } }
    expect
      .soft(await tenant.ask(operation, path, { ...body, version: version + 1 }), name)
      .toMatchObject(stale)
    expect
      .soft(await tenant.ask(operation, path, body, { 'if-match': `"${version + 1}"` }), name)
      .toMatchObject(stale)
    expect.soft(await tenant.ask(operation, path, body, { 'if-match': 'x' }), name).toMatchObject({
      status: 400,
      body: { code: 'invalid_if_match' },
    })
    if (address.startsWith('/api/')) {
      for (const headers of [{}, { 'if-match': '*' }] as Record<string, string>[]) {
        expect.soft(await tenant.ask(operation, path, body, headers), name).toMatchObject({
          status: 428,
          body: { code: 'version_required', errors: [{ pointer: '/version' }] },
        })
      }
    }
    expect
      .soft(changedTables(before, await surface.rowsOf(tenant.organization_id), LEFT_BEHIND), name)
      .toEqual([])
    const done = await tenant.ask(operation, path, body, { 'if-match': `"${version}"` })
    expect.soft([done.status, done.body.version], name).toEqual([operation.status, version + 1])
    expect.soft(done.headers.get('etag'), name).toBe(`"${version + 1}"`)
    if (!address.startsWith('/api/'))
      expect.soft((await tenant.ask(operation, path, body)).status, name).toBe(operation.status)
  })
})

test('F71: If-Match holds every write about a record that has a version, deletions and acts as well, and beside a version in the body', async () => {
  const about = operations.filter(
    ({ name, path }) => /^\/(api|external\/v1)\/[^/]+\/\{id\}/.test(path) && !name.startsWith('GET '),
  )
  const held: string[] = []
  await each(about, async (operation) => {
    const { name } = operation
    const tenant = await openTenant(surface, operation.path)
    const { path, body, version } = await tenant.ready(operation)
    const [address = ''] = /^\/(?:api|external\/v1)\/[^/]+\/[^/]+/.exec(path) ?? []
    const authorization = `Bearer ${tenant.key}`
    const record = await surface.api.json('GET', address, undefined, { authorization })
    if (!Number.isInteger(record.body?.version)) return
    const stale = {
      status: 412,
      body: { code: 'version_mismatch', current: { version: expect.any(Number) } },
    }
    const before = await surface.rowsOf(tenant.organization_id)
    const other = { 'if-match': '"999"' }
    expect.soft(await tenant.ask(operation, path, body, other), name).toMatchObject(stale)
    if (version !== undefined)
      expect.soft(await tenant.ask(operation, path, { ...body, version }, other), name).toMatchObject(stale)
    expect
      .soft(changedTables(before, await surface.rowsOf(tenant.organization_id), LEFT_BEHIND), name)
      .toEqual([])
    held.push(name)
  })
  expect(held.length).toBeGreaterThan(100)
  expect(held).toEqual(expect.arrayContaining(['DELETE /api/leads/{id}', 'POST /api/tasks/{id}/complete']))
})

test('F71: If-Match names the version that is deleted, or put by an external id', async () => {
  const { api } = surface
  const { body: lead } = await api.json('POST', '/api/leads', { name: 'Ana', external_id: 'held-1' })
  const path = `/api/leads/${lead.id}`
  const { body: now } = await api.json('PATCH', path, { version: 1, title: 'Buyer' })
  const stale = { status: 412, body: { current: { id: lead.id, version: 2, title: 'Buyer' } } }
  const [old, current] = [{ 'if-match': '"1"' }, { 'if-match': '"2"' }]
  const put = '/external/v1/leads/by-external-id/held-1'
  expect(now.version).toBe(2)
  expect(await api.json('DELETE', path, undefined, old)).toMatchObject(stale)
  expect(await api.json('PATCH', path, { version: 2, city: 'Kiel' }, old)).toMatchObject(stale)
  expect(await api.json('PATCH', path, { version: 1, city: 'Kiel' }, current)).toMatchObject(stale)
  expect(await api.json('PUT', put, { city: 'Kiel' }, old)).toMatchObject(stale)
  expect(await api.json('PUT', put, { city: 'Kiel' }, current)).toMatchObject({ status: 200 })
  expect((await api.ask('DELETE', path, undefined, { 'if-match': '"3"' })).status).toBe(204)
})

test('F71: If-Match by an external id that nobody has, or of a rate, finds what it names or is refused', async () => {
  const { api } = surface
  const nobody = '/external/v1/leads/by-external-id/held-by-nobody'
  for (const held of ['"7"', '*'])
    expect(await api.json('PUT', nobody, { name: 'Bo' }, { 'if-match': held })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: null },
    })
  expect((await api.json('PUT', nobody, { name: 'Bo' })).status).toBe(200)
  expect((await api.json('PUT', nobody, { name: 'Bea' }, { 'if-match': '*' })).status).toBe(200)
  const rate = '/api/exchange-rates/CHF'
  expect((await api.json('PUT', rate, { rate: 1.1 }, { 'if-match': '"1"' })).status).toBe(412)
  expect((await api.json('PUT', rate, { rate: 1.1 })).body.version).toBe(1)
  const stale = { status: 412, body: { current: { currency: 'CHF', rate: 1.1, version: 1 } } }
  expect(await api.json('PUT', rate, { rate: 2 }, { 'if-match': '"99"' })).toMatchObject(stale)
  expect(await api.json('DELETE', rate, undefined, { 'if-match': '"99"' })).toMatchObject(stale)
  expect((await api.json('PUT', rate, { rate: 1.2 }, { 'if-match': '"1"' })).body.version).toBe(2)
  expect((await api.ask('DELETE', rate, undefined, { 'if-match': '"2"' })).status).toBe(204)
  expect((await api.ask('DELETE', rate, undefined, { 'if-match': '"2"' })).status).toBe(404)
})
