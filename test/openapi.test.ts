import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../api/permissions.ts'
import { routes } from '../api/routes/list.ts'
import { createApiKey } from '../db/identity.ts'
import { openApi, type ApiWorld } from './api.ts'
import { furnish, type Furnished } from './furnished.ts'
import { operationsOf, pathOf, type Described } from './operations.ts'

let api: ApiWorld
let operations: Described[]
let ours: Furnished
let theirs: Furnished
let theirKey: string
beforeAll(async () => {
  api = await openApi()
  operations = await operationsOf(api)
  ours = await furnish(api.ctx, api.owner.user_id)
  const other = await api.other()
  theirs = await furnish(other.ctx, other.owner.user_id)
  theirKey = (await createApiKey(other.ctx, { name: 'Theirs', scopes: ['*'], user_id: other.owner.user_id }))
    .key
})
afterAll(() => api.stop())

test('the document is whole: every reference leads somewhere, every name is used once', async () => {
  const document: any = await (await api.app.request('/openapi.json')).json()
  expect(document.openapi).toBe('3.1.0')
  const text = JSON.stringify(document)
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
    expect(Object.keys(document.components.schemas)).toContain(name)
  expect([...text.matchAll(/"#\/\$defs\/\w+/g)].map(([reference]) => reference)).toEqual([])
  const all: any[] = Object.values(document.paths).flatMap((methods: any) => Object.values(methods))
  expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(all.length)
  for (const { summary, responses, 'x-permission': permission } of all) {
    expect(summary).toBeTruthy()
    expect(responses.default).toBeDefined()
    if (permission) expect(permissions).toContain(permission)
  }
  expect(operations.length).toBe(routes.length + 2)
})

test('every body has an example that is accepted', () => {
  for (const { definition } of routes) {
    const { method, path, body, example, versioned } = definition
    if (
      method === 'GET' ||
      method === 'DELETE' ||
      !(body instanceof z.ZodObject) ||
      Object.keys(body.shape).length === 0
    )
      continue
    expect(example, `${method} ${path}`).toBeDefined()
    const { version, ...sent } = example as Record<string, unknown>
    expect(body.safeParse(versioned ? sent : example).error, `${method} ${path}`).toBeUndefined()
    if (versioned) expect(version).toBe(1)
  }
})

test('what is answered is what the document says, without a member that it does not know', async () => {
  let answered = 0
  for (const { definition } of routes) {
    if (definition.method !== 'GET' || !definition.response) continue
    const ids = definition.path.includes(':id') ? Object.values(ours) : ['']
    for (const id of ids) {
      const { status, body } = await api.json('GET', definition.path.replace(':id', id))
      if (status === 404 && id !== '') continue
      expect(status, definition.path).toBe(200)
      const parsed = definition.response.safeParse(body)
      expect(parsed.error?.issues, `${definition.path} ${id}`).toBeUndefined()
      expect(parsed.data, definition.path).toEqual(body)
      answered += 1
    }
  }
  expect(answered).toBeGreaterThan(30)
})

test('every list has something in it, so that the check above checks something', async () => {
  const empty: string[] = []
  for (const { method, path } of operations) {
    if (method !== 'GET' || path.includes('{') || !path.startsWith('/api/') || path.endsWith('/events'))
      continue
    const { body } = await api.json('GET', path)
    if (body.data?.length === 0) empty.push(path)
  }
  expect(empty).toEqual([])
})

test('another organization’s ids are nowhere: every operation, every kind of id', async () => {
  let tried = 0
  for (const { method, path, example } of operations) {
    if (!path.includes('{id}')) continue
    const found: number[] = []
    for (const id of Object.values(theirs)) {
      const body = method === 'GET' || method === 'DELETE' ? undefined : (example ?? {})
      const { status } = await api.json(method, pathOf(path, { id }), body)
      expect(status, `${method} ${path} with ${id}`).toBe(404)
      // The same request of whom it belongs to: somewhere it must be found, or this test proves nothing.
      if (method === 'GET')
        found.push(
          (await api.ask(method, pathOf(path, { id }), undefined, { authorization: `Bearer ${theirKey}` }))
            .status,
        )
      tried += 1
    }
    if (method === 'GET') expect(found, path).toContain(200)
  }
  expect(tried).toBeGreaterThan(250)
})

test('another organization’s records are in no list, whatever it is narrowed down by', async () => {
  const foreign = new Set(Object.values(theirs))
  for (const { method, path, query } of operations) {
    if (method !== 'GET' || path.includes('{') || !path.startsWith('/api/') || path.endsWith('/events'))
      continue
    const narrowed = query
      .filter((name) => name.endsWith('_id'))
      .flatMap((name) => [...foreign].map((id) => `?${name}=${id}`))
    for (const search of ['', '?limit=200', ...narrowed].filter(
      (text) => text === '' || text.includes('_id') || query.includes('limit'),
    )) {
      const { status, body } = await api.json('GET', `${path}${search}`)
      expect(status, `${path}${search}`).toBe(200)
      const text = JSON.stringify(body)
      for (const id of foreign) expect(text.includes(id), `${path}${search} ${id}`).toBe(false)
    }
  }
})

test('another organization’s ids in a body are not there either', async () => {
  const subject = { kind: 'lead', id: theirs.lead }
  const lead = (await api.json('GET', `/api/leads/${ours.lead}`)).body
  const { body: pipelines } = await api.json('GET', '/api/pipelines', undefined, {
    authorization: `Bearer ${theirKey}`,
  })
  const stage_id = pipelines.data[0].stages[0].id
  const tries: [string, string, object][] = [
    ['POST', '/api/notes', { subject, body: 'x' }],
    ['POST', '/api/tasks', { title: 'x', subjects: [{ kind: 'lead', id: ours.lead }, subject] }],
    ['POST', `/api/opportunities/${ours.lead}/move`, { stage_id }],
    ['POST', '/api/leads', { contact_name: 'x', pipeline_id: theirs.pipeline }],
    ['POST', '/api/leads', { contact_name: 'x', stage_id }],
    ['POST', '/api/intake-sources', { name: 'x', target_pipeline_id: theirs.pipeline }],
    ['PATCH', `/api/intake-sources/${ours.source}`, { version: 1, target_pipeline_id: theirs.pipeline }],
  ]
  for (const [method, path, body] of tries) {
    const { status } = await api.json(method, path, body)
    expect([404, 422], `${method} ${path}`).toContain(status)
  }
  expect((await api.json('GET', `/api/leads/${ours.lead}`)).body.version).toBe(lead.version)
})
