import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact, getContact, updateContact } from '../db/contacts.ts'
import { listTimeline } from '../db/timeline.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const NOBODY = '01990000-0000-7000-8000-000000000000'

const account = async (name: string): Promise<string> => (await createAccount(api.ctx, { name })).id

const make = async (fields: Record<string, unknown>) => {
  const { status, body } = await api.json('POST', '/api/contacts', fields)
  expect(status, JSON.stringify(body)).toBe(201)
  return body
}

describe('F39: a contact', () => {
  test('has owner, lifecycle and how to reach the person, in E.164 with the original kept', async () => {
    const contact = await make({
      name: 'Ana Ruiz',
      title: 'Head of Operations',
      email: ' ANA@Brightside.example ',
      phone: '0043 1 5123456',
      owner_id: api.owner.user_id,
      lifecycle: 'customer',
      tags: ['decides', 'Decides'],
    })
    expect(contact).toMatchObject({
      name: 'Ana Ruiz',
      title: 'Head of Operations',
      email: 'ana@brightside.example',
      phone: '+4315123456',
      phone_original: '0043 1 5123456',
      owner: { id: api.owner.user_id },
      lifecycle: 'customer',
      tags: ['decides'],
      account_ids: [],
      account: null,
      summary: { open_deals: 0, accounts: 0, open_tasks: 0 },
      version: 1,
    })
  })

  test('belongs to several accounts, the first of which is the main one', async () => {
    const [one, two] = [await account('One'), await account('Two')]
    const contact = await make({ name: 'Ana', account_ids: [two, one, two] })
    expect(contact).toMatchObject({
      account_ids: [two, one],
      account: { id: two, name: 'Two' },
      summary: { accounts: 2 },
    })
    const { data } = (await api.json('GET', `/api/contacts/${contact.id}/accounts`)).body
    expect(data.map(({ name, link }: any) => [name, link.is_primary])).toEqual([
      ['One', false],
      ['Two', true],
    ])
  })

  test('shows its deals and what happened on them', async () => {
    const contact = await make({ name: 'Ana' })
    const deal = await api.json('POST', '/api/deals', { name: 'Machines', contact_ids: [contact.id] })
    expect((await api.json('GET', `/api/contacts/${contact.id}/deals`)).body.data).toMatchObject([
      { id: deal.body.id, link: { is_primary: true } },
    ])
    const { data } = (await api.json('GET', `/api/contacts/${contact.id}/timeline`)).body
    expect(data.map(({ summary }: any) => summary)).toEqual([
      'created the deal “Machines”',
      'created the contact “Ana”',
    ])
  })

  test('is called by its e-mail address or phone when nobody gave a name; by nothing it is refused', async () => {
    expect((await make({ email: 'bo@lind.example' })).name).toBe('bo@lind.example')
    expect((await make({ phone: 'the front desk' })).name).toBe('the front desk')
    expect(await api.json('POST', '/api/contacts', { title: 'CEO' })).toMatchObject({
      status: 422,
      body: { code: 'contact_unidentified' },
    })
  })

  test('of an e-mail address that is known is told of, and stands in nobody’s way', async () => {
    const first = await make({ name: 'Cy Moss', email: 'cy@moss.example' })
    const second = await make({ name: 'Cyrus Moss', email: 'CY@moss.example', phone: 'at home' })
    expect(second.warnings).toMatchObject([
      { field: 'phone' },
      { field: 'email', record_id: first.id, message: '“Cy Moss” has this e-mail address, too.' },
    ])
  })

  test('of an account that is not there is not made', async () => {
    const before = (await api.json('GET', '/api/contacts?limit=200')).body.data.length
    expect(await api.json('POST', '/api/contacts', { name: 'X', account_ids: [NOBODY] })).toMatchObject({
      status: 422,
      body: { code: 'account_not_found', errors: [{ pointer: '/account_ids' }] },
    })
    const theirs = (await createAccount((await api.other()).ctx, { name: 'Theirs' })).id
    expect(await api.json('POST', '/api/contacts', { name: 'X', account_ids: [theirs] })).toMatchObject({
      status: 422,
      body: { code: 'account_not_found' },
    })
    expect((await api.json('GET', '/api/contacts?limit=200')).body.data).toHaveLength(before)
  })
})

describe('F42: a change of a contact', () => {
  test('goes upon a version, replaces the accounts, and each part is taken back by itself', async () => {
    const [one, two, three] = [await account('One'), await account('Two'), await account('Three')]
    const { id } = await make({ name: 'Ana', title: 'Buyer', account_ids: [one, two] })
    const path = `/api/contacts/${id}`
    const changed = await api.json('PATCH', path, {
      version: 1,
      title: 'Head of purchasing',
      account_ids: [three, two],
    })
    expect(changed.body).toMatchObject({
      title: 'Head of purchasing',
      account_ids: [three, two],
      account: { id: three },
    })
    expect(changed.body.version).toBeGreaterThan(1)
    expect(await api.json('PATCH', path, { version: 1, title: 'x' })).toMatchObject({ status: 412 })
    const lines = (await listTimeline(api.ctx, { kind: 'contact', id }, { limit: 10 })).data
    expect(lines.map(({ summary }) => summary)).toEqual([
      'linked Ana and Three',
      'unlinked Ana and One',
      'changed title',
      'created the contact “Ana”',
    ])
    for (const line of lines.slice(0, 3)) await undoActivity(api.ctx, line.id)
    expect(await getContact(api.ctx, id)).toMatchObject({
      title: 'Buyer',
      account_ids: [one, two],
      account: { id: one },
    })
  })

  test('two at once on the same version: one wins, the other is told', async () => {
    const { id } = await createContact(api.ctx, { name: 'Ana' })
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((title) => updateContact(api.ctx, id, { title, version: 1 })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await getContact(api.ctx, id)).version).toBe(2)
  })

  test('that empties the name leaves what else the person is known by', async () => {
    const { id } = await createContact(api.ctx, { name: 'Ana', email: 'ana.r@x.example' })
    expect(await updateContact(api.ctx, id, { name: null })).toMatchObject({ name: 'ana.r@x.example' })
    const bare = await createContact(api.ctx, { name: 'Bo' })
    await expect(updateContact(api.ctx, bare.id, { name: null })).rejects.toMatchObject({
      code: 'contact_unidentified',
    })
  })

  test('gives no external id that another one has; an archived one has given its up', async () => {
    const first = await make({ name: 'A', external_id: 'p-1' })
    const second = await make({ name: 'B' })
    const path = `/api/contacts/${second.id}`
    expect(await api.json('PATCH', path, { version: 1, external_id: 'p-1' })).toMatchObject({
      status: 409,
      body: { code: 'external_id_taken', contact_id: first.id },
    })
    await api.json('DELETE', `/api/contacts/${first.id}`)
    expect(await api.json('PATCH', path, { version: 1, external_id: 'p-1' })).toMatchObject({ status: 200 })
    expect(await api.json('POST', `/api/contacts/${first.id}/restore`)).toMatchObject({
      status: 409,
      body: { code: 'external_id_taken', contact_id: second.id },
    })
  })
})

test('contacts are listed by filter, sort and words', async () => {
  const [hotels] = [await account('Hotels')]
  for (const name of ['Zoe Quist', 'Yan Quist', 'Xenia Quist'])
    await make({ name, email: `${name.slice(0, 3).toLowerCase()}@quist.example`, account_ids: [hotels] })
  const names = async (query: string) =>
    (await api.json('GET', `/api/contacts?${query}`)).body.data.map(({ name }: any) => name)
  expect(await names('q=quist&sort=name')).toEqual(['Xenia Quist', 'Yan Quist', 'Zoe Quist'])
  const linked = { linked: 'accounts', some: { field: 'name', op: 'eq', value: 'Hotels' } }
  const filter = { and: [linked, { field: 'email', op: 'starts_with', value: 'yan' }] }
  expect(await names(`filter=${encodeURIComponent(JSON.stringify(filter))}`)).toEqual(['Yan Quist'])
})
