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

/** The organization's fields in their order, archived ones among them; read once per transaction. */
export const customFields = (ctx: Ctx): Promise<readonly CustomField[]> =>
  inTx(ctx, ({ tx, organization_id }) => {
    const known = read.get(tx)
    if (known) return known
    const fields = tx<CustomField[]>`
      select id, record_kind, key, label, description, type, options, position, archived_at, created_at, updated_at, version
      from fields where organization_id = ${organization_id} order by record_kind, position collate "C", id`.execute()
    read.set(tx, fields)
    return fields
  })

/** What a transaction has read already; a change forgets it. */
const read = new WeakMap<object, Promise<readonly CustomField[]>>()
