import { describe, expect, test } from 'vitest'
import { minorAmount, type Money } from '../db/csv-money.ts'
import { readRows } from '../db/csv-rows.ts'
import { surveyCsv } from '../db/csv-survey.ts'
import { DomainError } from '../db/errors.ts'
import { rowReader, type Mapping } from '../db/import-columns.ts'
import { suggestMapping } from '../db/import-mapping.ts'
import { importTargets } from '../db/import-targets.ts'
import { OpportunityFields } from '../db/opportunity-fields.ts'
import { recordKinds } from '../db/records.ts'
import { encodeText, inPieces, leadColumns, leadFile, leadRows, tableOfRows } from './csv-files.ts'
import { custom, known } from './import-mapping.ts'

describe('F89: what columns can be imported as', () => {
  test('are the fields of the record, what is looked up, and its custom fields, each once', () => {
    for (const kind of recordKinds) {
      const fields = importTargets(kind, custom).map(({ field }) => field)
      expect(new Set(fields).size).toBe(fields.length)
      expect(fields).toContain('owner')
    }
    const lead = importTargets('lead', custom).map(({ field }) => field)
    expect(lead).toEqual(
      expect.arrayContaining([
        ...Object.keys(OpportunityFields.shape),
        ...'id value stage pipeline account contact custom.team_size custom.plan'.split(' '),
      ]),
    )
    expect(importTargets('contact', custom).map(({ field }) => field)).not.toContain('custom.team_size')
  })

  test('have a type by which their cells are read', () => {
    const types = Object.fromEntries(importTargets('deal', custom).map(({ field, type }) => [field, type]))
    expect(types).toMatchObject({
      name: 'text',
      message: 'long_text',
      email: 'email',
      phone: 'phone',
      website: 'url',
      country: 'country',
      currency: 'currency',
      value: 'money',
      value_minor: 'integer',
      expected_close_on: 'date',
      forecast_category: 'select',
      tags: 'tags',
      owner_id: 'id',
      owner: 'reference',
      'custom.team_size': 'integer',
    })
    expect(
      importTargets('account')
        .find(({ field }) => field === 'lifecycle')
        ?.options?.map(({ label }) => label),
    ).toContain('Former customer')
  })
})

describe('F68: rows by a mapping', () => {
  const dialect = {
    columns: ['Nachname', 'Vorname', 'Note', 'More', 'Tags', 'Tags 2', 'Closed', 'x'],
    decimal: ',' as const,
    dates: { Closed: 'dmy' as const },
  }
  const read = (mapping: Mapping, cells: string[]) =>
    rowReader(dialect, mapping, importTargets('lead', custom))(cells)

  test('several columns of one target are joined, a first name before the family’s', () => {
    const { values, faults, extra } = read(
      {
        Nachname: 'contact_name',
        Vorname: 'contact_name',
        Note: 'message',
        More: 'message',
        Tags: 'tags',
        'Tags 2': 'tags',
        Closed: 'expected_close_on',
        x: null,
      },
      ['Muster', 'Bo', 'one', 'two', 'hot; fair', 'fair, new', '31.03.2026', 'kept'],
    )
    expect(faults).toEqual([])
    expect(values).toEqual({
      contact_name: 'Bo Muster',
      message: 'one\ntwo',
      tags: ['hot', 'fair', 'new'],
      expected_close_on: '2026-03-31',
    })
    expect(extra).toEqual({ x: 'kept' })
  })

  test('blank cells are null, also between others', () => {
    const { values, extra } = read(
      { Nachname: 'contact_name', Vorname: 'contact_name', Closed: 'expected_close_on' },
      ['Muster', ' ', '', '', '', '', '', ' '],
    )
    expect(values).toEqual({ contact_name: 'Muster', expected_close_on: null })
    expect(extra).toEqual({})
  })

  test('what cannot be read names its column, its field, what is accepted and the nearest', () => {
    const { values, faults } = read({ Closed: 'expected_close_on', Note: 'custom.plan', x: 'email' }, [
      '',
      '',
      'Prro',
      '',
      '',
      '',
      '31.02.2026',
      'nobody',
    ])
    expect(faults).toMatchObject([
      { column: 'Note', field: 'custom.plan', nearest: 'Pro', accepted: ['Basic', 'Pro', 'Enterprise'] },
      { column: 'Closed', field: 'expected_close_on', nearest: '2026-02-28' },
      { column: 'x', field: 'email', message: '“nobody” is not an e-mail address such as ana@example.com' },
    ])
    expect(values).toEqual({ expected_close_on: null, 'custom.plan': null, email: null })
  })

  test('a mapping that cannot be carried out is refused before any row, with every fault', () => {
    const refused = (mapping: Mapping): DomainError => {
      try {
        read(mapping, [])
      } catch (error) {
        if (error instanceof DomainError) return error
        throw error
      }
      throw new Error('it was not refused')
    }
    const error = refused({ Vornamen: 'contact_name', Nachname: 'contact_nam', Note: 'email', More: 'email' })
    expect(error.code).toBe('mapping_invalid')
    expect(error.errors.map(({ pointer, message }) => [pointer, message])).toEqual([
      ['/mapping/Vornamen', 'The file has no column “Vornamen”. Did you mean “Vorname”?'],
      ['/mapping/Nachname', 'There is no field “contact_nam”. Did you mean “contact_name”?'],
      ['/mapping/More', '“E-mail” takes one column, and “Note” is given to it already.'],
    ])
    expect(refused({}).code).toBe('mapping_empty')
    expect(refused({ Note: null }).code).toBe('mapping_empty')
  })
})

describe('F68: from bytes to values', () => {
  test('a German file of Excel, in every step', async () => {
    const table = tableOfRows(
      [
        ['Nachname', 'Vorname', 'Firma', 'E-Mail', 'Telefon', 'Land', 'Betrag', 'Abschluss', 'Status'],
        [
          'Müßig',
          'Jörg',
          'Möbel; Söhne',
          'JOERG@Moebel.example ',
          '030 901820',
          'Österreich',
          '1.234,50 €',
          '31.12.2026',
          'Qualified',
        ],
        [
          'Groß',
          'Änne',
          '"Groß" & Co.',
          'aenne@gross.example',
          '',
          'Deutschland',
          '12k',
          '01.02.2027',
          'New lead',
        ],
      ],
      { delimiter: ';' },
    )
    const bytes = encodeText(table, 'windows-1252')
    const survey = await surveyCsv(inPieces(bytes, 10), {}, { country: 'DE' })
    expect(survey).toMatchObject({
      rows: 2,
      dialect: { encoding: 'windows-1252', delimiter: ';', decimal: ',', dates: { Abschluss: 'dmy' } },
      ambiguous_dates: [],
    })
    const targets = importTargets('lead')
    const suggestions = suggestMapping(survey.dialect.columns, survey.sample, targets, known)
    const mapping = Object.fromEntries(
      Object.entries(suggestions).map(([column, { field }]) => [column, field]),
    )
    const reader = rowReader(survey.dialect, mapping, targets)
    const readings = []
    for await (const batch of readRows(inPieces(bytes, 7), survey.dialect))
      for (const row of batch) readings.push({ line: row.line, ...reader(row.cells) })
    expect(readings[0]).toEqual({
      line: 2,
      values: {
        contact_name: 'Jörg Müßig',
        company_name: 'Möbel; Söhne',
        email: 'joerg@moebel.example',
        phone: '030 901820',
        country: 'AT',
        value: { amount: '1234.50', currencies: ['EUR'] },
        expected_close_on: '2026-12-31',
        stage: 'Qualified',
      },
      faults: [],
      extra: {},
    })
    expect(minorAmount(readings[0]?.values['value'] as Money, { fallback: 'CHF' })).toEqual({
      value: 123_450,
      currency: 'EUR',
    })
    expect(readings[1]).toMatchObject({
      line: 3,
      values: { phone: null, value: null, company_name: '"Groß" & Co.' },
      faults: [{ column: 'Betrag', field: 'value', nearest: '12000' }],
    })
  })

  test('every row of a long list says what it was made of', { timeout: 60_000 }, async () => {
    const list = { rows: 5_000, seed: 3, repeated: 0.05, faulty: 0.05, blank: 0.01 }
    const made = [...leadRows(list)].filter(({ is }) => is !== 'blank')
    const survey = await surveyCsv(leadFile(list))
    const targets = importTargets('lead')
    const suggestions = suggestMapping(survey.dialect.columns, survey.sample, targets)
    expect(leadColumns.map((column) => suggestions[column]?.field)).toEqual(
      'contact_name contact_name email phone company_name website title city country source value currency expected_close_on tags message'.split(
        ' ',
      ),
    )
    const mapping = Object.fromEntries(
      Object.entries(suggestions).map(([column, { field }]) => [column, field]),
    )
    const reader = rowReader(survey.dialect, mapping, targets)
    const faulty: number[] = []
    const addresses = new Set<unknown>()
    for await (const batch of readRows(leadFile(list), survey.dialect))
      for (const { n, cells, fault } of batch) {
        const { values, faults } = reader(cells)
        if (fault || faults.length > 0) faulty.push(n)
        else addresses.add(values['email'])
      }
    expect(faulty).toEqual(made.flatMap(({ is }, n) => (is === 'faulty' ? [n + 1] : [])))
    const real = made.filter(({ is }) => is !== 'faulty').map(({ cells }) => cells[2]?.trim().toLowerCase())
    expect(addresses).toEqual(new Set(real))
  })
})
