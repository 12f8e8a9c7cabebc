import { describe, expect, test } from 'vitest'
import { filterKinds } from '../db/filter-kinds.ts'
import { suggestMapping } from '../db/import-mapping.ts'
import { importTargets } from '../db/import-targets.ts'
import { custom, known, suggested } from './import-mapping.ts'

describe('F68: suggestions', () => {
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
