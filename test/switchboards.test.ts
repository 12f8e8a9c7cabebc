import { afterAll, beforeAll, expect, test } from 'vitest'
import { createContact } from '../db/contacts.ts'
import { isSomebodyElse } from '../db/lead-keys.ts'
import { openApi, type ApiWorld } from './api.ts'
import { type Importing, nothing, openImporting } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const SWITCHBOARD = '+49 30 901820'
const COLLEAGUES = `Name,Company,Phone
Anton Berg,Nordlicht,${SWITCHBOARD}
Britta Chor,Nordlicht,${SWITCHBOARD}
Carla Dorn,Nordlicht,${SWITCHBOARD}
`
const namesOf = async (own: Importing): Promise<string[]> =>
  (await own.list('leads')).map(({ contact_name }) => contact_name)

test.each([
  ['Ana Ruiz', 'Anna Ruiz', false],
  ['Ana Ruiz', 'A. Ruiz', false],
  ['Ana Ruiz', 'Ruiz, Ana', false],
  ['Ana Ruiz', 'Ruiz Ana', false],
  ['Ana Ruiz', 'Ana María Ruiz', false],
  ['Ana Ruiz', 'Dr. Ana Ruiz', false],
  ['Bob Ashworth', 'Robert Ashworth', false],
  ['Anna Rautenberg', 'Anna Rautnberg', false],
  ['佐々木希', '佐々木 希', false],
  ['Bob', 'Robert', false],
  ['Ana Ruiz', '', false],
  ['Ana Ruiz', '—', false],
  ['Joan Pickering', 'John Pickering', true],
  ['Anton Berg', 'Britta Berg', true],
  ['Simon Berg', 'Simone Berg', true],
  ['Julian Berg', 'Juliane Berg', true],
  ['Hans Weber', 'Hans Weber jun.', true],
  ['Anna Lena Berg', 'Anna Maria Berg', true],
  ['Svenja Ritter', 'Dieter Olsch', true],
  ['Joan', 'John', true],
  ['Ana Ruiz', 'Ruiz', true],
  ['渡辺直美', '渡辺直子', true],
])('F30: on one telephone “%s” and “%s”: two people is %s', (one, other, two) => {
  const phone = '+4930901820'
  for (const [a, b] of [
    [one, other],
    [other, one],
  ]) {
    expect(isSomebodyElse('phone', { contact_name: a, phone }, { contact_name: b, phone })).toBe(two)
    // An address of their own says that they are one, a shared one nothing, and another one does not matter.
    const at = (local: string, contact_name: string | undefined) => ({
      contact_name,
      email: `${local}@one.example`,
    })
    expect(isSomebodyElse('phone', at('a.ruiz', a), at('a.ruiz', b))).toBe(false)
    expect(isSomebodyElse('phone', at('info', a), at('info', b))).toBe(two)
    expect(isSomebodyElse('email', at('info', a), at('info', b))).toBe(two)
    expect(isSomebodyElse('phone', at('first', a), at('second', b))).toBe(two)
    expect(isSomebodyElse('phone', at('first', a), { contact_name: b })).toBe(two)
  }
})

test('F70: colleagues without an e-mail address are as many leads as there are, in every mode', async () => {
  for (const mode of ['skip', 'update', 'create_and_flag'] as const) {
    const own = await openImporting(api)
    const dry = await own.dryRun(COLLEAGUES, { mode })
    const { body, rows } = await own.run(COLLEAGUES, { mode })
    expect(body.counts, mode).toEqual({ ...nothing, create: 3 })
    expect(dry.body.counts, mode).toEqual(body.counts)
    expect(
      rows.map(({ problems }) => problems),
      mode,
    ).toEqual([[], [], []])
    expect(await namesOf(own), mode).toEqual(['Anton Berg', 'Britta Chor', 'Carla Dorn'])
  }
})

test('F70: a colleague of somebody who is there with an e-mail address is not blended with them', async () => {
  const own = await openImporting(api)
  await own.run(`Name,E-mail,Phone\nAnton Berg,a.berg@nordlicht.example,${SWITCHBOARD}\n`)
  const { body } = await own.run(
    `Name,Phone,City\nBritta Chor,${SWITCHBOARD},Rome\nBERG ANTON,${SWITCHBOARD},Oslo\n`,
    { mode: 'update' },
  )
  expect(body.counts).toEqual({ ...nothing, create: 1, update: 1 })
  expect(await own.list('leads')).toMatchObject([
    { email: 'a.berg@nordlicht.example', city: 'Oslo' },
    { contact_name: 'Britta Chor', email: null, city: 'Rome' },
  ])
})

test('F70: of contacts with one telephone each is recognised by the name, too', async () => {
  const own = await openImporting(api)
  const file = `Name,Phone\nAnton Berg,${SWITCHBOARD}\nBritta Chor,${SWITCHBOARD}\nBerg; Anton,${SWITCHBOARD}\nBritta M. Chor,${SWITCHBOARD}\n`
  const { body } = await own.run(file, { kind: 'contact' })
  expect(body.counts).toEqual({ ...nothing, create: 2, skip: 2 })
})

test('F70: thirty people at one switchboard are all known again', async () => {
  const own = await openImporting(api)
  const file = (city: string): string =>
    `Name,Phone,City\n${Array.from({ length: 30 }, (_, n) => `Person ${n},${SWITCHBOARD},${city}\n`).join('')}`
  expect((await own.run(file('Rome'))).body.counts).toEqual({ ...nothing, create: 30 })
  expect((await own.run(file('Oslo'))).body.counts).toEqual({ ...nothing, skip: 30 })
})

test('F02: at the webhook the same telephone joins nobody of another name, and whoever gives none', async () => {
  const own = await openImporting(api)
  await own.deliver({ name: 'Svenja Ritter', phone: SWITCHBOARD })
  await own.deliver({ name: 'Dieter Olsch', phone: SWITCHBOARD })
  await own.deliver({ name: 'S. Ritter', phone: SWITCHBOARD, email: 's.ritter@nordlicht.example' })
  expect(await own.list('leads')).toMatchObject([
    { contact_name: 'Svenja Ritter', email: 's.ritter@nordlicht.example' },
    { contact_name: 'Dieter Olsch', email: null },
  ])
  await own.deliver({ phone: SWITCHBOARD, message: 'Call me.' })
  expect(await own.list('leads')).toHaveLength(2)
})

test('F30: two people of one telephone are no exact duplicates; who may be one is offered as near', async () => {
  const own = await openImporting(api)
  const make = async (fields: object): Promise<string> =>
    (await own.ask('POST', '/api/leads', { phone: SWITCHBOARD, ...fields })).body.id
  const joan = await make({ contact_name: 'Joan Pickering', company_name: 'Kettle' })
  await make({ contact_name: 'John Pickering', company_name: 'Larch' })
  const groups = async (query = ''): Promise<string[][]> =>
    (await own.ask('GET', `/api/leads/duplicates${query}`)).body.data.map(({ leads }: any) =>
      leads.map(({ id }: any) => id),
    )
  expect([await groups(), await groups('?near=true')]).toEqual([[], []])
  const pickering = await make({ contact_name: 'Pickering', company_name: 'Kettle' })
  expect([await groups(), await groups('?near=true')]).toEqual([[], [[joan, pickering]]])
  const j = await make({ contact_name: 'Pickering, Joan', company_name: 'Kettle' })
  expect(await groups()).toEqual([[joan, j]])
  expect((await own.ask('GET', `/api/leads/${j}/duplicates`)).body.data).toMatchObject([
    { near: false, lead: { id: joan }, keys: [{ kind: 'phone' }] },
    { near: true, lead: { id: pickering }, keys: [] },
  ])
})

test('F36: a conversion takes the contact of the same telephone whose name is theirs, and asks of the others', async () => {
  const own = await openImporting(api)
  const { ctx } = own
  const [john, joan] = [
    await createContact(ctx, { name: 'John Pickering', phone: SWITCHBOARD }),
    await createContact(ctx, { name: 'Pickering, Joan', phone: SWITCHBOARD }),
  ]
  const { body: lead } = await own.ask('POST', '/api/leads', {
    contact_name: 'Joan Pickering',
    phone: SWITCHBOARD,
  })
  const { body } = await own.ask('POST', `/api/leads/${lead.id}/convert/preview`, {})
  expect(body.contact).toMatchObject({ id: joan.id, because: 'same_phone_and_name' })
  expect(body.candidates.contact).toMatchObject([{ id: john.id, because: 'same_phone' }])
})
