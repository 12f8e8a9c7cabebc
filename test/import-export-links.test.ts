import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { type Importing, nothing, openImporting, post } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

/** Cards and people that are linked with several, whose names look like lists, addresses and each other. */
const furnishLinks = async (
  own: Importing,
  names = ['Elm', 'Oak', 'Elm; Oak', '"Elm"', 'elm oak', 'Söhne; "GmbH", x', 'Last'],
  people = ['Ana', 'Bo', 'Ana; Bo', 'ana bo', 'Cy'],
): Promise<void> => {
  const accounts: string[] = []
  for (const name of names) accounts.push((await post(own, 'accounts', { name })).id)
  accounts.push(
    (await post(own, 'accounts', { name: 'Fir', website: 'https://fir.example' })).id,
    (await post(own, 'accounts', { name: 'fir.example' })).id,
  )
  const contacts: string[] = []
  for (const name of people) contacts.push((await post(own, 'contacts', { name })).id)
  contacts.push((await post(own, 'contacts', { email: 'di@links.example' })).id)
  const several = (ids: string[], n: number) => [...ids.slice(n), ...ids.slice(0, n)].slice(0, (n % 4) + 1)
  for (const [n] of accounts.entries()) {
    const linked = { account_ids: several(accounts, n) }
    await post(own, 'leads', {
      contact_name: `Lead ${n}`,
      email: `lead${n}@links.example`,
      ...linked,
      contact_ids: several(contacts, n % contacts.length),
    })
    await post(own, 'deals', {
      name: `Deal ${n}`,
      external_id: `d${n}`,
      ...linked,
      contact_ids: several(contacts, n % contacts.length),
    })
    await post(own, 'contacts', { name: `Person ${n}`, email: `person${n}@links.example`, ...linked })
  }
}

describe('F101: whom records are linked with comes back, all of them and the primary first', () => {
  const kinds = [
    ['leads', 'lead'],
    ['deals', 'deal'],
    ['contacts', 'contact'],
  ] as const
  const linksOf = (all: any[]) =>
    all
      .filter(({ name }) => / \d$/.test(name))
      .map(({ name, account_ids, contact_ids }) => [name, account_ids, contact_ids])
      .toSorted(([a], [b]) => (a < b ? -1 : 1))

  test.each(kinds)(
    '%s: nothing changes in mode update, and those that were deleted are equal',
    async (noun, kind) => {
      const own = await openImporting(api)
      await furnishLinks(own)
      const before = await own.list(noun)
      const { text } = await own.csv(`/api/exports/${noun}`)
      const same = await own.run(text, { kind, mode: 'update' })
      expect(same.rows.filter(({ result }) => result !== 'skip')).toEqual([])
      expect(await own.list(noun)).toEqual(before)
      const linked = before.filter(({ account_ids }) => account_ids.length > 0)
      for (const { id } of linked) expect((await own.ask('DELETE', `/api/${noun}/${id}`)).status).toBe(204)
      const { body } = await own.upload(text, kind)
      const back = await own.run(text, { kind, mapping: { ...body.suggested_mapping, id: null } })
      expect(back.rows.flatMap(({ problems }) => problems.filter(({ code }) => code !== 'known'))).toEqual([])
      expect(linksOf(await own.list(noun))).toEqual(linksOf(before))
    },
  )

  test('in an organization that has none of them: companies and people first, then what is linked with them', async () => {
    const [here, there] = [await openImporting(api), await openImporting(api)]
    // What reads alike is one where nobody is yet.
    await furnishLinks(here, ['Elm', 'Söhne; "GmbH", x', '"Oak"', 'Ash; Fir'], ['Ana; Bo', '"Cy"', 'Di'])
    for (const [noun, kind] of [['accounts', 'account'], ...kinds.toReversed()] as const) {
      const { text } = await here.csv(`/api/exports/${noun}`)
      const { body } = await there.upload(text, kind)
      const back = await there.run(text, { kind, mapping: { ...body.suggested_mapping, id: null } })
      expect(back.rows.filter(({ result }) => result === 'error')).toEqual([])
      const cells = (all: Record<string, string>[]) =>
        all.map(({ name, account, contact }) => [name, account, contact].join(' | ')).toSorted()
      expect(cells((await there.csv(`/api/exports/${noun}`)).rows)).toEqual(
        cells((await here.csv(`/api/exports/${noun}`)).rows),
      )
    }
  })

  test('an older file brings back which one was the primary, and its undo takes that away', async () => {
    const own = await openImporting(api)
    const [elm, oak] = [
      await post(own, 'accounts', { name: 'Elm' }),
      await post(own, 'accounts', { name: 'Oak' }),
    ]
    const ash = await post(own, 'accounts', { name: 'Ash' })
    const lead = await post(own, 'leads', { email: 'a@older.example', account_ids: [elm.id, oak.id] })
    const { text } = await own.csv('/api/exports/leads?columns=id,account')
    const put = (account_ids: string[], version: number) =>
      own.ask('PATCH', `/api/leads/${lead.id}`, { account_ids, version })
    const standing = async () => (await own.ask('GET', `/api/leads/${lead.id}`)).body
    expect((await put([oak.id, elm.id], lead.version)).status).toBe(200)
    const worked = await own.run(text, { mode: 'update' })
    expect(worked.body.counts).toEqual({ ...nothing, update: 1 })
    expect((await standing()).account_ids).toEqual([elm.id, oak.id])
    await own.undo(worked.id)
    expect((await standing()).account_ids).toEqual([oak.id, elm.id])
    // One that the file does not name stays what it is, and so does who is named alone.
    await put([ash.id, oak.id, elm.id], (await standing()).version)
    expect((await own.run(text, { mode: 'update' })).body.counts).toEqual({ ...nothing, skip: 1 })
    expect((await own.run('E-mail,Account\na@older.example,Elm\n', { mode: 'update' })).body.counts).toEqual({
      ...nothing,
      skip: 1,
    })
  })

  test('more than a record can be linked with is told, not cut', async () => {
    const own = await openImporting(api)
    const many = (count: number) => Array.from({ length: count }, (_, n) => `Company ${n}`).join('; ')
    const worked = await own.run(`Name,Account\nA,"${many(201)}"\nB,"${many(200)}"\n`)
    expect(worked.rows[0]).toMatchObject({
      result: 'error',
      problems: [{ code: 'too_many_links', column: 'Account' }],
    })
    expect((await own.list('leads')).map(({ account_ids }) => account_ids.length)).toEqual([200])
  })
})
