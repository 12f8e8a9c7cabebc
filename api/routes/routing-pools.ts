import { z } from 'zod'
import {
  createRoutingPool,
  getRoutingPool,
  listRoutingPools,
  NewRoutingPool,
  restoreRoutingPool,
  retireRoutingPool,
  RoutingPoolChange,
  updateRoutingPool,
} from '../../db/routing-pools.ts'
import { ById, route } from '../route.ts'
import { Id, listOf, Time, YesNo } from '../shapes.ts'

/** Why routing passes somebody over now. */
export const PassedOverNow = z
  .object({ code: z.enum(['no_member', 'away', 'at_capacity']), reason: z.string() })
  .nullable()

const RoutingPoolShape = z
  .object({
    id: Id,
    name: z.string(),
    members: z.array(
      z.object({
        user_id: Id,
        name: z.string(),
        weight: z.int(),
        taken: z.int().describe('Leads that the pool gave to this member.'),
        passed_over: PassedOverNow.describe('Why nothing is given to this member now.'),
      }),
    ),
    archived_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'RoutingPool' })

/** Members who take leads by turns. */
export const routingPools = [
  route(
    {
      method: 'GET',
      path: '/api/routing-pools',
      permission: 'routing:read',
      summary: 'Pools whose members take leads by turns',
      query: z.object({ include_retired: YesNo.optional() }),
      response: listOf(RoutingPoolShape),
    },
    async ({ ctx, query }) => ({
      data: await listRoutingPools(ctx, { retired: query.include_retired ?? false }),
      next_cursor: null,
    }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/routing-pools',
      permission: 'routing:write',
      summary: 'Make a pool',
      description:
        'Leads go round its members in this order; a `weight` of 2 takes twice as many as one of 1. Who is away, at capacity or no member any more is passed over.',
      body: NewRoutingPool,
      example: { name: 'Inbound', members: [{ user_id: '01990000-0000-7000-8000-000000000000', weight: 1 }] },
      response: RoutingPoolShape,
      status: 201,
    },
    ({ ctx, body }) => createRoutingPool(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/routing-pools/:id',
      permission: 'routing:read',
      summary: 'One pool',
      params: ById,
      response: RoutingPoolShape,
    },
    ({ ctx, params }) => getRoutingPool(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/routing-pools/:id',
      permission: 'routing:write',
      summary: 'Rename a pool or change who is in it',
      description:
        '`members` replaces the whole list; those who stay keep their turns, a new one begins where the others are.',
      params: ById,
      body: RoutingPoolChange,
      example: { version: 1, name: 'Inbound, Europe' },
      response: RoutingPoolShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => updateRoutingPool(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/routing-pools/:id',
      permission: 'routing:write',
      summary: 'Retire a pool',
      description:
        '409 `pool_in_use` with the `rules` that send leads there, and whether the `fallback` does.',
      params: ById,
      status: 204,
    },
    ({ ctx, params }) => retireRoutingPool(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/routing-pools/:id/restore',
      permission: 'routing:write',
      summary: 'Put a retired pool back into use',
      params: ById,
      response: RoutingPoolShape,
    },
    ({ ctx, params }) => restoreRoutingPool(ctx, params.id),
  ),
]
