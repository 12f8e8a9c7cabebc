import { z } from 'zod'
import { readAttribution } from '../../db/lead-attribution.ts'
import { listTouchpoints } from '../../db/touchpoints.ts'
import { ById, Paged, route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'
import { TouchShape } from './opportunities.ts'

/** One time that somebody came by. */
const TouchpointShape = z
  .object({
    id: Id,
    visitor_id: Text,
    lead_id: Id.nullable(),
    campaign_id: Id.nullable(),
    campaign: Text,
    source: Text,
    medium: Text,
    term: Text,
    content: Text,
    landing_page: Text.describe('Origin and path.'),
    referrer: Text.describe('Origin and path.'),
    click_ids: z.record(z.string(), z.string()),
    occurred_at: Time,
    received_at: Time,
    door: z.string(),
    submission_id: Id.nullable(),
    consent: z
      .boolean()
      .nullable()
      .describe('What was said on the website; null where the lead itself wrote.'),
  })
  .meta({ id: 'Touchpoint' })

const AttributionShape = z
  .object({
    touches: z.int(),
    first_touch: TouchShape.nullable().describe('The earliest of all.'),
    creation_touch: TouchShape.nullable().describe('The latest when the lead came in.'),
    last_touch: TouchShape.nullable().describe(
      'The latest before it was won or converted; of all until then.',
    ),
    influenced_campaigns: z
      .array(z.object({ campaign_id: Id, name: z.string(), touches: z.int(), first_at: Time, last_at: Time }))
      .describe(
        'Touched it from `influence_days` (settings) before the lead came in until it was won or converted.',
      ),
  })
  .meta({ id: 'Attribution' })

const ofKind = (kind: 'lead' | 'deal') => [
  route(
    {
      method: 'GET',
      path: `/api/${kind}s/:id/touchpoints`,
      permission: 'leads:read',
      summary: `How ${kind === 'lead' ? 'a lead' : 'the lead of a deal'} came by, the oldest first`,
      params: ById,
      query: Paged,
      response: listOf(TouchpointShape),
    },
    ({ ctx, params, query }) => listTouchpoints(ctx, params.id, { ...query, kind }),
  ),
  route(
    {
      method: 'GET',
      path: `/api/${kind}s/:id/attribution`,
      permission: 'leads:read',
      summary: `First and last touch of a ${kind}, and the campaigns that influenced it`,
      params: ById,
      response: AttributionShape,
    },
    ({ ctx, params }) => readAttribution(ctx, params.id, kind),
  ),
]

/** How leads came by, and what that comes to. */
export const touchpoints = [...ofKind('lead'), ...ofKind('deal')]
