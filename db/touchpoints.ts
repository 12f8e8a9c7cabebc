import { activityId } from './activities.ts'
import { ensureCampaigns } from './campaign-matching.ts'
import { nameKey } from './campaign-names.ts'
import type { Database } from './client.ts'
import { inTx, sendStatement, systemCtx, type Ctx, type TxCtx } from './context.ts'
import type { OpenSource } from './intake-sources.ts'
import { refreshAttributions } from './lead-attribution.ts'
import { lockNames } from './named-locks.ts'
import { getOpportunity } from './opportunities.ts'
import { page, type Page } from './page.ts'
import { isContention } from './transaction.ts'
import { readTouch, saysAnything, tellingOf, visitorOf, type Touch } from './touch-fields.ts'

/** One time that somebody came by, as it is answered. */
export type Touchpoint = Touch & {
  id: string
  visitor_id: string | null
  lead_id: string | null
  campaign_id: string | null
  occurred_at: Date
  received_at: Date
  door: string
  submission_id: string | null
  consent: boolean | null
}

/** A visit that a website tells of, whose visitor agreed to be remembered. */
export type Visit = Touch & {
  visitor_id: string
  occurred_at: Date
  /** What comes twice under it is one. */
  dedupe_id: string | undefined
}

/** Of one visitor: whoever tells of more is none, and each one costs a look at all of a lead's. */
const MAX_VISITS = 1_000

/**
 * Keeps a visit; where its visitor is known, it is the lead's at once.
 * @returns whether it was kept: no visitor comes by more than a thousand times
 */
export const receiveVisit = async (
  db: Database,
  source: Pick<OpenSource, 'organization_id' | 'id'>,
  visit: Visit,
  attempts = 3,
): Promise<boolean> => {
  try {
    return await keepVisit(db, source, visit)
  } catch (error) {
    // Its visitor became another lead's while it waited for the first one.
    if (attempts > 1 && isContention(error)) return receiveVisit(db, source, visit, attempts - 1)
    throw error
  }
}

const keepVisit = (
  db: Database,
  { organization_id, id: source_id }: Pick<OpenSource, 'organization_id' | 'id'>,
  { visitor_id, occurred_at, dedupe_id, ...touch }: Visit,
): Promise<boolean> =>
  inTx(systemCtx(db, organization_id, 'intake'), async (ctx) => {
    // The lead first, then the visitor: the order in which a submission takes them.
    sendStatement(
      ctx,
      ctx.tx`
        select 1 from visitors v join opportunities o on o.organization_id = v.organization_id and o.id = v.lead_id
        where v.organization_id = ${organization_id} and v.visitor_id = ${visitor_id} for key share of o`,
    )
    lockVisitors(ctx, [visitor_id])
    const visits = await ctx.tx`
      select 1 from touchpoints where organization_id = ${organization_id} and visitor_id = ${visitor_id} limit ${MAX_VISITS}`
    if (visits.length >= MAX_VISITS) return false
    const rows = await insertTouches(ctx, [
      { ...touch, visitor_id, occurred_at, dedupe_id, door: 'website', source_id, consent: true },
    ])
    refreshAttributions(
      ctx,
      rows.flatMap(({ lead_id }) => lead_id ?? []),
    )
    return true
  })

/** How a lead came in, or came again: what its fields say, and what was sent beside them. */
export type Arrival = {
  lead_id: string
  values: Record<string, unknown>
  extra?: Record<string, unknown> | undefined
  from: { door: string; submission_id?: string | undefined; source_id?: string | undefined }
}

/**
 * Keeps one touch for each lead that says where it came from, and gives a lead whose visitor is named the visits before.
 * A file says where leads came from by a campaign, a page or more; a column `source` alone is no touch.
 */
export const recordArrivals = async (ctx: TxCtx, arrivals: readonly Arrival[]): Promise<void> => {
  const read = arrivals.map(({ lead_id, values, extra = {}, from }) => ({
    lead_id,
    from,
    touch: readTouch({ ...tellingOf(extra), ...given(values) }),
    visitor_id: visitorOf(extra),
  }))
  const touches = read.filter(({ touch, from }) =>
    saysAnything(touch, { beyond_source: from.door === 'import' }),
  )
  const known = read.flatMap(({ visitor_id, lead_id }) => (visitor_id ? [{ visitor_id, lead_id }] : []))
  if (touches.length + known.length === 0) return
  await ensureCampaigns(
    ctx,
    touches.flatMap(({ touch }) => touch.campaign ?? []),
  )
  identify(ctx, known)
  if (touches.length > 0) {
    sendStatement(
      ctx,
      insertTouches(
        ctx,
        touches.map(({ touch, lead_id, visitor_id, from }) => ({
          ...touch,
          lead_id,
          visitor_id,
          door: from.door,
          source_id: from.source_id,
          submission_id: from.submission_id,
          occurred_at: from.submission_id ? momentOf(from.submission_id) : new Date(),
        })),
      ),
    )
  }
  refreshAttributions(
    ctx,
    [...touches, ...known].map(({ lead_id }) => lead_id),
  )
}

/** The trail of a lead, or of the lead that a deal was made of: the oldest touch first. */
export const listTouchpoints = (
  ctx: Ctx,
  id: string,
  { kind, cursor, limit }: { kind: 'lead' | 'deal'; cursor?: string | undefined; limit: number },
): Promise<Page<Touchpoint>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { source_lead_id } = await getOpportunity(ctx, id, kind)
    const lead_id = kind === 'lead' ? id : source_lead_id
    const rows = await tx<Touchpoint[]>`
      select id, visitor_id, lead_id, campaign_id, campaign, source, medium, term, content, landing_page, referrer,
        click_ids, occurred_at, received_at, door, submission_id, consent
      from touchpoints where organization_id = ${organization_id} and lead_id = ${lead_id}
        ${cursor ? tx`and id > ${cursor}` : tx``}
      order by id limit ${limit + 1}`
    return page([...rows], limit, (touchpoint) => touchpoint.id)
  })

type NewTouch = Touch & {
  occurred_at: Date
  door: string
  visitor_id: string | null
  lead_id?: string | undefined
  source_id?: string | undefined
  submission_id?: string | undefined
  consent?: boolean
  dedupe_id?: string | undefined
}

/** One statement for all of them; what was kept before is kept once. A visitor's lead is found where none is given. */
const insertTouches = ({ tx, organization_id }: TxCtx, touches: readonly NewTouch[]) => {
  const rows = touches.map(({ occurred_at, campaign, ...touch }) => ({
    ...touch,
    campaign,
    campaign_key: campaign === null ? null : nameKey(campaign),
    // In the order in which they happened, whenever they are told of.
    id: activityId(occurred_at),
    occurred_at: occurred_at.toISOString(),
  }))
  return tx<{ id: string; lead_id: string | null }[]>`
    insert into touchpoints (organization_id, id, visitor_id, lead_id, campaign_id, campaign, source, medium, term, content,
      landing_page, referrer, click_ids, occurred_at, door, source_id, submission_id, consent, dedupe_id)
    select ${organization_id}::uuid, t.id, t.visitor_id, coalesce(t.lead_id, v.lead_id), n.campaign_id, t.campaign, t.source,
      t.medium, t.term, t.content, t.landing_page, t.referrer, t.click_ids, least(t.occurred_at, now()), t.door, t.source_id,
      t.submission_id, t.consent, t.dedupe_id
    from json_to_recordset(${JSON.stringify(rows)}::text::json) as t (
      id uuid, visitor_id text, lead_id uuid, campaign text, campaign_key text, source text, medium text, term text,
      content text, landing_page text, referrer text, click_ids jsonb, occurred_at timestamptz, door text, source_id uuid,
      submission_id uuid, consent boolean, dedupe_id text)
    left join campaign_names n on n.organization_id = ${organization_id} and n.name = t.campaign_key
    left join visitors v on v.organization_id = ${organization_id} and v.visitor_id = t.visitor_id
    on conflict do nothing returning id, lead_id`
}

/** Says which leads visitors are: their visits that are nobody's become the lead's. */
const identify = (ctx: TxCtx, known: readonly { visitor_id: string; lead_id: string }[]): void => {
  if (known.length === 0) return
  const { tx, organization_id } = ctx
  // The last one that a visitor said to be.
  const leads = new Map(known.map(({ visitor_id, lead_id }) => [visitor_id, lead_id]))
  lockVisitors(ctx, [...leads.keys()])
  const named = tx`unnest(${[...leads.keys()]}::text[], ${[...leads.values()]}::uuid[]) as k (visitor_id, lead_id)`
  sendStatement(
    ctx,
    tx`
      insert into visitors (organization_id, visitor_id, lead_id)
      select ${organization_id}::uuid, k.visitor_id, k.lead_id from ${named}
      on conflict (organization_id, visitor_id) do update set lead_id = excluded.lead_id, identified_at = now()`,
  )
  sendStatement(
    ctx,
    tx`
      update touchpoints t set lead_id = k.lead_id from ${named}
      where t.organization_id = ${organization_id} and t.visitor_id = k.visitor_id and t.lead_id is null`,
  )
}

/** A visit that comes while its visitor becomes known waits, and is the lead's. */
const lockVisitors = (ctx: TxCtx, visitor_ids: readonly string[]): void =>
  lockNames(
    ctx,
    visitor_ids.map((id) => `visitor ${id}`),
  )

const given = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    ['source', 'campaign', 'landing_page']
      .filter((field) => typeof values[field] === 'string' && values[field] !== '')
      .map((field) => [field, values[field]]),
  )

/** When a submission came in: its id is a UUIDv7, which begins with the moment. */
const momentOf = (submission_id: string): Date =>
  new Date(Number.parseInt(submission_id.replaceAll('-', '').slice(0, 12), 16))
