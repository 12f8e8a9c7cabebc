import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
let colleague: { authorization: string }
beforeAll(async () => {
  api = await openApi()
  colleague = { authorization: `Bearer ${await api.keyFor('viewer')}` }
  await api.json('POST', '/api/fields', {
    record_kind: 'lead',
    key: 'tier',
    label: 'Tier',
    type: 'short_text',
  })
})
afterAll(() => api.stop())

const quiet = {
  and: [
    { field: 'owner_id', op: 'eq', value: 'me' },
    { linked: 'activities', none: { field: 'occurred_at', op: 'within_last', value: { n: 7, unit: 'day' } } },
  ],
}

const save = async (view: Record<string, unknown>, headers?: Record<string, string>) => {
  const { status, body } = await api.json(
    'POST',
    '/api/views',
    { name: 'View', record_kind: 'lead', ...view },
    headers,
  )
  expect([status, body.detail]).toEqual([201, undefined])
  return body
}

const namesOf = async (headers?: Record<string, string>, search = '?record_kind=deal') =>
  (await api.json('GET', `/api/views${search}`, undefined, headers)).body.data.map(
    ({ name }: { name: string }) => name,
  )

describe('F22: saved views', () => {
  test('a view is kept as it was saved, and opens as a list', async () => {
    const { body: pipelines } = await api.json('GET', '/api/pipelines')
    const view = await save({
      name: 'Quiet leads of mine',
      filter: quiet,
      sort: '-value_minor,name',
      columns: ['name', 'stage', 'custom.tier'],
      layout: 'kanban',
      pipeline_id: pipelines.data[0].id,
    })
    expect(view).toMatchObject({
      filter: quiet,
      sort: '-value_minor,name',
      columns: ['name', 'stage', 'custom.tier'],
      layout: 'kanban',
      shared: false,
      owner_id: api.owner.user_id,
      warnings: [],
      version: 1,
    })
    expect((await api.json('GET', `/api/views/${view.id}`)).body).toEqual(view)
    const search = new URLSearchParams({ filter: JSON.stringify(view.filter), sort: view.sort })
    expect((await api.json('GET', `/api/leads?${search.toString()}`)).status).toBe(200)
  })

  test('it is its owner’s alone until they share it, and stays theirs to change', async () => {
    const mine = await save({ name: 'Mine', record_kind: 'deal' })
    await save({ name: 'Theirs', record_kind: 'deal' }, colleague)
    expect(await namesOf()).toEqual(['Mine'])
    expect(await namesOf(colleague)).toEqual(['Theirs'])
    const path = `/api/views/${mine.id}`
    for (const [method, body] of [
      ['GET', undefined],
      ['PATCH', { version: 1, shared: true }],
      ['DELETE', undefined],
    ] as const) {
      const { status, body: problem } = await api.json(method, path, body, colleague)
      expect([method, status, problem.code]).toEqual([method, 404, 'view_not_found'])
    }

    expect((await api.json('PATCH', path, { version: 1, shared: true })).body.shared).toBe(true)
    expect(await namesOf(colleague)).toEqual(['Mine', 'Theirs'])
    expect((await api.json('GET', path, undefined, colleague)).status).toBe(200)
    for (const [method, body] of [
      ['PATCH', { version: 2, name: 'Ours' }],
      ['DELETE', undefined],
    ] as const) {
      const { status, body: problem } = await api.json(method, path, body, colleague)
      expect([method, status, problem.code]).toEqual([method, 403, 'not_your_view'])
    }
    const { ctx } = await api.other()
    const stranger = { authorization: `Bearer ${await api.keyFor('owner', ctx)}` }
    expect((await api.json('GET', path, undefined, stranger)).status).toBe(404)

    await api.json('PATCH', path, { version: 2, shared: false })
    expect((await api.json('GET', path, undefined, colleague)).status).toBe(404)
    expect((await api.ask('DELETE', path)).status).toBe(204)
    expect((await api.ask('GET', path)).status).toBe(404)
  })

  test('“me” in a shared view is whoever opens it', async () => {
    const view = await save({
      name: 'My leads',
      filter: { field: 'owner_id', op: 'eq', value: 'me' },
      shared: true,
    })
    await api.json('POST', '/api/leads', { contact_name: 'Of the owner', owner_id: api.owner.user_id })
    const open = async (headers?: Record<string, string>) => {
      const { body } = await api.json('GET', `/api/views/${view.id}`, undefined, headers)
      const search = new URLSearchParams({ filter: JSON.stringify(body.filter) })
      return (await api.json('GET', `/api/leads?${search.toString()}`, undefined, headers)).body.data.length
    }
    expect([await open(), await open(colleague)]).toEqual([1, 0])
  })

  test.each<[what: string, view: Record<string, unknown>, code: string, pointer: string]>([
    ['an unknown field', { filter: { field: 'emial', op: 'is_empty' } }, 'unknown_field', '/filter/field'],
    [
      'a field of another kind',
      { record_kind: 'account', filter: { field: 'stage_id', op: 'is_empty' } },
      'unknown_field',
      '/filter/field',
    ],
    [
      'a text for a number',
      { filter: { field: 'value_minor', op: 'gt', value: 'x' } },
      'invalid_filter',
      '/filter/value',
    ],
    ['an unknown sort', { sort: 'nmae' }, 'unknown_field', '/sort'],
    ['a sort of many', { sort: 'tags' }, 'invalid_sort', '/sort'],
    ['an unknown column', { columns: ['name', 'custom.teir'] }, 'unknown_field', '/columns/1'],
    [
      'a pipeline that is not there',
      { pipeline_id: '01990000-0000-7000-8000-000000000000' },
      'pipeline_not_found',
      '/pipeline_id',
    ],
    ['an unknown kind', { record_kind: 'customer' }, 'invalid_input', '/record_kind'],
    ['no name', { name: ' ' }, 'invalid_input', '/name'],
  ])('%s is not saved', async (_, view, code, pointer) => {
    const { status, body } = await api.json('POST', '/api/views', {
      name: 'View',
      record_kind: 'lead',
      ...view,
    })
    expect([status, body.code, body.errors[0].pointer]).toEqual([422, code, pointer])
    const saved = await save({ record_kind: view['record_kind'] === 'account' ? 'account' : 'lead' })
    const { record_kind, ...change } = view
    if (record_kind === 'customer') return
    const changed = await api.json('PATCH', `/api/views/${saved.id}`, { version: 1, ...change })
    expect([changed.status, changed.body.code]).toEqual([422, code])
  })

  test('a stale change is refused with what is there', async () => {
    const view = await save({ filter: quiet, sort: 'name' })
    const changed = await api.json('PATCH', `/api/views/${view.id}`, { version: 1, filter: null })
    expect(changed.body).toMatchObject({ filter: null, sort: 'name', version: 2 })
    const { status, body } = await api.json('PATCH', `/api/views/${view.id}`, { version: 1, sort: null })
    expect([status, body.current.version]).toEqual([412, 2])
  })

  test('one whose field was archived later still opens, with a warning', async () => {
    const { body: field } = await api.json('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'region',
      label: 'Region',
      type: 'short_text',
    })
    await api.json('POST', '/api/leads', { contact_name: 'Ana', custom: { region: 'north' } })
    const view = await save({
      filter: { not: { field: 'custom.region', op: 'eq', value: 'south' } },
      sort: 'custom.region',
      columns: ['custom.region'],
    })
    const linked = await save({
      record_kind: 'deal',
      filter: { linked: 'leads', some: { field: 'custom.region', op: 'is_empty' } },
    })
    await api.ask('DELETE', `/api/fields/${field.id}`)
    for (const { id } of [view, linked]) {
      const { status, body } = await api.json('GET', `/api/views/${id}`)
      expect([status, body.warnings]).toEqual([
        200,
        [{ field: 'custom.region', message: expect.stringContaining('archived') }],
      ])
    }
    const search = new URLSearchParams({ filter: JSON.stringify(view.filter), sort: view.sort })
    expect((await api.json('GET', `/api/leads?${search.toString()}`)).body.data.length).toBeGreaterThan(0)
    await api.json('POST', `/api/fields/${field.id}/restore`)
    expect((await api.json('GET', `/api/views/${view.id}`)).body.warnings).toEqual([])
  })

  test('they come page by page', async () => {
    for (const name of ['a', 'b', 'c']) await save({ name, record_kind: 'contact' })
    const first = await api.json('GET', '/api/views?record_kind=contact&limit=2')
    const second = await api.json(
      'GET',
      `/api/views?record_kind=contact&limit=2&cursor=${first.body.next_cursor}`,
    )
    expect([...first.body.data, ...second.body.data].map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect(second.body.next_cursor).toBeNull()
  })
})

describe('F4: each user’s view preference', () => {
  test('is saved on the server, for each user independently', async () => {
    const path = '/api/preferences/view:01990000-0000-7000-8000-000000000000'
    expect((await api.json('GET', path)).body).toMatchObject({ value: null, updated_at: null })
    expect((await api.json('PUT', path, { value: 'kanban' })).body).toMatchObject({ value: 'kanban' })
    expect((await api.json('PUT', path, { value: 'list' }, colleague)).status).toBe(200)
    expect((await api.json('GET', path)).body.value).toBe('kanban')
    expect((await api.json('GET', path, undefined, colleague)).body.value).toBe('list')
    await api.json('PUT', path, { value: { layout: 'grid', columns: ['name'] } })
    expect((await api.json('GET', path)).body.value).toEqual({ layout: 'grid', columns: ['name'] })
    expect(await api.json('PUT', path, { value: null })).toMatchObject({ status: 200, body: { value: null } })
    expect((await api.json('GET', path)).body).toMatchObject({ value: null, updated_at: null })
  })

  test('has a bounded size and a plain name', async () => {
    const large = await api.json('PUT', '/api/preferences/large', { value: 'x'.repeat(10_001) })
    expect([large.status, large.body.code]).toEqual([422, 'preference_too_large'])
    expect((await api.ask('GET', `/api/preferences/${'x'.repeat(101)}`)).status).toBe(404)
    expect((await api.ask('PUT', '/api/preferences/a%20b', { value: 1 })).status).toBe(404)
  })

  test('there are at most a thousand of a user’s', async () => {
    const key = { authorization: `Bearer ${await api.keyFor('rep')}` }
    const { body } = await api.json('GET', '/api/me', undefined, key)
    await api.db.sql.begin(async (tx) => {
      await tx`select set_config('app.organization_id', ${api.organization.id}, true)`
      await tx`
        insert into preferences (organization_id, user_id, key, value)
        select ${api.organization.id}, ${body.user.id}, 'k' || n, '1' from generate_series(1, 1000) n`
    })
    const refused = await api.json('PUT', '/api/preferences/one_more', { value: 1 }, key)
    expect([refused.status, refused.body.code]).toEqual([409, 'too_many_preferences'])
    expect((await api.json('PUT', '/api/preferences/k7', { value: 2 }, key)).body.value).toBe(2)
  })
})
