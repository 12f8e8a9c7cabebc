import { inTx, type Ctx, type TxCtx } from './context.ts'
import type { Days } from './closings.ts'
import { exchangeMinor } from './exchange-rates.ts'
import { influencing, inTime } from './lead-attribution.ts'
import type { SqlPart } from './opportunities.ts'
import { page, type Page } from './page.ts'
import { readSettings } from './settings.ts'
import type { DayCost } from './campaign-fields.ts'
import { getCampaign } from './campaigns.ts'

/** Which touch a lead and a win are counted for: its first one, its last one, or every one that influenced it. */
export const attributionModels = ['first', 'last', 'influenced'] as const
export type AttributionModel = (typeof attributionModels)[number]

/** What a campaign brought, by one model. Amounts are in minor units of the organization's currency. */
export type CampaignResults = Days & {
  campaign_id: string
  name: string
  model: AttributionModel
  currency: string
  /** Visits and submissions of the days. */
  touches: number
  /** Leads that came in on the days, by each model. */
  first_touch_leads: number
  last_touch_leads: number
  influenced_leads: number
  /** By the model, as everything below. */
  leads: number
  qualified: number
  /** What was won of these leads: deals made of them; of a lead without one, itself. */
  won: number
  won_value_minor: number
  /** Of them, how many have no value in the organization's currency. */
  won_without_value: number
  /** Null where it is not known: no cost, no cost by day, or no exchange rate. */
  cost_minor: number | null
  cost_per_lead_minor: number | null
  /** (value − cost) ÷ cost; 1.5 is 150 %. */
  return: number | null
}

/** Days of the organization's clocks, both included; nothing: all of them. */
export type ResultsQuery = Days & { model: AttributionModel }

/** What one campaign brought. */
export const readResults = (ctx: Ctx, id: string, query: ResultsQuery): Promise<CampaignResults> =>
  inTx(ctx, async (ctx) => {
    const campaign = await getCampaign(ctx, id)
    const [results] = await compute(ctx, [campaign], query)
    if (!results) throw new Error('a campaign has results')
    return results
  })

/** What each campaign that is not archived brought, the newest first. */
export const listResults = (
  ctx: Ctx,
  { cursor, limit, ...query }: ResultsQuery & { cursor?: string | undefined; limit: number },
): Promise<Page<CampaignResults>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const rows = await tx<Costing[]>`
      select id, name, cost_minor, costs, currency from campaigns
      where organization_id = ${organization_id} and archived_at is null ${cursor ? tx`and id < ${cursor}` : tx``}
      order by id desc limit ${limit + 1}`
    const { data, next_cursor } = page([...rows], limit, (row) => row.id)
    return { data: await compute(ctx, data, query), next_cursor }
  })

type Costing = {
  id: string
  name: string
  cost_minor: number | null
  costs: DayCost[]
  currency: string
}

type Counts = {
  leads: number
  qualified: number
  won: number
  won_value_minor: number
  won_without_value: number
}
const NONE: Counts = { leads: 0, qualified: 0, won: 0, won_value_minor: 0, won_without_value: 0 }

const compute = async (
  ctx: TxCtx,
  campaigns: readonly Costing[],
  { model, from, to }: ResultsQuery,
): Promise<CampaignResults[]> => {
  const { tx, organization_id } = ctx
  const ids = campaigns.map(({ id }) => id)
  const { currency, timezone } = await readSettings(ctx)
  const within = (moment: SqlPart): SqlPart => tx`
    ${from ? tx`and ${moment} >= (${from}::text::date::timestamp at time zone ${timezone})` : tx``}
    ${to ? tx`and ${moment} < ((${to}::text::date + 1)::timestamp at time zone ${timezone})` : tx``}`
  const [counts, touches, rates] = await Promise.all([
    tx<(Counts & { campaign_id: string; model: AttributionModel })[]>`
      with credited as (
        select first_campaign_id as campaign_id, 'first' as model, opportunity_id from attributions
        where organization_id = ${organization_id} and first_campaign_id = any(${ids}::uuid[])
        union all
        select last_campaign_id, 'last', opportunity_id from attributions
        where organization_id = ${organization_id} and last_campaign_id = any(${ids}::uuid[])
        union all
        select i.campaign_id, 'influenced', i.opportunity_id from campaign_influences i
        join opportunities o on o.organization_id = i.organization_id and o.id = i.opportunity_id
        ${influencing(tx)}
        where i.organization_id = ${organization_id} and i.campaign_id = any(${ids}::uuid[]) and ${inTime(tx)}
      ), cards as (
        select c.campaign_id, c.model, o.kind, o.qualified_at, o.base_value_minor,
          o.won_at is not null and (o.kind = 'deal' or not exists (
            select from opportunities d where d.organization_id = ${organization_id} and d.source_lead_id = o.id
              and d.source_lead_id is not null and d.archived_at is null)) as won
        from credited c
        join opportunities o on o.organization_id = ${organization_id} and o.id = c.opportunity_id
        left join opportunities l on l.organization_id = ${organization_id} and l.id = o.source_lead_id
        where (o.archived_at is null or exists (
            select from conversions v where v.organization_id = ${organization_id} and v.lead_id = o.id and v.reversed_at is null))
          ${within(tx`coalesce(l.created_at, o.created_at)`)}
      )
      select campaign_id, model, count(*) filter (where kind = 'lead')::int as leads,
        count(*) filter (where kind = 'lead' and qualified_at is not null)::int as qualified,
        count(*) filter (where won)::int as won,
        coalesce(sum(base_value_minor) filter (where won), 0)::float8 as won_value_minor,
        count(*) filter (where won and base_value_minor is null)::int as won_without_value
      from cards group by campaign_id, model`,
    tx<{ campaign_id: string; touches: number }[]>`
      select campaign_id, count(*)::int as touches from touchpoints
      where organization_id = ${organization_id} and campaign_id = any(${ids}::uuid[]) ${within(tx`occurred_at`)}
      group by campaign_id`,
    tx<{ currency: string; rate: number }[]>`
      select currency, rate from exchange_rates where organization_id = ${organization_id}`,
  ])
  const rateOf = new Map(rates.map(({ currency, rate }) => [currency, rate])).set(currency, 1)
  return campaigns.map((campaign) => {
    const by = (model: AttributionModel): Counts =>
      counts.find((row) => row.campaign_id === campaign.id && row.model === model) ?? NONE
    const { leads, qualified, won, won_value_minor, won_without_value } = by(model)
    const spent = spentWithin(campaign, { from, to })
    const rate = rateOf.get(campaign.currency)
    const cost_minor =
      spent === null || rate === undefined ? null : exchangeMinor(spent, campaign.currency, rate, currency)
    return {
      campaign_id: campaign.id,
      name: campaign.name,
      model,
      ...(from ? { from } : {}),
      ...(to ? { to } : {}),
      currency,
      touches: touches.find((row) => row.campaign_id === campaign.id)?.touches ?? 0,
      first_touch_leads: by('first').leads,
      last_touch_leads: by('last').leads,
      influenced_leads: by('influenced').leads,
      leads,
      qualified,
      won,
      won_value_minor,
      won_without_value,
      cost_minor,
      cost_per_lead_minor: cost_minor === null || leads === 0 ? null : Math.round(cost_minor / leads),
      return: cost_minor ? Number(((won_value_minor - cost_minor) / cost_minor).toFixed(4)) : null,
    }
  })
}

/** What was spent on the days; one figure for everything says nothing about some of them. */
const spentWithin = ({ cost_minor, costs }: Costing, { from, to }: Days): number | null => {
  if (!from && !to) return cost_minor
  if (costs.length === 0) return null
  return costs
    .filter(({ on }) => (!from || on >= from) && (!to || on <= to))
    .reduce((sum, { amount_minor }) => sum + amount_minor, 0)
}
