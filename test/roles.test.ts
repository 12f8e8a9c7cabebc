import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Role } from '../db/identity.ts'
import { each, openSurface, openTenant, type Surface, type Tenant } from './furnished-tenant.ts'
import { isRead, isWrite, pathOf, type Described } from './operations.ts'
import { roleOrder, rolesMatrix } from './roles.matrix.ts'
import { changedTables } from './rows.ts'

vi.setConfig({ testTimeout: 120_000 })

let surface: Surface
let operations: Described[]
beforeAll(async () => {
  surface = await openSurface()
  operations = surface.operations.filter(({ path }) => !path.startsWith('/intake/'))
})
afterAll(() => surface.stop())

/** Let in means: refused for anything but the right to. */
const isLetIn = ({ status, body }: { status: number; body: any }): boolean =>
  status !== 403 || body.code !== 'permission_missing'

test('every operation has a row, and every row an operation', () => {
  expect(Object.keys(rolesMatrix).toSorted()).toEqual(operations.map(({ name }) => name).toSorted())
})

test('F85: every cell is what the operation really answers: refused before anything happens, or let in to where it works', async () => {
  const found: Record<string, string> = {}
  const look = async (tenant: Tenant, keys: Record<Role, string>, operation: Described): Promise<void> => {
    const { name, status } = operation
    const { path, body, version } = await tenant.ready(operation)
    const before = isWrite(operation) ? await surface.rowsOf(tenant.organization_id) : {}
    const ask = (role: Role) =>
      tenant.ask(operation, path, body, {
        authorization: `Bearer ${keys[role]}`,
        ...(version === undefined ? {} : { 'if-match': `"${version}"` }),
      })
    const cells = new Map<Role, boolean>()
    const row = rolesMatrix[name] ?? ''
    const refused = roleOrder.filter((_, n) => row[n] === '0')
    for (const role of refused) cells.set(role, isLetIn(await ask(role)))
    if (isWrite(operation) && refused.length > 0)
      expect.soft(changedTables(before, await surface.rowsOf(tenant.organization_id)), name).toEqual([])
    // The owner first: what the record refuses to whoever comes second is no question of roles.
    for (const role of roleOrder.filter((one) => !refused.includes(one))) {
      const answer = await ask(role)
      cells.set(role, isLetIn(answer))
      if (role === 'owner')
        expect.soft(answer.status, `${name} ${JSON.stringify(answer.body)}`.slice(0, 500)).toBe(status)
    }
    found[name] = roleOrder.map((role) => (cells.get(role) ? 1 : 0)).join('')
  }
  const keysOf = async (tenant: Tenant): Promise<Record<Role, string>> => ({
    ...(Object.fromEntries(
      await Promise.all(roleOrder.slice(1).map(async (role) => [role, await tenant.keyFor(role)] as const)),
    ) as Record<Role, string>),
    owner: tenant.key,
  })

  const shared = await openTenant(surface)
  const keys = await keysOf(shared)
  await each(operations.filter(isRead), (operation) => look(shared, keys, operation))
  await each(operations.filter(isWrite), async (operation) => {
    const tenant = await openTenant(surface, operation.path)
    await look(tenant, await keysOf(tenant), operation)
  })
  // The stream never ends: who is let in hears its beginning.
  found['GET /api/events'] = ''
  for (const role of roleOrder) {
    const response = await surface.api.ask('GET', '/api/events', undefined, {
      authorization: `Bearer ${keys[role]}`,
    })
    expect(response.headers.get('content-type')).toContain('event-stream')
    await response.body?.cancel()
    found['GET /api/events'] += response.status === 200 ? 1 : 0
  }
  expect(found).toEqual(rolesMatrix)
})

test('F85: a key is let in by its scopes only, and by nothing without them', async () => {
  const made = await surface.api.json('POST', '/api/api-keys', { name: 'Narrow', scopes: ['tasks:read'] })
  const permitted: string[] = []
  for (const { name, method, path, example } of operations) {
    const response = await surface.api.ask(
      method,
      pathOf(path),
      method === 'GET' || method === 'DELETE' ? undefined : (example ?? {}),
      { authorization: `Bearer ${made.body.key}` },
    )
    if (isLetIn({ status: response.status, body: await response.json() })) permitted.push(name)
  }
  expect(permitted.filter((name) => !EVERYBODYS.includes(name)).toSorted()).toEqual([
    'GET /api/tasks',
    'GET /api/tasks/{id}',
    'GET /external/v1/tasks',
    'GET /external/v1/tasks/{id}',
  ])
  expect(EVERYBODYS.filter((name) => !permitted.includes(name))).toEqual([])
  const search = (headers: Record<string, string>) =>
    surface.api.json('GET', '/api/search?q=Ana', undefined, headers)
  await surface.api.json('POST', '/api/leads', { contact_name: 'Ana Ruiz' })
  expect((await search({})).body.data).toHaveLength(1)
  expect((await search({ authorization: `Bearer ${made.body.key}` })).body.data).toEqual([])
})

test('F85: a key asks about linked records only if it may read them: in lists, on boards, in acts on many', async () => {
  const keyWith = async (...scopes: string[]) => {
    const { body } = await surface.api.json('POST', '/api/api-keys', { name: 'Narrow', scopes })
    return { authorization: `Bearer ${body.key}` }
  }
  const { body: account } = await surface.api.json('POST', '/api/accounts', { name: 'Brightside' })
  const lead = await surface.api.json('POST', '/api/leads', { contact_name: 'Bo', account_ids: [account.id] })
  expect(lead.status).toBe(201)
  const of_account = { linked: 'accounts', some: { field: 'name', op: 'eq', value: 'Brightside' } }
  const deep = { or: [{ not: { linked: 'deals', some: { linked: 'notes', none: {} } } }] }
  const asked = (filter: object) => encodeURIComponent(JSON.stringify(filter))
  const narrow = await keyWith('leads:read', 'leads:write', 'bulk:write')
  const wider = await keyWith('leads:read', 'leads:write', 'bulk:write', 'accounts:read')
  const lists = (filter: object) => [
    `/api/leads?filter=${asked(filter)}`,
    `/external/v1/opportunities?filter=${asked(filter)}`,
    `/api/board?pipeline_id=${lead.body.pipeline_id}&filter=${asked(filter)}`,
  ]
  for (const path of lists(of_account)) {
    expect(await surface.api.json('GET', path, undefined, narrow)).toMatchObject({
      status: 403,
      body: { permission: 'accounts:read' },
    })
    expect((await surface.api.json('GET', path, undefined, wider)).status).toBe(200)
  }
  for (const path of lists(deep))
    expect(await surface.api.json('GET', path, undefined, wider)).toMatchObject({
      status: 403,
      body: { permission: 'notes:read' },
    })
  const act = { kind: 'lead', filter: of_account, act: 'add_tags', input: { tags: ['x'] }, dry_run: true }
  expect((await surface.api.json('POST', '/api/bulk', act, narrow)).status).toBe(403)
  expect((await surface.api.json('POST', '/api/bulk', act, wider)).status).toBe(202)
})

test('F85: a key reads and links contacts and accounts only with their scopes, also by way of a lead', async () => {
  const { api } = surface
  const keyWith = async (...scopes: string[]) => {
    const { body } = await api.json('POST', '/api/api-keys', { name: 'Narrow', scopes })
    return { authorization: `Bearer ${body.key}` }
  }
  const cards = ['leads:read', 'leads:write', 'activities:read', 'exports:write', 'bulk:write']
  const narrow = await keyWith(...cards)
  const wider = await keyWith(...cards, 'contacts:read')
  const { body: account } = await api.json('POST', '/api/accounts', { name: 'Hidden Works' })
  const { body: contact } = await api.json('POST', '/api/contacts', {
    name: 'Eve Hidden',
    account_ids: [account.id],
  })
  const linked = { contact_ids: [contact.id], account_ids: [account.id] }
  const { body: lead } = await api.json('POST', '/api/leads', { contact_name: 'Bo', ...linked })
  const { body: free } = await api.json('POST', '/api/leads', { contact_name: 'Cy' })
  for (const kind of ['contact', 'account'])
    await api.json('POST', '/api/activities', {
      type: 'call_logged',
      subjects: [{ kind, id: kind === 'contact' ? contact.id : account.id }],
      data: { subject: `Secret of the ${kind}` },
    })
  const lacks = (permission: string) => ({ status: 403, body: { code: 'permission_missing', permission } })

  const contacts = `/api/opportunities/${lead.id}/contacts`
  expect(await api.json('GET', contacts, undefined, narrow)).toMatchObject(lacks('contacts:read'))
  expect(await api.json('GET', contacts, undefined, wider)).toMatchObject({
    body: { data: [{ id: contact.id }] },
  })
  const accounts = `/api/opportunities/${lead.id}/accounts`
  expect(await api.json('GET', accounts, undefined, wider)).toMatchObject(lacks('accounts:read'))
  const ofAccount = await keyWith('accounts:read')
  for (const [noun, permission] of [
    ['contacts', 'contacts:read'],
    ['deals', 'leads:read'],
  ] as const)
    expect(await api.json('GET', `/api/accounts/${account.id}/${noun}`, undefined, ofAccount)).toMatchObject(
      lacks(permission),
    )

  for (const path of [`/api/leads/${lead.id}/timeline`, `/api/opportunities/${lead.id}/timeline`]) {
    const told = async (key?: Record<string, string>) => {
      const { body } = await api.json('GET', path, undefined, key)
      return ['contact', 'account'].map((kind) => JSON.stringify(body.data).includes(`Secret of the ${kind}`))
    }
    expect([await told(), await told(wider), await told(narrow)]).toEqual([
      [true, true],
      [true, false],
      [false, false],
    ])
  }

  const { version } = free
  const given = { contact_ids: [contact.id] }
  const links: [method: string, path: string, body: object][] = [
    ['PATCH', `/api/leads/${free.id}`, { version, ...given }],
    ['POST', '/api/leads', { contact_name: 'Di', ...given }],
    ['POST', '/external/v1/opportunities', { contact_name: 'Di', ...given }],
    ['PATCH', `/external/v1/opportunities/${free.id}`, given],
    ['PUT', '/external/v1/leads/by-external-id/linked-1', { contact_name: 'Di', ...given }],
    ['POST', `/api/opportunities/${free.id}/contacts`, { contact_id: contact.id }],
    ['POST', '/api/bulk', { kind: 'lead', ids: [free.id], act: 'update', input: given }],
  ]
  for (const [method, path, body] of links) {
    expect(await api.json(method, path, body, narrow), path).toMatchObject(lacks('contacts:read'))
  }
  const batch = await api.json(
    'POST',
    '/external/v1/leads/batch',
    { items: [{ contact_name: 'Di', ...given }] },
    narrow,
  )
  expect(JSON.stringify(batch.body)).toContain('permission_missing')
  expect((await api.json('GET', `/api/leads/${free.id}`)).body).toMatchObject({ version, contact_ids: [] })
  expect((await api.json('PATCH', `/api/leads/${free.id}`, { version, ...given }, wider)).status).toBe(200)

  const exported = async (query: string, key: Record<string, string>) => {
    const response = await api.ask('GET', `/api/exports/leads${query}`, undefined, key)
    return { status: response.status, text: await response.text() }
  }
  const [file, more] = [await exported('', narrow), await exported('', wider)]
  expect([file.status, file.text.includes('Hidden'), more.text.includes('Eve Hidden')]).toEqual([
    200,
    false,
    true,
  ])
  expect(more.text).not.toContain('Hidden Works')
  expect((await exported('?columns=name,contact', narrow)).status).toBe(403)
  expect((await exported('?columns=name,contact', wider)).text).toContain('Eve Hidden')
})

/** What belongs to whoever asks, and a search that leaves out what may not be read. */
const EVERYBODYS = [
  'GET /api/me',
  'GET /api/preferences/{key}',
  'PUT /api/preferences/{key}',
  'GET /api/search',
  'GET /api/views',
  'POST /api/views',
  'GET /api/views/{id}',
  'PATCH /api/views/{id}',
  'DELETE /api/views/{id}',
]
