import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveApi, type ApiServer } from '../api/server.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let server: ApiServer
beforeAll(async () => {
  api = await openApi()
  server = await serveApi(api.app, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await api.stop()
})

const ask = async (path: string) =>
  fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${await api.keyFor('owner')}` } })

const filtered = (ids: string[]): string =>
  `/api/leads?filter=${encodeURIComponent(JSON.stringify({ field: 'id', op: 'in', value: ids }))}`

test('F22: a filter of a thousand ids fits into an address', async () => {
  const lead = await makeLead(api.ctx)
  const ids = Array.from({ length: 999 }, (_, n) => `01990000-0000-7000-8000-${String(n).padStart(12, '0')}`)
  const response = await ask(filtered([...ids, lead.id]))
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ data: [{ id: lead.id }] })
})

test('P20: an address that is too long is told its limit, and what is no request that it is none', async () => {
  const long = await ask(`/api/leads?q=${'x'.repeat(200_000)}`)
  expect([long.status, long.headers.get('content-type')]).toEqual([431, 'application/problem+json'])
  expect(await long.json()).toMatchObject({
    status: 431,
    code: 'headers_too_large',
    detail: expect.stringContaining('at most 128 kB'),
    instance: expect.stringMatching(/^urn:uuid:/),
  })
  const said = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write('hello\r\n\r\n'))
    let text = ''
    socket.on('data', (bytes) => (text += bytes.toString('utf8')))
    socket.once('error', reject)
    socket.once('close', () => resolve(text))
  })
  expect(said).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  expect(JSON.parse(said.split('\r\n\r\n')[1]!)).toMatchObject({ status: 400, code: 'bad_request' })
})
