import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { unsubscribeToken, findOptOut } from '../db/opt-outs.ts'
import { connect } from '../db/client.ts'
import { createApp } from '../api/app.ts'
import { APP_URL, nothingOutside, openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

describe('an organization', () => {
  test('says who asks', async () => {
    expect(await api.json('GET', '/api/me')).toMatchObject({
      status: 200,
      body: {
        user: { id: api.owner.user_id, name: api.owner.name, email: api.owner.email },
        organization: { id: api.organization.id, name: 'Northwind' },
        role: 'owner',
        permissions: expect.arrayContaining(['approvals:decide', 'keys:write']),
        ai_enabled: true,
        model: 'rules',
        mail: { transport: 'capture', from: expect.stringContaining('sales@northwind.example') },
        agents: [{ name: 'lead_worker', enabled: true }],
      },
    })
  })

  test('pauses its agents, one and all, and sets what they may do', async () => {
    expect(await api.json('PATCH', '/api/agents/lead_worker', { version: 1, enabled: false })).toMatchObject({
      status: 200,
      body: { enabled: false },
    })
    expect(await api.json('PATCH', '/api/agents/lead_worker', { version: 2, enabled: true })).toMatchObject({
      body: { enabled: true },
    })
    expect(await api.json('PUT', '/api/policies/lead_worker/add_note', { level: 'suggest' })).toMatchObject({
      status: 200,
    })
    const { body } = await api.json('GET', '/api/agents')
    expect(body.data[0].autonomy).toContainEqual({ tool: 'add_note', level: 'suggest' })
    expect(await api.json('PUT', '/api/policies/lead_worker/no_tool', { level: 'act' })).toMatchObject({
      status: 404,
    })
    expect(await api.json('PUT', '/api/policies/lead_worker/add_note', { level: 'maybe' })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/level', accepted: ['off', 'deny', 'suggest', 'act'] }] },
    })
    const { body: settings } = await api.json('GET', '/api/settings')
    expect(
      await api.json('PATCH', '/api/settings', { version: settings.version, ai_enabled: false }),
    ).toMatchObject({ body: { ai_enabled: false } })
    expect(
      await api.json('PATCH', '/api/settings', { version: settings.version, ai_enabled: true }),
    ).toMatchObject({ status: 412 })
    expect(
      await api.json(
        'PATCH',
        '/api/settings',
        { ai_enabled: true },
        { 'if-match': `"${settings.version + 1}"` },
      ),
    ).toMatchObject({ status: 200 })
  })

  test('makes keys that can do no more than their maker, and ends them at once', async () => {
    const made = await api.json('POST', '/api/api-keys', {
      name: 'Reader',
      scopes: ['leads:read', 'keys:write'],
    })
    expect(made).toMatchObject({ status: 201, body: { key: expect.stringMatching(/^lh_/) } })
    const authorization = { authorization: `Bearer ${made.body.key}` }
    expect((await api.json('GET', '/api/leads', undefined, authorization)).status).toBe(200)
    expect(await api.json('GET', '/api/runs', undefined, authorization)).toMatchObject({
      status: 403,
      body: { code: 'permission_missing', permission: 'runs:read' },
    })
    expect(
      await api.json('POST', '/api/api-keys', { name: 'More', scopes: ['*'] }, authorization),
    ).toMatchObject({ status: 403, body: { code: 'scope_not_held' } })
    expect((await api.ask('DELETE', `/api/api-keys/${made.body.id}`)).status).toBe(204)
    expect((await api.json('GET', '/api/leads', undefined, authorization)).status).toBe(401)
    const { body } = await api.json('GET', '/api/api-keys')
    expect(JSON.stringify(body)).not.toContain(made.body.key)
  })
})

describe('what is open to everybody', () => {
  test('an unsubscribe link asks first, then one click is enough, and twice is once', async () => {
    const token = await unsubscribeToken(api.ctx, 'gone@brightside.example')
    const page = await api.app.request(`/unsubscribe/${token}`)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<button')
    expect(await findOptOut(api.ctx, 'gone@brightside.example')).toBeUndefined()
    for (let click = 1; click <= 2; click++) {
      const done = await api.app.request(`/unsubscribe/${token}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'List-Unsubscribe=One-Click',
      })
      expect(done.status).toBe(200)
    }
    expect(await findOptOut(api.ctx, 'gone@brightside.example')).toBe('unsubscribed')
    const { data } = await listActivities(api.ctx, { limit: 50 })
    expect(data.filter(({ type }) => type === 'email_opted_out')).toMatchObject([
      { actor: { kind: 'visitor' } },
    ])
    expect((await api.app.request('/unsubscribe/unknown')).status).toBe(404)
  })

  test('health, readiness, the document and its page', async () => {
    expect((await api.app.request('/healthz')).status).toBe(200)
    const ready = await api.app.request('/readyz')
    expect(await ready.json()).toMatchObject({
      status: 'ready',
      checks: { database: { ok: true }, migrations: { ok: true }, queue: { ok: true } },
    })
    expect((await api.app.request('/openapi.json')).status).toBe(200)
    const docs = await api.app.request('/docs')
    expect(await docs.text()).toContain('/api/leads')
    expect(docs.headers.get('content-security-policy')).toContain("script-src 'self'")
  })

  test('every page of the app is the app, its files are kept for ever, every other address is told so', async () => {
    const dist = path.join(api.folder, 'dist')
    await mkdir(path.join(dist, 'assets'), { recursive: true })
    await writeFile(path.join(dist, 'index.html'), '<!doctype html><title>Leadhand</title>')
    await writeFile(path.join(dist, 'assets', 'app-1.js'), 'export {}')
    await writeFile(path.join(dist, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>')
    await writeFile(path.join(api.folder, 'secret.txt'), 'not for you')
    const { db, auth } = api
    const app = createApp({
      db,
      auth,
      outside: nothingOutside,
      app_url: APP_URL,
      model: 'rules',
      web_dist: dist,
    })
    for (const address of ['/', '/crm/leads', '/crm/approvals?status=stale', '/sign-in']) {
      const response = await app.request(address, { headers: { accept: 'text/html' } })
      expect([address, response.status, response.headers.get('cache-control')]).toEqual([
        address,
        200,
        'no-cache',
      ])
      expect(await response.text()).toContain('<title>Leadhand')
      expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    }
    const asset = await app.request('/assets/app-1.js')
    expect([asset.status, asset.headers.get('content-type'), asset.headers.get('cache-control')]).toEqual([
      200,
      expect.stringContaining('javascript'),
      'public, max-age=31536000, immutable',
    ])
    expect((await app.request('/favicon.svg')).headers.get('content-type')).toContain('image/svg')
    for (const address of [
      '/assets/gone.js',
      '/assets/..%2f..%2fsecret.txt',
      '/..%2fsecret.txt',
      '/api/x',
      '/intake/x',
    ]) {
      const response = await app.request(address)
      expect([address, response.status]).toEqual([address, 404])
      expect(await response.json()).toMatchObject({ code: 'not_found' })
    }
    await app.stop()
    const unbuilt = createApp({
      db,
      auth,
      outside: nothingOutside,
      app_url: APP_URL,
      model: 'rules',
      web_dist: path.join(dist, 'none'),
    })
    const told = await unbuilt.request('/', { headers: { accept: 'text/html' } })
    expect([told.status, (await told.text()).includes('not built yet')]).toEqual([503, true])
    await unbuilt.stop()
  })
})

describe('when the database is away', () => {
  test('requests are told so, with when to try again, and nothing else', async () => {
    const gone = connect('postgres://nobody@127.0.0.1:1/nothing')
    const app = createApp({
      db: { ...api.db, sql: gone },
      auth: { handle: failing, session: failing, close: async () => {} },
      outside: nothingOutside,
      app_url: APP_URL,
      model: 'rules',
    })
    const asks: [string, RequestInit][] = [
      ['/api/leads', { headers: { authorization: `Bearer ${api.key}` } }],
      ['/api/leads', { headers: { cookie: 'leadhand.session_token=x' } }],
      ['/api/auth/sign-in/email', { method: 'POST', body: '{}' }],
      ['/intake/webhook/any', { method: 'POST', body: '{"name":"Ana"}' }],
      ['/unsubscribe/any', {}],
    ]
    for (const [path, init] of asks) {
      const response = await app.request(path, init)
      expect([path, response.status, response.headers.get('retry-after')]).toEqual([path, 503, '2'])
      const text = await response.text()
      expect(JSON.parse(text)).toMatchObject({ code: 'database_unavailable' })
      expect(text).not.toMatch(/ECONN|postgres|127\.0\.0\.1/)
    }
    expect((await app.request('/readyz')).status).toBe(503)
    expect((await app.request('/healthz')).status).toBe(200)
    await app.stop()
    await gone.end()
  })
})

/** What sign-in does when its storage is away: it says that something failed, not what. */
const failing = async (): Promise<never> => {
  throw new Error('Failed to get session')
}
