import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import { unsubscribeToken, findOptOut } from '../db/opt-outs.ts'
import { connect } from '../db/client.ts'
import { inTx } from '../db/context.ts'
import { createApp } from '../api/app.ts'
import { APP_URL, nothingOutside, openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const makeLead = async (fields: object = {}) => {
  const { status, body } = await api.json('POST', '/api/leads', {
    contact_name: 'Ana Ruiz',
    email: 'ana@brightside.example',
    ...fields,
  })
  expect(status).toBe(201)
  return body
}

describe('refusals', () => {
  test('nobody is let in without a key or a session, and is told how', async () => {
    for (const authorization of ['', 'Bearer ', 'Bearer nope', 'Basic abc', 'Bearer x'.repeat(5_000)]) {
      const response = await api.ask('GET', '/api/leads', undefined, { authorization })
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toContain('Bearer')
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({
        status: 401,
        code: 'unauthenticated',
        instance: expect.stringMatching(/^urn:uuid:/),
      })
    }
  })

  test('what is wrong in a body is named, with what would be accepted', async () => {
    const wrong = await api.json('POST', '/api/leads', {
      contact_nam: 'Ana',
      email: 'not an address',
      tags: 'x',
    })
    expect(wrong.status).toBe(422)
    const { errors } = wrong.body
    expect(errors.find((fault: any) => fault.pointer === '/contact_nam')).toMatchObject({
      message: 'There is no field “contact_nam” here. Did you mean “contact_name”?',
      accepted: expect.arrayContaining(['contact_name']),
    })
    expect(errors.map((fault: any) => fault.pointer)).toEqual(expect.arrayContaining(['/email', '/tags']))
    expect(await api.json('POST', '/api/leads', '{"contact_name":')).toMatchObject({
      status: 400,
      body: { code: 'invalid_json' },
    })
    expect(await api.json('POST', '/api/leads', { company_name: 'Nobody Ltd' })).toMatchObject({
      status: 422,
      body: {
        code: 'lead_unidentified',
        errors: [{ pointer: '/name' }, { pointer: '/email' }, { pointer: '/phone' }],
      },
    })
    expect(await api.json('GET', '/api/leads?limit=0&stage=x')).toMatchObject({ status: 422 })
    expect(await api.json('GET', '/api/runs?cursor=xyz')).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/cursor' }] },
    })
    expect(await api.json('GET', '/api/leads?cursor=WyJ4IiwieSJd')).toMatchObject({ status: 422 })
    expect(
      await api.json(
        'GET',
        `/api/leads?filter=${encodeURIComponent('{"field":"scor","op":"gt","value":1}')}`,
      ),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ message: expect.stringContaining('“score”') }] },
    })
  })

  test('text that no database holds is refused with its place, not with a 500', async () => {
    expect(
      await api.json('POST', '/api/leads', '{"contact_name":"A\\u0000na","extra":{"x":["\\ud800"]}}'),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/contact_name' }, { pointer: '/extra/x/0' }] },
    })
    expect((await api.json('GET', '/api/leads?q=%00')).status).toBe(422)
  })

  test('a body over 1 MB is 413, whether announced or not', async () => {
    const large = JSON.stringify({ contact_name: 'x'.repeat(1_100_000) })
    expect(
      await api.json('POST', '/api/leads', large, { 'content-length': String(large.length) }),
    ).toMatchObject({
      status: 413,
      body: { code: 'body_too_large' },
    })
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('x'.repeat(100_000))),
    })
    const response = await api.app.request('/api/leads', {
      method: 'POST',
      headers: { authorization: `Bearer ${api.key}` },
      body: stream,
      duplex: 'half',
    })
    expect(response.status).toBe(413)
  })

  test('addresses that are not there are 404, wrong methods 405', async () => {
    for (const path of [
      '/api/nothing',
      '/api/leads/not-an-id',
      '/api/leads/01990000-0000-7000-8000-000000000000',
      '/api/agents/__proto__',
    ]) {
      const method = path.includes('agents') ? 'PATCH' : 'GET'
      expect(
        await api.json(method, path, method === 'PATCH' ? { version: 1, enabled: true } : undefined),
        path,
      ).toMatchObject({ status: 404 })
    }
    const response = await api.ask('DELETE', '/api/leads')
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST'])
  })
})

describe('versions', () => {
  test('a change names the version it was made upon, in the body or as If-Match', async () => {
    const lead = await makeLead({ email: 'version@brightside.example' })
    const path = `/api/leads/${lead.id}`
    expect(await api.json('PATCH', path, { title: 'CEO' })).toMatchObject({
      status: 428,
      body: { code: 'version_required' },
    })
    expect(await api.json('PATCH', path, { title: 'CEO', version: lead.version })).toMatchObject({
      status: 200,
      body: { title: 'CEO', version: lead.version + 1 },
    })
    expect(await api.json('PATCH', path, { title: 'CFO', version: lead.version })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { title: 'CEO', version: lead.version + 1 } },
    })
    const etag = (await api.ask('GET', path)).headers.get('etag')!
    expect(etag).toBe(`"${lead.version + 1}"`)
    expect(await api.json('PATCH', path, { title: null }, { 'if-match': etag })).toMatchObject({
      status: 200,
      body: { title: null },
    })
    expect(await api.json('PATCH', path, { title: 'x', version: 'seven' })).toMatchObject({ status: 422 })
  })

  test('an act may name one: as version or If-Match it counts, without it goes through', async () => {
    const lead = await makeLead({ email: 'act@brightside.example' })
    const { body: pipelines } = await api.json('GET', '/api/pipelines')
    const { stages } = pipelines.data.find((pipeline: any) => pipeline.id === lead.pipeline_id)
    const move = (stage: number, more: object = {}, headers: Record<string, string> = {}) =>
      api.json('POST', `/api/opportunities/${lead.id}/move`, { stage_id: stages[stage].id, ...more }, headers)
    const late = { status: 412, body: { code: 'version_mismatch', current: { version: lead.version } } }
    expect(await move(1, { version: lead.version + 1 })).toMatchObject(late)
    expect(await move(1, {}, { 'if-match': `"${lead.version + 1}"` })).toMatchObject(late)
    expect(await move(1, {}, { 'if-match': `"${lead.version}"` })).toMatchObject({ status: 200 })
    expect(await move(2)).toMatchObject({ status: 200, body: { version: lead.version + 2 } })
  })
})

describe('leads', () => {
  test('one is made, found, moved and worked, and its timeline tells who did it', async () => {
    const lead = await makeLead({ contact_name: 'Bo Lind', email: 'bo@lind.example', work: true })
    expect(lead).toMatchObject({
      kind: 'lead',
      run_status: 'queued',
      origin: { door: 'api' },
      origins: expect.any(Array),
    })
    const found = await api.json('GET', `/api/leads?q=lind&sort=-created_at&limit=1`)
    expect(found.body.data).toMatchObject([{ id: lead.id }])
    const { body: pipelines } = await api.json('GET', '/api/pipelines')
    const stages = pipelines.data.find((pipeline: any) => pipeline.id === lead.pipeline_id).stages
    const moved = await api.json('POST', `/api/opportunities/${lead.id}/move`, {
      stage_id: stages[1].id,
      reason: 'They called',
    })
    expect(moved).toMatchObject({ status: 200, body: { stage: { label: stages[1].label } } })
    const timeline = await api.json('GET', `/api/leads/${lead.id}/timeline?actor=human`)
    expect(timeline.body.data.map(({ type, actor }: any) => [type, actor.kind, actor.name])).toEqual([
      ['stage_changed', 'api_key', 'Everything'],
      ['lead_imported', 'api_key', 'Everything'],
    ])
    expect(timeline.body.data[0]).toMatchObject({
      reason: 'They called',
      summary: expect.stringContaining('moved it from'),
    })
  })

  test('one that is made by hand or by a program wakes no agent unless it is said so', async () => {
    const lead = await makeLead({ email: 'quiet@brightside.example' })
    expect(lead).toMatchObject({ run_status: null })
    expect((await api.json('GET', `/api/runs?subject_id=${lead.id}`)).body.data).toEqual([])
  })

  test('asking an agent answers at once with a run; asking twice is one', async () => {
    const lead = await makeLead({ email: 'ask@brightside.example' })
    const first = await api.json('POST', `/api/leads/${lead.id}/suggest`)
    expect(first).toMatchObject({ status: 202, body: { run_id: expect.any(String) } })
    expect((await api.json('POST', `/api/leads/${lead.id}/suggest`, {})).body).toEqual(first.body)
    const run = await api.json('GET', `/api/runs/${first.body.run_id}`)
    expect(run.body).toMatchObject({
      status: 'queued',
      agent_title: 'Lead worker',
      subject_label: 'Ana Ruiz',
      trigger: { kind: 'request', ask: 'suggest' },
      requested_by: { kind: 'api_key' },
      steps: [],
    })
    expect(await api.json('POST', `/api/runs/${run.body.id}/retry`)).toMatchObject({
      status: 409,
      body: { code: 'run_not_ended', status: 409, state: 'queued' },
    })
    expect(await api.json('POST', `/api/runs/${run.body.id}/cancel`)).toMatchObject({
      status: 200,
      body: { status: 'cancelled' },
    })
    expect(await api.json('POST', `/api/runs/${run.body.id}/retry`)).toMatchObject({ status: 202 })
  })

  test('pages neither repeat nor miss a lead', async () => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await api.json(
        'GET',
        `/api/leads?limit=2&sort=name&cursor=${encodeURIComponent(cursor)}`,
      )
      seen.push(...body.data.map(({ id }: any) => id))
      cursor = body.next_cursor ?? ''
    } while (cursor)
    const all = await api.json('GET', '/api/leads?limit=200')
    expect(seen.toSorted()).toEqual(all.body.data.map(({ id }: any) => id).toSorted())
  })

  test('notes and tasks are put on a lead', async () => {
    const lead = await makeLead({ email: 'notes@brightside.example' })
    const subject = { kind: 'lead', id: lead.id }
    expect(await api.json('POST', '/api/notes', { subject, body: 'Call before noon' })).toMatchObject({
      status: 201,
    })
    expect((await api.json('GET', `/api/notes?subject_id=${lead.id}`)).body.data).toMatchObject([
      { body: 'Call before noon' },
    ])
    const task = await api.json('POST', '/api/tasks', { title: 'Call', subjects: [subject] })
    expect(task.status).toBe(201)
    expect(await api.json('POST', `/api/tasks/${task.body.id}/complete`)).toMatchObject({
      status: 200,
      body: { status: 'done' },
    })
    expect((await api.json('GET', `/api/tasks?subject_id=${lead.id}&status=done`)).body.data).toHaveLength(1)
    expect(
      await api.json('POST', '/api/notes', {
        subject: { kind: 'lead', id: '01990000-0000-7000-8000-000000000000' },
        body: 'x',
      }),
    ).toMatchObject({ status: 404 })
  })
})

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

describe('repeated requests', () => {
  test('one key is one effect, and the first answer', async () => {
    const headers = { 'idempotency-key': 'make-cy-1' }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        api.json('POST', '/api/leads', { contact_name: 'Cy Moss', email: 'cy@moss.example' }, headers),
      ),
    )
    const made = answers.filter(({ status }) => status === 201)
    expect(made.length).toBeGreaterThan(0)
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(1)
    for (const { status, body } of answers)
      if (status !== 201) expect([status, body.code]).toEqual([409, 'idempotency_in_progress'])
    const again = await api.ask(
      'POST',
      '/api/leads',
      { contact_name: 'Cy Moss', email: 'cy@moss.example' },
      headers,
    )
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    expect((await api.json('GET', '/api/leads?q=moss.example')).body.data).toHaveLength(1)
    expect(await api.json('POST', '/api/leads', { contact_name: 'Another' }, headers)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    })
  })

  test('a refusal is the first answer too, and leaves nothing behind', async () => {
    const lead = await makeLead({ email: 'once@brightside.example' })
    const headers = { 'idempotency-key': 'patch-1' }
    const stale = { version: 99, title: 'x' }
    expect(await api.json('PATCH', `/api/leads/${lead.id}`, stale, headers)).toMatchObject({ status: 412 })
    expect(await api.json('PATCH', `/api/leads/${lead.id}`, stale, headers)).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch' },
    })
    expect(
      await api.json('PATCH', `/api/leads/${lead.id}`, stale, { 'idempotency-key': 'bad key' }),
    ).toMatchObject({ status: 400 })
  })

  test('a process that died in between has done nothing, so a repetition does it', async () => {
    const principal = `api_key ${(await api.json('GET', '/api/api-keys')).body.data.find(({ name }: any) => name === 'Everything').id}`
    await api.json(
      'POST',
      '/api/leads',
      { contact_name: 'Dee', email: 'dee@park.example' },
      { 'idempotency-key': 'died' },
    )
    await inTx(api.ctx, async ({ tx }) => {
      await tx`update idempotency_keys set status = null, response = null where key = 'died' and principal = ${principal}`
      await tx`update opportunities set archived_at = now() where email = 'dee@park.example'`
    })
    expect(
      await api.json(
        'POST',
        '/api/leads',
        { contact_name: 'Dee', email: 'dee@park.example' },
        { 'idempotency-key': 'died' },
      ),
    ).toMatchObject({ status: 201 })
  })

  test('what is kept of an answer with a secret in it is encrypted', async () => {
    const made = await api.json(
      'POST',
      '/api/api-keys',
      { name: 'Secret', scopes: ['leads:read'] },
      { 'idempotency-key': 'secret-1' },
    )
    const [row] = await inTx(
      api.ctx,
      ({ tx }) => tx`select response from idempotency_keys where key = 'secret-1'`,
    )
    expect(row!['response']).not.toContain(made.body.key)
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
