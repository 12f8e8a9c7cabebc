import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { change, nothing, leadOf, openImporting } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

/** What of a lead an undo puts back: not when and how often it was written. */
const lasting = (lead: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(lead).filter(([field]) => !PASSING.has(field)))
const PASSING = new Set(['updated_at', 'version', 'stage_entered_at', 'scored_at'])

describe('F68: an import is taken back', () => {
  test('what it made is archived, with the accounts and contacts that were made for it; then the file is new again', async () => {
    const own = await openImporting(api)
    const file =
      'Name,E-mail,Account,Contact,Stage\nAna,ana@undo.example,Elm,Ana,\nBo,bo@undo.example,Elm; Oak,,Closed-Won\nCy,,,,\n'
    const { id, body } = await own.run(file)
    expect(body.counts).toEqual({ ...nothing, create: 3 })
    const asked = await own.ask('POST', `/api/imports/${id}/undo`)
    expect(asked).toMatchObject({ status: 202, body: { status: 'queued', task: 'undo' } })
    const undone = await own.work(id)
    expect(undone.body).toMatchObject({
      status: 'undone',
      counts: { create: 3 },
      undo: { restored: 3, kept_records: 0, kept: [] },
      progress: { done: 3, total: 3 },
    })
    for (const noun of ['leads', 'accounts', 'contacts']) expect(await own.list(noun), noun).toEqual([])
    expect((await own.timeline('import', id)).map(({ type }) => type)).toEqual([
      'import_finished',
      'import_undone',
    ])
    expect(await own.ask('POST', `/api/imports/${id}/undo`)).toMatchObject({
      status: 409,
      body: { code: 'already_undone' },
    })
    expect((await own.run(file)).body.counts).toEqual({ ...nothing, create: 3 })
  })

  test('what somebody changed since stays, and is named with who and what', async () => {
    const own = await openImporting(api)
    const { id, rows } = await own.run(
      'Name,E-mail\nAna,ana@kept.example\nBo,bo@kept.example\nCy,cy@kept.example\nDo,do@kept.example\n',
    )
    const [ana, , cy] = rows.map(({ record }) => record?.id ?? '')
    await change(own, 'leads', ana ?? '', { city: 'Rome' })
    const { stages } = (await own.ask('GET', '/api/pipelines')).body.data.find(
      (one: any) => one.record_kind === 'lead',
    )
    const { version } = (await own.ask('GET', `/api/leads/${cy}`)).body
    const moved = await own.ask('POST', `/api/opportunities/${cy}/move`, { stage_id: stages[1].id, version })
    expect(moved.status, JSON.stringify(moved.body)).toBe(200)
    const { body } = await own.undo(id)
    expect(body.undo).toMatchObject({ restored: 2, kept_records: 2 })
    expect(new Map(body.undo.kept.map((kept: any) => [kept.record.id, kept]))).toEqual(
      new Map([
        [
          ana,
          {
            record: { kind: 'lead', id: ana, name: 'Ana' },
            fields: ['city'],
            changed_by: expect.objectContaining({ kind: 'api_key' }),
            changed_at: expect.any(String),
          },
        ],
        [cy, expect.objectContaining({ record: { kind: 'lead', id: cy, name: 'Cy' } })],
      ]),
    )
    expect(new Set((await own.list('leads')).map(({ email }) => email))).toEqual(
      new Set(['ana@kept.example', 'cy@kept.example']),
    )
    expect(await leadOf(own, 'ana@kept.example')).toMatchObject({ city: 'Rome' })
  })

  test('F27: a value becomes what it was although its field was archived since', async () => {
    const own = await openImporting(api)
    const { body: field } = await own.ask('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'tier',
      label: 'Tier',
      type: 'short_text',
    })
    await own.run('Name,E-mail,Tier\nAna,ana@tier.example,gold\n')
    const worked = await own.run('Name,E-mail,Tier\nAna,ana@tier.example,silver\n', { mode: 'update' })
    expect(await leadOf(own, 'ana@tier.example')).toMatchObject({ custom: { tier: 'silver' } })
    await own.ask('DELETE', `/api/fields/${field.id}`)
    const { body } = await own.undo(worked.id)
    expect(body.undo).toMatchObject({ restored: 1, kept_records: 0 })
    await own.ask('POST', `/api/fields/${field.id}/restore`)
    expect(await leadOf(own, 'ana@tier.example')).toMatchObject({ custom: { tier: 'gold' } })
  })

  test('every value that it set becomes what it was, whatever its type, and where the lead stood', async () => {
    const own = await openImporting(api, ['Ida', 'Ole'])
    await own.ask('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'seats',
      label: 'Seats',
      type: 'integer',
    })
    await own.ask('POST', '/api/fields', {
      record_kind: 'lead',
      key: 'uses',
      label: 'Uses',
      type: 'multi_select',
      options: [{ label: 'Cafés' }, { label: 'Offices' }],
    })
    const columns =
      'Name,E-mail,External id,Phone,City,Owner,Value,Currency,Expected close,Tags,Seats,Uses,Stage,Account'
    await own.run(
      `${columns}\nAna,ana@values.example,v-1,+49 30 1234567,Rome,Ida,12.50,EUR,2027-01-02,a; b,3,Cafés,New lead,Elm\nBo,bo@values.example,,,,,,,,,,,,\n`,
    )
    const before = (await own.list('leads')).map(lasting)
    const worked = await own.run(
      `${columns}\nAnna,ana@values.example,v-2,+49 30 7654321,Bern,Ole,99,USD,2028-01-02,c,4,Offices,Qualified,Oak\nBob,bo@values.example,v-3,+49 30 5555555,Oslo,Ida,1,EUR,2027-01-01,x,9,Cafés; Offices,Negotiation,Elm\n`,
      { mode: 'update' },
    )
    expect(worked.body.counts, JSON.stringify(worked.rows)).toEqual({ ...nothing, update: 2 })
    expect(await leadOf(own, 'ana@values.example')).toMatchObject({
      contact_name: 'Anna',
      value_minor: 9_900,
      currency: 'USD',
      stage: { label: 'Qualified' },
      custom: { seats: 4, uses: ['offices'] },
    })
    const { body } = await own.undo(worked.id)
    expect(body.undo, JSON.stringify(body.undo)).toMatchObject({ restored: 2, kept_records: 0 })
    const after = (await own.list('leads')).map(lasting)
    expect(after).toEqual(before)
    expect((await own.list('accounts')).map(({ name }) => name)).toEqual(['Elm'])
  })

  test('of a record that somebody changed since, the other values go back', async () => {
    const own = await openImporting(api, ['Ida'])
    await own.run('Name,E-mail,City,Company,Title\nAna,ana@partly.example,Rome,Elm,CEO\n')
    const { id } = await leadOf(own, 'ana@partly.example')
    const worked = await own.run(
      'Name,E-mail,City,Company,Title,Stage\nAna,ana@partly.example,Bern,Oak,CTO,Qualified\n',
      { mode: 'update' },
    )
    await change(own, 'leads', id, { city: 'Oslo' })
    // As the import had left it again: nothing of it is somebody else's.
    await change(own, 'leads', id, { title: 'COO' })
    await change(own, 'leads', id, { title: 'CTO' })
    const { body } = await own.undo(worked.id)
    expect(body.undo).toMatchObject({
      kept_records: 1,
      kept: [{ record: { id }, fields: ['city'], changed_by: { kind: 'api_key' } }],
    })
    expect(await leadOf(own, 'ana@partly.example')).toMatchObject({
      city: 'Oslo',
      company_name: 'Elm',
      title: 'CEO',
      stage: { label: 'New lead' },
    })
  })

  test('an account that was made for a row and is somebody else’s by now stays', async () => {
    const own = await openImporting(api)
    const { id } = await own.run('Name,E-mail,Account\nAna,ana@held.example,Elm\n')
    const [elm] = await own.list('accounts')
    const made = await own.ask('POST', '/api/leads', {
      contact_name: 'Bo',
      email: 'bo@held.example',
      account_ids: [elm.id],
    })
    expect(made.status).toBe(201)
    const { body } = await own.undo(id)
    expect(body.undo.kept).toMatchObject([{ record: { kind: 'account', id: elm.id, name: 'Elm' } }])
    expect((await own.list('leads')).map(({ email }) => email)).toEqual(['bo@held.example'])
    expect(await own.list('accounts')).toHaveLength(1)
  })

  test('rows of the same file about one lead are taken back in turn', async () => {
    const own = await openImporting(api)
    await own.run('Name,E-mail,City\nAna,ana@turn.example,Rome\n')
    const worked = await own.run(
      'Name,E-mail,City,Title\nAna,ana@turn.example,Bern,\nAna,ana@turn.example,Oslo,CEO\nBo,bo@turn.example,A,\nBo,bo@turn.example,B,\n',
      { mode: 'update' },
    )
    expect(worked.body.counts).toEqual({ ...nothing, create: 1, update: 3 })
    expect(await leadOf(own, 'ana@turn.example')).toMatchObject({ city: 'Oslo', title: 'CEO' })
    const { body } = await own.undo(worked.id)
    expect(body.undo, JSON.stringify(body.undo)).toMatchObject({ kept_records: 0 })
    expect((await own.list('leads')).map(({ email, city, title }) => [email, city, title])).toEqual([
      ['ana@turn.example', 'Rome', null],
    ])
  })

  test('a record that several rows were about is counted and named once', async () => {
    const own = await openImporting(api)
    await own.run('Name,E-mail,City\nAna,ana@once.example,Rome\nBo,bo@once.example,Rome\n')
    const worked = await own.run(
      'Name,E-mail,City,Title\nAna,ana@once.example,Bern,CEO\nAna,ana@once.example,Oslo,CTO\nBo,bo@once.example,Bern,\nBo,bo@once.example,Oslo,\n',
      { mode: 'update' },
    )
    const ana = await leadOf(own, 'ana@once.example')
    await change(own, 'leads', ana.id, { city: 'Wien', title: 'Boss' })
    const { body } = await own.undo(worked.id)
    expect(body.undo, JSON.stringify(body.undo)).toMatchObject({
      restored: 1,
      kept_records: 1,
      kept: [{ record: { id: ana.id } }],
    })
    expect(body.undo.kept[0].fields.toSorted()).toEqual(['city', 'title'])
    expect(await leadOf(own, 'bo@once.example')).toMatchObject({ city: 'Rome', title: null })
  })

  test.each([
    ['deal', 'deals', 'Name,Value,Currency,Stage\nMachines,12,EUR,Offer made\nBeans,5,EUR,\n'],
    ['account', 'accounts', 'Name,Website,Tags\nElm,https://elm.example,a\nOak,,b\n'],
    ['contact', 'contacts', 'Name,Email,Company\nAna,ana@kinds.example,Elm\nBo,,\n'],
  ] as const)('of kind %s', async (kind, noun, file) => {
    const own = await openImporting(api)
    const first = await own.run(file, { kind })
    expect(first.body.counts).toEqual({ ...nothing, create: 2 })
    const before = (await own.list(noun)).map(lasting)
    const [one] = await own.list(noun)
    const second = await own.run(`id,Name\n${one.id},Changed\n`, {
      kind,
      mode: 'update',
      mapping: { id: 'id', Name: 'name' },
    })
    expect(second.body.counts).toEqual({ ...nothing, update: 1 })
    await own.undo(second.id)
    expect((await own.list(noun)).map(lasting)).toEqual(before)
    await own.undo(first.id)
    expect(await own.list(noun)).toEqual([])
  })
})
