import type { TxCtx } from './context.ts'
import { currentMember } from './current-member.ts'
import { customFields, valueColumns, type CustomField, type CustomType } from './fields.ts'
import type { FilterScope } from './filter-condition.ts'
import type { FilterField, FilterFields, FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import type { FieldType } from './filter-operands.ts'
import { comparisonsOf, type Filter } from './filters.ts'

/**
 * What filters of a kind of record are read with: its fields, the organization's own ones included, and who asks.
 * @param query what will be read; absent, whatever may come
 */
export const filterScope = async (
  ctx: TxCtx,
  kind: FilterKind,
  query?: { filter?: Filter | undefined; sort?: string | undefined },
): Promise<FilterScope> => {
  const asked = query && JSON.stringify(query)
  const [custom, me] = await Promise.all([
    query && onlyStandard(kind, query) ? [] : customFields(ctx),
    asked?.includes('"me"') === false ? undefined : currentMember(ctx),
  ])
  const known = new Map<FilterKind, FilterFields>()
  return {
    tx: ctx.tx,
    organization_id: ctx.organization_id,
    kind,
    me,
    reading: ctx.reading,
    fieldsOf: (kind) => {
      const fields = known.get(kind) ?? { ...filterKinds[kind].fields, ...ownFields(kind, custom) }
      known.set(kind, fields)
      return fields
    },
  }
}

/** Whether no custom field is asked for, nor a name that is unknown: which it was meant to be is said with all names at hand. */
const onlyStandard = (
  kind: FilterKind,
  { filter, sort }: { filter?: Filter | undefined; sort?: string | undefined },
) =>
  (sort?.split(',') ?? []).every((part) => isStandard(kind, part.replace(/^[-+]/, '').trim())) &&
  (!filter || comparisonsOf(filter).every(({ field }) => isStandard(kind, field))) &&
  !JSON.stringify(filter ?? null).includes('"linked":')

const isStandard = (kind: FilterKind, name: string): boolean => Object.hasOwn(filterKinds[kind].fields, name)

/** What a filter takes the values of a type for. */
const FILTERED_AS: Record<CustomType, FieldType> = {
  short_text: 'text',
  long_text: 'text',
  integer: 'integer',
  decimal: 'decimal',
  date: 'date',
  select: 'text',
  multi_select: 'tags',
}

/** `custom.<key>` of a kind. Where leads and deals have a field of one key and type, it is one field to their common list. */
const ownFields = (kind: FilterKind, fields: readonly CustomField[]): FilterFields => {
  const own: FilterFields = {}
  for (const field of fields) {
    if (!filterKinds[kind].custom.includes(field.record_kind)) continue
    const type = FILTERED_AS[field.type]
    const name = `custom.${field.key}`
    const earlier = own[name]
    if (earlier && earlier.type !== type) continue
    own[name] = ofCustomValues(type, [...(earlier?.lookup?.field_ids ?? []), field.id], field)
  }
  return own
}

const ofCustomValues = (type: FieldType, field_ids: string[], field: CustomField): FilterField => ({
  type,
  lookup: {
    table: 'custom_values',
    on: (v, a) => `${v}.record_id = ${a}.id`,
    column: (v) => `${v}.${valueColumns[field.type]}`,
    id: 'record_id',
    field_ids,
    ...(type === 'tags' ? { first: (v: string) => `${v}.n = 0` } : {}),
  },
  ...(field.type === 'long_text' ? { long: true } : {}),
  ...(field.archived_at ? { archived: true } : {}),
})
