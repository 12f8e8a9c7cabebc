import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { getOpportunity, type SqlPart } from './opportunities.ts'

/** A touch as a card shows it. */
export type TouchBrief = {
  id: string
  campaign_id: string | null
  campaign: string | null
  source: string | null
  medium: string | null
  occurred_at: string
}

/** What a card's touchpoints come to; a deal has those of the lead that it was made of. */
export type Attribution = {
  touches: number
  /** The earliest of all. */
  first_touch: TouchBrief | null
  /** The latest when the lead came in. */
  creation_touch: TouchBrief | null
  /** The latest before the card was won or converted; of all, while it is neither. */
  last_touch: TouchBrief | null
  /** The campaigns of the touches from `influence_days` before the lead came in until it was won, the latest first. */
  influenced_campaigns: {
    campaign_id: string
    name: string
    touches: number
    first_at: Date
    last_at: Date
  }[]
}

/** What a card's touchpoints come to. */
export const readAttribution = (ctx: Ctx, id: string, kind: 'lead' | 'deal'): Promise<Attribution> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await getOpportunity(ctx, id, kind)
    const [[row], influences] = await Promise.all([
      tx<Omit<Attribution, 'influenced_campaigns'>[]>`
        select touches, first_touch, creation_touch, last_touch from attributions
        where organization_id = ${organization_id} and opportunity_id = ${id}`,
      tx<Attribution['influenced_campaigns']>`
        select i.campaign_id, c.name, i.touches, i.first_at, i.last_at
        from campaign_influences i
        join campaigns c on c.organization_id = i.organization_id and c.id = i.campaign_id
        join opportunities o on o.organization_id = i.organization_id and o.id = i.opportunity_id
        ${influencing(tx)}
        where i.organization_id = ${organization_id} and i.opportunity_id = ${id} and ${inTime(tx)}
        order by i.last_at desc, i.campaign_id`,
    ])
    return {
      touches: row?.touches ?? 0,
      first_touch: row?.first_touch ?? null,
      creation_touch: row?.creation_touch ?? null,
      last_touch: row?.last_touch ?? null,
      influenced_campaigns: [...influences],
    }
  })

/** Joins what `inTime` asks of a card `o`: the lead that it is or was made of, and how long a touch counts. */
export const influencing = (tx: TxCtx['tx']): SqlPart => tx`
  left join opportunities l on l.organization_id = o.organization_id and l.id = o.source_lead_id
  join settings w on w.organization_id = o.organization_id`

/** Whether an influence `i` is recent enough: it last touched the lead no more than so many days before that came in. */
export const inTime = (tx: TxCtx['tx']): SqlPart =>
  tx`i.last_at >= coalesce(l.created_at, o.created_at) - make_interval(days => w.influence_days)`

/**
 * Computes anew what the touchpoints of these leads come to, for them and for the deals made of them. Whoever changes a
 * lead's touchpoints, or when one of its cards was won or converted, calls it in the same transaction.
 */
export const refreshAttributions = (ctx: TxCtx, lead_ids: readonly string[]): void => {
  if (lead_ids.length === 0) return
  const { tx, organization_id } = ctx
  const ids = [...new Set(lead_ids)].toSorted()
  // Two that compute the same lead do it one after the other: the second one sees what the first one saw.
  sendStatement(
    ctx,
    tx`
      select pg_advisory_xact_lock(hashtextextended(name, 0))
      from unnest(${ids.map((id) => `${organization_id} attribution ${id}`)}::text[]) with ordinality as l (name, n) order by n`,
  )
  const own = tx`organization_id = ${organization_id} and opportunity_id in (select id from cards)`
  const cards = tx`
    cards as (
      select o.id, o.id as lead_id, o.created_at, least(o.won_at, v.converted_at) as until from opportunities o
      left join conversions v on v.organization_id = o.organization_id and v.lead_id = o.id and v.reversed_at is null
      where o.organization_id = ${organization_id} and o.id = any(${ids}::uuid[])
      union all
      select o.id, l.id, l.created_at, o.won_at from opportunities o
      join opportunities l on l.organization_id = o.organization_id and l.id = o.source_lead_id
      where o.organization_id = ${organization_id} and o.source_lead_id = any(${ids}::uuid[]) and o.source_lead_id is not null
    )`
  const touch = (narrowed: SqlPart, order: SqlPart): SqlPart => tx`
    (select jsonb_build_object('id', t.id, 'campaign_id', t.campaign_id, 'campaign', t.campaign, 'source', t.source,
        'medium', t.medium, 'occurred_at', to_char(t.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      from touchpoints t where t.organization_id = ${organization_id} and t.lead_id = c.lead_id ${narrowed}
      order by t.id ${order} limit 1)`
  sendStatement(
    ctx,
    tx`
      with ${cards}, found as (
        select c.id, (select count(*)::int from touchpoints t
            where t.organization_id = ${organization_id} and t.lead_id = c.lead_id) as touches,
          ${touch(tx``, tx`asc`)} as first_touch,
          ${touch(tx`and t.occurred_at <= c.created_at`, tx`desc`)} as creation_touch,
          ${touch(tx`and (c.until is null or t.occurred_at <= c.until)`, tx`desc`)} as last_touch
        from cards c
      )
      insert into attributions (organization_id, opportunity_id, touches, first_touch, creation_touch, last_touch,
        first_campaign_id, last_campaign_id)
      select ${organization_id}::uuid, id, touches, first_touch, creation_touch, last_touch,
        (first_touch->>'campaign_id')::uuid, (last_touch->>'campaign_id')::uuid from found where touches > 0
      on conflict (organization_id, opportunity_id) do update set touches = excluded.touches,
        first_touch = excluded.first_touch, creation_touch = excluded.creation_touch, last_touch = excluded.last_touch,
        first_campaign_id = excluded.first_campaign_id, last_campaign_id = excluded.last_campaign_id, refreshed_at = now()`,
  )
  sendStatement(
    ctx,
    tx`
      with ${cards} delete from attributions where ${own} and not exists (
        select from touchpoints t join cards c on c.lead_id = t.lead_id
        where t.organization_id = ${organization_id} and c.id = attributions.opportunity_id)`,
  )
  sendStatement(ctx, tx`with ${cards} delete from campaign_influences where ${own}`)
  sendStatement(
    ctx,
    tx`
      with ${cards}
      insert into campaign_influences (organization_id, opportunity_id, campaign_id, touches, first_at, last_at)
      select ${organization_id}::uuid, c.id, t.campaign_id, count(*), min(t.occurred_at), max(t.occurred_at)
      from cards c join touchpoints t on t.organization_id = ${organization_id} and t.lead_id = c.lead_id
      where t.campaign_id is not null and (c.until is null or t.occurred_at <= c.until)
      group by c.id, t.campaign_id`,
  )
}
