import { getOpportunity, MoveOpportunity, moveOpportunity } from '../../db/opportunities.ts'
import { ById, route } from '../route.ts'
import { OpportunityShape } from '../shapes.ts'

/** Cards of pipelines, leads and deals alike. */
export const opportunities = [
  route(
    {
      method: 'GET',
      path: '/api/opportunities/:id',
      permission: 'leads:read',
      summary: 'One card',
      params: ById,
      response: OpportunityShape,
    },
    ({ ctx, params }) => getOpportunity(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/opportunities/:id/move',
      permission: 'leads:write',
      summary: 'Move a card to another stage of its pipeline',
      params: ById,
      body: MoveOpportunity,
      example: { stage_id: '01990000-0000-7000-8000-000000000000', reason: 'They asked for an offer' },
      response: OpportunityShape,
    },
    ({ ctx, params, body }) => moveOpportunity(ctx, params.id, body),
  ),
]
