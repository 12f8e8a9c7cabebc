import type { CsvEncoding } from '../db/csv-encoding.ts'
import { randomFrom } from './random.ts'

// Tables as other programs write them: every encoding, delimiter, quoting and line ending; lists of leads of any length.

/** A text in an encoding; a character that it does not have is an error. */
export const encodeText = (text: string, encoding: CsvEncoding | 'utf-16le' = 'utf-8'): Uint8Array => {
  if (encoding === 'utf-8' || encoding === 'utf-8-or-windows-1252') return Buffer.from(text)
  if (encoding === 'utf-16le') return Buffer.from(text, 'utf16le')
  if (encoding === 'utf-16be') return Buffer.from(text, 'utf16le').swap16()
  const table = tableOf(encoding)
  return Buffer.concat(
    Array.from(text, (character) => {
      const bytes = table.get(character)
      if (!bytes) throw new Error(`${encoding} has no “${character}”`)
      return bytes
    }),
  )
}

const tables = new Map<CsvEncoding, Map<string, Uint8Array>>()

/** What each character is in an encoding, found by decoding all there is. */
const tableOf = (encoding: CsvEncoding): Map<string, Uint8Array> => {
  const known = tables.get(encoding)
  if (known) return known
  const table = new Map<string, Uint8Array>()
  const decoder = new TextDecoder(encoding === 'ibm850' ? 'latin1' : encoding)
  const note = (bytes: number[]): void => {
    const text = decoder.decode(new Uint8Array(bytes))
    if (Array.from(text).length === 1 && text !== '\ufffd' && !table.has(text))
      table.set(text, new Uint8Array(bytes))
  }
  for (let byte = 0; byte < 0x80; byte++) table.set(String.fromCodePoint(byte), new Uint8Array([byte]))
  if (encoding === 'ibm850') {
    // Written down once more, so that the table that is tested is not the one that it is tested with.
    const western: Record<string, number> = {
      ü: 0x81,
      é: 0x82,
      ä: 0x84,
      ö: 0x94,
      Ö: 0x99,
      Ü: 0x9a,
      Ä: 0x8e,
      ß: 0xe1,
      á: 0xa0,
      è: 0x8a,
      ñ: 0xa4,
    }
    for (const [character, byte] of Object.entries(western)) table.set(character, new Uint8Array([byte]))
  } else {
    for (let byte = 0x80; byte <= 0xff; byte++) note([byte])
    if (/jis|euc|gb|big5/.test(encoding))
      for (let lead = 0x81; lead <= 0xfe; lead++)
        for (let trail = 0x40; trail <= 0xfe; trail++) note([lead, trail])
  }
  tables.set(encoding, table)
  return table
}

/** How a table is written. */
export type TableStyle = {
  delimiter?: string
  ending?: string
  quote?: '"' | "'"
  /** Every cell in quotes, or only those that need it. */
  quoted?: 'all' | 'needed'
  /** Whether the last line ends, too. */
  ended?: boolean
}

/** Rows as a table, as RFC 4180 has it but for the delimiter and the ending. */
export const tableOfRows = (rows: readonly (readonly string[])[], style: TableStyle = {}): string => {
  const { ending = '\r\n', ended = true } = style
  return rows.map((cells) => rowOf(cells, style)).join(ending) + (ended ? ending : '')
}

const rowOf = (
  cells: readonly string[],
  { delimiter = ',', quote = '"', quoted = 'needed' }: TableStyle,
): string => {
  const needs = (cell: string): boolean =>
    quoted === 'all' || cell.includes(delimiter) || cell.includes(quote) || /[\r\n]|^\s|\s$/.test(cell)
  return cells
    .map((cell) => (needs(cell) ? `${quote}${cell.replaceAll(quote, quote + quote)}${quote}` : cell))
    .join(delimiter)
}

/** Bytes in pieces cut anywhere, as a network brings them. */
export async function* inPieces(bytes: Uint8Array | string, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  const all = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  for (let at = 0; at < all.length; at += size) {
    await Promise.resolve()
    yield all.subarray(at, at + size)
  }
}

/** The columns of a list of leads, as `leadRows` fills them. */
export const leadColumns = [
  'First name',
  'Last name',
  'E-mail',
  'Phone',
  'Company',
  'Website',
  'Job title',
  'City',
  'Country',
  'Lead source',
  'Value',
  'Currency',
  'Expected close',
  'Tags',
  'Comments',
] as const

/** What a list of leads is made of. */
export type LeadList = {
  rows: number
  seed?: number
  /** The share of rows that say a person of an earlier row again, written another way. */
  repeated?: number
  /** The share of rows with one cell that cannot be read. */
  faulty?: number
  /** The share of blank lines between rows. */
  blank?: number
}

/** One row of a list, and what is the matter with it. */
export type ListedLead = { cells: string[]; is: 'new' | 'repeated' | 'faulty' | 'blank' }

/** A list of leads with the noise that lists have: the same for the same seed, whatever its length up to there. */
export function* leadRows({
  rows,
  seed = 1,
  repeated = 0.03,
  faulty = 0,
  blank = 0.002,
}: LeadList): Generator<ListedLead> {
  const random = randomFrom(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  for (let n = 0; n < rows; n++) {
    if (random() < blank) yield { cells: leadColumns.map(() => ''), is: 'blank' }
    const dice = random()
    if (n > 0 && dice < repeated) {
      const cells = leadCells(Math.floor(random() * n), seed)
      cells[2] = ` ${cells[2]?.toUpperCase()}`
      cells[14] = 'asked again'
      yield { cells, is: 'repeated' }
      continue
    }
    const cells = leadCells(n, seed)
    if (dice > 1 - faulty) {
      const [column, wrong] = pick([
        [2, 'nobody at example'],
        [10, '12k'],
        [11, 'Euros?'],
        [12, '31.02.2027'],
      ] as const)
      cells[column] = wrong
      yield { cells, is: 'faulty' }
    } else yield { cells, is: 'new' }
  }
}

/** The cells of lead number n: nobody but it has its address. */
const leadCells = (n: number, seed: number): string[] => {
  const random = randomFrom(seed * 1_000_003 + n)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const first = pick(FIRST)
  const last = `${pick(LAST)}${pick(['', '', '', `-${pick(LAST)}`])}`
  const company = `${pick(TRADES)} ${pick(PLACES)} ${n}${pick(['', ' GmbH', ', Inc.', ' & Co. KG', ' S.A.'])}`
  const host = `company-${n}.example`
  const [city, country] = pick(CITIES)
  const text = pick([
    '',
    '',
    'Please call back',
    'Wants an offer for 40 seats; soon',
    'Said "maybe"',
    'Line one\nline two',
    'Grüße, ça va?',
  ])
  const day = `${String(2026 + Math.floor(random() * 3))}-${two(1 + Math.floor(random() * 12))}-${two(1 + Math.floor(random() * 28))}`
  return [
    first,
    last,
    `${plain(first)}.${plain(last)}.${n}@${host}`,
    pick(['', `+49 30 9${String(n).padStart(7, '0')}`, `+1 (415) 555-${two(n % 100)}${two(n % 89)}`]),
    company,
    pick(['', `https://www.${host}`, host]),
    pick(TITLES),
    city,
    country,
    pick(['Website', 'Trade fair', 'Referral', 'Ads']),
    pick([
      '',
      String(100 + Math.floor(random() * 90_000)),
      `${String(1 + Math.floor(random() * 99))},${String(100 + Math.floor(random() * 899))}.50`,
    ]),
    pick(['EUR', 'USD', 'CHF']),
    pick(['', day]),
    pick(['', 'hot', 'fair; spring', 'partner, reseller']),
    text,
  ]
}

const two = (number: number): string => String(number).padStart(2, '0')
const plain = (name: string): string =>
  name
    .normalize('NFD')
    .replaceAll(/[^A-Za-z]/g, '')
    .toLowerCase()

const FIRST =
  'Ana Bo Cleo Dario Elif Femi Grit Hanno Ines Jörg Kaya Lene Mirela Nuno Oda Pär Quirin René Søren Tülay'.split(
    ' ',
  )
const LAST =
  'Muster Beispiel Exempel Ejemplo Exemple Esempio Voorbeeld Örnek Próbka Příklad Sample Probe Specimen Modèle'.split(
    ' ',
  )
const TRADES = 'Northwind Blauwerk Clearwater Dune Elm Fjord Granite Harbour Inlet Juniper'.split(' ')
const PLACES = 'Logistics Optics Bakery Solar Textiles Robotics Timber Foods Media Tools'.split(' ')
const TITLES = ['', 'CEO', 'Head of Operations', 'Einkaufsleiter', 'Directrice', 'Buyer']
const CITIES = [
  ['Köln', 'Germany'],
  ['Wien', 'Austria'],
  ['Zürich', 'Switzerland'],
  ['Málaga', 'Spain'],
  ['Orléans', 'France'],
  ['Austin', 'United States'],
] as const

/**
 * A list of leads as a CSV file in pieces of about 64 kB, made as it is read: any length, next to no memory.
 * @param list as `leadRows`
 */
export async function* leadFile(list: LeadList, style: TableStyle = {}): AsyncGenerator<Uint8Array> {
  let text = tableOfRows([leadColumns], style)
  for (const { cells } of leadRows(list)) {
    text += tableOfRows([cells], style)
    if (text.length < 64 * 1024) continue
    await Promise.resolve()
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}
