import { z } from 'zod'
import { riskFactors, riskLevels } from '../../db/deal-risk-formula.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { forecastCategories } from '../../db/opportunity-fields.ts'
import { listOpportunities } from '../../db/opportunity-list.ts'
import { MoveOpportunity, moveOpportunity } from '../../db/opportunity-moves.ts'
import { listOrigins } from '../../db/origins.ts'
import { ListingQuery } from '../listing.ts'
import { ById, route } from '../route.ts'
import { OneQuery, withKept } from './records.ts'
import { Anything, Id, listOf, OriginShape, StageKind, Text, Time, WarningShape } from '../shapes.ts'

const Fact = z.object({ key: z.string(), value: z.string(), source_url: z.string(), snippet: z.string() })

/** A touchpoint as a card shows it. */
export const TouchShape = z
  .object({
    id: Id,
    campaign_id: Id.nullable(),
    campaign: Text,
    source: Text,
    medium: Text,
    occurred_at: Time,
  })
  .meta({ id: 'Touch' })

/** A lead or a deal. */
export const OpportunityShape = z
  .object({
    id: Id,
    kind: z.enum(['lead', 'deal']),
    name: z.string(),
    contact_name: Text,
    company_name: Text,
    title: Text,
    email: Text,
    phone: Text.describe('E.164'),
    phone_original: Text,
    website: Text,
    city: Text,
    state: Text,
    country: Text,
    industry: Text,
    message: Text,
    pipeline_id: Id,
    stage_id: Id,
    stage: z.object({ id: Id, label: z.string(), kind: StageKind, position: z.int() }),
    stage_entered_at: Time,
    days_in_stage: z.int(),
    stuck: z.boolean().describe('Open, and in its stage for longer than the stage’s `rot_days`.'),
    owner_id: Id.nullable(),
    owner: z.object({ id: Id, name: z.string() }).nullable(),
    source: Text,
    campaign: Text,
    campaign_id: Id.nullable(),
    landing_page: Text,
    first_touch: TouchShape.nullable().describe('The earliest of its touchpoints.'),
    last_touch: TouchShape.nullable().describe('The latest touchpoint before it was won or converted.'),
    origin: z.looseObject({ door: z.string(), submission_id: Id.optional() }),
    origins: z
      .array(OriginShape)
      .optional()
      .describe('Where each field’s value came from; on a single card.'),
    value_minor: z.int().nullable().describe('In minor units of `currency`.'),
    currency: z.string(),
    forecast_category: z.enum(forecastCategories).nullable(),
    expected_close_on: z.iso.date().nullable(),
    expected_close_slips: z.int().describe('How often the expected close was moved to a later day.'),
    exchange_rate: z
      .number()
      .nullable()
      .describe('Of `currency` in the organization’s own, frozen when it was closed.'),
    base_value_minor: z
      .int()
      .nullable()
      .describe('Its value in minor units of the organization’s currency, at that rate.'),
    score: z.int().nullable(),
    score_reasons: z.array(z.object({ factor: z.string(), points: z.number(), reason: z.string() })),
    risk: z.int().nullable().describe('How much an open deal is at risk, 0 to 100.'),
    risk_level: z.enum(riskLevels).nullable(),
    risk_reasons: z.array(z.object({ factor: z.enum(riskFactors), points: z.int(), reason: z.string() })),
    verdict: Text.describe('Null until the lead is qualified; from then on it follows the score.'),
    verdict_reason: Text,
    score_formula: Text.describe('Which version of the formula computed the score.'),
    scored_at: Time.nullable(),
    tags: z.array(z.string()),
    custom: Anything,
    extra: Anything.describe('What was sent beyond the fields.'),
    warnings: z.array(WarningShape),
    enrichment: z
      .object({ website: Text, summary: Text, facts: z.array(Fact), read_at: z.string() })
      .nullable(),
    sent_at: Time.nullable(),
    accepted_at: Time.nullable(),
    qualifying_started_at: Time.nullable(),
    qualified_at: Time.nullable(),
    scheduled_at: Time.nullable(),
    won_at: Time.nullable(),
    lost_at: Time.nullable(),
    discard_reason_id: Id.nullable(),
    discard_reason: z.object({ id: Id, label: z.string() }).nullable(),
    discard_note: Text,
    contact_ids: z.array(Id),
    account_ids: z.array(Id),
    source_lead_id: Id.nullable(),
    merged_into: Id.nullable().describe('The lead that it was merged into; it is archived then.'),
    converted: z
      .object({
        converted_at: Time,
        account_id: Id.nullable(),
        contact_id: Id.nullable(),
        deal_id: Id.nullable(),
      })
      .nullable()
      .describe('What came of a lead that was converted; it is archived then, with its history.'),
    external_id: Text,
    agents_paused: z.boolean(),
    archived_at: Time.nullable(),
    pending_approvals: z.int(),
    run_status: Text,
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Opportunity' })

/** Cards of pipelines, leads and deals alike. */
export const opportunities = [
  route(
    {
      method: 'GET',
      path: '/api/opportunities',
      permission: 'leads:read',
      summary: 'Cards of both kinds',
      query: ListingQuery.extend({ kind: z.enum(['lead', 'deal']).optional() }),
      response: listOf(OpportunityShape),
    },
    ({ ctx, query }) => listOpportunities(ctx, query),
  ),
  route(
    {
      method: 'GET',
      path: '/api/opportunities/:id',
      permission: 'leads:read',
      summary: 'One card',
      params: ById,
      query: OneQuery,
      response: OpportunityShape,
    },
    async ({ ctx, params, query }) => {
      const card = await getOpportunity(ctx, params.id)
      return withKept(ctx, { ...card, origins: await listOrigins(ctx, card) }, query)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/opportunities/:id/move',
      permission: 'leads:write',
      summary: 'Move a card to another stage',
      description:
        'Of its pipeline or of another one for the same kind of record. Onto a won or lost stage it closes the card, out of one it reopens it, by the rules of those acts. `before_id` or `after_id` says where in the column.',
      params: ById,
      body: MoveOpportunity,
      example: { stage_id: '01990000-0000-7000-8000-000000000000', reason: 'They asked for an offer' },
      response: OpportunityShape,
    },
    ({ ctx, params, body }) => moveOpportunity(ctx, params.id, body),
  ),
]
