import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../api/app.ts'
import { serveApi } from '../api/server.ts'
import { APP_URL, nothingOutside, openApi, type ApiWorld } from './api.ts'
import { type Importing, nothing, openImporting } from './import-world.ts'

let api: ApiWorld
let org: Importing
beforeAll(async () => {
  api = await openApi()
  org = await openImporting(api)
})
afterAll(() => api.stop())

describe('bad input has a clear answer, and leaves nothing half done', () => {
  const columns = Array.from({ length: 10_000 }, (_, n) => `c${n}`).join(',')
  test.each([
    ['an empty file', '', 'csv_empty', /empty/],
    ['only names of columns', 'Name,E-mail\n', 'csv_no_rows', /no rows/],
    ['only names and blank rows', 'Name,E-mail\n,\n ,\n', 'csv_no_rows', /no rows/],
    [
      'an Excel file',
      Buffer.from('PK\x03\x04\x14\x00\x06\x00xl/workbook.xml', 'latin1'),
      'csv_not_csv',
      /Excel/,
    ],
    ['a PDF', '%PDF-1.7\n1 0 obj', 'csv_not_csv', /PDF/],
    ['JSON', '[{"name":"Ana"}]', 'csv_not_csv', /JSON/],
    ['a web page', '<!doctype html><html><body>x</body></html>', 'csv_not_csv', /HTML|web page/i],
    [
      'a quote that never closes',
      'Name,E-mail\nAna,a@b.example\n"Bo,b@b.example\nCy,c@b.example\n',
      'csv_quote_open',
      /line 3/,
    ],
    ['10,000 columns', `${columns}\n${columns}\n`, 'csv_too_many_columns', /10,000/],
    [
      'two encodings in one file',
      Buffer.concat([Buffer.from('Name,City\nJosé,Köln\n'), Buffer.from('Zoë,Málaga\n', 'latin1')]),
      'csv_encoding_mixed',
      /Line 3/,
    ],
    [
      'bytes of anything',
      Buffer.from(Array.from({ length: 3_000 }, (_, n) => (n * 7) % 32)),
      undefined,
      /text|CSV/,
    ],
  ] as const)('%s', async (_what, file, code, named) => {
    const before = await org.ask('GET', '/api/imports?limit=1')
    const { status, body } = await org.upload(typeof file === 'string' ? file : new Uint8Array(file))
    expect(status, JSON.stringify(body)).toBe(422)
    if (code) expect(body.code).toBe(code)
    expect(body.detail).toMatch(named)
    expect((await org.ask('GET', '/api/imports?limit=1')).body).toEqual(before.body)
  })

  test('a file over the limit is refused with the limit, before it was read', async () => {
    const app = createApp({
      db: api.db,
      auth: api.auth,
      outside: nothingOutside,
      app_url: APP_URL,
      model: 'rules',
      max_upload_mb: 1,
    })
    const served = await serveApi(app, { host: '127.0.0.1', port: 0 })
    try {
      const form = new FormData()
      form.set('kind', 'lead')
      form.set('file', new Blob([`Name\n${'Ana\n'.repeat(600_000)}`]), 'large.csv')
      const response = await fetch(`${served.url}/api/imports`, {
        method: 'POST',
        body: form,
        headers: { authorization: `Bearer ${org.key}` },
      })
      const body = (await response.json()) as Record<string, unknown>
      expect(response.status).toBe(413)
      expect(body).toMatchObject({ code: 'file_too_large', limit_bytes: 1024 * 1024 })
      expect(body['detail']).toMatch(/1 MB/)
    } finally {
      await served.close()
      await app.stop()
    }
  })

  test('a NUL in a cell is an error of its row, the file is taken; names are never what hides', async () => {
    const file = 'Na\0me,E-mail,Other\nAna,a@nul.example,x\0y\nB\0o,b@nul.example,\nCy,c@nul.example,z\n'
    const survey = await org.upload(file)
    expect(survey).toMatchObject({
      status: 201,
      body: { columns: ['Name', 'E-mail', 'Other'], faulty_rows: 2 },
    })
    expect(survey.body.sample[1][0]).toBe('B\ufffdo')
    const { body, rows, id } = await org.run(file)
    expect(body.counts).toEqual({ ...nothing, create: 1, error: 2 })
    expect(rows[0]).toMatchObject({
      line: 2,
      result: 'error',
      problems: [{ code: 'nul_character', message: expect.stringContaining('Cell 3') }],
    })
    expect((await org.csv(`/api/imports/${id}/errors`)).rows.map(({ error }) => error)).toEqual([
      expect.stringContaining('NUL'),
      expect.stringContaining('NUL'),
    ])
  })

  test('rows that are too short, too long or hold a stray quote are errors of their own', async () => {
    const { body, rows } = await org.run(
      'Name,E-mail,City\nAna,a@short.example\nBo,b@short.example,Rome,and more\n"Cy "the" boss",c@short.example,Oslo\nDo,d@short.example,Bern\n',
    )
    expect(rows.map(({ problems }) => problems[0]?.code)).toEqual([
      'row_too_short',
      'row_too_long',
      'quote_stray',
      undefined,
    ])
    expect(body.counts).toEqual({ ...nothing, create: 1, error: 3 })
  })

  test('the same name twice names two columns, told apart; what goes nowhere is kept beside the record', async () => {
    const { body } = await org.upload('Name,E-mail,Note,Note\nEla,ela@twice.example,one,two\n')
    expect(body.columns).toEqual(['Name', 'E-mail', 'Note', 'Note (2)'])
    expect(body.warnings.join()).toContain('Note (2)')
    const { rows } = await org.run('Name,E-mail,Note,Note\nEla,ela@twice.example,one,two\n', {
      mapping: { Name: 'contact_name', 'E-mail': 'email', Note: 'message' },
    })
    const { body: lead } = await org.ask('GET', `/api/leads/${rows[0]?.record?.id}`)
    expect(lead.message).toBe('one')
    const [made] = await org.timeline('lead', lead.id)
    expect(made).toMatchObject({ type: 'lead_imported', data: { door: 'import' } })
    expect(JSON.stringify(lead) + JSON.stringify(made)).toContain('two')
  })

  test('a cell that begins like a formula is a text; what an export hid is restored', async () => {
    const { rows } = await org.run(
      "Name,E-mail,Company,Title\n=HYPERLINK(1),h@formula.example,'=1+1,''=2\n@import,i@formula.example,+49 GmbH,-1\n",
    )
    const leads = await Promise.all(
      rows.map(async ({ record }) => (await org.ask('GET', `/api/leads/${record?.id}`)).body),
    )
    expect(leads[0]).toMatchObject({ contact_name: '=HYPERLINK(1)', company_name: '=1+1', title: "'=2" })
    expect(leads[1]).toMatchObject({ contact_name: '@import', company_name: '+49 GmbH', title: '-1' })
  })
})
