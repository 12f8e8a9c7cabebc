import { invalid, type DomainError } from './errors.ts'

/**
 * Refuses a file that is something else, by how it begins.
 * @throws {DomainError} `csv_empty`, `csv_not_csv` naming what it is and what to do
 */
export const refuseOtherFiles = (head: Uint8Array): void => {
  if (head.length === 0) throw emptyFile()
  const begin = Buffer.from(head.subarray(0, 4_096)).toString('latin1')
  const found = OTHERS.find(({ marks }) => marks.test(begin))
  if (!found) return
  throw invalid(
    'csv_not_csv',
    '/file',
    `This is ${found.what}: ${found.advice}.`,
    'CSV: plain text, a row on each line',
  )
}

/** The refusal of a file in which nothing is written. */
export const emptyFile = (): DomainError =>
  invalid('csv_empty', '/file', 'This file is empty: there is nothing to import.')

const SAVE_AS = 'open it and save the sheet as CSV (UTF-8)'
const EXPORT_AGAIN = 'export the list as CSV from the program that made it'

/** The first that fits; archives are told apart by the names of what is in them. */
const OTHERS: { what: string; marks: RegExp; advice: string }[] = [
  { what: 'an Excel file', marks: /^PK\u0003\u0004[\s\S]*xl\//, advice: SAVE_AS },
  { what: 'a Word document', marks: /^PK\u0003\u0004[\s\S]*word\//, advice: EXPORT_AGAIN },
  {
    what: 'an Office file',
    marks: /^PK\u0003\u0004[\s\S]*\[Content_Types\]\.xml/,
    advice: SAVE_AS,
  },
  { what: 'a LibreOffice file', marks: /^PK\u0003\u0004[\s\S]{0,60}opendocument/, advice: SAVE_AS },
  {
    what: 'a ZIP archive',
    marks: /^PK(?:\u0003\u0004|\u0005\u0006)/,
    advice: 'unpack it and send the CSV file in it',
  },
  { what: 'an old Excel file', marks: /^\u00d0\u00cf\u0011\u00e0/, advice: SAVE_AS },
  {
    what: 'a compressed file',
    marks: /^(?:\u001f\u008b|BZh\d|\u00fd7zXZ|7z\u00bc\u00af|Rar!|\u0028\u00b5\u002f\u00fd)/,
    advice: 'unpack it and send the CSV file in it',
  },
  { what: 'a PDF', marks: /^\s*%PDF-/, advice: EXPORT_AGAIN },
  {
    what: 'a picture',
    marks: /^(?:\u0089PNG|\u00ff\u00d8\u00ff|GIF8[79]a|RIFF[\s\S]{4}WEBP)/,
    advice: EXPORT_AGAIN,
  },
  { what: 'a rich text document', marks: /^\{\\rtf/, advice: EXPORT_AGAIN },
  {
    what: 'a web page',
    marks:
      /^(?:\u00ef\u00bb\u00bf)?\s*(?:<!--[\s\S]*?-->\s*)?<(?:!doctype html|html|head|body|table|script)\b/i,
    advice: EXPORT_AGAIN,
  },
  { what: 'XML', marks: /^(?:\u00ef\u00bb\u00bf)?\s*<(?:\?xml|[a-z][\w:-]*[\s>])/i, advice: EXPORT_AGAIN },
  {
    what: 'JSON',
    marks: /^(?:\u00ef\u00bb\u00bf)?\s*(?:\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})|\[\s*[{[\]])/,
    advice: EXPORT_AGAIN,
  },
  {
    what: 'a visiting card',
    marks: /^(?:\u00ef\u00bb\u00bf)?BEGIN:VCARD/i,
    advice: 'export the contacts as CSV',
  },
  { what: 'an SQLite database', marks: /^SQLite format 3\0/, advice: EXPORT_AGAIN },
]

/** Text holds next to no control characters; a row that holds one is told of when it is read. */
const MOST = { count: 3, share: 0.003 }

/** @throws {DomainError} `csv_not_text` naming the first line with a character that no text has */
export const refuseUnprintable = (text: string): void => {
  let count = 0
  let first = -1
  for (const { index } of text.matchAll(UNPRINTABLE)) {
    count += 1
    if (first < 0) first = index
  }
  if (count <= MOST.count || count <= text.length * MOST.share) return
  throw notText(text, first)
}

/** Line ends, tabs, and what some programs part cells or end files with, are none of them. */
const UNPRINTABLE = /[\u0000\u0002-\u0008\u000e-\u0019\u001b-\u001e\u007f]/g

const notText = (text: string, at: number): DomainError => {
  const line = text.slice(0, at).split(/\r\n|\n|\r/).length
  const code = text.charCodeAt(at)
  return invalid(
    'csv_not_text',
    '/file',
    `This file is no plain text: line ${line} holds a ${code === 0 ? 'NUL character' : `control character (code ${code})`}, and there are more. Save the table as CSV (UTF-8).`,
    'CSV: plain text, a row on each line',
  )
}
