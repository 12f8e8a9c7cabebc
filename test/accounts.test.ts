import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount, updateAccount } from '../db/accounts.ts'
import { archiveRecord } from '../db/records.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const make = async (fields: Record<string, unknown> = {}) => {
  const { status, body } = await api.json('POST', '/api/accounts', { name: 'Brightside', ...fields })
  expect(status, JSON.stringify(body)).toBe(201)
  return body
}

const linesOf = async (id: string) => (await api.json('GET', `/api/accounts/${id}/timeline`)).body.data

describe('F38: an account', () => {
  test('has name, website, owner, lifecycle, segment, size, revenue and health, and where each came from', async () => {
    const owner_id = api.owner.user_id
    const account = await make({
      name: ' Brightside   Coffee ',
      website: 'https://shop.brightside.co.uk/beans',
      phone: '030 901820',
      country: 'Germany',
      owner_id,
      lifecycle: 'customer',
      segment: 'Hospitality',
      industry: 'Food',
      size: 120,
      revenue_minor: 250_000_000,
      currency: 'GBP',
      health: 80,
      tags: ['VIP', ' vip ', 'roaster', ''],
      external_id: 'acc-1',
      source: 'Trade fair',
    })
    expect(account).toMatchObject({
      name: 'Brightside Coffee',
      website: 'https://shop.brightside.co.uk/beans',
      domain: 'brightside.co.uk',
      phone: '+4930901820',
      phone_original: '030 901820',
      country: 'DE',
      owner: { id: owner_id, name: api.owner.name },
      lifecycle: 'customer',
      segment: 'Hospitality',
      size: 120,
      revenue_minor: 250_000_000,
      currency: 'GBP',
      health: 80,
      tags: ['VIP', 'roaster'],
      warnings: [],
      version: 1,
      summary: { open_deals: 0, open_deal_values: [], contacts: 0, open_tasks: 0 },
    })
    expect(account.origins.find(({ field }: any) => field === 'segment')).toMatchObject({
      origin: { kind: 'api_key' },
    })
    expect(await linesOf(account.id)).toMatchObject([
      { type: 'record_created', summary: 'created the account “Brightside Coffee”', undoable: true },
    ])
  })

  test('summary counts its people, open deals with their value per currency, open tasks, and when something last happened', async () => {
    const account = await make({ name: 'Counted' })
    const ids = { account_ids: [account.id] }
    for (const name of ['Ana', 'Bo']) await api.json('POST', '/api/contacts', { name, ...ids })
    const deal = (fields: object) => api.json('POST', '/api/deals', { name: 'A deal', ...ids, ...fields })
    await deal({ value_minor: 100, currency: 'EUR' })
    await deal({ value_minor: 250, currency: 'EUR' })
    await deal({ value_minor: 7, currency: 'JPY' })
    const won = (await deal({ value_minor: 9_999, currency: 'EUR' })).body
    await api.json('POST', `/api/opportunities/${won.id}/close`, { outcome: 'won' })
    const gone = (await deal({ value_minor: 5_555, currency: 'EUR' })).body
    await api.json('DELETE', `/api/deals/${gone.id}`)
    await api.json('POST', '/api/tasks', {
      title: 'Call them',
      subjects: [{ kind: 'account', id: account.id }],
    })
    const { summary } = (await api.json('GET', `/api/accounts/${account.id}`)).body
    const [last] = await linesOf(account.id)
    expect(summary).toEqual({
      open_deals: 3,
      open_deal_values: [
        { currency: 'EUR', deals: 2, value_minor: 350 },
        { currency: 'JPY', deals: 1, value_minor: 7 },
      ],
      contacts: 2,
      open_tasks: 1,
      last_activity_at: last.occurred_at,
    })
  })

  test('lists its people and its deals, in pages and by filter', async () => {
    const account = await make({ name: 'Listed' })
    for (const name of ['Cy', 'Ana', 'Bo'])
      await api.json('POST', '/api/contacts', { name, account_ids: [account.id] })
    await api.json('POST', '/api/contacts', { name: 'Nobody here' })
    await api.json('POST', '/api/deals', { name: 'Machines', account_ids: [account.id] })
    await api.json('POST', '/api/deals', { name: 'Not theirs' })
    const people = `/api/accounts/${account.id}/contacts`
    const first = (await api.json('GET', `${people}?limit=2`)).body
    const second = (await api.json('GET', `${people}?limit=2&cursor=${first.next_cursor}`)).body
    expect([...first.data, ...second.data].map(({ name }: any) => name)).toEqual(['Ana', 'Bo', 'Cy'])
    expect(first.data[0].link).toEqual({ role: null, is_primary: true, linked_at: expect.any(String) })
    const filter = encodeURIComponent(JSON.stringify({ field: 'name', op: 'eq', value: 'Bo' }))
    expect((await api.json('GET', `${people}?filter=${filter}`)).body.data).toMatchObject([{ name: 'Bo' }])
    const deals = (await api.json('GET', `/api/accounts/${account.id}/deals`)).body.data
    expect(deals).toMatchObject([{ name: 'Machines', kind: 'deal', link: { is_primary: true } }])
  })

  test('that is there already by its domain is told of, and stands in nobody’s way', async () => {
    const first = await make({ name: 'First', website: 'twice.example' })
    const second = await make({ name: 'Second', website: 'https://www.twice.example/' })
    expect(second.warnings).toEqual([
      { field: 'website', message: '“First” has the domain twice.example, too.', record_id: first.id },
    ])
    await archiveRecord(api.ctx, { kind: 'account', id: first.id })
    expect(
      (await createAccount(api.ctx, { name: 'Third', website: 'twice.example' })).warnings,
    ).toMatchObject([{ record_id: second.id }])
  })

  test('of an external id that another one has is refused, naming it', async () => {
    const first = await make({ name: 'First', external_id: 'acc-7' })
    expect(await api.json('POST', '/api/accounts', { name: 'Second', external_id: 'acc-7' })).toMatchObject({
      status: 409,
      body: { code: 'external_id_taken', account_id: first.id, errors: [{ pointer: '/external_id' }] },
    })
    const made = await Promise.all(
      [1, 2, 3].map(() => api.json('POST', '/api/accounts', { name: 'At once', external_id: 'acc-8' })),
    )
    expect(made.filter(({ status }) => status === 409)).toHaveLength(2)
  })
})

describe('F42: a change of an account', () => {
  test('needs the version it was made upon, says before and after, and is taken back as a whole', async () => {
    const account = await make({ segment: 'Retail', website: 'one.example', phone: 'ask for Ana' })
    const path = `/api/accounts/${account.id}`
    expect(await api.json('PATCH', path, { segment: 'Hotels' })).toMatchObject({ status: 428 })
    const changed = await api.json('PATCH', path, {
      version: 1,
      segment: 'Hotels',
      website: 'two.example',
      phone: '+49 30 901820',
      reason: 'They told me',
    })
    expect(changed.body).toMatchObject({
      segment: 'Hotels',
      domain: 'two.example',
      phone: '+4930901820',
      version: 2,
    })
    expect(await api.json('PATCH', path, { version: 1, segment: 'Spas' })).toMatchObject({
      status: 412,
      body: { code: 'version_mismatch', current: { id: account.id, version: 2, segment: 'Hotels' } },
    })
    const [line] = await linesOf(account.id)
    expect(line).toMatchObject({
      type: 'record_updated',
      reason: 'They told me',
      data: {
        changes: [
          { field: 'website', before: 'one.example', after: 'two.example' },
          { field: 'phone', before: null, after: '+4930901820' },
          { field: 'phone_original', before: 'ask for Ana', after: '+49 30 901820' },
          { field: 'segment', before: 'Retail', after: 'Hotels' },
          { field: 'domain', before: 'one.example', after: 'two.example' },
        ],
      },
    })
    await undoActivity(api.ctx, line.id)
    expect((await api.json('GET', path)).body).toMatchObject({
      segment: 'Retail',
      website: 'one.example',
      domain: 'one.example',
      phone: null,
      phone_original: 'ask for Ana',
      warnings: [{ field: 'phone' }],
      version: 3,
    })
  })

  test('of nothing changes nothing; null empties, and what it always has falls back', async () => {
    const account = await make({ lifecycle: 'partner', currency: 'USD', tags: ['a'], size: 5 })
    const same = await updateAccount(api.ctx, account.id, { lifecycle: 'partner', tags: ['a'] })
    expect(same.version).toBe(1)
    const emptied = await api.json('PATCH', `/api/accounts/${account.id}`, {
      version: 1,
      lifecycle: null,
      currency: null,
      tags: null,
      size: null,
    })
    expect(emptied.body).toMatchObject({
      lifecycle: 'prospect',
      currency: 'EUR',
      tags: [],
      size: null,
      version: 2,
    })
    expect(await api.json('PATCH', `/api/accounts/${account.id}`, { version: 2, name: null })).toMatchObject({
      status: 422,
      body: { code: 'account_unnamed' },
    })
  })

  test.each([
    [{ name: '' }, '/name'],
    [{ website: 'not a site' }, '/website'],
    [{ lifecycle: 'enemy' }, '/lifecycle'],
    [{ health: 101 }, '/health'],
    [{ size: -1 }, '/size'],
    [{ size: 2_147_483_648 }, '/size'],
    [{ revenue_minor: '100' }, '/revenue_minor'],
    [{ revenue_minor: 1.5 }, '/revenue_minor'],
    [{ currency: 'XQQ' }, '/currency'],
    [{ domain: 'x.example' }, '/domain'],
    [{ owner_id: '01990000-0000-7000-8000-000000000000' }, '/owner_id'],
  ])('that is wrong, %j, is refused at %s', async (fields, pointer) => {
    const { status, body } = await api.json('POST', '/api/accounts', { name: 'X', ...fields })
    expect([status, body.errors[0].pointer]).toEqual([422, pointer])
  })
})

test('an archived account leaves the list and comes back; its contacts stay', async () => {
  const account = await make({ name: 'Kept for later' })
  const contact = (await api.json('POST', '/api/contacts', { name: 'Ana', account_ids: [account.id] })).body
  const path = `/api/accounts/${account.id}`
  const listed = async () =>
    (await api.json('GET', '/api/accounts?limit=200')).body.data.some(({ id }: any) => id === account.id)
  expect(await listed()).toBe(true)
  for (let n = 0; n < 2; n++) expect((await api.json('DELETE', path)).status).toBe(204)
  expect(await listed()).toBe(false)
  expect((await api.json('GET', path)).body.archived_at).toEqual(expect.any(String))
  const companies = async () => (await api.json('GET', `/api/contacts/${contact.id}`)).body.account_ids
  expect(await companies()).toEqual([])
  expect((await api.json('POST', `${path}/restore`)).body).toMatchObject({ archived_at: null, version: 3 })
  expect(await companies()).toEqual([account.id])
  expect(await listed()).toBe(true)
  expect((await linesOf(account.id)).map(({ type }: any) => type).slice(0, 2)).toEqual([
    'record_restored',
    'record_archived',
  ])
})
