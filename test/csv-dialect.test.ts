import { describe, expect, test } from 'vitest'
import { CsvDialect, sniffDialect, type CsvChoices, type SniffOptions } from '../db/csv-dialect.ts'
import type { CsvEncoding } from '../db/csv-encoding.ts'
import { DomainError } from '../db/errors.ts'
import { encodeText, tableOfRows } from './csv-files.ts'

const sniff = (file: string | Uint8Array, given?: CsvChoices, options?: SniffOptions) =>
  sniffDialect(typeof file === 'string' ? Buffer.from(file) : file, given, options)

/** How a file is refused. */
const refusal = (work: () => unknown): { code: string; detail: string } => {
  try {
    work()
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    expect(error.errors[0]?.pointer).toBe('/file')
    return { code: error.code, detail: error.message }
  }
  throw new Error('it was not refused')
}

const reason = (about: string, { reasons }: ReturnType<typeof sniff>) =>
  reasons.find((one) => one.about === about)

describe('F68: the encoding of a file', () => {
  test.each<[CsvEncoding, string[]]>([
    [
      'windows-1252',
      ['Müller', 'Groß & Co. KG', 'Hélène Rivière', 'José Núñez', 'São Paulo', 'Ørsted', 'Nicolò'],
    ],
    ['windows-1250', ['Łukasz Żółć', 'Gdańsk', 'Jiří Dvořák', 'Plzeň', 'Erdős Pál']],
    ['iso-8859-2', ['Łukasz Żółć', 'Świętosława', 'Šárka']],
    ['windows-1251', ['Иван Петров', 'Москва', 'ООО Ромашка']],
    ['koi8-u', ['Иван Петров', 'Москва', 'Санкт-Петербург']],
    ['ibm866', ['Иван Петров', 'Москва', 'Санкт-Петербург']],
    ['iso-8859-5', ['Иван Петров', 'Москва', 'Санкт-Петербург']],
    ['windows-1253', ['Γιώργος Παπαδόπουλος', 'Αθήνα', 'Θεσσαλονίκη']],
    ['windows-1254', ['Ayşe Yılmaz', 'İstanbul', 'Çağrı Güneş']],
    ['windows-1255', ['ישראל כהן', 'תל אביב']],
    ['windows-1256', ['محمد علي', 'القاهرة']],
    ['windows-1257', ['Jānis Bērziņš', 'Rīga', 'Ķemeri', 'Šķēle']],
    ['macintosh', ['Müller', 'Jürgen Groß', 'José']],
    ['ibm850', ['Müller', 'Jürgen Groß', 'Köln']],
    ['shift_jis', ['山田太郎', '東京都', '株式会社テスト', 'すずき']],
    ['euc-jp', ['山田太郎', '東京都', '株式会社テスト', 'すずき']],
    ['gb18030', ['王小明', '北京市', '中国科技有限公司']],
    ['big5', ['王小明', '臺北市', '臺灣科技有限公司']],
    ['euc-kr', ['김철수', '서울특별시', '주식회사 테스트']],
    ['utf-16le', ['Müller', 'Žofie', 'Иван', '王小明']],
    ['utf-16be', ['Müller', 'Žofie', 'Иван', '王小明']],
    ['utf-8', ['Müller', 'Žofie', 'Иван', '王小明', '😀']],
  ])('%s is told by its letters, and the names come out right', (encoding, names) => {
    const rows = names.map((name, n) => [name, names[(n + 1) % names.length] ?? '', `p${n}@example.com`])
    const found = sniff(encodeText(tableOfRows([['Name', 'City', 'E-mail'], ...rows]), encoding))
    expect(found.sample).toEqual(rows)
    expect([found.dialect.encoding, found.dialect.bom]).toEqual([encoding, false])
    expect(reason('encoding', found)?.confidence).toBeGreaterThan(0.5)
  })

  test.each([
    ['Müller'],
    ['Genève'],
    ['Hervé'],
    ['Muñoz'],
    ['Åsa'],
    ['Kjær'],
    ['Straße'],
    ['Jiří'],
    ['Łódź'],
    ['Győr'],
  ])('one word is enough for “%s”', (name) => {
    const encoding = /[říŁźőů]/.test(name) && !/[èéñÅæßü]/.test(name) ? 'windows-1250' : 'windows-1252'
    expect(sniff(encodeText(`Name,E-mail\r\n${name},a@example.com\r\n`, encoding)).sample[0]?.[0]).toBe(name)
  })

  test('a mark says it, and is no part of the first name', () => {
    for (const [bytes, encoding] of [
      [Buffer.from('\ufeffName;City\nBo;Köln\n'), 'utf-8'],
      [Buffer.from('\ufeffName;City\nBo;Köln\n', 'utf16le'), 'utf-16le'],
      [Buffer.from('\ufeffName;City\nBo;Köln\n', 'utf16le').swap16(), 'utf-16be'],
    ] as const) {
      const { dialect, sample } = sniff(bytes)
      expect(dialect).toMatchObject({ encoding, bom: true, columns: ['Name', 'City'] })
      expect(sample).toEqual([['Bo', 'Köln']])
    }
  })

  test('two encodings in one file: the line, the byte and what to do are named', () => {
    const mixed = Buffer.concat([
      Buffer.from('Name,City\nJürgen,Köln\nAna,Bonn\n'),
      encodeText('Bo,München\n', 'windows-1252'),
      Buffer.from('Zoë,Genève\n'),
    ])
    const { code, detail } = refusal(() => sniff(mixed))
    expect(code).toBe('csv_encoding_mixed')
    expect(detail).toMatch(/^Line 4 is not UTF-8.*byte 38 .*0xFC, in Windows-1252 “ü”.*utf-8-or-windows-1252/)
    expect(mixed[37]).toBe(0xfc)
    const read = sniff(mixed, { encoding: 'utf-8-or-windows-1252' })
    expect(sniff(mixed, { encoding: 'utf-8-or-windows-1252' }).reasons[0]?.why).toBe('it was chosen')
    expect(read.dialect.encoding).toBe('utf-8-or-windows-1252')
  })

  test('text that was broken before is pointed out', () => {
    expect(sniff('Name,City\nM\ufffdller,Bonn\n').warnings.join()).toMatch(/lost before it came here/)
  })
})

describe('F68: what parts rows and cells', () => {
  const rows = [
    ['Name', 'Comment', 'Value'],
    ['Bo Lee', 'one; two, three | four\tfive', '1'],
    ['Ana "AR" Ruiz', 'line\nbreak', '2'],
    ["D'Arc", '', '3'],
  ]
  const cases = [',', ';', '\t', '|'].flatMap((delimiter) =>
    ['\n', '\r\n', '\r'].flatMap((ending) =>
      (['all', 'needed'] as const).flatMap((quoted) =>
        (['"', "'"] as const).map((quote) => ({ delimiter, ending, quoted, quote })),
      ),
    ),
  )
  test.each(cases)('%j is told', (style) => {
    // A single quote is told where cells stand in it.
    if (style.quote === "'" && style.quoted === 'needed') return
    const { dialect, sample } = sniff(tableOfRows(rows, style))
    const endings = { '\n': 'lf', '\r\n': 'crlf', '\r': 'cr' } as const
    const ending = endings[style.ending as keyof typeof endings]
    expect(dialect).toMatchObject({
      delimiter: style.delimiter,
      quote: style.quote,
      // One cell has a line break of its own.
      line_ending: ending === 'lf' ? 'lf' : 'mixed',
      columns: rows[0],
    })
    expect(sample).toEqual(rows.slice(1))
  })

  test('Excel’s first line names it', () => {
    const { dialect, sample } = sniff('sep=|\r\nName|City, State\r\nBo|Austin, TX\r\n')
    expect(dialect).toMatchObject({ delimiter: '|', first_line: 2, columns: ['Name', 'City, State'] })
    expect(sample).toEqual([['Bo', 'Austin, TX']])
  })

  test('decimal commas are no delimiters', () => {
    expect(sniff('Name;Price;Weight\nA;1,5;2,5\nB;2,5;3,5\n').dialect).toMatchObject({
      delimiter: ';',
      decimal: ',',
    })
  })

  test('a list of one column is a table', () => {
    const { dialect, sample } = sniff('E-mail\nana@example.com\nbo@example.com\n')
    expect(dialect.columns).toEqual(['E-mail'])
    expect(sample).toHaveLength(2)
    expect(sniff('Company\n"Muster, Inc"\nProbe\n"Sample, LLC"\n').sample).toEqual([
      ['Muster, Inc'],
      ['Probe'],
      ['Sample, LLC'],
    ])
  })

  test('the title of a report before the table is passed by', () => {
    const { dialect, warnings } = sniff(
      'Open leads\n\nMade,by us\nName,City,Value\nBo,Bonn,1\nAna,Wien,2\nUli,Linz,3\n',
    )
    expect(dialect).toMatchObject({ first_line: 4, columns: ['Name', 'City', 'Value'] })
    expect(warnings[0]).toMatch(/first 3 lines/)
  })

  test('what was chosen is not told again', () => {
    const { dialect, reasons } = sniff('a;b|c\n1;2|3\n', {
      delimiter: '|',
      decimal: ',',
      dates: { c: 'mdy' },
    })
    expect(dialect).toMatchObject({
      delimiter: '|',
      columns: ['a;b', 'c'],
      decimal: ',',
      dates: { c: 'mdy' },
    })
    expect(reasons.find(({ about }) => about === 'delimiter')).toMatchObject({
      confidence: 1,
      why: 'it was chosen',
    })
  })
})

describe('F68: the names of columns', () => {
  test('each is there once, and none is empty', () => {
    const { dialect, warnings } = sniff('E-mail,,E-mail,E-mail (2), Name \na@b.co,x,y@z.co,w,q\n')
    expect(dialect.columns).toEqual(['E-mail', 'Column 2', 'E-mail (3)', 'E-mail (2)', 'Name'])
    expect(warnings).toEqual([
      'Column 2 has no name and is called “Column 2”.',
      '“E-mail” names more than one column: the one at 3 is called “E-mail (3)”.',
    ])
  })

  test('a name that is a trap for objects is none', () => {
    expect(sniff('__proto__,constructor\n1,a\n').dialect.columns).toEqual(['Column 1', 'constructor'])
  })

  test('a file without names numbers its columns', () => {
    const found = sniff('Bo Lee,bo@example.com,12\nAna Ruiz,ana@example.com,13\n')
    expect(found.dialect).toMatchObject({ header: false, columns: ['Column 1', 'Column 2', 'Column 3'] })
    expect(found.sample).toHaveLength(2)
    expect(reason('header', found)?.why).toMatch(/bo@example\.com/)
  })

  test('it is plain JSON that can be kept and read again', () => {
    const { dialect } = sniff('Name;Closed\nBo;13.01.2026\n')
    expect(CsvDialect.parse(JSON.parse(JSON.stringify(dialect)))).toEqual(dialect)
  })
})

describe('F68: numbers and dates', () => {
  const decimalOf = (...numbers: string[]) => {
    const { dialect } = sniff(tableOfRows([['Name', 'Value'], ...numbers.map((number) => ['x', number])]))
    return [dialect.decimal, dialect.thousands]
  }
  test.each([
    [
      ['1.234,56', '12,00'],
      [',', '.'],
    ],
    [
      ['1,234.56', '12.00'],
      ['.', ','],
    ],
    [
      ['1 234,56', '12'],
      [',', ' '],
    ],
    [["1'234.50"], ['.', "'"]],
    [
      ['€ 1.200,00', '3.000,50 €'],
      [',', '.'],
    ],
    [['$1,200.00'], ['.', ',']],
    [
      ['1.234', '12.500', '1.000.000'],
      [',', '.'],
    ],
    [
      ['0.5', '.25'],
      ['.', ''],
    ],
    [
      ['12', '13'],
      ['.', ''],
    ],
  ])('%j', (numbers, style) => {
    expect(decimalOf(...numbers)).toEqual(style)
  })

  const datesOf = (dates: string[], options?: SniffOptions, style = {}) =>
    sniff(tableOfRows([['Name', 'Closed'], ...dates.map((date) => ['x', date])], style), {}, options)

  test.each([
    [['13.01.2026', '02.03.2026'], 'dmy'],
    [['02/03/2026', '13/01/2026'], 'dmy'],
    [['02/13/2026', '02/03/2026'], 'mdy'],
    [['1/2/26 2:30 PM', '1/28/26 2:30 PM'], 'mdy'],
    [['2026-01-13', '2026/02/03'], 'ymd'],
    [['2026-01-13T10:00:00Z'], 'ymd'],
    [['3. März 2026', '4. Mai 2026'], 'ymd'],
    [['Jan 3, 2026', 'February 4, 2026'], 'ymd'],
  ])('%j are told', (dates, style) => {
    const found = datesOf(dates)
    expect(found.dialect.dates).toEqual({ Closed: style })
    expect(found.ambiguous_dates).toEqual([])
  })

  test('dates that can be read both ways say so, and what was assumed and why', () => {
    const both = ['02/03/2026', '04/05/2026']
    expect(datesOf(both).ambiguous_dates).toEqual([
      { column: 'Closed', assumed: 'dmy', why: 'most countries write the day first' },
    ])
    expect(datesOf(both, { country: 'US' }).ambiguous_dates).toMatchObject(
      [{ assumed: 'mdy', why: /in US/ }].map((one) => ({ ...one, why: expect.stringMatching(one.why) })),
    )
    expect(datesOf(both, { country: 'DE' }).ambiguous_dates).toMatchObject([{ assumed: 'dmy' }])
    expect(datesOf(both, {}, { delimiter: ';' }).ambiguous_dates).toMatchObject([
      { assumed: 'dmy', why: expect.stringMatching(/semicolons/) },
    ])
    const beside = sniff('A,B\n02/03/2026,01/31/2026\n')
    expect(beside.dialect.dates).toEqual({ A: 'mdy', B: 'mdy' })
    expect(beside.ambiguous_dates).toEqual([
      { column: 'A', assumed: 'mdy', why: 'another column of the file is written so' },
    ])
    expect(sniff('A,B\n02/03/2026,01/31/2026\n', { dates: { A: 'dmy' } })).toMatchObject({
      dialect: { dates: { A: 'dmy', B: 'mdy' } },
      ambiguous_dates: [],
    })
  })

  test('dates written both ways are pointed out', () => {
    const found = datesOf(['13/01/2026', '14/01/2026', '01/31/2026'])
    expect(found.ambiguous_dates).toMatchObject([
      { assumed: 'dmy', why: expect.stringMatching(/13\/01\/2026.*01\/31\/2026/) },
    ])
    expect(found.confidence).toBeLessThan(0.7)
  })

  test('telephone numbers and ids are neither', () => {
    const found = sniff('Phone,Id\n+49 30 901820,550e8400-e29b-41d4-a716-446655440000\n030 12.34.56,x\n')
    expect(found.dialect.dates).toEqual({})
    expect(reason('decimal', found)?.confidence).toBe(0.5)
  })
})

describe('what is no table is refused with what it is', () => {
  test.each([
    [
      'an Excel file',
      Buffer.from('PK\u0003\u0004\u0014\0\u0006\0[Content_Types].xml xl/workbook.xml', 'latin1'),
    ],
    [
      'a LibreOffice file',
      Buffer.from(
        'PK\u0003\u0004\u0014\0\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet',
        'latin1',
      ),
    ],
    ['an old Excel file', Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])],
    ['a Word document', Buffer.from('PK\u0003\u0004 [Content_Types].xml word/document.xml', 'latin1')],
    ['a ZIP archive', Buffer.from('PK\u0003\u0004 leads.csv', 'latin1')],
    ['a compressed file', Buffer.from([0x1f, 0x8b, 8, 0, 0])],
    ['a PDF', Buffer.from('%PDF-1.7\n')],
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])],
    ['a web page', Buffer.from('<!DOCTYPE html><html><table></table>')],
    ['XML', Buffer.from('<?xml version="1.0"?><Workbook/>')],
    ['JSON', Buffer.from('[{"name": "Bo"}, {"name": "Ana"}]')],
    ['JSON', Buffer.from('{"name": "Bo"}\n{"name": "Ana"}\n')],
  ])('%s', (what, bytes) => {
    const { code, detail } = refusal(() => sniff(bytes))
    expect(code).toBe('csv_not_csv')
    expect(detail).toMatch(new RegExp(`^This is ${what}: .+\\.$`))
  })

  test.each([
    ['csv_empty', ''],
    ['csv_no_rows', 'Name,E-mail,City\n'],
    ['csv_no_rows', 'E-mail\n'],
    ['csv_no_columns', 'hello world'],
    ['csv_no_rows', 'Name,E-mail,City\n\n,,\n'],
    ['csv_empty', '\n\n\n'],
    ['csv_not_text', `Name\0,City\0\n${'\0\u0001\u0002Bo,x\n'.repeat(20)}`],
    [
      'csv_no_columns',
      'Dear Ana,\n\nthis is a letter. It has sentences, and they have commas, here and there.\nNo row is like another; none.\nYours, Bo\n',
    ],
    [
      'csv_no_columns',
      'just some words that somebody wrote down without any table in them\nand then some more of them in another line',
    ],
    [
      'csv_too_many_columns',
      `${Array.from({ length: 10_000 }, (_, n) => `c${n}`).join(',')}\n${'1,'.repeat(9_999)}1\n`,
    ],
    ['csv_quote_open', 'Name,City\nAna,Bonn\nBo,"Wien\nUli,Linz\n'],
  ])('%s', (code, file) => {
    expect(refusal(() => sniff(file)).code).toBe(code)
  })

  test('the limit of columns, the line of an open quote, and what to do are said', () => {
    expect(refusal(() => sniff(`${'a,'.repeat(600)}a\n${'1,'.repeat(600)}\n`)).detail).toMatch(
      /601 columns; at most 500/,
    )
    expect(refusal(() => sniff('Name,City\nAna,Bonn\nBo,"Wien\nUli,Linz\n')).detail).toMatch(
      /opens on line 3 is never closed/,
    )
    expect(refusal(() => sniff('Name,City\n')).detail).toMatch(/no rows/)
  })

  test('UTF-32, and bytes that are no text in any encoding', () => {
    expect(refusal(() => sniff(Buffer.from([0xff, 0xfe, 0, 0, 0x41, 0, 0, 0]))).code).toBe('csv_not_text')
    const noise = Uint8Array.from({ length: 4_000 }, (_, n) => (n * 7_919 + (n >> 3) * 104_729) & 255)
    expect(['csv_not_text', 'csv_no_columns', 'csv_encoding_mixed']).toContain(
      refusal(() => sniff(noise)).code,
    )
  })

  test('a single control character is no reason', () => {
    expect(sniff(`Name,City\nBo\u0007,Bonn\n${'Ana,Wien\n'.repeat(50)}`).dialect.columns).toEqual([
      'Name',
      'City',
    ])
  })
})
