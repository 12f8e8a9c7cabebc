import type { RecordKind } from './records.ts'

/** A field with the columns that are one value with it, and those that follow from them. */
export type FieldUnit = { field: string; columns: readonly string[]; following: readonly string[] }

const alone = (field: string): FieldUnit => ({ field, columns: [field], following: [] })

/** A number is nothing without how it was written. */
const phone: FieldUnit = { field: 'phone', columns: ['phone', 'phone_original'], following: [] }

/** An amount is nothing without its currency; a note of a loss speaks of the reason beside it. */
const card: readonly FieldUnit[] = [
  phone,
  {
    field: 'value_minor',
    columns: ['value_minor', 'currency'],
    following: ['exchange_rate', 'base_value_minor'],
  },
  { field: 'discard_reason_id', columns: ['discard_reason_id', 'discard_note'], following: [] },
]

const units: Record<RecordKind, readonly FieldUnit[]> = {
  lead: card,
  deal: card,
  account: [
    phone,
    { field: 'revenue_minor', columns: ['revenue_minor', 'currency'], following: [] },
    { field: 'website', columns: ['website'], following: ['domain'] },
  ],
  contact: [phone],
}

/** The unit that a column of a record belongs to; of a custom value, `custom.<key>`. */
export const unitOf = (kind: RecordKind, column: string): FieldUnit =>
  units[kind].find((unit) => columnsOf(unit).includes(column)) ?? alone(column)

/** Which of these fields stay when some stay as somebody edited them: each with which of those it goes, itself left out. */
export const goingWith = (
  kind: RecordKind,
  edited: readonly string[],
  fields: readonly string[],
): { field: string; with: string }[] =>
  fields.flatMap((field) => {
    if (edited.includes(field)) return []
    const along = edited.find((one) => columnsOf(unitOf(kind, one)).includes(field))
    return along === undefined ? [] : [{ field, with: along }]
  })

/** What is one value with these fields and is not among them. */
export const besides = (kind: RecordKind, fields: readonly string[]): string[] => [
  ...new Set(
    fields.flatMap((field) => unitOf(kind, field).columns).filter((column) => !fields.includes(column)),
  ),
]

const columnsOf = ({ columns, following }: FieldUnit): readonly string[] => [...columns, ...following]
