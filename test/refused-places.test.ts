import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { makeDeal, stageOf } from './cards.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const NOBODY = uuidv7()

describe('a refusal names the place of what is wrong', () => {
  test('where a body refers to what is not there; where the address does, the address is wrong', async () => {
    const lead = await makeLead(api.ctx)
    const on = (id: string) => ({ kind: 'lead', id })
    const bulk = { kind: 'lead', ids: [lead.id] }
    const refused: [method: string, path: string, body: object, pointer: string][] = [
      ['POST', '/api/leads', { name: 'Ana', stage_id: NOBODY }, '/stage_id'],
      ['POST', '/api/deals', { name: 'Machines', pipeline_id: NOBODY }, '/pipeline_id'],
      ['POST', '/external/v1/opportunities', { name: 'Ana', stage_id: NOBODY }, '/stage_id'],
      ['PATCH', `/api/leads/${lead.id}`, { version: 1, stage_id: NOBODY }, '/stage_id'],
      ['POST', `/api/opportunities/${lead.id}/move`, { stage_id: NOBODY }, '/stage_id'],
      ['POST', `/api/opportunities/${lead.id}/close`, { stage_id: NOBODY }, '/stage_id'],
      ['POST', `/api/opportunities/${lead.id}/contacts`, { contact_id: NOBODY }, '/contact_id'],
      ['POST', '/api/notes', { subject: on(NOBODY), body: 'Hm' }, '/subject/id'],
      ['POST', '/api/tasks', { title: 'Call', subjects: [on(lead.id), on(NOBODY)] }, '/subjects/1/id'],
      ['POST', `/api/leads/${lead.id}/merge`, { duplicate_id: NOBODY }, '/duplicate_id'],
      ['POST', '/api/bulk', { ...bulk, act: 'move', input: { stage_id: NOBODY } }, '/input/stage_id'],
      [
        'POST',
        '/api/bulk',
        { ...bulk, act: 'change_pipeline', input: { pipeline_id: NOBODY } },
        '/input/pipeline_id',
      ],
    ]
    for (const [method, path, body, pointer] of refused)
      expect(await api.json(method, path, body), `${method} ${path}`).toMatchObject({
        status: 404,
        body: {
          code: expect.stringMatching(/_not_found$/),
          errors: [{ pointer, message: expect.stringContaining(NOBODY) }],
        },
      })
    const stage_id = (await stageOf(api.ctx, 'lead', 1)).id
    const gone = await api.json('POST', `/api/opportunities/${NOBODY}/move`, { stage_id })
    expect(gone).toMatchObject({ status: 404, body: { code: 'opportunity_not_found' } })
    expect(gone.body.errors).toBeUndefined()
    const batch = await api.json('POST', '/external/v1/leads/batch', {
      items: [{ name: 'Ana', stage_id: NOBODY }],
    })
    expect(batch.body.results).toMatchObject([{ problem: { errors: [{ pointer: '/stage_id' }] } }])
  })

  test('in the input of an act on many records, in words of ours', async () => {
    const lead = await makeLead(api.ctx)
    const ask = (act: string, input: object) =>
      api.json('POST', '/api/bulk', { kind: 'lead', ids: [lead.id], act, input })
    const refused: [act: string, input: object, fault: object][] = [
      [
        'update',
        { foo: 1 },
        { pointer: '/input/foo', message: expect.stringContaining('There is no field “foo” here.') },
      ],
      ['move', {}, { pointer: '/input/stage_id', message: 'This is missing; it takes a text.' }],
      ['assign', { owner_id: NOBODY }, { pointer: '/input/owner_id' }],
      ['update', { owner_id: NOBODY }, { pointer: '/input/owner_id' }],
      ['update', { city: 7 }, { pointer: '/input/city', message: 'This takes a text.' }],
    ]
    for (const [act, input, fault] of refused)
      expect(await ask(act, input), act).toMatchObject({ status: 422, body: { errors: [fault] } })
  })

  test('of a day in the year 0, which no column holds', async () => {
    const deal = await makeDeal(api.ctx)
    const expected_close_on = '0000-01-01'
    for (const [method, path, body] of [
      ['POST', '/api/deals', { name: 'Machines' }],
      ['PATCH', `/api/deals/${deal.id}`, { version: 1 }],
      ['POST', `/api/opportunities/${deal.id}/close`, { outcome: 'won' }],
    ] as const)
      expect(await api.json(method, path, { ...body, expected_close_on })).toMatchObject({
        status: 422,
        body: { code: 'invalid_input', errors: [{ pointer: '/expected_close_on' }] },
      })
    expect(await api.json('GET', '/api/closings?from=0000-01-01')).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/from' }] },
    })
  })

  test('of each choice that a field of several does not offer', async () => {
    await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'machines',
      label: 'Machines',
      type: 'multi_select',
      options: [
        { value: 'mill', label: 'Mill' },
        { value: 'oven', label: 'Oven' },
      ],
    })
    const make = (machines: unknown) => api.json('POST', '/api/leads', { name: 'Ana', custom: { machines } })
    expect((await make(['mill', 'zz', 'oven', 5])).body).toMatchObject({
      code: 'invalid_custom_value',
      errors: [
        {
          pointer: '/custom/machines/1',
          message: '“Machines” takes a list of mill, oven; the text “zz” is none of them.',
          accepted: ['mill', 'oven'],
        },
        { pointer: '/custom/machines/3' },
      ],
    })
    expect((await make('mill')).body.errors).toMatchObject([{ pointer: '/custom/machines' }])
    expect((await make(['oven', 'mill'])).body.custom).toEqual({ machines: ['mill', 'oven'] })
  })
})

test('null on a new record is nothing, as it is where one is put by an external id', async () => {
  const nothing = { phone: null, owner_id: null, tags: null, source: null, custom: null }
  const card = {
    ...nothing,
    email: null,
    value_minor: null,
    currency: null,
    expected_close_on: null,
    forecast_category: null,
    pipeline_id: null,
    stage_id: null,
    contact_ids: null,
    account_ids: null,
    discard_reason_id: null,
  }
  const made: [path: string, body: object, has: object][] = [
    ['/api/leads', { name: 'Ana', ...card }, { email: null, currency: 'EUR', tags: [] }],
    ['/api/deals', { name: 'Machines', ...card }, { forecast_category: 'pipeline', owner_id: null }],
    ['/external/v1/opportunities', { name: 'Bo', ...card }, { kind: 'lead' }],
    ['/api/accounts', { name: 'Moss', ...nothing, size: null, lifecycle: null }, { size: null }],
    ['/api/contacts', { name: 'Eve', ...nothing, email: null, account_ids: null }, { email: null }],
  ]
  for (const [path, body, has] of made)
    expect(await api.json('POST', path, body), path).toMatchObject({ status: 201, body: has })
  expect(await api.json('POST', '/api/deals', { name: null })).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/name' }] },
  })
})
