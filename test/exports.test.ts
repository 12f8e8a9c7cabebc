import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../db/accounts.ts'
import { createContact } from '../db/contacts.ts'
import { inTx } from '../db/context.ts'
import { neutraliseCell, restoreCell } from '../db/csv-cells.ts'
import { csvLine } from '../db/csv-writing.ts'
import { archiveField } from '../db/field-archiving.ts'
import { createField } from '../db/fields.ts'
import { updateLead } from '../db/leads.ts'
import { openApi, type ApiWorld } from './api.ts'
import { eventually } from './eventually.ts'
import { loseCard, makeLead } from './worked-lead.ts'

let api: ApiWorld
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.stop())

/** The rows of an export, by the names of its columns, as a program reads them. */
const read = async (path: string, headers?: Record<string, string>) => {
  const response = await api.ask('GET', path, undefined, headers)
  const text = await response.text()
  if (response.status !== 200) return { response, rows: [], columns: [], problem: JSON.parse(text) }
  const [columns = [], ...rows] = parse(text, { bom: true })
  return {
    response,
    columns,
    rows: rows.map((row) => Object.fromEntries(row.map((cell, n) => [columns[n] ?? '', cell]))),
    problem: undefined,
  }
}
const asked = (noun: string, query: Record<string, unknown>) => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    search.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  return `/api/exports/${noun}?${search.toString()}`
}

describe('F101: a list is exported', () => {
  test('with a column as often as it is named', async () => {
    await makeLead(api.ctx, { contact_name: 'Twice Named', owner_id: api.owner.user_id })
    const filter = '{"field":"name","op":"eq","value":"Twice Named"}'
    const response = await api.ask('GET', asked('leads', { columns: 'owner,stage,owner', filter }))
    expect(await response.text()).toBe(
      `owner,stage,owner\r\n${api.owner.email},New lead,${api.owner.email}\r\n`,
    )
  })

  test('with what an import takes: id and external id first, money in major units, people and stages by name', async () => {
    const account = await createAccount(api.ctx, { name: 'Brightside' })
    const contact = await createContact(api.ctx, { name: 'Ana Ruiz' })
    const lead = await makeLead(api.ctx, {
      contact_name: 'José “Pepe” Núñez; Sr.',
      external_id: 'crm-1',
      value_minor: 125_050,
      currency: 'EUR',
      phone: '+44 20 7946 0018',
      owner_id: api.owner.user_id,
      tags: ['hot', 'a; b'],
      message: 'Line one\nLine "two", and three',
      account_ids: [account.id],
      contact_ids: [contact.id],
    })
    const { response, columns, rows } = await read('/api/exports/leads')
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="leads.csv"')
    expect(columns.slice(0, 2)).toEqual(['id', 'external_id'])
    expect(columns).not.toContain('value_minor')
    expect(rows.find((row) => row['id'] === lead.id)).toMatchObject({
      external_id: 'crm-1',
      contact_name: 'José “Pepe” Núñez; Sr.',
      value: '1250.50',
      currency: 'EUR',
      phone: "'+442079460018",
      owner: api.owner.email,
      stage: 'New lead',
      pipeline: lead.stage.id && expect.any(String),
      account: 'Brightside',
      contact: 'Ana Ruiz',
      tags: 'hot; "a; b"',
      message: 'Line one\nLine "two", and three',
    })
  })

  test('an account whose name another one has is named by its id', async () => {
    const [one] = [
      await createAccount(api.ctx, { name: 'Twins' }),
      await createAccount(api.ctx, { name: 'Twins' }),
    ]
    const lead = await makeLead(api.ctx, { account_ids: [one.id] })
    const { rows } = await read(asked('leads', { filter: { field: 'id', op: 'eq', value: lead.id } }))
    expect(rows[0]?.['account']).toBe(one.id)
  })

  test('filter, search and order are the list’s; without rows there are the names of the columns', async () => {
    await makeLead(api.ctx, { contact_name: 'Zoe Filtered', source: 'maps', value_minor: 5 })
    await makeLead(api.ctx, { contact_name: 'Yan Filtered', source: 'maps', value_minor: 7 })
    const none = await makeLead(api.ctx, { contact_name: 'Xi Filtered', source: 'maps' })
    const filter = { field: 'source', op: 'eq', value: 'maps' }
    const byValue = await read(asked('leads', { filter, sort: '-value_minor' }))
    expect(byValue.rows.map((row) => row['contact_name'])).toEqual([
      'Yan Filtered',
      'Zoe Filtered',
      'Xi Filtered',
    ])
    const words = await read(asked('leads', { q: 'zoe filtered' }))
    expect(words.rows).toHaveLength(1)
    await api.json('DELETE', `/api/leads/${none.id}`)
    expect((await read(asked('leads', { filter }))).rows).toHaveLength(2)
    const empty = await read(asked('leads', { filter: { field: 'source', op: 'eq', value: 'nobody' } }))
    expect(empty.rows).toEqual([])
    expect(empty.columns).toContain('contact_name')
  })

  test('other columns are asked for by name, custom fields and what is computed among them', async () => {
    await createField(api.ctx, { record_kind: 'lead', key: 'seats', label: 'Seats', type: 'integer' })
    await createField(api.ctx, {
      record_kind: 'lead',
      key: 'uses',
      label: 'Uses',
      type: 'multi_select',
      options: [{ label: 'Cafés' }, { label: 'Offices' }],
    })
    const old = await createField(api.ctx, {
      record_kind: 'lead',
      key: 'old',
      label: 'Old',
      type: 'short_text',
    })
    const lead = await makeLead(api.ctx, { custom: { seats: 40, old: 'x', uses: ['cafes', 'offices'] } })
    await archiveField(api.ctx, old.id)
    const filter = { field: 'id', op: 'eq', value: lead.id }
    const { rows, columns } = await read(asked('leads', { filter }))
    expect(rows[0]).toMatchObject({ 'custom.seats': '40', 'custom.uses': 'cafes; offices' })
    expect(columns).not.toContain('custom.old')
    const chosen = await read(
      asked('leads', { filter, columns: 'name,score,days_in_stage,custom.seats,created_at,is_open' }),
    )
    expect(chosen.columns).toEqual([
      'name',
      'score',
      'days_in_stage',
      'custom.seats',
      'created_at',
      'is_open',
    ])
    expect(chosen.rows[0]).toMatchObject({ days_in_stage: '0', 'custom.seats': '40', is_open: 'true' })
    expect(Date.parse(String(chosen.rows[0]?.['created_at']))).toBe(lead.created_at.getTime())
  })

  test.each([
    ['a column nobody knows', { columns: 'name,scorre' }, 'unknown_field', 'score'],
    [
      'a filter field nobody knows',
      { filter: { field: 'sorce', op: 'eq', value: 'x' } },
      'unknown_field',
      'source',
    ],
    ['an order that is none', { sort: '-is_open' }, 'invalid_sort', 'is_open'],
  ])('refuses %s before anything is written', async (_what, query, code, named) => {
    const { response, problem } = await read(asked('leads', query))
    expect(response.status).toBe(422)
    expect(problem.code).toBe(code)
    expect(JSON.stringify(problem)).toContain(named)
  })

  test.each([
    'deals',
    'opportunities',
    'accounts',
    'contacts',
    'tasks',
    'notes',
    'activities',
    'files',
    'campaigns',
    'submissions',
  ])('%s can be exported', async (noun) => {
    await makeLead(api.ctx)
    const { response, columns } = await read(`/api/exports/${noun}`)
    expect(response.status).toBe(200)
    expect(columns).toContain('id')
  })

  test('who may not read a kind of record exports none, and a viewer exports nothing', async () => {
    const viewer = await api.keyFor('viewer')
    expect(
      (await api.ask('GET', '/api/exports/leads', undefined, { authorization: `Bearer ${viewer}` })).status,
    ).toBe(403)
  })
})

describe('a report is exported', () => {
  test('as CSV to whoever asks for it: a line for each row, with what stands above it', async () => {
    const lead = await makeLead(api.ctx, { source: '=cmd', value_minor: 500 })
    await loseCard(api.ctx, lead.id)
    const { rows, response } = await read('/api/reports/lost-reasons?by=source', { accept: 'text/csv' })
    expect(response.headers.get('content-disposition')).toContain('reports-lost-reasons.csv')
    const line = rows.find((row) => row['groups.label'] === "'=cmd")
    expect(line).toMatchObject({ by: 'source', 'groups.lost': '1' })
    const { body } = await api.json('GET', '/api/reports/lost-reasons?by=source')
    expect(rows.filter((row) => row['total.lost'] === String(body.total.lost)).length).toBe(rows.length)
    const distribution = await read('/api/pipelines/distribution', { accept: 'text/csv' })
    expect(distribution.rows.length).toBeGreaterThan(5)
    const json = await api.ask('GET', '/api/reports/lost-reasons', undefined, {
      accept: 'application/json, */*',
    })
    expect(json.headers.get('content-type')).toBe('application/json')
  })
})

describe('P22: an export carries nothing live', () => {
  const hostile = [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    ' =1',
    "'=1",
    '＝1',
    '\u200B=1',
    'a;=1+1',
    'a\t=1',
    '"=1',
  ]

  test('no cell starts a formula, and reading it back gives the original', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: 'grapheme' })), { minLength: 1 }),
        (texts) => {
          const line = csvLine(texts)
          const [cells = []] = parse(line, { relax_column_count: true })
          expect(cells.map((cell) => restoreCell(cell))).toEqual(texts)
          for (const cell of cells) expect(cell).not.toMatch(/^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]/u)
          expect(cells).toEqual(texts.map((text) => neutraliseCell(text)))
        },
      ),
    )
  })

  test('what somebody outside wrote is inert in the file', async () => {
    for (const name of hostile)
      await makeLead(api.ctx, { contact_name: `${name} x`, company_name: name, source: 'hostile' })
    const response = await api.ask(
      'GET',
      asked('leads', { filter: { field: 'source', op: 'eq', value: 'hostile' } }),
    )
    const text = await response.text()
    const rows = parse(text, { bom: true })
    expect(rows).toHaveLength(hostile.length + 1)
    for (const cell of rows.flat()) expect(cell).not.toMatch(/^[\s\p{Cc}\p{Cf}]*[=+\-@＝]/u)
    expect(response.headers.get('content-security-policy')).toContain('sandbox')
  })
})

describe('a large export', () => {
  test('goes out as it is read, one moment of the list, and ends when nobody reads on', async () => {
    const lead = await makeLead(api.ctx, { source: 'many' })
    await inTx(api.ctx, async ({ tx, organization_id }) => {
      await tx`
        insert into opportunities (organization_id, id, kind, name, message, pipeline_id, stage_id, position, origin, currency, source)
        select organization_id, gen_random_uuid(), kind, name || n, repeat('x', 400), pipeline_id, stage_id, position, origin, currency, source
        from opportunities, generate_series(1, 6000) n where organization_id = ${organization_id} and id = ${lead.id}`
    })
    const path = asked('leads', { filter: { field: 'source', op: 'eq', value: 'many' } })
    const { rows } = await read(path)
    expect(rows).toHaveLength(6_001)
    // Half of it read, then the reader goes away: the connection comes back, and the next one is served.
    for (let n = 0; n < 3; n++) {
      const response = await api.ask('GET', path)
      const reader = response.body!.getReader()
      await reader.read()
      await updateLead(api.ctx, lead.id, { title: `Changed ${n}` })
      await reader.cancel()
      await expect
        .poll(async () => {
          const [row] = await inTx(api.ctx, ({ tx }) =>
            tx<{ n: number }[]>`
              select count(*)::int as n from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%'`.execute(),
          )
          return row?.n
        })
        .toBe(0)
    }
    const served = () =>
      eventually(async () => {
        const response = await api.ask('GET', path)
        return response.status === 200 ? response : undefined
      })
    const open = [await served(), await served(), await served(), await served()]
    const busy = await api.json('GET', path)
    expect(busy).toMatchObject({ status: 503, body: { code: 'downloads_busy' } })
    for (const response of open) expect((await response.text()).length).toBeGreaterThan(2_400_000)
    expect((await read(path)).rows).toHaveLength(6_001)
  })
})
