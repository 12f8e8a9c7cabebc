import { hash } from 'node:crypto'
import type { z } from 'zod'
import { AccountFields } from './accounts.ts'
import { ContactFields } from './contacts.ts'
import type { Money } from './csv-money.ts'
import type { CsvRow } from './csv-rows.ts'
import { type RowReading, rowReader } from './import-columns.ts'
import { type Directory, memberNamed, type Named, reasonNamed } from './import-directory.ts'
import type { RowProblem } from './imports.ts'
import { readDefaults, type ReadyRequest } from './import-request.ts'
import { type ImportTarget, schemaOfTarget } from './import-targets.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import type { RecordKind } from './records.ts'
import { clip } from './text.ts'

/** What rows are read and planned by; made once for a piece of an import. */
export type RowTerms = {
  kind: RecordKind
  request: ReadyRequest
  targets: ReadonlyMap<string, ImportTarget>
  directory: Directory
  /** The organization's. */
  currency: string
  country: string | null
  defaults: Record<string, unknown>
  columnOf: (field: string) => string | undefined
  /** The same as long as rows would be read the same. */
  version: string
  read: (cells: readonly string[]) => RowReading
}

/** A row as it was read: what it says by fields, before anything is looked up. */
export type Draft = {
  n: number
  line: number
  /** By target, without blank cells. */
  own: Record<string, unknown>
  /** Mapped fields whose cells are blank. */
  blank: string[]
  /** Cells of columns that go nowhere. */
  extra: Record<string, string>
  /** What it says, hashed: the same row again has the same. */
  fingerprint: string
  problems: RowProblem[]
}

/** What a row, or a row with the defaults, comes to for a record. */
export type Spelled = {
  /** As `POST` takes them. */
  fields: Record<string, unknown>
  custom: Record<string, unknown>
  money: Money | undefined
  pipeline: string | undefined
  stage: string | undefined
  discard_reason_id: string | undefined
  discard_note: string | undefined
  account: string | undefined
  contact: string | undefined
  problems: RowProblem[]
}

/** The fields of each kind, as people and systems write them. */
export const shapes: Record<RecordKind, Record<string, z.ZodType>> = {
  lead: OpportunityFields.shape,
  deal: OpportunityFields.shape,
  account: AccountFields.shape,
  contact: ContactFields.shape,
}

export const rowTerms = (
  kind: RecordKind,
  request: ReadyRequest,
  targets: readonly ImportTarget[],
  from: Pick<RowTerms, 'directory' | 'currency' | 'country'>,
): RowTerms => {
  const columns = new Map<string, string>()
  for (const [column, field] of Object.entries(request.mapping))
    if (field && !columns.has(field)) columns.set(field, column)
  return {
    ...from,
    kind,
    request,
    targets: new Map(targets.map((target) => [target.field, target])),
    defaults: readDefaults(request.defaults, targets),
    columnOf: (field) => columns.get(field),
    version: JSON.stringify([from, targets]),
    read: rowReader(request.dialect, request.mapping, targets),
  }
}

/** Reads a row; whatever cannot be read is among its problems. */
export const readDraft = (terms: RowTerms, { n, line, cells, fault }: CsvRow): Draft => {
  if (fault) return { n, line, own: {}, blank: [], extra: {}, fingerprint: '', problems: [fault] }
  const { values, faults, extra } = terms.read(cells)
  const problems = faults.map(({ column, field, message, accepted, nearest }): RowProblem => ({
    column,
    field,
    code: 'cell_invalid',
    message,
    accepted,
    ...(nearest === undefined ? {} : { nearest }),
  }))
  const own: Record<string, unknown> = {}
  const blank: string[] = []
  const said: string[] = []
  for (const field of Object.keys(values).toSorted()) {
    const value = values[field]
    if (value === null || value === undefined) {
      blank.push(field)
      continue
    }
    const target = terms.targets.get(field)
    // Texts of several columns that were joined may be too long together.
    if (
      typeof value === 'string' &&
      value.length > 300 &&
      target &&
      !schemaOfTarget(target).safeParse(value).success
    )
      problems.push({
        ...at(terms, field),
        code: 'cell_invalid',
        message: `This text has ${value.length.toLocaleString('en')} characters, more than “${target.label}” takes`,
        nearest: clip(value, 80),
      })
    own[field] = value
    said.push(JSON.stringify([field, value]))
  }
  return { n, line, own, blank, extra, fingerprint: fingerprintOf(terms.kind, said), problems }
}

const fingerprintOf = (kind: RecordKind, said: readonly string[]): string => {
  const digest = hash('sha256', `${kind}\n${said.join('\n')}`)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${digest.slice(12, 16)}-${digest.slice(16, 20)}-${digest.slice(20, 32)}`
}

/** Parts what a row says by what it means for a record, and looks up the words that name people and reasons. */
export const spell = (terms: RowTerms, said: Record<string, unknown>): Spelled => {
  const problems: RowProblem[] = []
  const look = <T>(field: string, find: (directory: Directory, text: string) => Named<T>): T | undefined => {
    const text = said[field]
    if (typeof text !== 'string') return undefined
    const found = find(terms.directory, text)
    if ('value' in found) return found.value
    problems.push({ ...found.problem, ...at(terms, field) })
    return undefined
  }
  const shape = shapes[terms.kind]
  const fields: Record<string, unknown> = {}
  const custom: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(said)) {
    if (field.startsWith(CUSTOM)) custom[field.slice(CUSTOM.length)] = inOrderOfChoices(terms, field, value)
    else if (Object.hasOwn(shape, field)) fields[field] = value
  }
  const owner_id = look('owner_id', memberNamed) ?? look('owner', memberNamed)
  if (owner_id !== undefined) fields['owner_id'] = owner_id
  return {
    fields,
    custom,
    money: (said['value'] ?? said['revenue']) as Money | undefined,
    pipeline: textOf(said['pipeline']),
    stage: textOf(said['stage']),
    discard_reason_id: look('discard_reason', reasonNamed),
    discard_note: textOf(said['discard_note']),
    account: textOf(said['account']),
    contact: textOf(said['contact']),
    problems,
  }
}

export const CUSTOM = 'custom.'

/** The same choices are the same value, in whatever order a cell names them. */
const inOrderOfChoices = ({ targets }: RowTerms, field: string, value: unknown): unknown => {
  if (!Array.isArray(value)) return value
  const order = targets.get(field)?.options?.map((option) => option.value) ?? []
  return [...new Set(value.map(String))].toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Where a problem stands. */
export const at = (
  { columnOf }: Pick<RowTerms, 'columnOf'>,
  field: string,
): Pick<RowProblem, 'column' | 'field'> => {
  const column = columnOf(field)
  return { ...(column === undefined ? {} : { column }), field }
}
