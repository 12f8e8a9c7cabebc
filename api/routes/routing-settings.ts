import { z } from 'zod'
import { changeFallback, readFallback, RoutingSettingsChange } from '../../db/routing-settings.ts'
import { RoutingFallback } from '../../db/routing-targets.ts'
import { route } from '../route.ts'

const RoutingSettingsShape = z
  .object({ fallback: RoutingFallback, version: z.int() })
  .meta({ id: 'RoutingSettings' })

/** What becomes of leads that no rule takes. */
export const routingSettings = [
  route(
    {
      method: 'GET',
      path: '/api/routing-settings',
      permission: 'routing:read',
      summary: 'Who takes leads that no rule takes',
      response: RoutingSettingsShape,
    },
    ({ ctx }) => readFallback(ctx),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/routing-settings',
      permission: 'routing:write',
      summary: 'Say who takes leads that no rule takes',
      description: 'A member, a pool by turns, or nobody.',
      body: RoutingSettingsChange,
      example: { version: 1, fallback: { kind: 'member', user_id: '01990000-0000-7000-8000-000000000000' } },
      response: RoutingSettingsShape,
      versioned: true,
    },
    ({ ctx, body, version }) => changeFallback(ctx, { ...body, version }),
  ),
]
