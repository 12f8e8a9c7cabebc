import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { createDeal } from '../db/deals.ts'
import { archiveRecord } from '../db/records.ts'
import { search } from '../db/search.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
  const { ctx } = api
  await makeLead(ctx, {
    contact_name: 'Zoë Ångström',
    email: 'zoe@larch.example',
    phone: '+49 30 901820',
    company_name: 'Larch & Sons',
    website: 'https://www.larch.example/about',
  })
  await makeLead(ctx, { contact_name: 'Zoltan Larchfield', email: undefined, company_name: undefined })
  await createDeal(ctx, { name: 'Forty seats for Larch', email: 'office@larch.example' }, { door: 'api' })
  await createAccount(ctx, { name: 'Larch GmbH', website: 'https://larch.example' })
  await createContact(ctx, { name: 'Li Xu', email: 'li.xu@larch.example', phone: '+49 30 901821' })
  const gone = await makeLead(ctx, { contact_name: 'Gone Larch' })
  await archiveRecord(ctx, { kind: 'lead', id: gone.id })
  const other = await api.other()
  await makeLead(other.ctx, { contact_name: 'Their Larch', email: 'zoe@larch.example' })
})
afterAll(() => api.stop())

const names = async (q: string, more = ''): Promise<string[]> => {
  const { status, body } = await api.json('GET', `/api/search?q=${encodeURIComponent(q)}${more}`)
  expect([status, body.detail]).toEqual([200, undefined])
  return body.data.map(({ name }: { name: string }) => name)
}

describe('F24: search', () => {
  test('goes over leads, deals, accounts and contacts, and finds what is in use and ours', async () => {
    const { body } = await api.json('GET', '/api/search?q=larch')
    expect(body.data.map(({ kind, name }: any) => [kind, name]).toSorted()).toEqual([
      ['account', 'Larch GmbH'],
      ['contact', 'Li Xu'],
      ['deal', 'Forty seats for Larch'],
      ['lead', 'Zoltan Larchfield'],
      ['lead', 'Zoë Ångström'],
    ])
    const likeness = body.data.map((one: any) => one.likeness)
    expect(likeness).toEqual(likeness.toSorted((a: number, b: number) => b - a))
    expect(body.data.find(({ kind }: any) => kind === 'lead')).toMatchObject({
      detail: 'Larch & Sons · zoe@larch.example',
    })
  })

  test.each<[q: string, first: string]>([
    ['zoe@larch.example', 'Zoë Ångström'],
    [' ZOE@Larch.Example ', 'Zoë Ångström'],
    ['li.xu@larch.example', 'Li Xu'],
    ['+49 30 901820', 'Zoë Ångström'],
    ['0049-30-901821', 'Li Xu'],
    ['https://larch.example/contact', 'Larch GmbH'],
  ])('an address, number or domain is found first: %s', async (q, first) => {
    const { body } = await api.json('GET', `/api/search?q=${encodeURIComponent(q)}`)
    const exact = body.data.filter((one: any) => one.likeness === 1)
    expect(exact.map((one: any) => one.name)).toContain(first)
    expect(body.data.slice(0, exact.length)).toEqual(exact)
  })

  test.each<[q: string, found: string[]]>([
    ['Larhcfield', ['Zoltan Larchfield']],
    ['zolten larchfeld', ['Zoltan Larchfield']],
    ['Zoltan Birch', []],
    ['zoltan@birch.example', []],
  ])('a misspelt word finds what is nearly it, where nothing holds it: %s', async (q, found) => {
    expect(await names(q)).toEqual(found)
  })

  test('a number without its country is read with the organization’s', async () => {
    const settings = await api.json('GET', '/api/settings')
    await api.json('PATCH', '/api/settings', { version: settings.body.version, default_country: 'DE' })
    expect((await names('030 901820'))[0]).toBe('Zoë Ångström')
  })

  test('every word counts, parts of words too, in whatever case and order', async () => {
    expect(await names('SONS zoë')).toEqual(['Zoë Ångström'])
    expect(await names('archfiel')).toEqual(['Zoltan Larchfield'])
    expect(await names('seats nobody')).toEqual([])
    expect(await names('901820')).toEqual(['Zoë Ångström'])
  })

  test('a short word is the beginning of one', async () => {
    expect((await names('zo')).toSorted()).toEqual(['Zoltan Larchfield', 'Zoë Ångström'])
    expect(await names('xu')).toEqual(['Li Xu'])
    expect(await names('li larch')).toEqual(['Li Xu'])
    expect(await names('ch')).toEqual([])
  })

  test('signs are signs, and nothing but signs is found nowhere', async () => {
    for (const q of ['%', '_', '%%%', '\\', "'; drop table opportunities; --", '🙂'])
      expect([q, await names(q)]).toEqual([q, []])
    expect((await names('& sons'))[0]).toBe('Zoë Ångström')
  })

  test('kinds narrow it down, and a key finds only what it may read', async () => {
    expect(await names('larch', '&kinds=account,contact')).toHaveLength(2)
    expect(await names('larch', '&limit=1')).toHaveLength(1)
    expect((await api.json('GET', '/api/search?q=x&kinds=lead,task')).status).toBe(422)
    const { body: key } = await api.json('POST', '/api/api-keys', {
      name: 'Narrow',
      scopes: ['contacts:read'],
    })
    const headers = { authorization: `Bearer ${key.key}` }
    const { body } = await api.json('GET', '/api/search?q=larch', undefined, headers)
    expect(body.data.map(({ kind }: any) => kind)).toEqual(['contact'])
    expect((await api.json('GET', '/api/search?q=larch&kinds=lead', undefined, headers)).body.data).toEqual(
      [],
    )
  })

  test('without words the newest records stand there', async () => {
    expect((await names(''))[0]).toBe('Li Xu')
    expect(await names('', '&kinds=deal')).toEqual(['Forty seats for Larch'])
  })

  test('the same words find the same records in a list, whatever their order and filter', async () => {
    const listed = async (search: string) =>
      (await api.json('GET', `/api/leads?${search}`)).body.data.map(({ name }: { name: string }) => name)
    expect(await listed('q=larch&sort=name')).toEqual(['Zoltan Larchfield', 'Zoë Ångström'])
    expect(await listed('q=zo&sort=-name')).toEqual(['Zoë Ångström', 'Zoltan Larchfield'])
    expect(await listed(`q=larch&filter=${encodeURIComponent('{"field":"email","op":"is_empty"}')}`)).toEqual(
      ['Zoltan Larchfield'],
    )
    expect(await listed('q=gone')).toEqual([])
    const archived = encodeURIComponent('{"field":"archived","op":"eq","value":true}')
    expect(await listed(`q=gone&filter=${archived}`)).toEqual(['Gone Larch'])
  })
})

test('F24: what is common and what is rare is found among many, in search and in lists', async () => {
  const { ctx } = await api.other()
  for (let n = 0; n < 60; n++)
    await makeLead(ctx, { contact_name: `Common ${n}`, company_name: 'Everywhere' })
  const found = await search(ctx, { q: 'everywhere', limit: 20 })
  expect(found).toHaveLength(20)
  expect((await search(ctx, { q: 'common 41', limit: 20 })).map(({ name }) => name)).toEqual(['Common 41'])
  const key = { authorization: `Bearer ${await api.keyFor('owner', ctx)}` }
  const seen: string[] = []
  let cursor = ''
  do {
    const { body } = await api.json(
      'GET',
      `/api/leads?q=everywhere&sort=name&limit=13${cursor}`,
      undefined,
      key,
    )
    seen.push(...body.data.map(({ name }: { name: string }) => name))
    cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : ''
  } while (cursor)
  expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => `Common ${n}`).toSorted())
})
