import type { CsvDialect } from './csv-dialect.ts'
import { nearestName } from './csv-options.ts'
import { cellReader, styleOf, type CellFault, type CellReading } from './csv-values.ts'
import { DomainError, type Fault } from './errors.ts'
import { partOfName } from './import-fits.ts'
import type { ImportTarget, TargetType } from './import-targets.ts'

/** What each column is imported as; null and columns that are not named: in no field. */
export type Mapping = Record<string, string | null>

/** What a row says: values by the fields of the mapping, what cannot be read, and the cells of columns that go nowhere. */
export type RowReading = {
  /** Null for a blank cell. */
  values: Record<string, unknown>
  faults: (CellFault & { column: string; field: string })[]
  extra: Record<string, string>
}

/**
 * How the rows of a file are read with a mapping. Several columns of texts can go to one target: a name's parts in the order
 * in which a name is written, other texts in the order of the file, with a blank or a line between them; tags are put together.
 * @throws {DomainError} `mapping_invalid` with every column that the file does not have, every field that there is not, naming
 * the nearest, and every target that takes one column and is given several; `mapping_empty`
 */
export const rowReader = (
  dialect: Pick<CsvDialect, 'columns' | 'decimal' | 'dates'>,
  mapping: Mapping,
  targets: readonly ImportTarget[],
): ((cells: readonly string[]) => RowReading) => {
  requireMapping(dialect.columns, mapping, targets)
  const by_field = new Map(targets.map((target) => [target.field, target]))
  const groups = new Map<ImportTarget, ColumnReader[]>()
  const unmapped: { column: string; n: number }[] = []
  dialect.columns.forEach((column, n) => {
    const target = by_field.get((Object.hasOwn(mapping, column) && mapping[column]) || '')
    if (!target) return void unmapped.push({ column, n })
    const readers = groups.get(target) ?? []
    groups.set(target, [...readers, { column, n, read: cellReader(target, styleOf(dialect, column)) }])
  })
  const mapped = [...groups].map(([target, columns]) => ({ target, columns: columns.toSorted(asWritten) }))
  return (cells) => {
    const reading: RowReading = { values: {}, faults: [], extra: {} }
    for (const { target, columns } of mapped) readTarget(target, columns, cells, reading)
    for (const { column, n } of unmapped) if (cells[n]?.trim()) reading.extra[column] = cells[n]
    return reading
  }
}

type ColumnReader = { column: string; n: number; read: (cell: string) => CellReading }

/** A first name comes before a family name, whatever their order in the file. */
const asWritten = (a: ColumnReader, b: ColumnReader): number => {
  const [first, second] = [partOfName(a.column), partOfName(b.column)]
  if (first === undefined && second === undefined) return a.n - b.n
  return (first ?? FAMILY) - (second ?? FAMILY) || a.n - b.n
}

/** Beside a first name, a column that is just called a name is the family's. */
const FAMILY = 2

const readTarget = (
  { field, type }: ImportTarget,
  columns: readonly ColumnReader[],
  cells: readonly string[],
  { values, faults }: RowReading,
): void => {
  let value: unknown = null
  for (const { column, n, read } of columns) {
    const said = read(cells[n] ?? '')
    if ('fault' in said) faults.push({ column, field, ...said.fault })
    else value = joined(type, value, said.value)
  }
  values[field] = value
}

/** What parts several columns of one target; other types take one. */
const JOINTS: Partial<Record<TargetType, string>> = { text: ' ', long_text: '\n' }

const joined = (type: TargetType, before: unknown, next: unknown): unknown => {
  if (next === null || before === null) return next ?? before
  if (Array.isArray(before) && Array.isArray(next)) return [...new Set([...before, ...next])]
  return typeof before === 'string' && typeof next === 'string'
    ? `${before}${JOINTS[type] ?? ' '}${next}`
    : next
}

const takesSeveral = (type: TargetType): boolean =>
  type in JOINTS || type === 'tags' || type === 'multi_select'

const requireMapping = (
  columns: readonly string[],
  mapping: Mapping,
  targets: readonly ImportTarget[],
): void => {
  const fields = targets.map(({ field }) => field)
  const used = new Map<string, string>()
  const faults = Object.entries(mapping).flatMap(([column, field]): Fault[] => {
    const pointer = `/mapping/${column.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!columns.includes(column))
      return [
        {
          pointer,
          message: `The file has no column “${column}”.${meant(columns, column)}`,
          accepted: columns,
        },
      ]
    if (field === null || field === '') return []
    const target = targets.find((one) => one.field === field)
    if (!target)
      return [{ pointer, message: `There is no field “${field}”.${meant(fields, field)}`, accepted: fields }]
    const other = used.get(field)
    used.set(field, column)
    if (other === undefined || takesSeveral(target.type)) return []
    return [
      { pointer, message: `“${target.label}” takes one column, and “${other}” is given to it already.` },
    ]
  })
  const [first] = faults
  if (first) throw new DomainError('invalid', 'mapping_invalid', first.message, { errors: faults })
  if (used.size > 0) return
  throw new DomainError(
    'invalid',
    'mapping_empty',
    'No column is mapped to a field, so nothing would be imported.',
    {
      errors: [{ pointer: '/mapping', message: 'at least one column with a field', accepted: fields }],
    },
  )
}

const meant = (known: readonly string[], name: string): string => {
  const near = nearestName(known, name)
  return near === undefined ? '' : ` Did you mean “${near}”?`
}
