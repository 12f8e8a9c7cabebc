import { z } from 'zod'
import {
  createView,
  deleteView,
  getView,
  listViews,
  NewView,
  updateView,
  ViewChange,
  viewKinds,
} from '../../db/views.ts'
import { ById, Paged, route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'

/** A saved list. */
export const ViewShape = z
  .object({
    id: Id,
    name: z.string(),
    record_kind: z.enum(viewKinds),
    filter: z.unknown().describe('A filter of the filter language, or null.'),
    sort: Text,
    columns: z.array(z.string()),
    layout: z.enum(['kanban', 'list', 'grid']).nullable(),
    pipeline_id: Id.nullable(),
    shared: z.boolean(),
    owner_id: Id,
    warnings: z.array(z.object({ field: z.string(), message: z.string() })),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'View' })

/** Saved views: each member’s own, and those that others share. */
export const views = [
  route(
    {
      method: 'GET',
      path: '/api/views',
      summary: 'Your views, and those that others share',
      query: Paged.extend({ record_kind: z.enum(viewKinds).optional() }),
      response: listOf(ViewShape),
    },
    ({ ctx, query }) => listViews(ctx, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/views',
      summary: 'Save a view',
      description:
        'Private unless `shared`. Filter, sort and columns are read as the list would read them: what is saved can be opened.',
      body: NewView,
      example: {
        name: 'Quiet leads of mine',
        record_kind: 'lead',
        filter: {
          and: [
            { field: 'owner_id', op: 'eq', value: 'me' },
            {
              linked: 'activities',
              none: { field: 'occurred_at', op: 'within_last', value: { n: 7, unit: 'day' } },
            },
          ],
        },
        sort: '-value_minor',
        columns: ['name', 'stage', 'value_minor'],
      },
      response: ViewShape,
      status: 201,
    },
    ({ ctx, body }) => createView(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/views/:id',
      summary: 'One view; what changed about its fields since it was saved is among its warnings',
      params: ById,
      response: ViewShape,
    },
    ({ ctx, params }) => getView(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/views/:id',
      summary: 'Change a view of yours, or share it',
      params: ById,
      body: ViewChange,
      example: { version: 1, shared: true },
      response: ViewShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => updateView(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/views/:id',
      summary: 'Delete a view of yours',
      params: ById,
      status: 204,
    },
    ({ ctx, params }) => deleteView(ctx, params.id),
  ),
]
