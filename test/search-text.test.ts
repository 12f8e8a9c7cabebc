import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { createDeal } from '../db/deals.ts'
import { inTx } from '../db/context.ts'
import { findRecords, wordsOf } from '../db/search-condition.ts'
import { searchText, searchTextOf } from '../db/search-text.ts'
import { seed } from './random.ts'
import { openApi, type ApiWorld } from './api.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let owner: postgres.Sql
beforeAll(async () => {
  api = await openApi()
  owner = postgres(api.owner_url, { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await owner.end()
  await api.stop()
})

const inSql = async (texts: string[]): Promise<string[]> => {
  const rows = await owner<{ text: string }[]>`
    select ${owner.unsafe(searchTextOf('t.given'))} as text
    from unnest(${texts}::text[]) with ordinality as t (given, n) order by n`
  return rows.map(({ text }) => text)
}

test('F24: the database folds what is searched as we fold what is looked for', async () => {
  const letters = fc.constantFrom(
    ...Array.from('aBÄßöÉñİıŁøÆœđÐ½²ªﬁＡ株東ДжёΣςאش١é\u0301 \u00a0\t.,&-–“”’!?/()+_#@€™…·|~^`´¨¿×÷%'),
  )
  const texts = fc.array(fc.string({ unit: letters, maxLength: 20 }), { minLength: 50, maxLength: 50 })
  await fc.assert(
    fc.asyncProperty(texts, async (texts) => {
      expect(await inSql(texts)).toEqual(texts.map(searchText))
    }),
    { numRuns: 40 },
  )
})

const searched = async (q: string): Promise<string[]> => {
  const { status, body } = await api.json('GET', `/api/search?q=${encodeURIComponent(q)}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body.data.map(({ name }: { name: string }) => name).toSorted()
}
const listed = async (kind: string, q: string): Promise<string[]> => {
  const { status, body } = await api.json('GET', `/api/${kind}?q=${encodeURIComponent(q)}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body.data.map(({ name, title }: { name?: string; title?: string }) => name ?? title).toSorted()
}

test('F24: accents and case are nobody’s: who writes a name without them finds it, and who writes them, too', async () => {
  const { ctx } = api
  const both = ['Renee Dvorak', 'Renée Dvořák']
  for (const contact_name of both) await makeLead(ctx, { contact_name })
  for (const q of ['dvorak', 'Dvořák', 'DVOŘÁK', 'renee dvorak', 'Rene\u0301e']) {
    expect(await searched(q)).toEqual(both)
    expect(await listed('leads', q)).toEqual(both)
  }
  await createDeal(ctx, { name: 'Zürich Ausbau' }, { door: 'api' })
  await createAccount(ctx, { name: 'Straßenbau Łódź' })
  await createContact(ctx, { name: 'François Lefèvre' })
  expect(await listed('deals', 'zurich')).toEqual(['Zürich Ausbau'])
  expect(await listed('accounts', 'strassenbau lodz')).toEqual(['Straßenbau Łódź'])
  expect(await listed('contacts', 'francois lefevre')).toEqual(['François Lefèvre'])
  expect(await searched('francois')).toEqual(['François Lefèvre'])
  const task = await api.json('POST', '/api/tasks', { title: 'Rückruf für Jörg' })
  expect(task.status, JSON.stringify(task.body)).toBe(201)
  expect(await listed('tasks', 'ruckruf jorg')).toEqual(['Rückruf für Jörg'])
})

test('F24: a telephone number is found however it is set, in search and in lists', async () => {
  const { ctx } = api
  await makeLead(ctx, { contact_name: 'Berlin', phone: '+49 30 901820', email: undefined })
  await makeLead(ctx, { contact_name: 'York', phone: '+1 (212) 555-0187', email: undefined })
  await makeLead(ctx, { contact_name: 'Unread', phone: '089/123 456-7', email: undefined })
  await createContact(ctx, { name: 'Dublin', phone: '+353 1 234 5678' })
  const spellings: [name: string, ...qs: string[]][] = [
    ['Berlin', '030 901820', '(030) 901820', '030/901820', '+49 (0)30 901820', '0049 30 901820', '901820'],
    ['York', '(212) 555-0187', '212-555-0187', '555-0187', '2125550187', '+12125550187'],
    ['Unread', '089/123 456-7', '089 1234567', '0891234567'],
  ]
  for (const [name, ...qs] of spellings)
    for (const q of qs) {
      expect([q, await searched(q)]).toEqual([q, [name]])
      expect([q, await listed('leads', q)]).toEqual([q, [name]])
    }
  for (const q of ['353 1 234 5678', '353-1-234-5678', '01 234 5678'])
    expect([q, await searched(q), await listed('contacts', q)]).toEqual([q, ['Dublin'], ['Dublin']])
})

test('F24: the index finds what holds every word, and nothing else, whatever signs the words are made of', async () => {
  const { ctx } = await api.other()
  const piece = fc.constantFrom(
    ...[
      'ana',
      'tanaka',
      'o',
      'li',
      '31',
      '131',
      'tidewater',
      'a_b',
      '50%',
      'c\\d',
      'straße',
      'ó',
      'иван',
      '株式',
      'x',
    ],
  )
  const sign = fc.constantFrom(...['-', '.', '@', ' ', ' & ', "'", '_', '%', '\\', '/', '..', ''])
  const text = fc
    .array(fc.tuple(piece, sign), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.flat().join(''))
  const texts = fc.sample(text, { numRuns: 60, seed })
  for (const contact_name of texts)
    await makeLead(ctx, { contact_name, email: undefined, company_name: undefined })
  const records = await inTx(
    ctx,
    ({ tx }) => tx<{ id: string; search_text: string }[]>`select id, search_text from opportunities`,
  )
  const holds = (held: string, word: string): boolean =>
    held.includes(word.length > 2 || !/[\p{L}\p{N}]/u.test(word) ? word : ` ${word}`)
  // Among the newest three they are looked for by the index.
  const found = (words: string[]) =>
    inTx(ctx, (ctx) => findRecords(ctx, ['lead', 'account', 'contact'], [words], 100, 3))
  const part = fc
    .tuple(fc.constantFrom(...records), fc.nat(), fc.nat())
    .map(([{ search_text }, from, length]) => {
      const start = from % search_text.length
      return search_text.slice(start, start + 1 + (length % (search_text.length - start)))
    })
  let hits = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof(part, text), async (q) => {
      const words = wordsOf(q)
      fc.pre(words.some((word) => /[\p{L}\p{N}]{3}/u.test(word)))
      const ids = (await found(words)).map(({ id }) => id)
      const wanted = records.filter(({ search_text }) => words.every((word) => holds(search_text, word)))
      hits += wanted.length
      expect(ids.toSorted()).toEqual(wanted.map(({ id }) => id).toSorted())
    }),
    { numRuns: 300 },
  )
  expect(hits).toBeGreaterThan(100)
})
