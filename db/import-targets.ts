import { z } from 'zod'
import { AccountFields } from './accounts.ts'
import { ContactFields } from './contacts.ts'
import type { CustomField, CustomType, FieldOption } from './fields.ts'
import { filterKinds } from './filter-kinds.ts'
import { Line, Lines } from './lead-fields.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import type { RecordKind } from './records.ts'

/** What a column can hold, by which its cells are read. `reference` is a name, address or id that is looked up. */
export type TargetType =
  | 'text'
  | 'long_text'
  | 'email'
  | 'phone'
  | 'url'
  | 'country'
  | 'currency'
  | 'money'
  | 'integer'
  | 'decimal'
  | 'date'
  | 'select'
  | 'multi_select'
  | 'tags'
  | 'id'
  | 'reference'

/** What a column of a file can be imported as; exports name their columns the same. */
export type ImportTarget = {
  record_kind: RecordKind
  /** The name in a mapping: a field of the record, `custom.<key>`, or a word such as `stage`. */
  field: string
  label: string
  type: TargetType
  /** What can be chosen. */
  options?: FieldOption[]
}

/** Everything that columns of a file can be imported as: the fields of the record, what is looked up, custom fields. */
export const importTargets = (
  kind: RecordKind,
  customFields: readonly CustomField[] = [],
): ImportTarget[] => [
  { record_kind: kind, field: 'id', label: 'Id', type: 'id' },
  ...Object.keys(shapes[kind]).map((field) => standardTarget(kind, field)),
  ...lookedUp[kind].map(([field, label, type]): ImportTarget => ({ record_kind: kind, field, label, type })),
  ...customFields
    .filter((field) => field.record_kind === kind && !field.archived_at)
    .map(({ key, label, type, options }): ImportTarget => ({
      record_kind: kind,
      field: `custom.${key}`,
      label,
      type: customTypes[type],
      ...(options.length > 0 ? { options } : {}),
    })),
]

/** What a value of a target has to be; what is looked up is a name of one line. */
export const schemaOfTarget = ({ record_kind, field, type }: ImportTarget): z.ZodType => {
  const shape: Record<string, z.ZodType> = shapes[record_kind]
  if (Object.hasOwn(shape, field)) return shape[field] ?? line
  if (type === 'id') return z.uuid()
  if (type === 'reference' && (field === 'account' || field === 'contact')) return names
  return type === 'long_text' ? Lines() : line
}

const line = Line()
/** As many as a record can be linked with, parted by semicolons. */
const names = Line(20_000)

const shapes: Record<RecordKind, Record<string, z.ZodType>> = {
  lead: OpportunityFields.shape,
  deal: OpportunityFields.shape,
  account: AccountFields.shape,
  contact: ContactFields.shape,
}

/** What a record has beside its fields. */
const OWNER = ['owner', 'Owner', 'reference'] as const
const ACCOUNT = ['account', 'Account', 'reference'] as const
const card = [
  ['value', 'Value', 'money'],
  ['pipeline', 'Pipeline', 'reference'],
  ['stage', 'Stage', 'reference'],
  OWNER,
  ACCOUNT,
  ['contact', 'Contact', 'reference'],
  ['discard_reason', 'Discard reason', 'reference'],
  ['discard_note', 'Discard note', 'long_text'],
] as const
const lookedUp: Record<RecordKind, readonly (readonly [field: string, label: string, type: TargetType])[]> = {
  lead: card,
  deal: card,
  account: [['revenue', 'Revenue', 'money'], OWNER],
  contact: [OWNER, ACCOUNT],
}

const standardTarget = (record_kind: RecordKind, field: string): ImportTarget => {
  const schema = shapes[record_kind][field]
  const options =
    schema instanceof z.ZodEnum
      ? schema.options.map(String).map((value) => ({ value, label: labelOf(value) }))
      : undefined
  return {
    record_kind,
    field,
    label: LABELS[field] ?? labelOf(field),
    type: options ? 'select' : (TYPES[field] ?? typeOf(record_kind, field)),
    ...(options ? { options } : {}),
  }
}

const TYPES: Record<string, TargetType> = {
  email: 'email',
  phone: 'phone',
  website: 'url',
  landing_page: 'url',
  country: 'country',
  currency: 'currency',
  message: 'long_text',
  description: 'long_text',
}

/** Of what type its filter is. */
const typeOf = (record_kind: RecordKind, field: string): TargetType => {
  const type = filterKinds[record_kind].fields[field]?.type
  if (type === 'number') return 'integer'
  if (type === 'uuid') return 'id'
  return type === 'date' || type === 'tags' ? type : 'text'
}

const customTypes: Record<CustomType, TargetType> = {
  short_text: 'text',
  long_text: 'long_text',
  integer: 'integer',
  decimal: 'decimal',
  date: 'date',
  select: 'select',
  multi_select: 'multi_select',
}

const LABELS: Record<string, string> = {
  contact_name: 'Contact name',
  company_name: 'Company',
  email: 'E-mail',
  owner_id: 'Owner id',
  value_minor: 'Value in minor units',
  revenue_minor: 'Revenue in minor units',
  expected_close_on: 'Expected close',
}

const labelOf = (name: string): string => {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
