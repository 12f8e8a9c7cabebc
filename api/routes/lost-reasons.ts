import { z } from 'zod'
import { Day } from '../../db/lead-fields.ts'
import { breakdowns, reportLostReasons } from '../../db/lost-reasons.ts'
import { route } from '../route.ts'
import { Id } from '../shapes.ts'

const outcomes = {
  won: z.int(),
  lost: z.int(),
  win_rate: z.number().nullable().describe('won ÷ (won + lost); null when nothing was closed.'),
}
const reason = { discard_reason_id: Id.nullable(), label: z.string(), lost: z.int(), share: z.number() }

const LostReasonsShape = z
  .object({
    by: z.enum(breakdowns),
    from: Day.optional(),
    to: Day.optional(),
    total: z.object(outcomes),
    groups: z.array(
      z.object({
        key: z.string().nullable(),
        label: z.string(),
        ...outcomes,
        values: z.array(z.object({ currency: z.string(), won_minor: z.int(), lost_minor: z.int() })),
        reasons: z.array(z.object(reason)),
      }),
    ),
    reasons: z
      .array(z.object({ ...reason, ...outcomes }))
      .describe('`won`: lost for it once, reopened, and won in the end.'),
  })
  .meta({ id: 'LostReasons' })

/** Why cards are lost. */
export const lostReasons = [
  route(
    {
      method: 'GET',
      path: '/api/reports/lost-reasons',
      permission: 'leads:read',
      summary: 'Why cards are lost, and how often they are won',
      description:
        'Out of the closings that stand. `stage` is the stage that a card was closed from. `from` and `to` are days in the organization’s time zone, both included.',
      query: z.object({
        by: z.enum(breakdowns).default('source'),
        from: Day.optional(),
        to: Day.optional(),
        pipeline_id: z.uuid().optional(),
      }),
      response: LostReasonsShape,
      report: true,
    },
    ({ ctx, query }) => reportLostReasons(ctx, query),
  ),
]
