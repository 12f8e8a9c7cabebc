import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../api/app.ts'
import { APP_URL, nothingOutside, openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const askReady = async (
  overrides: Partial<Parameters<typeof createApp>[0]>,
): Promise<{ status: number; body: any }> => {
  const { db, auth } = api
  const parts = { db, auth, outside: nothingOutside, app_url: APP_URL, model: 'rules' }
  const app = createApp({ ...parts, ...overrides })
  const response = await app.request('/readyz')
  const answer = { status: response.status, body: await response.json() }
  expect((await app.request('/healthz')).status).toBe(200)
  await app.stop()
  return answer
}

test('where another process runs the worker, its silence is nobody’s fault here', async () => {
  expect(await askReady({})).toMatchObject({
    status: 200,
    body: { status: 'ready', checks: { worker: { ok: true, detail: 'runs in another process' } } },
  })
})

test('a worker of this process that fell silent makes it not ready, and one that looks around does not', async () => {
  expect(await askReady({ worker_heartbeat: () => new Date() })).toMatchObject({
    status: 200,
    body: { checks: { worker: { ok: true } } },
  })
  expect(await askReady({ worker_heartbeat: () => new Date(Date.now() - 31_000) })).toMatchObject({
    status: 503,
    body: { status: 'not_ready', checks: { worker: { ok: false, detail: expect.stringContaining('31 s') } } },
  })
})

test('a queue that cannot be reached makes it not ready, and names no address', async () => {
  const queue = {
    ...api.db.queue,
    check: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.9:5432')),
  }
  const answer = await askReady({ db: { ...api.db, queue } })
  expect(answer).toMatchObject({
    status: 503,
    body: { checks: { database: { ok: true }, migrations: { ok: true }, queue: { ok: false } } },
  })
  expect(JSON.stringify(answer.body)).not.toContain('10.0.0.9')
})
