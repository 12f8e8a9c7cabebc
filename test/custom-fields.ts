import type { CustomField, CustomType } from '../db/fields.ts'
import type { RecordKind } from '../db/records.ts'

/** A custom field as it is kept, for what needs no database. */
export const customField = (
  record_kind: RecordKind,
  key: string,
  type: CustomType,
  options: string[] = [],
): CustomField => ({
  id: '018f4e3a-0000-7000-8000-000000000001',
  record_kind,
  key,
  label: `${key.charAt(0).toUpperCase()}${key.slice(1).replaceAll('_', ' ')}`,
  description: null,
  type,
  options: options.map((label) => ({ value: label, label })),
  position: 'a0',
  archived_at: null,
  created_at: new Date(0),
  updated_at: new Date(0),
  version: 1,
})
