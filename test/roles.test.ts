import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { operationsOf, pathOf, type Described } from './operations.ts'
import { roleOrder, rolesMatrix } from './roles.matrix.ts'

let api: ApiWorld
let operations: Described[]
beforeAll(async () => {
  api = await openApi()
  operations = await operationsOf(api)
})
afterAll(() => api.stop())

/** Let in means: refused for anything but the right to. */
const isLetIn = async (key: string, { method, path, example }: Described): Promise<boolean> => {
  const response = await api.ask(
    method,
    pathOf(path),
    method === 'GET' || method === 'DELETE' ? undefined : (example ?? {}),
    {
      authorization: `Bearer ${key}`,
    },
  )
  if (response.status !== 403) {
    await response.body?.cancel()
    return true
  }
  expect(await response.json()).toMatchObject({ code: 'permission_missing' })
  return false
}

test('every operation has a row, and every row an operation', () => {
  const described = operations
    .filter(({ path }) => !path.startsWith('/intake/'))
    .map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(rolesMatrix).toSorted()).toEqual(described.toSorted())
})

test('every cell is what the operation really answers', async () => {
  const found: Record<string, string> = {}
  for (const role of roleOrder) {
    const key = await api.keyFor(role)
    for (const operation of operations) {
      const name = `${operation.method} ${operation.path}`
      if (!(name in rolesMatrix)) continue
      found[name] = `${found[name] ?? ''}${(await isLetIn(key, operation)) ? 1 : 0}`
    }
  }
  expect(found).toEqual(rolesMatrix)
})

test('a key is let in by its scopes only, and by nothing without them', async () => {
  const made = await api.json('POST', '/api/api-keys', { name: 'Narrow', scopes: ['tasks:read'] })
  const permitted: string[] = []
  for (const operation of operations.filter(({ path }) => path.startsWith('/api/'))) {
    if (await isLetIn(made.body.key, operation)) permitted.push(`${operation.method} ${operation.path}`)
  }
  const own = Object.keys(rolesMatrix).filter((name) => /\/api\/(?:me|views|preferences|search)\b/.test(name))
  expect(permitted.toSorted()).toEqual([...own, 'GET /api/tasks', 'GET /api/tasks/{id}'].toSorted())
})
