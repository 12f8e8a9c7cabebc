import { inTx, type Ctx } from './context.ts'
import type { RecordKind } from './records.ts'

/** What a custom field can hold. */
export const customTypes = [
  'short_text',
  'long_text',
  'integer',
  'decimal',
  'date',
  'select',
  'multi_select',
] as const
export type CustomType = (typeof customTypes)[number]

/** One choice of a select; `value` never changes, a retired one is kept where it was chosen. */
export type FieldOption = { value: string; label: string; retired?: true }

/** A field that an organization added to a kind of record. */
export type CustomField = {
  id: string
  record_kind: RecordKind
  key: string
  label: string
  description: string | null
  type: CustomType
  options: FieldOption[]
  position: string
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** In which column of `custom_values` the values of a type are. */
export const valueColumns = {
  short_text: 'text_value',
  long_text: 'long_value',
  integer: 'number_value',
  decimal: 'number_value',
  date: 'date_value',
  select: 'text_value',
  multi_select: 'text_value',
} as const satisfies Record<CustomType, string>

/** The organization's fields, or those of one kind, in their order and with archived ones; read once per transaction. */
export const customFields = (ctx: Ctx, record_kind?: RecordKind): Promise<readonly CustomField[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const fields =
      read.get(tx) ??
      tx<CustomField[]>`
        select id, record_kind, key, label, description, type, options, position, archived_at, created_at, updated_at, version
        from fields where organization_id = ${organization_id} order by record_kind, position collate "C", id`.execute()
    read.set(tx, fields)
    return (await fields).filter((field) => !record_kind || field.record_kind === record_kind)
  })

/** What a transaction has read already; a change forgets it. */
const read = new WeakMap<object, Promise<readonly CustomField[]>>()
