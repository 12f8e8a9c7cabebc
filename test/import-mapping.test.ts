import { describe, expect, test } from 'vitest'
import { minorAmount, type Money } from '../db/csv-money.ts'
import { readRows } from '../db/csv-rows.ts'
import { surveyCsv } from '../db/csv-survey.ts'
import { DomainError } from '../db/errors.ts'
import { filterKinds } from '../db/filter-kinds.ts'
import { rowReader, type Mapping } from '../db/import-columns.ts'
import type { KnownNames } from '../db/import-fits.ts'
import { suggestMapping } from '../db/import-mapping.ts'
import { importTargets } from '../db/import-targets.ts'
import { OpportunityFields } from '../db/opportunity-fields.ts'
import { recordKinds, type RecordKind } from '../db/records.ts'
import { customField } from './custom-fields.ts'
import { encodeText, inPieces, leadColumns, leadFile, leadRows, tableOfRows } from './csv-files.ts'

const known: KnownNames = {
  stages: ['New lead', 'Qualified', 'In conversation', 'Proposal sent', 'Closed-Won', 'Closed-Lost'],
  pipelines: ['Agent funnel', 'Opportunities'],
  members: [{ name: 'Grit Muster', email: 'grit@brightside.example' }],
}
const custom = [
  customField('lead', 'team_size', 'integer'),
  customField('lead', 'plan', 'select', ['Basic', 'Pro', 'Enterprise']),
  customField('deal', 'team_size', 'integer'),
]

/** Which field each column is suggested as. */
const suggested = (
  kind: RecordKind,
  columns: string[],
  rows: string[][] = [],
): Record<string, string | null> =>
  Object.fromEntries(
    Object.entries(suggestMapping(columns, rows, importTargets(kind, custom), known)).map(
      ([column, { field }]) => [column, field],
    ),
  )

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

describe('F68: suggestions', () => {
  test('for an export of HubSpot', () => {
    expect(
      suggested(
        'lead',
        [
          'Record ID',
          'First Name',
          'Last Name',
          'Email',
          'Phone Number',
          'Contact owner',
          'Lead Status',
          'Create Date',
          'Associated Company',
          'Job Title',
          'Website URL',
          'Country/Region',
          'Original Source',
          'Message',
        ],
        [
          [
            '1',
            'Bo',
            'Muster',
            'bo@x.example',
            '+49 30 901820',
            'Grit Muster',
            'OPEN',
            '2026-01-01',
            'X',
            'CEO',
            'https://x.example',
            'Germany',
            'Organic',
            'Hello',
          ],
        ],
      ),
    ).toEqual({
      'Record ID': 'external_id',
      'First Name': 'contact_name',
      'Last Name': 'contact_name',
      Email: 'email',
      'Phone Number': 'phone',
      'Contact owner': 'owner',
      // It holds no stage of ours: every row would be an error.
      'Lead Status': null,
      'Create Date': null,
      'Associated Company': 'company_name',
      'Job Title': 'title',
      'Website URL': 'website',
      'Country/Region': 'country',
      'Original Source': 'source',
      Message: 'message',
    })
  })

  test('for exports of Salesforce, Pipedrive, Zoho and Attio', () => {
    expect(
      suggested('deal', [
        'Opportunity Name',
        'Account Name',
        'Amount',
        'Close Date',
        'Stage',
        'Opportunity Owner',
        'Lead Source',
        'Opportunity ID',
      ]),
    ).toEqual({
      'Opportunity Name': 'name',
      'Account Name': 'company_name',
      Amount: 'value',
      'Close Date': 'expected_close_on',
      Stage: 'stage',
      'Opportunity Owner': 'owner',
      'Lead Source': 'source',
      'Opportunity ID': 'external_id',
    })
    expect(
      suggested('deal', [
        'Deal - Title',
        'Deal - Value',
        'Deal - Currency of Value',
        'Deal - Stage',
        'Deal - Owner',
        'Deal - Organization',
        'Deal - Contact person',
        'Deal - Expected close date',
        'Deal - Pipeline',
        'Person - Email - Work',
        'Person - Phone - Work',
      ]),
    ).toEqual({
      'Deal - Title': 'name',
      'Deal - Value': 'value',
      'Deal - Currency of Value': 'currency',
      'Deal - Stage': 'stage',
      'Deal - Owner': 'owner',
      'Deal - Organization': 'company_name',
      'Deal - Contact person': 'contact_name',
      'Deal - Expected close date': 'expected_close_on',
      'Deal - Pipeline': 'pipeline',
      'Person - Email - Work': 'email',
      'Person - Phone - Work': 'phone',
    })
    expect(
      suggested('lead', [
        'Record Id',
        'Lead Owner',
        'Company',
        'First Name',
        'Last Name',
        'Designation',
        'Email',
        'Lead Source',
        'Description',
      ]),
    ).toMatchObject({
      'Record Id': 'external_id',
      'Lead Owner': 'owner',
      Company: 'company_name',
      'First Name': 'contact_name',
      'Last Name': 'contact_name',
      Designation: 'title',
      'Lead Source': 'source',
      Description: 'message',
    })
    expect(
      suggested('account', [
        'Name',
        'Domains',
        'Number of Employees',
        'Annual Revenue',
        'Industry',
        'Account Owner',
      ]),
    ).toEqual({
      Name: 'name',
      Domains: 'website',
      'Number of Employees': 'size',
      'Annual Revenue': 'revenue',
      Industry: 'industry',
      'Account Owner': 'owner',
    })
  })

  test.each<[string, string[]]>([
    [
      'German',
      [
        'Vorname',
        'Nachname',
        'Firma',
        'Telefonnummer',
        'E-Mail-Adresse',
        'Ort',
        'Bundesland',
        'Land',
        'Bemerkungen',
        'Betrag',
        'Währung',
        'Abschlussdatum',
      ],
    ],
    [
      'French',
      [
        'Prénom',
        'Nom de famille',
        'Société',
        'Téléphone',
        'Adresse e-mail',
        'Ville',
        'Département',
        'Pays',
        'Commentaires',
        'Montant',
        'Devise',
        'Date de clôture',
      ],
    ],
    [
      'Spanish',
      [
        'Nombre',
        'Apellidos',
        'Empresa',
        'Teléfono',
        'Correo electrónico',
        'Ciudad',
        'Provincia',
        'País',
        'Comentarios',
        'Importe',
        'Moneda',
        'Fecha de cierre',
      ],
    ],
    [
      'Italian',
      [
        'Nome proprio',
        'Cognome',
        'Azienda',
        'Telefono',
        'Indirizzo email',
        'Città',
        'Provincia',
        'Paese',
        'Commenti',
        'Importo',
        'Valuta',
        'Data di chiusura',
      ],
    ],
    [
      'Portuguese',
      [
        'Primeiro nome',
        'Sobrenome',
        'Empresa',
        'Telefone',
        'Endereço de email',
        'Cidade',
        'Estado',
        'País',
        'Observações',
        'Valor',
        'Moeda',
        'Data de fechamento',
      ],
    ],
    [
      'Dutch',
      [
        'Voornaam',
        'Achternaam',
        'Bedrijf',
        'Telefoonnummer',
        'E-mailadres',
        'Plaats',
        'Provincie',
        'Land',
        'Opmerkingen',
        'Bedrag',
        'Valuta',
        'Verwachte sluitingsdatum',
      ],
    ],
    [
      'English',
      [
        'First name',
        'Surname',
        'Organisation',
        'Telephone',
        'E-mail address',
        'Town',
        'County',
        'Nation',
        'Remarks',
        'Deal value',
        'Currency code',
        'Expected close date',
      ],
    ],
  ])('know the columns in %s', (_, columns) => {
    const fields =
      'contact_name contact_name company_name phone email city state country message value currency expected_close_on'.split(
        ' ',
      )
    expect(suggested('lead', columns)).toEqual(
      Object.fromEntries(columns.map((column, n) => [column, fields[n]])),
    )
  })

  test('go by what cells look like where names do not tell', () => {
    expect(
      suggested(
        'lead',
        ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
        [
          [
            'bo@x.example',
            '+49 30 901820',
            'Germany',
            'Qualified',
            'https://x.example',
            'grit@brightside.example',
            '€ 1.200',
            'words',
          ],
          [
            'jo@y.example',
            '+49 30 901821',
            'France',
            'New lead',
            'https://y.example',
            'Grit Muster',
            '€ 900',
            'more words',
          ],
        ],
      ),
    ).toEqual({
      a: 'email',
      b: 'phone',
      c: 'country',
      d: 'stage',
      e: 'website',
      f: 'owner',
      g: 'value',
      h: null,
    })
  })

  test('are not made against what cells say', () => {
    expect(
      suggested(
        'lead',
        ['Email', 'E-mail opt out', 'Last email date', 'Phone', 'Value'],
        [
          ['12', 'TRUE', '2026-01-01', '+49 30 901820', 'high'],
          ['13', 'FALSE', '2026-01-02', '+49 30 901821', 'low'],
        ],
      ),
    ).toEqual({ Email: null, 'E-mail opt out': null, 'Last email date': null, Phone: 'phone', Value: null })
  })

  test('give a target to the column that fits best, and say so', () => {
    const found = suggestMapping(
      ['Mobile', 'Phone', 'Telefax'],
      [['+49 30 1', '+49 30 901820', 'x']],
      importTargets('lead'),
      known,
    )
    expect(found['Phone']).toMatchObject({ field: 'phone' })
    expect(found['Mobile']).toEqual({ field: null, reason: '“Phone” fits “Phone” better', confidence: 0.6 })
    expect(found['Telefax']?.field).toBeNull()
  })

  test('know custom fields by label and key, and forgive a slip', () => {
    expect(suggested('lead', ['Team size', 'plan', 'Compnay', 'Telefonnumer'])).toEqual({
      'Team size': 'custom.team_size',
      plan: 'custom.plan',
      Compnay: 'company_name',
      Telefonnumer: 'phone',
    })
    expect(suggested('lead', ['Package'], [['Pro'], ['Basic'], ['Enterprise']])).toEqual({
      Package: 'custom.plan',
    })
  })

  test('know a whole name, its parts, and a family name that is just called name', () => {
    const rows = [
      ['Muster', 'Bo'],
      ['Beispiel', 'Ana'],
    ]
    expect(suggested('lead', ['Name', 'Vorname'], rows)).toEqual({
      Name: 'contact_name',
      Vorname: 'contact_name',
    })
    expect(suggested('contact', ['Nom', 'Prénom'], rows)).toEqual({ Nom: 'name', Prénom: 'name' })
    expect(
      suggested('lead', ['Full name', 'First name', 'Last name'], [['Bo Muster', 'Bo', 'Muster']]),
    ).toEqual({ 'Full name': 'contact_name', 'First name': null, 'Last name': null })
    expect(suggested('lead', ['Name'], [['Bo Muster']])).toEqual({ Name: 'contact_name' })
    expect(suggested('deal', ['Name'], [['Solar roof']])).toEqual({ Name: 'name' })
  })

  test('take an export of ours by its names alone', () => {
    const own = [
      'id',
      'external_id',
      'name',
      'contact_name',
      'email',
      'value',
      'currency',
      'stage',
      'custom.plan',
      'score',
      'created_at',
    ]
    expect(Object.keys(filterKinds.lead.fields)).toEqual(expect.arrayContaining(['score', 'created_at']))
    expect(suggested('lead', own)).toEqual({
      ...Object.fromEntries(own.map((column) => [column, column])),
      score: null,
      created_at: null,
    })
    const found = suggestMapping(own, [], importTargets('lead', custom), known)
    expect(found['score']?.reason).toMatch(/cannot be imported/)
    // Somebody else's ids are not ours.
    expect(
      suggested('lead', ['Id', 'Full name', 'Team'], [['018f4e3a-0000-7000-8000-000000000001', 'Bo', 'x']])[
        'Id'
      ],
    ).toBe('external_id')
  })

  test('have a reason and a confidence each, in the order of the file', () => {
    const columns = ['zeta', 'E-mail', 'Phone']
    const found = suggestMapping(columns, [], importTargets('lead'), known)
    expect(Object.keys(found)).toEqual(columns)
    for (const { reason, confidence } of Object.values(found)) {
      expect(reason.length).toBeGreaterThan(10)
      expect(confidence).toBeGreaterThan(0)
      expect(confidence).toBeLessThanOrEqual(1)
    }
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
