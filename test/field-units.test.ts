import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { workBulk } from '../db/bulk-work.ts'
import { openApi, type ApiWorld } from './api.ts'
import { change, type Importing, openImporting, post } from './import-world.ts'

let api: ApiWorld
let own: Importing
beforeAll(async () => {
  api = await openApi()
  own = await openImporting(api)
})
afterAll(() => api.stop())

const read = async (noun: string, id: string) => (await own.ask('GET', `/api/${noun}/${id}`)).body
const YEN = { value_minor: 100_000, currency: 'JPY' }
const EURO = { value_minor: 50_000, currency: 'EUR' }
let n = 0
const openLead = (): Promise<any> =>
  post(own, 'leads', { contact_name: 'Ana', email: `ana${(n += 1)}@units.example`, ...YEN })

describe('F68: an import that is taken back leaves together what is one value', () => {
  const updated = (file: string, kind: 'lead' | 'account' = 'lead') => own.run(file, { kind, mode: 'update' })

  test('an amount that somebody changed keeps the currency that it was changed in; both are named', async () => {
    const { id, email } = await openLead()
    const worked = await updated(`E-mail,Value,Currency,City\n${email},500.00,EUR,Bern\n`)
    expect(await read('leads', id)).toMatchObject({ ...EURO, city: 'Bern' })
    await change(own, 'leads', id, { value_minor: 75_000 })
    const { body } = await own.undo(worked.id)
    expect(await read('leads', id)).toMatchObject({ value_minor: 75_000, currency: 'EUR', city: null })
    expect(body.undo).toMatchObject({ restored: 0, kept_records: 1, kept: [{ record: { id } }] })
    expect(body.undo.kept[0].fields.toSorted()).toEqual(['currency', 'value_minor'])
  })

  test('so does a currency that somebody changed the amount, which the import alone had set', async () => {
    const { id, email } = await openLead()
    const worked = await updated(`E-mail,Value,Currency\n${email},500,JPY\n`)
    expect(await read('leads', id)).toMatchObject({ value_minor: 500, currency: 'JPY' })
    await change(own, 'leads', id, { currency: 'USD' })
    const { body } = await own.undo(worked.id)
    expect(await read('leads', id)).toMatchObject({ value_minor: 500, currency: 'USD' })
    expect(body.undo.kept[0].fields.toSorted()).toEqual(['currency', 'value_minor'])
    expect(body.undo.kept[0].changed_by).toMatchObject({ kind: 'api_key' })
  })

  test('what was changed there and back again is nobody’s', async () => {
    const { id, email } = await openLead()
    const worked = await updated(`E-mail,Value,Currency\n${email},500,JPY\n`)
    await change(own, 'leads', id, { currency: 'USD' })
    await change(own, 'leads', id, { currency: 'JPY' })
    expect((await own.undo(worked.id)).body.undo).toMatchObject({ restored: 1, kept_records: 0 })
    expect(await read('leads', id)).toMatchObject(YEN)
  })

  test('the revenue of an account, and the domain of its website', async () => {
    const account = { name: 'Elm', revenue_minor: 100_000, currency: 'JPY', website: 'https://old.example' }
    const { id } = await post(own, 'accounts', account)
    const worked = await own.run(`id,Revenue,Currency,Website\n${id},500.00,EUR,https://new.example\n`, {
      kind: 'account',
      mode: 'update',
      mapping: { id: 'id', Revenue: 'revenue', Currency: 'currency', Website: 'website' },
    })
    expect(await read('accounts', id)).toMatchObject({ revenue_minor: 50_000, domain: 'new.example' })
    await change(own, 'accounts', id, { revenue_minor: 75_000, website: 'https://new.example/de' })
    const { body } = await own.undo(worked.id)
    const left = { revenue_minor: 75_000, currency: 'EUR', website: 'https://new.example/de' }
    expect(await read('accounts', id)).toMatchObject({ ...left, domain: 'new.example' })
    expect(body.undo.kept[0].fields.toSorted()).toEqual(['currency', 'domain', 'revenue_minor', 'website'])
  })

  test('the rate and the base value of a deal that is won', async () => {
    await own.ask('PUT', '/api/exchange-rates/USD', { rate: 0.5 })
    const { stages } = (await own.ask('GET', '/api/pipelines')).body.data.find(
      (one: any) => one.record_kind === 'deal',
    )
    const { id } = await post(own, 'deals', {
      name: 'Machines',
      ...EURO,
      stage_id: stages.find(({ kind }: any) => kind === 'won').id,
    })
    const worked = await own.run(`id,Value,Currency\n${id},900,USD\n`, {
      kind: 'deal',
      mode: 'update',
      mapping: { id: 'id', Value: 'value', Currency: 'currency' },
    })
    expect(worked.rows[0]).toMatchObject({ result: 'update' })
    await change(own, 'deals', id, { value_minor: 70_000 })
    const edited = await read('deals', id)
    await own.undo(worked.id)
    const { currency, value_minor, exchange_rate, base_value_minor } = edited
    expect(await read('deals', id)).toMatchObject({ currency, value_minor, exchange_rate, base_value_minor })
    expect({ currency, value_minor }).toEqual({ currency: 'USD', value_minor: 70_000 })
  })
})

describe('F20: a bulk act that is taken back leaves together what is one value', () => {
  const work = async (asked: Promise<any>): Promise<any> => {
    const { status, body } = await asked
    expect(status, JSON.stringify(body)).toBe(202)
    await workBulk(api.db, own.organization_id, body.id)
    return read('bulk', body.id)
  }
  const bulk = (ids: string[], changes: object) =>
    work(own.ask('POST', '/api/bulk', { kind: 'lead', ids, act: 'update', input: changes }))
  const undone = async (id: string) => {
    const { counts, id: undo } = await work(own.ask('POST', `/api/bulk/${id}/undo`))
    const { data } = (await own.ask('GET', `/api/bulk/${undo}/rows`)).body
    return { counts, problem: data[0].problem }
  }

  test('an amount that somebody changed keeps its currency; both are named and the rest goes back', async () => {
    const { id } = await openLead()
    const act = await bulk([id], { ...EURO, city: 'Bern' })
    await change(own, 'leads', id, { value_minor: 75_000 })
    const { counts, problem } = await undone(act.id)
    expect(await read('leads', id)).toMatchObject({ value_minor: 75_000, currency: 'EUR', city: null })
    expect(counts).toMatchObject({ changed: 1 })
    expect(problem).toEqual({
      code: 'changed_since',
      message: 'Kept, because somebody changed it since: value minor, currency.',
    })
  })

  test('where nothing else was set, nothing is taken back, and both are named', async () => {
    const { id } = await openLead()
    const act = await bulk([id], EURO)
    await change(own, 'leads', id, { value_minor: 75_000 })
    const { counts, problem } = await undone(act.id)
    expect(await read('leads', id)).toMatchObject({ value_minor: 75_000, currency: 'EUR' })
    expect(counts).toMatchObject({ skipped: 1, changed: 0 })
    expect(problem).toEqual({
      code: 'changed_since',
      message: 'Somebody changed value minor after this, and currency goes with it; nothing was taken back.',
    })
  })

  test('a currency that an act had set alone stays with the amount that somebody gave it, by any undo', async () => {
    const { id } = await openLead()
    const act = await bulk([id], { currency: 'EUR' })
    await change(own, 'leads', id, { value_minor: 75_000 })
    expect((await undone(act.id)).counts).toMatchObject({ skipped: 1, changed: 0 })
    const line = (await own.timeline('lead', id)).find(({ data }) => data.bulk_id === act.id)
    expect(await own.ask('POST', `/api/activities/${line.id}/undo`)).toMatchObject({
      status: 409,
      body: { code: 'changed_since', changed: [{ field: 'value_minor', left: 100_000, now: 75_000 }] },
    })
    expect(await read('leads', id)).toMatchObject({ value_minor: 75_000, currency: 'EUR' })
  })
})
