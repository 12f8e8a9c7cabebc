import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'

const CARDS = '/api/opportunities'

let api: ApiWorld
let pipelines: { id: string; record_kind: string; stages: { id: string }[] }[]
beforeAll(async () => {
  api = await openApi()
  pipelines = (await api.json('GET', '/api/pipelines')).body.data
})
afterAll(() => api.stop())

const make = async (body: object) => {
  const made = await api.json('POST', CARDS, body)
  expect(made).toMatchObject({ status: 201 })
  return made.body
}
const deals = () => pipelines.find(({ record_kind }) => record_kind === 'deal')!

test('F25: a card is made under its own noun, of the kind that its pipeline is for', async () => {
  const lead = await make({ contact_name: 'Ana Ruiz', email: ' ANA@Brightside.example' })
  expect(lead).toMatchObject({ kind: 'lead', email: 'ana@brightside.example', version: 1 })
  const deal = await make({ name: 'Machines', stage_id: deals().stages[1]!.id })
  expect(deal).toMatchObject({ kind: 'deal', stage: { id: deals().stages[1]!.id } })
  for (const { kind, id } of [lead, deal])
    expect((await api.json('GET', `${CARDS}/${id}`)).body).toEqual(
      (await api.json('GET', `/api/${kind}s/${id}`)).body,
    )
  expect(await api.json('POST', CARDS, { kind: 'deal' })).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/name' }] },
  })
  expect(await api.json('POST', CARDS, {})).toMatchObject({
    status: 422,
    body: { code: 'lead_unidentified' },
  })
})

test('F42: one path changes cards of both kinds, only upon the version that was read', async () => {
  for (const card of [await make({ contact_name: 'Bo Lind' }), await make({ name: 'Cups', kind: 'deal' })]) {
    const path = `${CARDS}/${card.id}`
    expect(await api.json('PATCH', path, { title: 'Buyer' })).toMatchObject({
      status: 428,
      body: { code: 'version_required' },
    })
    expect(await api.json('PATCH', path, { title: 'Buyer', version: 1 })).toMatchObject({
      status: 200,
      body: { kind: card.kind, title: 'Buyer', version: 2 },
    })
    expect(await api.json('PATCH', path, { title: 'Cook' }, { 'if-match': '"1"' })).toMatchObject({
      status: 412,
      body: { current: { title: 'Buyer', version: 2 } },
    })
    expect(await api.json('PATCH', path, { titel: 'Cook', version: 2 })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/titel', message: expect.stringContaining('“title”') }] },
    })
  }
})

test('a card of either kind is archived and restored under its noun; its timeline says so', async () => {
  for (const card of [
    await make({ contact_name: 'Cy Moss' }),
    await make({ name: 'Grinders', kind: 'deal' }),
  ]) {
    const path = `${CARDS}/${card.id}`
    expect((await api.json('DELETE', path)).status).toBe(204)
    const listed = async () =>
      (await api.json('GET', `${CARDS}?limit=200`)).body.data.map(({ id }: any) => id)
    expect(await listed()).not.toContain(card.id)
    expect(await api.json('POST', `${path}/restore`)).toMatchObject({
      status: 200,
      body: { id: card.id, archived_at: null },
    })
    expect(await listed()).toContain(card.id)
    const { body } = await api.json('GET', `${path}/timeline`)
    expect(body.data.map(({ type }: any) => type)).toEqual([
      'record_restored',
      'record_archived',
      card.kind === 'lead' ? 'lead_imported' : 'record_created',
    ])
    expect(body.data[0].subjects).toEqual([{ kind: card.kind, id: card.id }])
  }
  expect((await api.json('GET', `${CARDS}/01990000-0000-7000-8000-000000000000/timeline`)).status).toBe(404)
})
