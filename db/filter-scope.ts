import type { TxCtx } from './context.ts'
import { customFields, type CustomField, type CustomType } from './fields.ts'
import type { FilterScope } from './filter-condition.ts'
import type { FilterField, FilterFields, FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import type { FieldType } from './filter-operands.ts'

/** What filters of a kind of record are read with: its fields, the organization's own ones included, and who asks. */
export const filterScope = async (ctx: TxCtx, kind: FilterKind): Promise<FilterScope> => {
  const [custom, me] = await Promise.all([customFields(ctx), currentMember(ctx)])
  const known = new Map<FilterKind, FilterFields>()
  return {
    tx: ctx.tx,
    organization_id: ctx.organization_id,
    kind,
    me,
    fieldsOf: (kind) => {
      const fields = known.get(kind) ?? { ...filterKinds[kind].fields, ...ownFields(kind, custom) }
      known.set(kind, fields)
      return fields
    },
  }
}

/** In which column of `custom_values` values of a type are, and what a filter takes them for. */
const COLUMNS: Record<CustomType, { column: string; type: FieldType }> = {
  short_text: { column: 'text_value', type: 'text' },
  long_text: { column: 'long_value', type: 'text' },
  integer: { column: 'number_value', type: 'integer' },
  decimal: { column: 'number_value', type: 'decimal' },
  date: { column: 'date_value', type: 'date' },
  select: { column: 'text_value', type: 'text' },
  multi_select: { column: 'text_value', type: 'tags' },
}

/** `custom.<key>` of a kind. Where leads and deals have a field of one key and type, it is one field to their common list. */
const ownFields = (kind: FilterKind, fields: readonly CustomField[]): FilterFields => {
  const own: FilterFields = {}
  for (const field of fields) {
    if (!filterKinds[kind].custom.includes(field.record_kind)) continue
    const { column, type } = COLUMNS[field.type]
    const name = `custom.${field.key}`
    const earlier = own[name]
    if (earlier && earlier.type !== type) continue
    own[name] = ofCustomValues(type, column, [...(earlier?.lookup?.field_ids ?? []), field.id], field)
  }
  return own
}

const ofCustomValues = (
  type: FieldType,
  column: string,
  field_ids: string[],
  { archived_at }: CustomField,
): FilterField => ({
  type,
  lookup: {
    table: 'custom_values',
    on: (v, a) => `${v}.record_id = ${a}.id`,
    column: (v) => `${v}.${column}`,
    id: 'record_id',
    field_ids,
    ...(type === 'tags' ? { first: (v: string) => `${v}.n = 0` } : {}),
  },
  ...(archived_at ? { archived: true } : {}),
})

/** The member who asks, or for whom a key or an agent does. */
const currentMember = async ({
  tx,
  actor,
  on_behalf_of,
  organization_id,
}: TxCtx): Promise<string | undefined> => {
  const asking = [actor, on_behalf_of].find((one) => one?.kind === 'user' || one?.kind === 'api_key')
  if (asking?.kind !== 'api_key') return asking?.id
  const [key] = await tx<{ user_id: string }[]>`
    select user_id from identity.api_keys where organization_id = ${organization_id} and id = ${asking.id}`
  return key?.user_id
}
