import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { each, openSurface, openTenant, type Surface } from './furnished-tenant.ts'
import { isWrite } from './operations.ts'

vi.setConfig({ testTimeout: 120_000 })

let surface: Surface
beforeAll(async () => {
  surface = await openSurface()
})
afterAll(() => surface.stop())

test('F71: the document lists If-Match where another version is refused, and nowhere else', async () => {
  const listed = { held: 0, free: 0 }
  await each(surface.operations.filter(isWrite), async (operation) => {
    const { name } = operation
    const tenant = await openTenant(surface, operation.path)
    const { path, body } = await tenant.ready(operation)
    const { status } = await tenant.ask(operation, path, body, { 'if-match': '"999"' })
    expect.soft(status, name).toBe(operation.if_match ? 412 : operation.status)
    listed[operation.if_match ? 'held' : 'free'] += 1
  })
  expect(listed.held).toBeGreaterThan(100)
  expect(listed.free).toBeGreaterThan(40)
})
