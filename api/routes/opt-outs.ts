import { z } from 'zod'
import { liftOptOut, listOptOuts, NewOptOut, optOut } from '../../db/opt-outs.ts'
import { Limit, route } from '../route.ts'
import { listOf, Time } from '../shapes.ts'

/** An address that must not be written to. */
const OptOutShape = z
  .object({ email: z.string(), reason: z.string(), created_at: Time })
  .meta({ id: 'OptOut' })

/** Who asked not to be written to, by the link of an e-mail or in other words. */
export const optOuts = [
  route(
    {
      method: 'GET',
      path: '/api/opt-outs',
      permission: 'messages:read',
      summary: 'Addresses that must not be written to',
      query: z.object({ limit: Limit, cursor: z.string().max(320).optional() }),
      response: listOf(OptOutShape),
    },
    ({ ctx, query }) => listOptOuts(ctx, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/opt-outs',
      permission: 'leads:write',
      summary: 'Note that an address must not be written to',
      description: 'For who asked in other words than by the link of an e-mail. Twice is once.',
      body: NewOptOut,
      example: { email: 'ana@brightside.example', reason: 'Said so on the phone' },
      status: 204,
    },
    ({ ctx, body }) => optOut(ctx, body.email, body.reason ?? 'asked a member of the team'),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/opt-outs/:email',
      permission: 'settings:write',
      summary: 'Let an address be written to again',
      description: 'Only when its owner asked for that.',
      params: z.object({ email: z.string().min(1).max(320) }),
      status: 204,
    },
    ({ ctx, params }) => liftOptOut(ctx, params.email),
  ),
]
