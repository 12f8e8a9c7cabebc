import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { change, type Importing, leadOf, openImporting, post } from './import-world.ts'

let api: ApiWorld
let own: Importing
beforeAll(async () => {
  api = await openApi()
  own = await openImporting(api)
  await post(own, 'fields', { record_kind: 'lead', key: 'tier', label: 'Tier', type: 'short_text' })
})
afterAll(() => api.stop())

let n = 0
/** A lead, and what imports it into another state. */
const openLead = async (fields: object) => {
  const email = `ana${(n += 1)}@beneath.example`
  const { id } = await post(own, 'leads', { contact_name: 'Ana', email, ...fields })
  const update = async (columns: string, values: string): Promise<string> => {
    const worked = await own.run(`E-mail,${columns}\n${email},${values}\n`, { mode: 'update' })
    expect(worked.body.counts, JSON.stringify(worked.rows)).toMatchObject({ update: 1 })
    return worked.id
  }
  const undo = async (id: string) => (await own.undo(id)).body.undo
  return { id, update, undo, read: () => leadOf(own, email) }
}

describe('F68: imports over one another are taken back in any order', () => {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]
  test.each(orders)('three of them, in the order %i, %i, %i', async (...order) => {
    const lead = await openLead({ city: 'Rome', tags: ['a'], custom: { tier: 'tin' } })
    const ids = [
      await lead.update('City,Tags,Tier', 'Bern,b,silver'),
      await lead.update('City,Tags,Tier', 'Oslo,c,gold'),
      await lead.update('City', 'Wien'),
    ]
    for (const at of order) await lead.undo(ids[at] ?? '')
    expect(await lead.read()).toMatchObject({ city: 'Rome', tags: ['a'], custom: { tier: 'tin' } })
  })

  test('the earlier names what it leaves, the later puts back what was beneath both', async () => {
    const lead = await openLead({ city: 'Rome' })
    const bern = await lead.update('City', 'Bern')
    const oslo = await lead.update('City', 'Oslo')
    expect(await lead.undo(bern)).toMatchObject({ restored: 0, kept: [{ fields: ['city'] }] })
    expect(await lead.read()).toMatchObject({ city: 'Oslo' })
    expect(await lead.undo(oslo)).toMatchObject({ restored: 1, kept: [] })
    expect(await lead.read()).toMatchObject({ city: 'Rome' })
  })

  test('the later alone goes back to the earlier, which stands', async () => {
    const lead = await openLead({ city: 'Rome' })
    await lead.update('City', 'Bern')
    await lead.undo(await lead.update('City', 'Oslo'))
    expect(await lead.read()).toMatchObject({ city: 'Bern' })
  })

  test('what somebody wrote in between comes back, also where it is what the undone import had written', async () => {
    for (const city of ['Lima', 'Bern']) {
      const lead = await openLead({ city: 'Rome' })
      const bern = await lead.update('City', 'Bern')
      await change(own, 'leads', lead.id, { city: 'Kiel' })
      await change(own, 'leads', lead.id, { city })
      const oslo = await lead.update('City', 'Oslo')
      await lead.undo(bern)
      await lead.undo(oslo)
      expect(await lead.read()).toMatchObject({ city })
    }
  })

  test('an import that came after another was taken back puts back what it found', async () => {
    const lead = await openLead({ city: 'Rome' })
    await lead.undo(await lead.update('City', 'Bern'))
    await change(own, 'leads', lead.id, { city: 'Bern' })
    await lead.undo(await lead.update('City', 'Oslo'))
    expect(await lead.read()).toMatchObject({ city: 'Bern' })
  })

  test('a currency goes back with the amount that was beneath, although only the undone import had set it', async () => {
    const lead = await openLead({ value_minor: 100_000, currency: 'JPY' })
    const euro = await lead.update('Value,Currency', '500.00,EUR')
    const more = await lead.update('Value,Currency', '600.00,EUR')
    expect((await lead.undo(euro)).kept[0].fields.toSorted()).toEqual(['currency', 'value_minor'])
    expect(await lead.read()).toMatchObject({ value_minor: 60_000, currency: 'EUR' })
    await lead.undo(more)
    expect(await lead.read()).toMatchObject({ value_minor: 100_000, currency: 'JPY' })
  })
})
