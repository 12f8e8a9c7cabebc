import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { joinList, neutraliseCell, restoreCell, splitList } from '../db/csv-cells.ts'
import { readDate } from '../db/csv-dates.ts'
import { cellReader } from '../db/csv-values.ts'
import { importTargets } from '../db/import-targets.ts'
import { csvFields, faultOf, read, valueOf } from './csv-values.ts'
import { customField } from './custom-fields.ts'

describe('F89: dates', () => {
  test.each([
    ['2026-03-31', 'dmy', '2026-03-31'],
    ['2026-03-31T23:30:00+02:00', 'dmy', '2026-03-31'],
    ['2026-03-31 14:05', 'mdy', '2026-03-31'],
    ['31.03.2026', 'dmy', '2026-03-31'],
    ['31. 3. 2026', 'dmy', '2026-03-31'],
    ['3/31/26', 'mdy', '2026-03-31'],
    ['03/31/2026 2:30 PM', 'mdy', '2026-03-31'],
    ['31-03-2026', 'dmy', '2026-03-31'],
    ['2026/3/31', 'ymd', '2026-03-31'],
    ['20260331', 'ymd', '2026-03-31'],
    ['26-03-31', 'ymd', '2026-03-31'],
    ['31. März 2026', 'ymd', '2026-03-31'],
    ['31 Mar 2026', 'ymd', '2026-03-31'],
    ['March 31st, 2026', 'ymd', '2026-03-31'],
    ['31-Mar-26', 'ymd', '2026-03-31'],
    ['1er janvier 2026', 'ymd', '2026-01-01'],
    ['3 de marzo de 2026', 'ymd', '2026-03-03'],
    ['15 août 2026', 'ymd', '2026-08-15'],
    ['01/02/69', 'dmy', '1969-02-01'],
    ['01/02/68', 'dmy', '2068-02-01'],
  ] as const)('“%s” as %s is %s', (cell, date, day) => {
    expect(valueOf('expected_close_on', cell, { date })).toBe(day)
  })

  test.each([
    ['31.02.2026', 'dmy', '2026-02-28'],
    ['03/25/2026', 'dmy', '2026-03-25'],
    ['25/03/2026', 'mdy', '2026-03-25'],
    ['46112', 'dmy', '2026-03-31'],
    ['30 Feb 2026', 'ymd', '2026-02-28'],
    ['soon', 'dmy', undefined],
    ['2026-13-01', 'ymd', undefined],
    ['00.00.0000', 'dmy', undefined],
    ['1.2', 'dmy', undefined],
    ['31 Foo 2026', 'dmy', undefined],
  ] as const)('“%s” as %s is none, the nearest is %s', (cell, date, nearest) => {
    const fault = faultOf('expected_close_on', cell, { date })
    expect(fault.nearest).toBe(nearest)
    expect(fault.accepted).toContain('2026-03-31')
  })

  test('of any day, in any style, are read back', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1970-01-01'), max: new Date('2068-12-31'), noInvalidDate: true }),
        fc.constantFrom('ymd', 'dmy', 'mdy'),
        fc.constantFrom('.', '/', '-'),
        fc.boolean(),
        fc.boolean(),
        (day, style, separator, short, padded) => {
          const iso = day.toISOString().slice(0, 10)
          const [y = '', m = '', d = ''] = iso.split('-')
          const [year, month, date] = [
            short ? y.slice(2) : y,
            padded ? m : String(Number(m)),
            padded ? d : String(Number(d)),
          ]
          const parts =
            style === 'ymd'
              ? [year, month, date]
              : style === 'dmy'
                ? [date, month, year]
                : [month, date, year]
          const text = parts.join(separator)
          fc.pre(text.length >= 6)
          expect(readDate(text, style)).toBe(iso)
        },
      ),
    )
  })
})

describe('F68: addresses, names and choices', () => {
  test('are what every other door takes', () => {
    expect(valueOf('email', ' Ana.Ruiz@Example.COM ')).toBe('ana.ruiz@example.com')
    expect(valueOf('email', 'Ana Ruiz <Ana@example.com>')).toBe('ana@example.com')
    expect(valueOf('email', 'mailto:ana@example.com')).toBe('ana@example.com')
    expect(valueOf('website', 'example.com/shop')).toBe('example.com/shop')
    expect(valueOf('phone', '030 / 90 18 20')).toBe('030 / 90 18 20')
    expect(valueOf('country', 'Deutschland')).toBe('DE')
    expect(valueOf('country', 'Atlantis')).toBe('Atlantis')
    expect(valueOf('currency', '€')).toBe('EUR')
    expect(valueOf('currency', 'usd')).toBe('USD')
    expect(valueOf('company_name', '  Muster \n GmbH\u200b ')).toBe('Muster GmbH')
    expect(valueOf('message', 'one\r\ntwo')).toBe('one\ntwo')
    expect(valueOf('stage', ' In conversation ')).toBe('In conversation')
    expect(valueOf('id', '018F4E3A-0000-7000-8000-000000000001')).toBe('018f4e3a-0000-7000-8000-000000000001')
  })

  test.each([
    ['email', 'ana@example', undefined],
    ['email', 'ana@example.com; bo@example.com', 'ana@example.com'],
    ['email', 'ana @example.com', 'ana@example.com'],
    ['website', 'http://', undefined],
    ['website', 'https://a.example, https://b.example', 'https://a.example'],
    ['phone', '4.93E+11', undefined],
    ['currency', '$', 'USD'],
    ['currency', 'Euros?', undefined],
    ['id', '12', undefined],
    ['company_name', 'x'.repeat(301), `${'x'.repeat(79)}…`],
  ])('%s “%s” is refused, the nearest is %s', (field, cell, nearest) => {
    const fault = faultOf(field, cell)
    expect(fault.nearest).toBe(nearest)
    expect(fault.message.length).toBeLessThan(300)
    expect(String(fault.accepted)).not.toBe('')
  })

  test('choices go by value or label, whatever case and accents, and by words for yes and no', () => {
    expect(valueOf('custom.plan', 'pro')).toBe('Pro')
    expect(valueOf('custom.plan', 'GROSSKUNDE'.replace('SS', 'ß'))).toBe('Großkunde')
    for (const yes of ['yes', 'TRUE', '1', 'ja', 'oui', 'sí', 'sim', 'x', 'vero'])
      expect([yes, valueOf('custom.agreed', yes)]).toEqual([yes, 'Yes'])
    for (const no of ['No', 'FALSE', '0', 'nein', 'non', 'não', 'nee'])
      expect([no, valueOf('custom.agreed', no)]).toEqual([no, 'No'])
    expect(faultOf('custom.plan', 'Prro')).toEqual({
      message: '“Prro” is none of the choices',
      accepted: ['Basic', 'Pro', 'Großkunde'],
      nearest: 'Pro',
    })
    expect(valueOf('forecast_category', 'Best case')).toBe('best_case')
    expect(faultOf('lifecycle', 'custommer', {}, 'contact').nearest).toBe('Customer')
  })

  test('a choice that is no longer offered is none', () => {
    const field = customField('lead', 'old', 'select', ['A', 'B'])
    field.options[0]!.retired = true
    const target = importTargets('lead', [field]).find((one) => one.field === 'custom.old')!
    expect(cellReader(target, { decimal: '.', date: undefined })('A')).toMatchObject({
      fault: { accepted: ['B'] },
    })
  })

  test.each(['Support; Training', 'support,training', 'Training|Support', 'Support\nTraining'])(
    'several choices in “%s”',
    (cell) => {
      expect((valueOf('custom.wants', cell) as string[]).toSorted()).toEqual(['Support', 'Training'])
    },
  )

  test('a choice whose label has a comma is one', () => {
    expect(valueOf('custom.wants', 'Setup, complete')).toEqual(['Setup, complete'])
    expect(valueOf('custom.wants', '"Setup, complete"; Support')).toEqual(['Setup, complete', 'Support'])
    expect(faultOf('custom.wants', 'Support; Traning')).toMatchObject({
      message: expect.stringContaining('Traning'),
      nearest: 'Training',
    })
  })

  test.each([
    ['Setup, complete|Support', ['Setup, complete', 'Support']],
    ['Support, Setup, complete, Training', ['Support', 'Setup, complete', 'Training']],
    ['training;SETUP,  COMPLETE', ['Training', 'Setup, complete']],
    ['"Setup, complete", Support', ['Setup, complete', 'Support']],
    ['"Setup, complete";"Support"', ['Setup, complete', 'Support']],
    ['Setup, complete|Setup, complete', ['Setup, complete']],
  ])('“%s” is parted so that every part is a choice', (cell, choices) => {
    expect(valueOf('custom.wants', cell)).toEqual(choices)
  })

  test('the longest labels are meant; where they leave a rest that is none, shorter ones are', () => {
    const readList = (labels: string[], cell: string) => {
      const field = customField('lead', 'some', 'multi_select', labels)
      const target = importTargets('lead', [field]).find((one) => one.field === 'custom.some')!
      return cellReader(target, { decimal: '.', date: undefined })(cell)
    }
    expect(readList(['A', 'B', 'A, B', 'C'], 'C; A, B')).toEqual({ value: ['C', 'A, B'] })
    expect(readList(['A', 'A, B', 'B, C'], 'A, B, C')).toEqual({ value: ['A', 'B, C'] })
    expect(readList(['A | B', 'C'], 'C | A | B')).toEqual({ value: ['C', 'A | B'] })
    // As an export writes it, and as others part it: what parts two choices is not what a label holds.
    expect(readList(['A', 'B', 'A; B', 'A, B'], 'A; B')).toEqual({ value: ['A', 'B'] })
    expect(readList(['A', 'B', 'A; B', 'A, B'], '"A; B"; "A, B"')).toEqual({ value: ['A; B', 'A, B'] })
    expect(readList(['A', 'B', 'A, B'], 'A|B')).toEqual({ value: ['A', 'B'] })
    expect(readList(['A, B', 'C'], 'A / B')).toEqual({ value: ['A, B'] })
    const labels = ['Alpha, first', 'Beta']
    const unknown = (cell: string) => readList(labels, cell)
    expect(unknown('Alpha, frist|Beta')).toMatchObject({
      fault: { message: '“Alpha, frist” is none of the choices', nearest: 'Alpha, first' },
    })
    expect(unknown('Alpha, first|Betta')).toMatchObject({
      fault: { message: '“Betta” is none of the choices', nearest: 'Beta' },
    })
  })

  test('tags', () => {
    expect(valueOf('tags', 'hot; Spring fair, HOT | partner')).toEqual(['hot', 'Spring fair', 'partner'])
    expect(faultOf('tags', 'x'.repeat(61)).accepted).toMatch(/60 characters/)
  })

  test('a blank cell is null in every field, and so is what stands for nothing', () => {
    for (const { field } of importTargets('lead', csvFields))
      for (const blank of ['', ' \t', '\u00a0'])
        expect([field, read(field, blank)]).toEqual([field, { value: null }])
    for (const nothing of ['NULL', 'n/a', '#N/A', '-', '—']) expect(valueOf('value', nothing)).toBeNull()
    expect(valueOf('contact_name', 'Null')).toBe('Null')
  })

  test('any cell is read or refused in every field, at once', () => {
    const targets = [
      ...importTargets('lead', csvFields),
      ...importTargets('account'),
      ...importTargets('contact'),
    ]
    const readers = targets.flatMap((target) =>
      (['.', ','] as const).map((decimal) =>
        cellReader(target, { decimal, date: decimal === '.' ? 'mdy' : 'dmy' }),
      ),
    )
    const readAll = (cell: string): void => {
      for (const reader of readers) {
        const began = performance.now()
        const said = reader(cell)
        expect('fault' in said ? said.fault.message.length : 1).toBeLessThan(1_000)
        expect(performance.now() - began).toBeLessThan(1_000)
      }
    }
    const signs = Array.from('0123456789.,-+()/: €$kE%"\';|')
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.string({ unit: fc.constantFrom(...signs), maxLength: 40 }),
    )
    fc.assert(fc.property(text, readAll), { numRuns: 300 })
    for (const part of ['1', ',', '"', '",', 'a@', '1.', '(', '<a@', ' a', '; ', '"" '])
      readAll(part.repeat(100_000 / part.length))
    readAll(`$${' '.repeat(99_000)}1x`)
  })
})

describe('P22: cells that a spreadsheet would run', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom("'", '=', '+', '-', '@', '\t', '\r', '\n', ' ', 'a', '＝', '\u200b', '"', ';'),
    }),
  )

  test('are written so that none begins a formula, and every text is restored exactly', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const cell = neutraliseCell(text)
        expect(cell).not.toMatch(/^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u)
        expect(restoreCell(cell)).toBe(text)
      }),
      { numRuns: 5_000 },
    )
  })

  test.each([
    ['=1+1', "'=1+1"],
    ["'=1+1", "''=1+1"],
    ["'twas", "'twas"],
    ['+49 30 901820', "'+49 30 901820"],
    [' =x', "' =x"],
    ['a=1', 'a=1'],
    ['', ''],
  ])('“%s” is written %s', (text, cell) => {
    expect(neutraliseCell(text)).toBe(cell)
  })

  test('a list in a cell is restored, whatever its texts hold', () => {
    fc.assert(
      fc.property(fc.array(anything.filter((text) => text.trim() !== '')), (list) => {
        expect(splitList(joinList(list))).toEqual(list)
      }),
      { numRuns: 5_000 },
    )
    expect(joinList(['hot', 'a, b', '5" pipe'])).toBe('hot; "a, b"; "5"" pipe"')
  })
})
