import { z } from 'zod'
import {
  AvailabilityChange,
  changeAvailability,
  memberNamed,
  readAvailability,
} from '../../db/availability.ts'
import { addTimeOff, listTimeOff, NewTimeOff, removeTimeOff, type TimeOff } from '../../db/time-off.ts'
import type { Ctx } from '../../db/context.ts'
import { editorOf, type Principal, requirePermission } from '../principal.ts'
import { ById, Paged, route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'
import { PassedOverNow } from './routing-pools.ts'

const AvailabilityShape = z
  .object({
    member_id: Id,
    user_id: Id,
    name: z.string(),
    max_open_leads: z.int().nullable().describe('Null: no limit.'),
    open_leads: z.int(),
    away_until: z.iso.date().nullable().describe('The last day of the time off that is now.'),
    passed_over: PassedOverNow.describe('Why routing gives nothing to this member now.'),
    version: z.int(),
  })
  .meta({ id: 'Availability' })

const TimeOffShape = z
  .object({
    id: Id,
    user_id: Id,
    from_on: z.iso.date(),
    until_on: z.iso.date(),
    note: Text.describe('Shown to the member and to managers.'),
    created_at: Time,
  })
  .meta({ id: 'TimeOff' })

/** @throws 403 unless it is one’s own, or one is a manager */
const requireOwn = async (ctx: Ctx, principal: Principal, id: string): Promise<void> => {
  const { user_id } = await memberNamed(ctx, id)
  if (user_id !== principal.user_id) requirePermission(principal, 'availability:write')
}

const presentTimeOff = (
  principal: Principal,
  { id, user_id, from_on, until_on, note, created_at }: TimeOff,
) => {
  const shown = user_id === principal.user_id || editorOf(principal).oversees
  return { id, user_id, from_on, until_on, note: shown ? note : null, created_at }
}

/** How much members take on, and when they are away. A member is named by the id of the membership or of the person. */
export const availability = [
  route(
    {
      method: 'GET',
      path: '/api/members/:id/availability',
      permission: 'members:read',
      summary: 'Whether a member can be given leads now',
      params: ById,
      response: AvailabilityShape,
    },
    ({ ctx, params }) => readAvailability(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/members/:id/availability',
      permission: 'availability:write',
      summary: 'Set how many open leads a member takes on',
      description: 'Null is no limit. Whoever has more keeps them, and gets no more by routing.',
      params: ById,
      body: AvailabilityChange,
      example: { version: 1, max_open_leads: 40 },
      response: AvailabilityShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => changeAvailability(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'GET',
      path: '/api/members/:id/time-off',
      permission: 'members:read',
      summary: 'When a member is away, what was entered last first',
      params: ById,
      query: Paged,
      response: listOf(TimeOffShape),
    },
    async ({ ctx, params, query, principal }) => {
      const { data, next_cursor } = await listTimeOff(ctx, params.id, query)
      return { data: data.map((one) => presentTimeOff(principal, one)), next_cursor }
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/members/:id/time-off',
      permission: 'time_off:write',
      summary: 'Enter when a member is away',
      description:
        'Both days are included, where the organization is. Routing passes the member over on them. Everybody enters their own; that of others takes a manager.',
      params: ById,
      body: NewTimeOff,
      example: { from_on: '2026-12-21', until_on: '2027-01-03', note: 'Skiing' },
      response: TimeOffShape,
      status: 201,
    },
    async ({ ctx, params, body, principal }) => {
      await requireOwn(ctx, principal, params.id)
      return presentTimeOff(principal, await addTimeOff(ctx, params.id, body))
    },
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/members/:id/time-off/:time_off_id',
      permission: 'time_off:write',
      summary: 'Take a time off back',
      params: ById.extend({ time_off_id: z.uuid() }),
      status: 204,
    },
    async ({ ctx, params, principal }) => {
      await requireOwn(ctx, principal, params.id)
      await removeTimeOff(ctx, params.id, params.time_off_id)
    },
  ),
]
