import { afterAll, beforeAll, expect, test } from 'vitest'
import { Webhook } from 'standardwebhooks'
import { serveApi } from '../api/server.ts'
import { archiveSource, createSource, rotateSecret } from '../db/intake-sources.ts'
import { getSubmission, listSubmissions, processSubmission } from '../db/submissions.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

type Sent = { status: number; body: any; headers: Headers }

const post = async (
  token: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Sent> => {
  const response = await api.app.request(`/intake/webhook/${token}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body as string,
  })
  return { status: response.status, body: await response.json(), headers: response.headers }
}

const stored = async (source_id: string) => (await listSubmissions(api.ctx, { source_id, limit: 200 })).data

const ana = { name: 'Ana Ruiz', email: 'ana@brightside.example', message: 'What does it cost for 40 seats?' }

test('a delivery is stored as it came, and answered at once', async () => {
  const door = await createSource(api.ctx, { name: 'Website' })
  const sent = await post(door.token, JSON.stringify(ana))
  expect(sent).toMatchObject({ status: 202, body: { submission_id: expect.any(String) } })
  expect(sent.headers.get('access-control-allow-origin')).toBe('*')
  expect(await getSubmission(api.ctx, sent.body.submission_id)).toMatchObject({
    status: 'received',
    door: 'webhook',
    payload: ana,
  })
  await processSubmission(api.db, api.organization.id, sent.body.submission_id)
  expect((await api.json('GET', '/api/submissions?status=processed')).body.data).toMatchObject([
    { id: sent.body.submission_id, payload: ana },
  ])
})

test('an unknown or closed door is 404', async () => {
  expect(await post('nothing', JSON.stringify(ana))).toMatchObject({
    status: 404,
    body: { code: 'intake_source_not_found' },
  })
  const { body: door } = await api.json('POST', '/api/intake-sources', { name: 'Soon closed' })
  expect(door.url).toBe(`http://127.0.0.1:3000/intake/webhook/${door.token}`)
  expect((await post(door.token, JSON.stringify(ana))).status).toBe(202)
  expect((await api.ask('DELETE', `/api/intake-sources/${door.id}`)).status).toBe(204)
  expect((await post(door.token, JSON.stringify(ana))).status).toBe(404)
})

test('a form is a delivery like any other', async () => {
  const door = await createSource(api.ctx, { name: 'Form' })
  const fields = await post(door.token, 'name=Bo+Lind&email=bo%40lind.example&interest=a&interest=b', {
    'content-type': 'application/x-www-form-urlencoded',
  })
  expect(fields.status).toBe(202)
  expect((await getSubmission(api.ctx, fields.body.submission_id)).payload).toEqual({
    name: 'Bo Lind',
    email: 'bo@lind.example',
    interest: ['a', 'b'],
  })
  const form = new FormData()
  form.set('name', 'Cy Moss')
  form.set('cv', new File(['hello'], 'cv.txt', { type: 'text/plain' }))
  const response = await api.app.request(`/intake/webhook/${door.token}`, { method: 'POST', body: form })
  expect(response.status).toBe(202)
  const { submission_id } = (await response.json()) as { submission_id: string }
  expect((await getSubmission(api.ctx, submission_id)).payload).toMatchObject({
    name: 'Cy Moss',
    cv: { file: 'cv.txt', size: 5 },
  })
})

test('what is neither JSON nor a form is 400 and stores nothing', async () => {
  const door = await createSource(api.ctx, { name: 'Strict' })
  const bad: [string | Uint8Array, Record<string, string>, string][] = [
    ['{"name":', {}, 'invalid_json'],
    ['', {}, 'invalid_json'],
    ['[1]', {}, 'invalid_json'],
    ['"name"', {}, 'invalid_json'],
    [new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), {}, 'invalid_json'],
    [`${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`, {}, 'invalid_json'],
    [`{"name":${'['.repeat(400_000)}${']'.repeat(400_000)}}`, {}, 'invalid_json'],
    ['<lead/>', { 'content-type': 'application/xml' }, 'unsupported_body'],
    ['nonsense', { 'content-type': 'multipart/form-data; boundary=x' }, 'invalid_form'],
    [JSON.stringify(ana), { 'webhook-id': 'x'.repeat(201) }, 'invalid_delivery_id'],
  ]
  for (const [body, headers, code] of bad)
    expect(await post(door.token, body, headers), code).toMatchObject({ status: 400, body: { code } })
  expect(await post(door.token, `{"name":"${'x'.repeat(1_000_000)}"}`)).toMatchObject({
    status: 413,
    body: { code: 'body_too_large' },
  })
  expect(await stored(door.id)).toEqual([])
})

test('somebody who cannot be recognised is 422, and kept as rejected', async () => {
  const door = await createSource(api.ctx, { name: 'Anonymous' })
  const sent = await post(door.token, JSON.stringify({ company: 'Nobody Ltd' }), {
    'idempotency-key': 'anonymous-1',
  })
  expect(sent).toMatchObject({
    status: 422,
    body: {
      code: 'lead_unidentified',
      submission_id: expect.any(String),
      errors: [{ pointer: '/name' }, { pointer: '/email' }, { pointer: '/phone' }],
    },
  })
  expect(await getSubmission(api.ctx, sent.body.submission_id)).toMatchObject({
    status: 'rejected',
    problem: { code: 'lead_unidentified' },
  })
})

test('a refused delivery that comes again is 200 with the refusal, until it was read after all', async () => {
  const door = await createSource(api.ctx, { name: 'Anonymous again' })
  const nobody = JSON.stringify({ company: 'Nobody Ltd' })
  const deliver = (id: string) => post(door.token, nobody, { 'webhook-id': id })
  const first = await deliver('n-1')
  expect(first.status).toBe(422)
  const again = await deliver('n-1')
  expect(again.status).toBe(200)
  expect({ ...again.body, instance: '' }).toEqual({ ...first.body, instance: '' })
  expect(again.headers.get('content-type')).toBe('application/json')
  const burst = await Promise.all(Array.from({ length: 10 }, () => deliver('n-2')))
  expect(burst.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([...Array(9).fill(200), 422])
  expect(new Set(burst.map(({ body }) => `${body.submission_id} ${body.code}`)).size).toBe(1)
  expect(await stored(door.id)).toHaveLength(2)

  // A default that names somebody mends it: the delivery is no longer refused.
  await api.json('PATCH', `/api/intake-sources/${door.id}`, {
    version: door.version,
    defaults: { name: 'Unknown visitor' },
  })
  await api.json('POST', `/api/submissions/${first.body.submission_id}/retry`)
  await processSubmission(api.db, api.organization.id, first.body.submission_id)
  expect(await getSubmission(api.ctx, first.body.submission_id)).toMatchObject({ status: 'processed' })
  expect(await deliver('n-1')).toMatchObject({
    status: 200,
    body: { submission_id: first.body.submission_id },
  })
  expect((await deliver('n-1')).body).not.toHaveProperty('code')
})

test('a mapping that does not fit is 202 and needs attention; mended, it is read again', async () => {
  const { body: door } = await api.json('POST', '/api/intake-sources', {
    name: 'Mapped',
    mapping: { email: 'contact.mail' },
  })
  const sent = await post(
    door.token,
    JSON.stringify({ name: 'Eve Stone', contact: { email: 'eve@stone.example' } }),
  )
  expect(sent.status).toBe(202)
  await processSubmission(api.db, api.organization.id, sent.body.submission_id)
  expect((await api.json('GET', '/api/submissions?status=needs_attention')).body.data).toMatchObject([
    {
      id: sent.body.submission_id,
      problem: { code: 'mapping_broken', errors: [{ pointer: '/mapping/email' }] },
    },
  ])
  expect(
    await api.json('PATCH', `/api/intake-sources/${door.id}`, {
      version: door.version,
      mapping: { email: 'contact.email' },
    }),
  ).toMatchObject({ status: 200 })
  expect(await api.json('POST', `/api/submissions/${sent.body.submission_id}/retry`)).toMatchObject({
    status: 202,
    body: { status: 'received' },
  })
  await processSubmission(api.db, api.organization.id, sent.body.submission_id)
  expect(await getSubmission(api.ctx, sent.body.submission_id)).toMatchObject({ status: 'processed' })
})

test('a delivery id makes repetitions one, also when they come at once', async () => {
  const door = await createSource(api.ctx, { name: 'Retrying' })
  const sent = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      post(door.token, JSON.stringify(ana), { 'webhook-id': `delivery-${n % 3}` }),
    ),
  )
  expect(sent.filter(({ status }) => status === 202)).toHaveLength(3)
  expect(sent.filter(({ status }) => status === 200)).toHaveLength(27)
  expect(new Set(sent.map(({ body }) => body.submission_id)).size).toBe(3)
  expect(await stored(door.id)).toHaveLength(3)
  const other = await createSource(api.ctx, { name: 'Another door' })
  expect((await post(other.token, JSON.stringify(ana), { 'webhook-id': 'delivery-1' })).status).toBe(202)
})

test('two hundred at once are two hundred, each in its own order of what it says', async () => {
  const doors = [await createSource(api.ctx, { name: 'A' }), await createSource(api.ctx, { name: 'B' })]
  const sent = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const door = doors[n % 2]!
      return {
        n,
        door,
        answer: await post(
          door.token,
          JSON.stringify(n % 10 === 0 ? { company: `c${n}` } : { name: `Lead ${n}`, n }),
        ),
      }
    }),
  )
  for (const { n, door, answer } of sent) {
    expect(answer.status).toBe(n % 10 === 0 ? 422 : 202)
    const submission = await getSubmission(api.ctx, answer.body.submission_id)
    expect(submission).toMatchObject({
      source_id: door.id,
      payload: n % 10 === 0 ? { company: `c${n}` } : { name: `Lead ${n}`, n },
    })
  }
  expect(new Set(sent.map(({ answer }) => answer.body.submission_id)).size).toBe(200)
})

test('whatever is in the JSON, it is stored and never breaks anything', async () => {
  const door = await createSource(api.ctx, { name: 'Odd' })
  const odd = [
    '{"name":"A\\u0000na"}',
    '{"name":"\\ud800 half"}',
    '{"name":"Ana","__proto__":{"admin":true},"constructor":{"prototype":1}}',
    '{"name":"Ana","n":1e400,"deep":{"a":[1,[2,[3]]]}}',
    `{"name":"${'é'.repeat(100_000)}"}`,
    '{"name":"Ana","":"","\\u0000":1}',
    '{"name":["x"],"email":{"a":1},"phone":true}',
    `{"name":"Ana",${Array.from({ length: 5_000 }, (_, n) => `"k${n}":${n}`).join(',')}}`,
    '\ufeff{"name":"With a byte order mark"}',
  ]
  for (const body of odd) {
    const sent = await post(door.token, body)
    expect([202, 422], body.slice(0, 60)).toContain(sent.status)
    await processSubmission(api.db, api.organization.id, sent.body.submission_id)
  }
  expect(await stored(door.id)).toHaveLength(odd.length)
  expect(({} as { admin?: boolean }).admin).toBeUndefined()
})

test('where signatures are required: unsigned and forged 401, late 400, rotated secrets overlap', async () => {
  const door = await createSource(api.ctx, { name: 'Signed', signature_required: true })
  const body = JSON.stringify(ana)
  const sign = (secret: string, id: string, at = new Date(), text = body) => ({
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, text),
  })
  const secret = door.signing_secret!
  expect(await post(door.token, body)).toMatchObject({ status: 401, body: { code: 'signature_missing' } })
  expect(
    await post(door.token, body, { ...sign(secret, 'm1'), 'webhook-signature': 'v1,AAAA' }),
  ).toMatchObject({ status: 401, body: { code: 'signature_forged' } })
  expect(await post(door.token, body, sign(secret, 'm1', new Date(), '{}'))).toMatchObject({ status: 401 })
  expect(await post(door.token, body, sign(secret, 'm1', new Date(Date.now() - 301_000)))).toMatchObject({
    status: 400,
    body: { code: 'signature_expired' },
  })
  expect(await stored(door.id)).toEqual([])
  expect((await post(door.token, body, sign(secret, 'm1'))).status).toBe(202)
  expect((await post(door.token, body, sign(secret, 'm1'))).status).toBe(200)
  const { body: rotated } = await api.json('POST', `/api/intake-sources/${door.id}/rotate-secret`)
  expect((await post(door.token, body, sign(rotated.signing_secret, 'm2'))).status).toBe(202)
  expect((await post(door.token, body, sign(secret, 'm3'))).status).toBe(202)
  await rotateSecret(api.ctx, door.id)
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  expect((await post(door.token, body, sign(secret, 'm4'))).status).toBe(401)
})

test('a door takes no more than it was set to', async () => {
  const door = await createSource(api.ctx, { name: 'Narrow', rate_limit_per_minute: 3 })
  const sent = []
  for (let n = 0; n < 5; n++) sent.push(await post(door.token, JSON.stringify({ name: `Lead ${n}` })))
  expect(sent.map(({ status }) => status)).toEqual([202, 202, 202, 429, 429])
  expect(Number(sent[3]!.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(sent[3]!.body.code).toBe('too_many_deliveries')
})

test('a page of any site may ask and post', async () => {
  const preflight = await api.app.request('/intake/webhook/any', {
    method: 'OPTIONS',
    headers: { origin: 'https://brightside.example' },
  })
  expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
    204,
    'POST, OPTIONS',
  ])
  const leads = await api.app.request('/api/leads', {
    method: 'OPTIONS',
    headers: { origin: 'https://brightside.example' },
  })
  expect(leads.headers.get('access-control-allow-origin')).toBeNull()
})

test('over a real socket: too large is told, not cut off; a closed door is 404 within a second', async () => {
  const server = await serveApi(api.app, { host: '127.0.0.1', port: 0 })
  try {
    const door = await createSource(api.ctx, { name: 'Socket' })
    const send = async (body: string | ReadableStream, headers: Record<string, string> = {}) => {
      const response = await fetch(`${server.url}/intake/webhook/${door.token}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
        ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      })
      return {
        status: response.status,
        type: response.headers.get('content-type'),
        body: (await response.json()) as any,
      }
    }
    expect(await send(JSON.stringify(ana))).toMatchObject({ status: 202, type: 'application/json' })
    expect(await send('x'.repeat(1_500_000))).toMatchObject({ status: 413, type: 'application/problem+json' })
    const chunk = new TextEncoder().encode(' '.repeat(64_000))
    let chunks = 0
    const endless = new ReadableStream({ pull: (c) => (chunks++ < 40 ? c.enqueue(chunk) : c.close()) })
    expect(await send(endless)).toMatchObject({ status: 413 })
    await archiveSource(api.ctx, door.id)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect((await send(JSON.stringify(ana))).status).toBe(404)
  } finally {
    await server.close()
  }
})
