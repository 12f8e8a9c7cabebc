import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { permissions } from '../api/permissions.ts'
import { bodyOf } from '../api/route.ts'
import { routes } from '../api/routes/list.ts'
import { openApi, type ApiWorld } from './api.ts'
import { furnish, type Furnished } from './furnished.ts'
import { isRead, operationsOf, pathOf, placed, valuesOf, type Described } from './operations.ts'

let api: ApiWorld
let operations: Described[]
let ours: Furnished
beforeAll(async () => {
  api = await openApi()
  operations = await operationsOf(api)
  ours = await furnish(api.ctx, api.owner.user_id)
})
afterAll(() => api.stop())

const documentOf = async (): Promise<any> => (await api.app.request('/openapi.json')).json()

test('F71: the document is valid OpenAPI 3.1, by a validator that is not ours', async () => {
  const validator = new Validator()
  const told = await validator.validate(await documentOf())
  expect([told.valid, told.errors]).toEqual([true, undefined])
  expect(validator.version).toBe('3.1')
  const broken = await documentOf()
  delete broken.paths['/api/leads'].get.responses
  broken.paths['/api/leads'].post.parameters.push({ in: 'nowhere' })
  expect((await new Validator().validate(broken)).valid).toBe(false)
})

test('F71: the documentation lists every operation, and works without a script and without a network', async () => {
  const html = await (await api.app.request('/docs')).text()
  for (const { method, path } of operations)
    expect(html, `${method} ${path}`).toContain(`<b>${method}</b> <code>${path}</code>`)
  expect(html).not.toMatch(/<script|<link|<img|@import|url\(|\bsrc=/i)
  for (const [, address = ''] of html.matchAll(/\bhref="([^"]*)"/g)) expect(address).toMatch(/^[#/]/)
  expect(html).toContain('<h2 id="external">external</h2>')
})

test('the document is whole: every reference leads somewhere, every name is used once', async () => {
  const document = await documentOf()
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
  expect(operations.length).toBe(routes.length + 3)
})

test('what a version of an operation asks for is said: where one must be sent, where it may', () => {
  for (const { definition } of routes) {
    const { method, path, versioned } = definition
    const said = operations.find(({ name }) => name === `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)!
    expect(said.versioned, said.name).toBe(Boolean(versioned))
    if (versioned) expect(said.body.properties, said.name).toHaveProperty('version')
    if (method === 'PATCH' && path.endsWith('/:id'))
      expect(said.body?.properties, said.name).toHaveProperty('version')
  }
})

test('every body has an example that is accepted', () => {
  for (const one of routes) {
    const { method, path, body, example, versioned } = one.definition
    if (method === 'GET' || method === 'DELETE' || Object.keys(bodyOf(one).shape).length === 0) continue
    expect(example, `${method} ${path}`).toBeDefined()
    const { version, ...sent } = example as Record<string, unknown>
    const accepted = versioned ? sent : example
    expect(body?.safeParse(accepted).error, `${method} ${path}`).toBeUndefined()
    expect(bodyOf(one).strict().safeParse(accepted).error, `${method} ${path}`).toBeUndefined()
    if (versioned === true) expect(version, `${method} ${path}`).toBe(1)
  }
})

test('every example is one of its own schema, and none without what it requires is', () => {
  let examples = 0
  for (const { name, body, example } of operations) {
    if (example === undefined) continue
    const schema = z.fromJSONSchema(body)
    expect(schema.safeParse(example).error?.issues, name).toBeUndefined()
    for (const required of body.required ?? []) {
      const { [required]: without, ...rest } = example
      expect([without !== undefined, schema.safeParse(rest).success], `${name} ${required}`).toEqual([
        true,
        false,
      ])
    }
    examples += 1
  }
  expect(examples).toBeGreaterThan(80)
  expect(operations.filter(({ is_form }) => is_form).map(({ name }) => name)).toEqual([
    'POST /api/imports',
    'POST /api/files',
  ])
})

test('what is answered has a media type that the document says: JSON, a file, or nothing at all', async () => {
  const all = Object.entries<any>((await documentOf()).paths).flatMap(([path, methods]) =>
    Object.entries<any>(methods).flatMap(([method, { responses }]) =>
      Object.entries<any>(responses).map(([status, { content }]) => ({
        name: `${method} ${path}`,
        status,
        content,
      })),
    ),
  )
  for (const { name, status, content } of all)
    expect(Object.keys(content ?? {}).length > 0, `${name} ${status}`).toBe(status !== '204')

  const typeOf = async (path: string, accept: string) => {
    const response = await api.ask('GET', path, undefined, {
      authorization: `Bearer ${api.key}`,
      accept,
    })
    await response.body?.cancel()
    return response.headers.get('content-type')?.split(';')[0]
  }
  for (const operation of operations.filter(isRead)) {
    const { path } = placed(operation, ours)
    const types = await Promise.all(['application/json', 'text/csv'].map((accept) => typeOf(path, accept)))
    for (const type of types) expect(operation.answers, operation.name).toContain(type)
    if (operation.answers.length === 2) expect(types, operation.name).toEqual(operation.answers)
  }
})

test(
  'what is answered is what the document says, without a member that it does not know',
  { timeout: 90_000 },
  async () => {
    let answered = 0
    for (const operation of operations.filter(isRead)) {
      const definition = routes.find(
        ({ definition: { method, path } }) =>
          method === 'GET' && path.replaceAll(/:(\w+)/g, '{$1}') === operation.path,
      )!.definition
      if (!definition.response) continue
      const usual = placed(operation, ours).path
      const values = valuesOf(operation, ours)
      const query = usual.includes('?') ? usual.slice(usual.indexOf('?')) : ''
      const found: string[] = []
      for (const id of 'id' in values ? Object.values(ours) : ['']) {
        const path = pathOf(operation.path, { ...values, id }) + query
        const { status, body } = await api.json('GET', path)
        if (status === 404 && id !== '') continue
        expect(status, path).toBe(200)
        const parsed = definition.response.safeParse(body)
        expect(parsed.error?.issues, path).toBeUndefined()
        expect(parsed.data, path).toEqual(body)
        found.push(path)
      }
      expect(found, operation.name).toContain(usual)
      answered += found.length
    }
    expect(answered).toBeGreaterThan(80)
  },
)

test('every list has something in it, so that the check above checks something', async () => {
  const empty: string[] = []
  for (const operation of operations.filter((one) => isRead(one) && !one.path.includes('{'))) {
    if (operation.path.startsWith('/api/exports/')) continue
    const { body } = await api.json('GET', placed(operation, ours).path)
    if (body.data?.length === 0) empty.push(operation.path)
  }
  expect(empty).toEqual([])
})
