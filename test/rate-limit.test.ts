import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openAllowances } from '../api/rate-limit.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const limitsOf = ({ headers }: Response) =>
  ['limit', 'remaining', 'reset'].map((name) => headers.get(`ratelimit-${name}`))

test('an allowance holds a minute’s worth and fills steadily, never beyond', () => {
  vi.useFakeTimers()
  try {
    const allowance = openAllowances().of('key', 60)
    for (let n = 0; n < 60; n++) expect(allowance.take()).toBe(0)
    expect([allowance.take(), allowance.left(), allowance.full_in_s()]).toEqual([1, 0, 60])
    vi.advanceTimersByTime(1_500)
    expect([allowance.take(), allowance.take()]).toEqual([0, 1])
    vi.advanceTimersByTime(3_600_000)
    expect([allowance.take(), allowance.left(), allowance.full_in_s()]).toEqual([0, 59, 1])
  } finally {
    vi.useRealTimers()
  }
})

test('F71: every answer to a key says what is left, a refusal too; beyond it 429 says when to ask again', async () => {
  const made = await api.json('POST', '/api/api-keys', {
    name: 'Slow',
    scopes: ['leads:read', 'activities:read'],
    rate_limit_per_minute: 4,
  })
  expect(made).toMatchObject({ status: 201, body: { rate_limit_per_minute: 4 } })
  const ask = (path: string) => api.ask('GET', path, undefined, { authorization: `Bearer ${made.body.key}` })
  expect(limitsOf(await ask('/api/leads'))).toEqual(['4', '3', '15'])
  expect(limitsOf(await ask('/api/settings'))).toEqual(['4', '2', '30'])
  expect(limitsOf(await ask('/external/v1/leads?limit=x'))).toEqual(['4', '1', '45'])
  const events = await ask('/api/events')
  expect(limitsOf(events)).toEqual(['4', '0', '60'])
  await events.body?.cancel()
  for (const path of ['/api/leads', '/external/v1/leads', '/api/events']) {
    const refused = await ask(path)
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, 15])
    expect(limitsOf(refused)).toEqual(['4', '0', '60'])
    expect(await refused.json()).toMatchObject({ code: 'too_many_requests' })
  }
  // Another key, and what is open to everybody, are not slowed down by it.
  expect((await api.ask('GET', '/api/leads')).status).toBe(200)
  expect((await api.ask('GET', '/healthz')).headers.get('ratelimit-limit')).toBeNull()
  expect((await api.json('GET', '/api/api-keys')).body.data).toMatchObject([
    { name: 'Slow', rate_limit_per_minute: 4 },
    { name: 'Everything', rate_limit_per_minute: 600_000 },
  ])
})

test('a key’s limit is a whole number that makes sense', async () => {
  for (const rate_limit_per_minute of [0, -1, 1.5, '10', 1e9]) {
    expect(
      await api.json('POST', '/api/api-keys', { name: 'x', scopes: ['leads:read'], rate_limit_per_minute }),
    ).toMatchObject({ status: 422, body: { errors: [{ pointer: '/rate_limit_per_minute' }] } })
  }
})
