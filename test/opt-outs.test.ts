import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLead } from '../db/leads.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

test('a person notes what a lead asked for in other words, once, and it stands on the lead’s timeline', async () => {
  const lead = await createLead(
    api.ctx,
    { contact_name: 'Ana Ruiz', email: 'ana@brightside.example' },
    { door: 'ui' },
  )
  const note = { email: ' Ana@Brightside.example', reason: 'Said so on the phone' }
  expect((await api.ask('POST', '/api/opt-outs', note)).status).toBe(204)
  expect((await api.ask('POST', '/api/opt-outs', { ...note, reason: 'Again' })).status).toBe(204)
  expect((await api.json('GET', '/api/opt-outs')).body.data).toMatchObject([
    { email: 'ana@brightside.example', reason: 'Said so on the phone' },
  ])
  const { body } = await api.json('GET', `/api/leads/${lead.id}/timeline`)
  expect(body.data.filter(({ type }: { type: string }) => type === 'email_opted_out')).toMatchObject([
    { summary: 'noted that ana@brightside.example must not be written to: Said so on the phone' },
  ])
})

test('letting an address be written to again is for owners and admins, and is told', async () => {
  const path = '/api/opt-outs/ana%40brightside.example'
  const manager = { authorization: `Bearer ${await api.keyFor('manager')}` }
  expect((await api.ask('DELETE', path, undefined, manager)).status).toBe(403)
  expect((await api.ask('DELETE', path)).status).toBe(204)
  expect((await api.json('GET', '/api/opt-outs')).body.data).toEqual([])
  expect(await api.json('DELETE', path)).toMatchObject({ status: 404, body: { code: 'opt_out_not_found' } })
  const { body } = await api.json('GET', '/api/activities')
  expect(body.data[0]).toMatchObject({
    type: 'email_opted_in',
    summary: 'noted that ana@brightside.example may be written to again',
  })
})

test('what is no address is refused with what would be one', async () => {
  const refused = await api.json('POST', '/api/opt-outs', { email: 'ana' })
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/email' }] } })
})
