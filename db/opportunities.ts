import type { PendingQuery, Row } from 'postgres'
import { selectCustom } from './custom-values.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { settleDeals } from './deal-risk.ts'
import type { RiskLevel, RiskReason } from './deal-risk-formula.ts'
import type { forecastCategories } from './opportunity-fields.ts'
import type { TouchBrief } from './lead-attribution.ts'
import { linkedIds } from './link-tables.ts'
import type { StageKind } from './pipelines.ts'
import { positionsAtEnd } from './positions.ts'
import { loaded } from './together.ts'

export type ScoreReason = { factor: string; points: number; reason: string }
export type Fact = { key: string; value: string; source_url: string; snippet: string }

/** A card in a pipeline, as it is answered everywhere. */
export type Opportunity = {
  id: string
  kind: 'lead' | 'deal'
  name: string
  contact_name: string | null
  company_name: string | null
  title: string | null
  email: string | null
  phone: string | null
  phone_original: string | null
  website: string | null
  city: string | null
  state: string | null
  country: string | null
  industry: string | null
  message: string | null
  pipeline_id: string
  stage_id: string
  stage: { id: string; label: string; kind: StageKind; position: number }
  stage_entered_at: Date
  /** Whole days since it entered its stage. */
  days_in_stage: number
  /** It is open and has been in its stage for longer than the stage allows. */
  stuck: boolean
  owner_id: string | null
  owner: { id: string; name: string } | null
  source: string | null
  campaign: string | null
  campaign_id: string | null
  landing_page: string | null
  /** The earliest of its touchpoints; a deal has those of the lead that it was made of. */
  first_touch: TouchBrief | null
  /** The latest of them before it was won or converted. */
  last_touch: TouchBrief | null
  origin: { door: string; submission_id?: string }
  value_minor: number | null
  currency: string
  forecast_category: (typeof forecastCategories)[number] | null
  expected_close_on: string | null
  /** How often its expected close was moved to a later day. */
  expected_close_slips: number
  /** Of `currency` in the organization's own on the day it was closed; null while it is open, or when there was none. */
  exchange_rate: number | null
  /** Its value in minor units of the organization's currency, at that rate. */
  base_value_minor: number | null
  score: number | null
  score_reasons: ScoreReason[]
  /** Of an open deal, 0 to 100. */
  risk: number | null
  risk_level: RiskLevel | null
  risk_reasons: RiskReason[]
  verdict: string | null
  verdict_reason: string | null
  /** Which version of the formula the score was computed by, and when. */
  score_formula: string | null
  scored_at: Date | null
  tags: string[]
  custom: Record<string, unknown>
  extra: Record<string, unknown>
  warnings: { field: string; message: string }[]
  enrichment: { website: string; summary: string; facts: Fact[]; read_at: string } | null
  sent_at: Date | null
  accepted_at: Date | null
  qualifying_started_at: Date | null
  qualified_at: Date | null
  scheduled_at: Date | null
  won_at: Date | null
  lost_at: Date | null
  discard_reason_id: string | null
  discard_reason: { id: string; label: string } | null
  discard_note: string | null
  contact_ids: string[]
  account_ids: string[]
  source_lead_id: string | null
  /** The lead that it was merged into; it is archived then. */
  merged_into: string | null
  /** What came of a lead that was converted. */
  converted: {
    converted_at: string
    account_id: string | null
    contact_id: string | null
    deal_id: string | null
  } | null
  external_id: string | null
  agents_paused: boolean
  archived_at: Date | null
  /** Approvals that wait for a person. */
  pending_approvals: number
  /** State of the newest run on it. */
  run_status: string | null
  created_at: Date
  updated_at: Date
  version: number
}

/** One card; of another kind than asked for is not there. */
export const getOpportunity = (ctx: Ctx, id: string, kind?: 'lead' | 'deal'): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => requireCard(await cardOf(ctx, id), id, kind))

/** One card that nobody else changes until the transaction ends. */
export const lockOpportunity = async (ctx: TxCtx, id: string, kind?: 'lead' | 'deal'): Promise<Opportunity> =>
  requireCard(await lockedCard(ctx, id), id, kind)

const requireCard = (
  card: Opportunity | undefined,
  id: string,
  kind: 'lead' | 'deal' | undefined,
): Opportunity => {
  if (card && (kind === undefined || card.kind === kind)) return card
  throw notFound(kind ?? 'opportunity', id)
}

const readCards = async (ctx: TxCtx, ids: readonly string[]): Promise<Map<string, Opportunity>> => {
  const { tx, organization_id } = ctx
  // Of acts side by side nobody reads the risk, which is assessed at their end.
  if (!ctx.together) await settleDeals(ctx)
  const cards = await tx<Opportunity[]>`
    ${selectOpportunity(tx)} where o.organization_id = ${organization_id} and ${named(tx, 'o.id', ids)}`
  return new Map(cards.map((card) => [card.id, card]))
}

const cardOf = loaded(readCards)

const lockedCard = loaded((ctx, ids) => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      select 1 from opportunities where organization_id = ${organization_id} and ${named(tx, 'id', ids)}
      order by id for update`,
  )
  return readCards(ctx, ids)
})

/** Of one id, as of several, the plan is the best there is. */
const named = (tx: TxCtx['tx'], column: string, ids: readonly string[]): SqlPart => {
  const [only, ...others] = ids
  return only !== undefined && others.length === 0
    ? tx`${tx(column)} = ${only}`
    : tx`${tx(column)} = any(${[...ids]}::uuid[])`
}

/** The cards that a column of the board shows, as rows that have a place among each other. */
export const columnOf = ({ tx, organization_id }: TxCtx, stage_id: string): SqlPart => tx`
  from opportunities where organization_id = ${organization_id} and stage_id = ${stage_id} and archived_at is null`

/** Places below the last card of a stage, one below the other. */
export const lastPositions = (ctx: TxCtx, stage_id: string, count: number): Promise<string[]> =>
  positionsAtEnd(ctx.tx, columnOf(ctx, stage_id), count)

/** Refuses acts on a card that is closed. */
export const requireOpen = (card: Opportunity): void => {
  if (card.stage.kind !== 'open') {
    throw new DomainError(
      'conflict',
      'opportunity_closed',
      `“${card.name}” is closed (${card.stage.label}). Reopen it first.`,
      { extra: { state: card.stage.kind } },
    )
  }
}

/** The one select of cards: what follows it narrows and orders it; `extra` adds columns. */
export const selectOpportunity = (tx: TxCtx['tx'], extra?: SqlPart) => tx`
  select o.id, o.kind, o.name, o.contact_name, o.company_name, o.title, o.email, o.phone, o.phone_original, o.website,
    o.city, o.state, o.country, o.industry, o.message, o.pipeline_id, o.stage_id,
    jsonb_build_object('id', s.id, 'label', s.label, 'kind', s.kind, 'position', s.position) as stage,
    o.stage_entered_at, greatest(0, floor(extract(epoch from now() - o.stage_entered_at) / 86400))::int as days_in_stage,
    (s.kind = 'open' and s.rot_days is not null and o.stage_entered_at < now() - make_interval(days => s.rot_days)) as stuck,
    o.owner_id,
    case when u.id is not null then jsonb_build_object('id', u.id, 'name', u.name) end as owner,
    o.source, o.campaign, o.campaign_id, o.landing_page, at.first_touch, at.last_touch, o.origin, o.value_minor, o.currency, o.forecast_category,
    o.expected_close_on, o.expected_close_slips, o.exchange_rate, o.base_value_minor, sc.score, coalesce(sc.reasons, '[]') as score_reasons, sc.verdict, sc.verdict_reason,
    dr.risk, dr.level as risk_level, coalesce(dr.reasons, '[]') as risk_reasons,
    sc.formula as score_formula, sc.scored_at,
    o.tags, ${selectCustom(tx, tx`o.organization_id`, tx`o.id`)} as custom, o.extra, o.warnings,
    case when e.opportunity_id is not null then
      jsonb_build_object('website', e.website, 'summary', e.summary, 'facts', e.facts, 'read_at', e.read_at) end as enrichment,
    o.sent_at, o.accepted_at, o.qualifying_started_at, o.qualified_at, o.scheduled_at, o.won_at, o.lost_at,
    o.discard_reason_id, case when d.id is not null then jsonb_build_object('id', d.id, 'label', d.label) end as discard_reason,
    o.discard_note,
    ${linkedIds(tx, 'opportunity_contacts', 'o')} as contact_ids, ${linkedIds(tx, 'opportunity_accounts', 'o')} as account_ids,
    o.source_lead_id, o.merged_into,
    case when cv.id is not null then jsonb_build_object('converted_at', cv.converted_at, 'account_id', cv.account_id,
      'contact_id', cv.contact_id, 'deal_id', cv.deal_id) end as converted,
    o.external_id,
    o.agents_paused, o.archived_at,
    (select count(*) from approvals a where a.organization_id = o.organization_id and a.subject_kind = o.kind
      and a.subject_id = o.id and a.status in ('pending', 'stale', 'outcome_unknown'))::int as pending_approvals,
    (select r.status from runs r where r.organization_id = o.organization_id and r.subject_kind = o.kind
      and r.subject_id = o.id order by r.id desc limit 1) as run_status,
    o.created_at, o.updated_at, o.version
    ${extra ? tx`, ${extra}` : tx``}
  from opportunities o
  join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
  left join opportunity_scores sc on sc.organization_id = o.organization_id and sc.opportunity_id = o.id
  left join attributions at on at.organization_id = o.organization_id and at.opportunity_id = o.id
  left join deal_risks dr on dr.organization_id = o.organization_id and dr.opportunity_id = o.id
  left join enrichments e on e.organization_id = o.organization_id and e.opportunity_id = o.id
  left join conversions cv on cv.organization_id = o.organization_id and cv.lead_id = o.id and cv.reversed_at is null
  left join discard_reasons d on d.organization_id = o.organization_id and d.id = o.discard_reason_id
  left join identity.users u on u.id = o.owner_id`

/** A piece of SQL that others are put together from. */
export type SqlPart = PendingQuery<Row[]>
