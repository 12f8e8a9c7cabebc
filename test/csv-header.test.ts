import { describe, expect, test } from 'vitest'
import { sniffDialect } from '../db/csv-dialect.ts'

describe('F68: the row that names the columns', () => {
  test.each([
    ['a delimiter at the end of each row', 'name,message\nA,b,\nD,e,\nF,g,\n', ['name', 'message'], 3],
    ['one at the end of the only row', 'name,email\nAnn Lee,ann@first.example,\n', ['name', 'email'], 1],
    [
      'one at the end of rows that hold values',
      'name,email\nAnn Lee,ann@first.example,\nBo Lind,bo@first.example,\nCy Ott,cy@first.example,\n',
      ['name', 'email'],
      3,
    ],
    [
      'two at the end of most rows',
      'name;email;city\nAnn;ann@first.example;Rome;;\nBo;;Bern;;\nCy;;Bonn\n',
      ['name', 'email', 'city'],
      3,
    ],
    ['a cell too many in the only row', 'name,message\nA,b,c\n', ['name', 'message'], 1],
    ['a cell too many in each row', 'name,message\nA,b,c\nD,e,f\nG,h,i\n', ['name', 'message'], 3],
  ])('names are kept over rows that are longer: %s', (_, file, columns, rows) => {
    const { dialect, sample, warnings } = sniffDialect(Buffer.from(file))
    expect(dialect).toMatchObject({ header: true, first_line: 1, columns })
    expect(sample).toHaveLength(rows)
    expect(warnings).toEqual([])
  })

  test.each([
    'Leads,North\nName,City,Company\nBo,Bonn,Elm\nAna,Wien,Oak\n',
    'Leads,North\nWer,E-Mail,Wo\nBo,bo@first.example,Bonn\nAna,ana@first.example,Wien\n',
    'Leads,North\n\nWer,Wo,Was\nBo,Bonn,Elm\nAna,Wien,Oak\n',
    'Leads,2026\nWer,Wo,Was\nBo,Bonn,Elm\nAna,Wien,Oak\n',
    'Leads\nName,City\nBo,Bonn,\nAna,Wien,\n',
  ])('a title of two cells is none of them: %j', (file) => {
    const { dialect } = sniffDialect(Buffer.from(file))
    expect(dialect.columns).not.toContain('Leads')
    expect(dialect.columns.length).toBe(file.startsWith('Leads\n') ? 2 : 3)
  })
})
