import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx } from '../db/context.ts'
import { openApi, type ApiWorld } from './api.ts'
import { postLead } from './posted-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

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
    const lead = await postLead(api, { email: 'once@brightside.example' })
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
