import { z } from 'zod'
import { recordActivities } from './activities.ts'
import type { Ctx } from './context.ts'
import { invalid } from './errors.ts'
import { Line } from './lead-fields.ts'
import type { Opportunity } from './opportunities.ts'
import { updateOpportunity } from './opportunity-changes.ts'
import { NewOpportunity, OpportunityChange } from './opportunity-fields.ts'
import {
  createOpportunities,
  createOpportunity,
  type KindRules,
  type Made,
  type NewCard,
  type OpportunityOrigin,
} from './opportunity-writing.ts'
import { creationOf } from './record-creation.ts'

/** A deal with what it is about, its people and companies, and where it stands. */
export const NewDeal = NewOpportunity.extend({ name: Line().pipe(z.string().min(1)) })
export type NewDeal = z.infer<typeof NewDeal>

export const DealChange = OpportunityChange
export type DealChange = z.infer<typeof DealChange>

/** How sure the close of a deal is held to be that nobody said anything of. */
export const USUAL_FORECAST = 'pipeline'

/** Makes a deal; the accounts and contacts it names are linked, the first one of each as the primary. */
export const createDeal = (ctx: Ctx, input: NewDeal, origin: OpportunityOrigin): Promise<Opportunity> =>
  createOpportunity(ctx, rules, withForecast(input), origin)

/** Makes many deals, as `createDeal` makes one; all of them or none. */
export const createDeals = (ctx: Ctx, cards: readonly NewCard[]): Promise<Made[]> =>
  createOpportunities(
    ctx,
    rules,
    cards.map((card) => ({ ...card, input: withForecast(card.input) })),
  )

/**
 * Changes a deal: fields, stage, contacts, accounts, custom values.
 * @throws {DomainError} stale when `version` is not the current one; `deal_unnamed`
 */
export const updateDeal = (ctx: Ctx, id: string, input: DealChange): Promise<Opportunity> =>
  updateOpportunity(ctx, rules, id, input)

const withForecast = (input: NewOpportunity): NewOpportunity => ({
  ...input,
  forecast_category: input.forecast_category ?? USUAL_FORECAST,
})

/** @throws {DomainError} `deal_unnamed` */
export const nameOfDeal = ({ name }: Record<string, unknown>): string => {
  if (typeof name === 'string' && name !== '') return name
  throw invalid('deal_unnamed', '/name', 'A deal needs a name, such as “Machines for 12 cafés”.')
}

const rules: KindRules = {
  kind: 'deal',
  nameOf: nameOfDeal,
  follow: async (ctx, made) => {
    recordActivities(
      ctx,
      made.map(({ id, name, input: { source, contact_ids, account_ids }, from }) =>
        creationOf({ kind: 'deal', id, name }, { ...from, source, contact_ids, account_ids }),
      ),
    )
  },
}
