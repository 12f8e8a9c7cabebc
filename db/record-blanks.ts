import type { RecordKind } from './records.ts'

const card = [
  'contact_name',
  'company_name',
  'title',
  'email',
  'phone',
  'website',
  'city',
  'state',
  'country',
  'industry',
  'value_minor',
  'currency',
  'expected_close_on',
] as const

/** The fields of each kind of record that agents fill where they are blank. */
export const fillableFields = {
  lead: card,
  deal: card,
  account: ['phone', 'website', 'city', 'state', 'country', 'industry'],
  contact: ['title', 'email', 'phone', 'city', 'state', 'country'],
} as const satisfies Record<RecordKind, readonly (typeof card)[number][]>

/** Whether nothing stands in a field: a phone that could not be read is something, a currency without an amount is not. */
export const isBlank = (record: Record<string, unknown>, field: string): boolean => {
  if (field === 'currency') return isEmpty(record['value_minor'])
  return isEmpty(record[field]) && (field !== 'phone' || isEmpty(record['phone_original']))
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
