import { stylesOf } from './csv-dates.ts'
import { AMOUNT, COMPANY, DATE, EMAIL } from './file-patterns.ts'
import { synonyms, type Concept } from './import-synonyms.ts'
import { normaliseName } from './lead-keys.ts'

/** The facts that are fields of a record: what a file may say for a blank one. */
export const fieldKeys = [
  'email',
  'phone',
  'website',
  'company_name',
  'contact_name',
  'title',
  'city',
  'state',
  'country',
  'industry',
  'value',
  'expected_close_on',
] as const
export type FieldKey = (typeof fieldKeys)[number]

/** A fact that a file names itself. */
export type Labelled = { key: FieldKey; value: string }

/**
 * What a line names by a label that stands before it: `Phone: +49 30 901820`, or two cells of a row.
 * @param cells the line, cut where its cells were; one where it has none
 */
export const labelledIn = (cells: readonly string[]): Labelled[] => {
  const [name = '', value = ''] = cells
  const side_by_side = cells.length === 2 && !isLabel(value) ? named(name, value) : []
  return side_by_side.length > 0 ? side_by_side : cells.flatMap((cell) => cell.split(PARTS).flatMap(inPart))
}

/**
 * What a table says that has a row of labels and one row below it. A table of several rows is a list: whose values would
 * it be?
 */
export const labelledInTable = ([head, row, ...more]: readonly (readonly string[])[]): Labelled[] => {
  if (!head || !row || more.length > 0 || head.length !== row.length) return []
  return head.filter(isLabel).length < 2
    ? []
    : head.flatMap((name, n) => named(name, row[n] ?? '', keyOfColumn))
}

/** Between two things that stand on one line. */
const PARTS = /\s[|·•]\s/

const inPart = (part: string): Labelled[] => {
  const [, name = '', value = ''] = /^([^:=]{2,40}?)\s*[:=]\s*(\S.*)$/.exec(part.trim()) ?? []
  if (name !== '') return named(name, value)
  // A total is often followed by its amount alone.
  const [, label = '', amount = ''] = /^(\p{L}[\p{L} ]{3,30}?)\s+(\S.*)$/u.exec(part.trim()) ?? []
  return keyOf(label) === 'value' && amount.search(AMOUNT) === 0 ? named(label, amount) : []
}

const named = (name: string, value: string, also = nothing): Labelled[] => {
  const key = keyOf(name) ?? also(name)
  const read = key && readers[key](value.trim())
  if (key && read) return [{ key, value: read }]
  // Who is a customer may be a person; with a legal form it is a company.
  const company = CUSTOMERS.has(normaliseName(name)) ? value.match(COMPANY)?.[0] : undefined
  return company ? [{ key: 'company_name', value: company }] : []
}

const nothing = (_name: string): FieldKey | undefined => undefined

const keyOf = (name: string): FieldKey | undefined => NAMES.get(normaliseName(name))

/** Words that say enough above a column may say too little in running text. */
const keyOfColumn = (name: string): FieldKey | undefined => COLUMNS.get(normaliseName(name))

const isLabel = (name: string): boolean => (keyOf(name) ?? keyOfColumn(name)) !== undefined

const CONCEPTS: Record<FieldKey, Concept> = {
  email: 'email',
  phone: 'phone',
  website: 'website',
  company_name: 'company',
  contact_name: 'person',
  title: 'title',
  city: 'city',
  state: 'state',
  country: 'country',
  industry: 'industry',
  value: 'value',
  expected_close_on: 'expected_close_on',
}

/** What documents say beside the names that columns have. */
const OWN: Partial<Record<FieldKey, string>> = {
  contact_name: 'attn, attention, ansprechpartnerin',
  value:
    'grand total, total amount, total price, total value, net total, order value, order total, project value, gesamt, gesamtsumme, gesamtbetrag, gesamtpreis, angebotssumme',
  expected_close_on: 'decision date, decision by, expected decision, entscheidung bis, entscheidungstermin',
}

/** In running text these are as often something else: a document has a title, a line a price, an order a state. */
const VAGUE = new Set(
  'name, nom, nome, nombre, naam, title, titre, titulo, job, first, person, customer, client, kunde, klant, account, compte, cuenta, conta, state, stato, estado, etat, region, regione, pagina, value, wert, valeur, valor, valore, waarde, wartosc, worth, amount, betrag, montant, importe, importo, bedrag, kwota, quantia, monto, summe, price, preis, prix, precio, prezzo, preco, prijs, acv, arr, mrr, whatsapp'.split(
    ', ',
  ),
)

const COLUMNS = new Map(
  fieldKeys.flatMap((key) =>
    (synonyms.get(CONCEPTS[key]) ?? []).map((name): [string, FieldKey] => [name, key]),
  ),
)

const NAMES = new Map([
  ...[...COLUMNS].filter(([name]) => !VAGUE.has(name)),
  ...fieldKeys.flatMap((key) => (OWN[key]?.split(', ') ?? []).map((name): [string, FieldKey] => [name, key])),
])

const CUSTOMERS = new Set(['client', 'customer', 'buyer', 'bill to', 'kunde', 'auftraggeber'])

const LONGEST = 120

/** A few words on one line, which are neither an address nor a number. */
const words = (text: string): string | undefined =>
  text.length <= LONGEST && /\p{L}{2}/u.test(text) && !/@|:\/\/|\d{5}/.test(text) ? text : undefined

const firstOf = (pattern: RegExp) => (text: string) => text.match(pattern)?.[0]

const readers: Record<FieldKey, (text: string) => string | undefined> = {
  email: (text) => firstOf(EMAIL)(text)?.toLowerCase(),
  phone: firstOf(/^\+?[\d(][\d\s()./-]{5,30}\d/),
  website: firstOf(
    /^(?:https?:\/\/)?(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}(?::\d{1,5})?(?:\/[^\s,;]*)?(?=$|[\s,;])/iu,
  ),
  company_name: words,
  contact_name: (text) => (/\d/.test(text) ? undefined : words(text)),
  title: words,
  city: words,
  state: words,
  country: (text) => (text.length <= LONGEST && /^\p{L}/u.test(text) ? text : undefined),
  industry: words,
  value: firstOf(AMOUNT),
  expected_close_on: (text) => text.match(DATE)?.find((date) => stylesOf(date).length > 0),
}
