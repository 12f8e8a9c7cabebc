import { afterAll, beforeAll, expect, test } from 'vitest'
import { addMember, createApiKey } from '../db/identity.ts'
import { APP_URL, openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
const password = 'a password of the tests'
const email = 'ada@northwind.example'
beforeAll(async () => {
  api = await openApi()
  await addMember(api.db, { organization_id: api.organization.id, name: 'Ada', email, password, role: 'rep' })
})
afterAll(() => api.stop())

const signIn = (body: object, headers: Record<string, string> = {}) =>
  api.app.request(`${APP_URL}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: APP_URL, ...headers },
    body: JSON.stringify(body),
  })

const cookieOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ')

test('a person signs in, acts as themselves, and signs out', async () => {
  const signedIn = await signIn({ email, password })
  expect(signedIn.status).toBe(200)
  const [set] = signedIn.headers.getSetCookie()
  expect(set).toMatch(/HttpOnly/i)
  expect(set).toMatch(/SameSite=Lax/i)
  expect(set).not.toMatch(/Secure/i)
  const cookie = cookieOf(signedIn)
  expect(await api.json('GET', '/api/me', undefined, { cookie })).toMatchObject({
    status: 200,
    body: { user: { name: 'Ada', email }, role: 'rep' },
  })
  const made = await api.json('POST', '/api/leads', { contact_name: 'Ana' }, { cookie, origin: APP_URL })
  expect(made).toMatchObject({ status: 201, body: { origin: { door: 'ui' } } })
  const timeline = await api.json('GET', `/api/leads/${made.body.id}/timeline`, undefined, { cookie })
  expect(timeline.body.data[0].actor).toMatchObject({ kind: 'user', name: 'Ada' })
  const out = await api.app.request(`${APP_URL}/api/auth/sign-out`, {
    method: 'POST',
    headers: { cookie, origin: APP_URL, 'content-type': 'application/json' },
    body: '{}',
  })
  expect(out.status).toBe(200)
  expect((await api.json('GET', '/api/me', undefined, { cookie })).status).toBe(401)
})

test('a wrong password and an unknown address are told apart by nobody', async () => {
  const wrong = await signIn({ email, password: 'not the password' })
  const unknown = await signIn({ email: 'nobody@northwind.example', password })
  expect([wrong.status, unknown.status]).toEqual([401, 401])
  expect(wrong.headers.get('content-type')).toBe('application/problem+json')
  const said = { code: 'invalid_email_or_password', detail: 'Invalid email or password' }
  expect(await wrong.json()).toMatchObject(said)
  expect(await unknown.json()).toMatchObject(said)
})

test('nobody signs up by themselves', async () => {
  const response = await api.app.request(`${APP_URL}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: APP_URL },
    body: JSON.stringify({ email: 'new@evil.example', password: 'long enough indeed', name: 'New' }),
  })
  expect(response.status).toBeGreaterThanOrEqual(400)
  expect(response.status).toBeLessThan(500)
})

test('a page of another site cannot act with a person’s cookie', async () => {
  const cookie = cookieOf(await signIn({ email, password }))
  const body = { contact_name: 'Forged' }
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of foreign) {
    expect(await api.json('POST', '/api/leads', body, { cookie, ...headers })).toMatchObject({
      status: 403,
      body: { code: 'foreign_origin' },
    })
  }
  expect((await signIn({ email, password }, { origin: 'https://evil.example' })).status).toBe(403)
  expect(
    (
      await api.json(
        'POST',
        '/api/leads',
        { contact_name: 'Own' },
        { cookie, origin: APP_URL, 'sec-fetch-site': 'same-origin' },
      )
    ).status,
  ).toBe(201)
})

test('guessing passwords is slow', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 30; n++) statuses.push((await signIn({ email, password: `guess number ${n}` })).status)
  expect(statuses).toContain(429)
  expect(statuses.at(-1)).toBe(429)
})

test('a key opens its own organization only, and dies with its member', async () => {
  const other = await api.other()
  const { key } = await createApiKey(other.ctx, {
    name: 'Theirs',
    scopes: ['*'],
    user_id: other.owner.user_id,
  })
  const authorization = { authorization: `Bearer ${key}` }
  const ours = await api.json('POST', '/api/leads', { contact_name: 'Ours' })
  expect((await api.json('GET', '/api/leads', undefined, authorization)).body.data).toEqual([])
  expect((await api.json('GET', `/api/leads/${ours.body.id}`, undefined, authorization)).status).toBe(404)
  await api.db.sql`delete from identity.members where user_id = ${other.owner.user_id}`
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  expect((await api.json('GET', '/api/leads', undefined, authorization)).status).toBe(401)
})
