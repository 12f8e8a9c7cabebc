import { z } from 'zod'
import { archiveField, restoreField } from '../../db/field-archiving.ts'
import {
  createField,
  customFields,
  customTypes,
  FieldChange,
  getField,
  moveField,
  NewField,
  updateField,
} from '../../db/fields.ts'
import { Place } from '../../db/positions.ts'
import { recordKinds } from '../../db/records.ts'
import { ById, route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'

/** A field that an organization added to a kind of record. */
export const FieldShape = z
  .object({
    id: Id,
    record_kind: z.enum(recordKinds),
    key: z.string().describe('Never changes: `custom.<key>` in filters, sorts, imports and tools.'),
    label: z.string(),
    description: Text,
    type: z.enum(customTypes),
    options: z.array(z.object({ value: z.string(), label: z.string(), retired: z.boolean().optional() })),
    position: z.string(),
    archived_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Field' })

const FieldsQuery = z.object({
  record_kind: z.enum(recordKinds).optional(),
  include_archived: z.enum(['true', 'false']).optional(),
})

/** Fields that organizations add to their records. */
export const fields = [
  route(
    {
      method: 'GET',
      path: '/api/fields',
      permission: 'fields:read',
      summary: 'Custom fields, in their order',
      description: 'Archived ones only with `include_archived=true`.',
      query: FieldsQuery,
      response: listOf(FieldShape),
    },
    async ({ ctx, query }) => {
      const all = await customFields(ctx, query.record_kind)
      const data = all.filter(({ archived_at }) => query.include_archived === 'true' || !archived_at)
      return { data, next_cursor: null }
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/fields',
      permission: 'fields:write',
      summary: 'Add a field',
      description:
        'Seven types: `short_text long_text integer decimal date select multi_select`. The key never changes; without one it is made of the label. 409 `field_key_taken`, also by an archived field or a standard one.',
      body: NewField,
      example: {
        record_kind: 'lead',
        key: 'tier',
        label: 'Tier',
        type: 'select',
        options: [{ value: 'gold', label: 'Gold' }, { label: 'Silver' }],
      },
      response: FieldShape,
      status: 201,
    },
    ({ ctx, body }) => createField(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/fields/:id',
      permission: 'fields:read',
      summary: 'One field, archived or not',
      params: ById,
      response: FieldShape,
    },
    ({ ctx, params }) => getField(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/fields/:id',
      permission: 'fields:write',
      summary: 'Change how a field is named and what can be chosen',
      description:
        '`options` is the whole list. An option that records have cannot be left out (409 `option_in_use` with `count`): send it with `retired: true`, and it stays on them and is offered no longer.',
      params: ById,
      body: FieldChange,
      example: { version: 1, label: 'Customer tier' },
      response: FieldShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => updateField(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/fields/:id/move',
      permission: 'fields:write',
      summary: 'Put a field right before or after another one; without a neighbour, last',
      params: ById,
      body: Place,
      example: { after_id: '01990000-0000-7000-8000-000000000000' },
      response: FieldShape,
    },
    ({ ctx, params, body }) => moveField(ctx, params.id, body),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/fields/:id',
      permission: 'fields:write',
      summary: 'Archive a field',
      description:
        'It is hidden from now on; every value stays, and is there again when it is restored. When the score formula in force looks at it, every lead is scored anew (`recompute` of the formula, `trigger` `field_changed`), as when it is restored.',
      params: ById,
      status: 204,
    },
    async ({ ctx, params }) => void (await archiveField(ctx, params.id)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/fields/:id/restore',
      permission: 'fields:write',
      summary: 'Bring an archived field back with its values',
      description: 'When the score formula in force looks at it, every lead is scored anew.',
      params: ById,
      response: FieldShape,
    },
    ({ ctx, params }) => restoreField(ctx, params.id),
  ),
]
