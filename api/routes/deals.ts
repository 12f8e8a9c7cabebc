import { createDeal, createDeals, DealChange, NewDeal, updateDeal } from '../../db/deals.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { listOpportunities } from '../../db/opportunity-list.ts'
import { OpportunityShape } from './opportunities.ts'
import { cardChanges, doorOf, recordRoutes } from './records.ts'

/** Deals: opportunities with an amount, a date, people and companies. */
export const deals = recordRoutes({
  kind: 'deal',
  permission: 'leads',
  shape: OpportunityShape,
  list: (ctx, query) => listOpportunities(ctx, { ...query, kind: 'deal' }),
  get: (ctx, id) => getOpportunity(ctx, id, 'deal'),
  create: {
    body: NewDeal,
    description:
      'Without `stage_id` it enters its pipeline, without `pipeline_id` the default one. The first of `account_ids` and of `contact_ids` is the primary.',
    example: { name: 'Machines for 12 cafés', value_minor: 1_850_000, currency: 'EUR' },
    run: async (ctx, input, principal) => ({
      id: (await createDeal(ctx, input, { door: doorOf(principal) })).id,
    }),
    together: async (ctx, inputs, principal) => {
      const origin = { door: doorOf(principal) }
      return (
        await createDeals(
          ctx,
          inputs.map((input) => ({ input, origin })),
        )
      ).map(({ id }) => id)
    },
  },
  change: {
    body: DealChange,
    description: cardChanges,
    example: { version: 1, expected_close_on: '2027-03-31', forecast_category: 'commit' },
    run: updateDeal,
  },
})
