import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { type Importing, nothing, openImporting, post } from './import-world.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

const fields = async (own: Importing, record_kind: string): Promise<void> => {
  const choices = { options: [{ label: 'Cafés' }, { label: 'A; b' }, { label: 'Größer, "neu"' }] }
  for (const [key, type, more] of [
    ['code', 'short_text', {}],
    ['story', 'long_text', {}],
    ['seats', 'integer', {}],
    ['area', 'decimal', {}],
    ['opens', 'date', {}],
    ['plan', 'select', choices],
    ['uses', 'multi_select', choices],
  ] as const)
    await post(own, 'fields', { record_kind, key, label: `The ${key}`, type, ...more })
}

const hostile = [
  '=1+1',
  '+1',
  '-1',
  '@x',
  "'=1",
  "''x",
  ' padded ',
  'a;b',
  'a,b',
  'a"b',
  'a\tb',
  '00123',
  'null',
  '-',
  '1/2/2027',
  '１２',
  'İstanbul ß',
  '"quoted"',
]

/** Leads that have everything that a lead can have, and what files make a mess of. */
const furnish = async (own: Importing): Promise<any[]> => {
  await fields(own, 'lead')
  const { data: fieldList } = (await own.ask('GET', '/api/fields?record_kind=lead')).body
  const choice = (key: string, n: number) => fieldList.find((one: any) => one.key === key).options[n].value
  const [reason] = (await own.ask('GET', '/api/discard-reasons')).body.data
  const pipeline = (await own.ask('GET', '/api/pipelines')).body.data.find(
    (one: any) => one.record_kind === 'lead',
  )
  const stage = (kind: string) => pipeline.stages.find((one: any) => one.kind === kind).id
  const elm = await post(own, 'accounts', { name: 'Elm; Söhne "GmbH"' })
  const oak = await post(own, 'accounts', { name: '"Oak"' })
  const ana = await post(own, 'contacts', { name: '=Ana, Ruiz' })
  await post(own, 'leads', {
    contact_name: 'José “Pepe” Núñez; Sr.',
    name: 'Own name of the lead',
    company_name: 'Brightside, Inc.',
    title: 'CEO',
    email: 'pepe@full.example',
    phone: '+44 20 7946 0018',
    website: 'https://full.example:8443/x?y=1',
    city: 'São Paulo',
    state: 'SP',
    country: 'Brazil',
    industry: 'Coffee',
    message: 'Line one\n"Line two", and three;\n=4',
    source: 'Fair',
    campaign: 'Spring, 2027',
    landing_page: 'https://full.example/?a=1&b=2',
    external_id: '0012',
    value_minor: 125_050,
    currency: 'EUR',
    expected_close_on: '2027-02-03',
    tags: ['hot', 'a; b', '=x', 'with "quotes"'],
    account_ids: [elm.id],
    contact_ids: [ana.id],
    custom: {
      code: '007',
      story: 'a\n\nb',
      seats: 1_250,
      area: 0.125,
      opens: '2027-12-01',
      plan: choice('plan', 2),
      uses: [choice('uses', 0), choice('uses', 1)],
    },
  })
  await post(own, 'leads', {
    contact_name: 'Yen',
    email: 'yen@full.example',
    value_minor: 1_500,
    currency: 'JPY',
    account_ids: [oak.id],
  })
  await post(own, 'leads', {
    contact_name: 'Dinar',
    email: 'dinar@full.example',
    value_minor: 1,
    currency: 'KWD',
    phone: '030 1234567',
  })
  await post(own, 'leads', {
    contact_name: 'Won',
    email: 'won@full.example',
    stage_id: stage('won'),
    pipeline_id: pipeline.id,
  })
  await post(own, 'leads', {
    contact_name: 'Lost',
    stage_id: stage('lost'),
    pipeline_id: pipeline.id,
    discard_reason_id: reason.id,
  })
  for (const [n, text] of hostile.entries())
    await post(own, 'leads', {
      contact_name: `${text} ${n}`,
      company_name: text,
      title: text,
      source: text,
      city: text,
      message: text,
      external_id: `h-${n}`,
      tags: [`t${text}`],
      custom: { code: text, story: text },
    })
  return own.list('leads')
}

const versions = (all: any[]) => all.map(({ id, version, updated_at }) => [id, version, updated_at])

describe('F101: what is exported, and imported back in mode update', () => {
  test('leads: 0 changes; after a person edited one row, that one changes, and nothing else of it', async () => {
    const own = await openImporting(api)
    const before = await furnish(own)
    const twins = [
      await post(own, 'accounts', { name: 'Twins' }),
      await post(own, 'accounts', { name: 'Twins' }),
    ]
    await post(own, 'leads', { contact_name: 'Of a twin', account_ids: [twins[1].id] })
    const leads = await own.list('leads')
    expect(leads.length).toBe(before.length + 1)
    const { text, columns } = await own.csv('/api/exports/leads')
    for (const dry of [true, false]) {
      const worked = dry
        ? await own.dryRun(text, { mode: 'update' })
        : await own.run(text, { mode: 'update' })
      expect(worked.body.suggested_mapping.id).toBe('id')
      expect(columns.map((column) => worked.body.suggested_mapping[column])).toEqual(columns)
      const touched = worked.rows.filter(
        ({ result, problems }) => result !== 'skip' || problems[0]?.code !== 'unchanged',
      )
      expect(touched).toEqual([])
      expect(worked.body.counts).toEqual({ ...nothing, skip: leads.length })
    }
    expect(await own.list('leads')).toEqual(leads)
    expect((await own.run(text, { mode: 'skip' })).body.counts).toEqual({ ...nothing, skip: leads.length })

    const worked = await own.run(text.replace('São Paulo', 'Rio de Janeiro'), { mode: 'update' })
    expect(worked.body.counts).toEqual({ ...nothing, update: 1, skip: leads.length - 1 })
    expect(worked.rows.find(({ result }) => result === 'update')?.changes).toEqual([
      { field: 'city', before: 'São Paulo', after: 'Rio de Janeiro' },
    ])
    const changed = leads.find(({ city }) => city === 'São Paulo')
    const after = await own.list('leads')
    expect(after.find(({ id }) => id === changed.id)).toMatchObject({
      city: 'Rio de Janeiro',
      version: changed.version + 1,
    })
    const others = (all: any[]) => versions(all.filter(({ id }) => id !== changed.id))
    expect(others(after)).toEqual(others(leads))
    await own.undo(worked.id)
    expect((await own.csv('/api/exports/leads')).text).toBe(text)
  })

  test.each([
    [
      'accounts',
      'account',
      (own: Importing) => [
        {
          name: '=Elm; "GmbH"',
          website: 'https://elm.example',
          lifecycle: 'customer',
          segment: 'A, b',
          industry: '@x',
          size: 1_200,
          revenue_minor: 1_200_050,
          currency: 'EUR',
          health: 80,
          tags: ['a; b'],
          owner_id: own.ids['Ida'],
          phone: '030 1234567',
          external_id: '01',
        },
        { name: 'Twins', currency: 'JPY', revenue_minor: 5 },
        { name: 'Twins', website: 'https://www.twins.example/de' },
      ],
    ],
    [
      'contacts',
      'contact',
      (own: Importing) => [
        {
          name: 'Ana, "Ruiz"',
          email: 'ana@kind.example',
          title: '-CEO',
          phone: '+49 30 1234567',
          owner_id: own.ids['Ida'],
          tags: ['x'],
          external_id: '=1',
        },
        { name: 'Bo' },
        { name: 'Bo' },
      ],
    ],
    [
      'deals',
      'deal',
      (own: Importing) => [
        {
          name: 'Machines; 12',
          value_minor: 120_050,
          currency: 'EUR',
          expected_close_on: '2027-01-02',
          forecast_category: 'commit',
          owner_id: own.ids['Ida'],
          tags: ['a'],
          external_id: 'd-1',
        },
        { name: 'Machines', value_minor: 3, currency: 'JPY' },
        { name: 'Machines' },
      ],
    ],
  ] as const)('%s: the same', async (noun, kind, records) => {
    const own = await openImporting(api, ['Ida'])
    await fields(own, kind)
    for (const record of records(own))
      await post(own, noun, {
        ...record,
        custom: { code: '=1', seats: 3, opens: '2027-01-01', area: 1.5, uses: ['cafes'] },
      })
    const before = await own.list(noun)
    const { text } = await own.csv(`/api/exports/${noun}`)
    const worked = await own.run(text, { kind, mode: 'update' })
    expect(worked.rows.filter(({ result }) => result !== 'skip')).toEqual([])
    expect(worked.body.counts).toEqual({ ...nothing, skip: 3 })
    expect(await own.list(noun)).toEqual(before)
    const edited = await own.run(text.replace('2027-01-01', '2028-01-01'), { kind, mode: 'update' })
    expect(edited.body.counts, JSON.stringify(edited.rows)).toEqual({ ...nothing, update: 1, skip: 2 })
  })

  test('decimals of any size, also where the file has no other number: nothing changes, and made anew they are equal', async () => {
    for (const area of [1e-7, -2.5e-12, 1e21, 1.234, 0.125, 12.5, Number.MAX_VALUE, Number.MIN_VALUE]) {
      const own = await openImporting(api)
      await post(own, 'fields', { record_kind: 'lead', key: 'area', label: 'Area', type: 'decimal' })
      const lead = await post(own, 'leads', { name: 'A', email: 'a@size.example', custom: { area } })
      const { text } = await own.csv('/api/exports/leads?columns=id,email,custom.area')
      const same = await own.run(text, { mode: 'update' })
      expect([area, same.body.counts, same.rows[0]?.problems]).toEqual([
        area,
        { ...nothing, skip: 1 },
        [expect.objectContaining({ code: 'unchanged' })],
      ])
      expect((await own.ask('DELETE', `/api/leads/${lead.id}`)).status).toBe(204)
      const back = await own.run(text, {
        mapping: { id: null, email: 'email', 'custom.area': 'custom.area' },
      })
      expect(back.body.counts).toEqual({ ...nothing, create: 1 })
      expect((await own.list('leads'))[0].custom).toEqual({ area })
    }
  })

  test('amounts of a currency with thousandths alone', async () => {
    const own = await openImporting(api)
    await post(own, 'leads', { email: 'a@dinar.example', value_minor: 1_234, currency: 'KWD' })
    const { text } = await own.csv('/api/exports/leads')
    expect((await own.run(text, { mode: 'update' })).body.counts).toEqual({ ...nothing, skip: 1 })
  })

  test('leads in an organization that has none: the same leads', async () => {
    const [here, there] = [await openImporting(api), await openImporting(api)]
    const leads = await furnish(here)
    await fields(there, 'lead')
    const exported = await here.csv('/api/exports/leads')
    const survey = await there.upload(exported.text)
    const worked = await there.run(exported.text, { mapping: { ...survey.body.suggested_mapping, id: null } })
    expect(worked.rows.filter(({ result }) => result !== 'create')).toEqual([])
    expect(worked.body.counts).toEqual({ ...nothing, create: leads.length })
    const theirs = await there.csv('/api/exports/leads')
    expect(theirs.columns).toEqual(exported.columns)
    const rows = (all: Record<string, string>[]) =>
      new Map(all.map(({ id: _, ...row }) => [`${row['contact_name']} ${row['external_id']}`, row]))
    expect(rows(theirs.rows)).toEqual(rows(exported.rows))
    // With their ids they are nobody there, and nothing is made up.
    const wrong = await there.run(exported.text, { mode: 'update', mapping: survey.body.suggested_mapping })
    expect(wrong.body.counts).toEqual({ ...nothing, error: leads.length })
    expect(wrong.rows[0]?.problems[0]?.code).toBe('id_unknown')
  })
})
