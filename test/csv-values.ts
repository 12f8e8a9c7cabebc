import { cellReader, type CellFault, type CellStyle } from '../db/csv-values.ts'
import { importTargets } from '../db/import-targets.ts'
import type { RecordKind } from '../db/records.ts'
import { customField } from './custom-fields.ts'

/** Custom fields of leads, one of each type that is read by its own rules. */
export const csvFields = [
  customField('lead', 'plan', 'select', ['Basic', 'Pro', 'Großkunde']),
  customField('lead', 'wants', 'multi_select', ['Setup, complete', 'Support', 'Training']),
  customField('lead', 'agreed', 'select', ['Yes', 'No']),
  customField('lead', 'weight', 'decimal'),
  customField('lead', 'seats', 'integer'),
  customField('lead', 'since', 'date'),
]

/** What a cell says for a field, in a style. */
export const read = (
  field: string,
  cell: string,
  style: Partial<CellStyle> = {},
  kind: RecordKind = 'lead',
) => {
  const target = importTargets(kind, csvFields).find((one) => one.field === field)
  if (!target) throw new Error(`there is no ${field}`)
  return cellReader(target, { decimal: '.', date: undefined, ...style })(cell)
}

/** The value that a cell says. */
export const valueOf = (...given: Parameters<typeof read>): unknown => {
  const said = read(...given)
  if ('fault' in said) throw new Error(said.fault.message)
  return said.value
}

/** What is wrong with a cell. */
export const faultOf = (...given: Parameters<typeof read>): CellFault => {
  const said = read(...given)
  if (!('fault' in said)) throw new Error(`read as ${JSON.stringify(said.value)}`)
  return said.fault
}
