import { z } from 'zod'
import {
  createDiscardReason,
  DiscardReasonChange,
  getDiscardReason,
  listDiscardReasons,
  NewDiscardReason,
  restoreDiscardReason,
  retireDiscardReason,
  updateDiscardReason,
} from '../../db/discard-reasons.ts'
import { ById, route } from '../route.ts'
import { Id, listOf, Text, Time, YesNo } from '../shapes.ts'

/** Why cards are lost. */
const DiscardReasonShape = z
  .object({
    id: Id,
    label: z.string(),
    description: Text,
    retired_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'DiscardReason' })

/** What people choose from when they close a card as lost. */
export const discardReasons = [
  route(
    {
      method: 'GET',
      path: '/api/discard-reasons',
      permission: 'pipelines:read',
      summary: 'Discard reasons in their order',
      query: z.object({ include_retired: YesNo.optional() }),
      response: listOf(DiscardReasonShape),
    },
    async ({ ctx, query }) => ({
      data: await listDiscardReasons(ctx, { retired: query.include_retired ?? false }),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/discard-reasons',
      permission: 'pipelines:write',
      summary: 'Add a discard reason',
      description: 'At the end, unless `before_id` or `after_id` names a neighbour.',
      body: NewDiscardReason,
      example: { label: 'Went with an in-house solution' },
      response: DiscardReasonShape,
      status: 201,
    },
    ({ ctx, body }) => createDiscardReason(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/discard-reasons/:id',
      permission: 'pipelines:read',
      summary: 'One discard reason',
      params: ById,
      response: DiscardReasonShape,
    },
    ({ ctx, params }) => getDiscardReason(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/discard-reasons/:id',
      permission: 'pipelines:write',
      summary: 'Rename, describe or move a discard reason',
      description:
        'Cards that were lost for it show it under its new name. `before_id` or `after_id` moves it.',
      params: ById,
      body: DiscardReasonChange,
      example: { version: 1, label: 'Price too high' },
      response: DiscardReasonShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => updateDiscardReason(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/discard-reasons/:id',
      permission: 'pipelines:write',
      summary: 'Retire a discard reason',
      description: 'Nobody can choose it any more; cards and reports that name it keep it.',
      params: ById,
      status: 204,
    },
    ({ ctx, params }) => retireDiscardReason(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/discard-reasons/:id/restore',
      permission: 'pipelines:write',
      summary: 'Put a retired discard reason back into the choice',
      params: ById,
      response: DiscardReasonShape,
    },
    ({ ctx, params }) => restoreDiscardReason(ctx, params.id),
  ),
]
