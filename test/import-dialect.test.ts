import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type ApiWorld } from './api.ts'
import { type Importing, openImporting } from './import-world.ts'

let api: ApiWorld
let own: Importing
beforeAll(async () => {
  api = await openApi()
  own = await openImporting(api)
})
afterAll(() => api.stop())

/** Uploads a file as somebody says that it is written. */
const upload = async (file: string | Uint8Array, dialect?: unknown) => {
  const form = new FormData()
  form.set('kind', 'lead')
  if (dialect !== undefined)
    form.set('dialect', typeof dialect === 'string' ? dialect : JSON.stringify(dialect))
  form.set('file', new Blob([new Uint8Array(Buffer.from(file))]), 'list.csv')
  const response = await api.app.request('/api/imports', {
    method: 'POST',
    body: form,
    headers: { authorization: `Bearer ${own.key}` },
  })
  return { status: response.status, body: (await response.json()) as any }
}

const rows = (count: number) =>
  Array.from({ length: count }, (_, n) => `Bo ${n},b${n}@way.example`).join('\n')
const mixed = Buffer.concat([Buffer.from('Name,City\nJosé,Köln\n'), Buffer.from('Zoë,Málaga\n', 'latin1')])

describe('F68: a file that is refused for how it is written is taken as its owner says', () => {
  test.each<[code: string, file: string | Uint8Array, dialect: object, cells: string[]]>([
    ['csv_encoding_mixed', mixed, { encoding: 'utf-8-or-windows-1252' }, ['José', 'Köln']],
    ['csv_quote_open', 'Name,Size\nTV,"5\nTablet,7\n', { quote: "'" }, ['TV', '"5']],
    ['csv_no_rows', 'Ann Lee,Rome\n', { header: false }, ['Ann Lee', 'Rome']],
    [
      'csv_no_columns',
      'This is said of Ann Lee: Rome\nand that is said of Bo Lind who lives: Bern\nCy is from far away: Bonn\n',
      { delimiter: ':', header: false },
      ['This is said of Ann Lee', ' Rome'],
    ],
    [
      'csv_too_many_columns',
      `Name;Note\n${Array.from({ length: 3 }, () => `Ann;${'a,'.repeat(5_000)}b`).join('\n')}\n`,
      { delimiter: ';' },
      ['Ann', expect.stringMatching(/^a,a,/)],
    ],
  ])('%s', async (code, file, dialect, cells) => {
    const refused = await upload(file)
    expect(refused).toMatchObject({ status: 422, body: { code } })
    expect(refused.body.detail).toContain('form field “dialect”, such as {"')
    const fault = refused.body.errors.find(({ pointer }: any) => pointer.startsWith('/dialect/'))
    expect([fault?.accepted !== undefined, Object.keys(dialect)]).toEqual([
      true,
      expect.arrayContaining([fault?.pointer.slice('/dialect/'.length)]),
    ])
    const taken = await upload(file, dialect)
    expect(taken, JSON.stringify(taken.body)).toMatchObject({ status: 201, body: { dialect } })
    expect(taken.body.sample[0]).toEqual(cells)
    expect((await own.ask('GET', `/api/imports/${taken.body.id}`)).body.dialect).toMatchObject(dialect)
  })

  test('and is imported so', async () => {
    const { body } = await upload(mixed, { encoding: 'utf-8-or-windows-1252' })
    await own.ask('POST', `/api/imports/${body.id}/run`, { mapping: { Name: 'contact_name', City: 'city' } })
    expect((await own.work(body.id)).body.counts.create).toBe(2)
    expect((await own.list('leads')).map(({ contact_name, city }) => [contact_name, city])).toEqual([
      ['José', 'Köln'],
      ['Zoë', 'Málaga'],
    ])
  })

  test.each<[dialect: unknown, pointer: string, said: RegExp]>([
    [{ encoding: 'utf-9' }, '/dialect/encoding', /one of: utf-8/],
    [{ delimeter: ';' }, '/dialect/delimeter', /no field/],
    [{ first_line: 0 }, '/dialect/first_line', /at least 1/],
    ['delimiter=;', '/dialect', /JSON, such as/],
    ['[]', '/dialect', /takes an object/],
  ])('what /survey would refuse is refused: %j', async (dialect, pointer, said) => {
    const { status, body } = await upload(`Name,E-mail\n${rows(2)}\n`, dialect)
    expect([status, body.code, body.errors[0].pointer]).toEqual([422, 'invalid_input', pointer])
    expect(body.errors[0].message).toMatch(said)
  })

  test('what no dialect would make readable says nothing of one; the documentation does', async () => {
    for (const file of ['', '%PDF-1.7\n'])
      expect((await upload(file)).body).toMatchObject({
        code: expect.stringMatching(/^csv_/),
        detail: expect.not.stringContaining('dialect'),
      })
    const { body } = await own.ask('GET', '/openapi.json')
    const form = body.paths['/api/imports'].post.requestBody.content['multipart/form-data'].schema
    expect(Object.keys(form.properties)).toEqual(['kind', 'dialect', 'file'])
    expect(form.required).toEqual(['kind', 'file'])
    expect(form.properties.dialect.properties.encoding.enum).toContain('utf-8-or-windows-1252')
  })
})
