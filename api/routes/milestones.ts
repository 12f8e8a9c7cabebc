import { z } from 'zod'
import { listMilestones, milestones as names, SetMilestone, setMilestone } from '../../db/milestones.ts'
import { ById, route } from '../route.ts'
import { Actor, Id, listOf, Time } from '../shapes.ts'
import { OpportunityShape } from './opportunities.ts'

/** One reaching of a milestone. */
const MilestoneShape = z
  .object({
    id: Id,
    milestone: z.enum(names),
    reached_at: Time,
    actor: Actor,
    activity_id: Id.nullable().describe('The logged entry that it was reached by.'),
    withdrawn_at: Time.nullable().describe('When that was taken back; it counts for nothing since.'),
    withdrawn_by: Actor.nullable(),
  })
  .meta({ id: 'Milestone' })

/** What cards reach on their way. */
export const milestones = [
  route(
    {
      method: 'GET',
      path: '/api/opportunities/:id/milestones',
      permission: 'leads:read',
      summary: 'Every milestone that a card reached, the latest first',
      description:
        'The card itself carries the first time of each that counts; a reopening takes won and lost off it, deleting a logged entry what that entry alone reached.',
      params: ById,
      response: listOf(MilestoneShape),
    },
    async ({ ctx, params }) => ({ data: await listMilestones(ctx, params.id), next_cursor: null }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/opportunities/:id/milestones',
      permission: 'leads:write',
      summary: 'Note a milestone that happened elsewhere',
      description: 'Such as an accepted invitation. Won and lost come from closing the card.',
      params: ById,
      body: SetMilestone,
      example: { milestone: 'accepted_at', reached_at: '2026-11-20T09:30:00Z' },
      response: OpportunityShape,
    },
    ({ ctx, params, body }) => setMilestone(ctx, params.id, body),
  ),
]
