import { z } from 'zod'
import { Day } from '../../db/lead-fields.ts'
import { listUnmatched } from '../../db/campaign-names.ts'
import { attributionModels, listResults, readResults } from '../../db/campaign-results.ts'
import { CampaignChange, campaignStatuses, DayCost, NewCampaign } from '../../db/campaign-fields.ts'
import {
  archiveCampaign,
  createCampaign,
  getCampaign,
  listCampaigns,
  restoreCampaign,
  updateCampaign,
} from '../../db/campaigns.ts'
import { ListingQuery } from '../listing.ts'
import { ById, Paged, route } from '../route.ts'
import { Id, listOf, Text, Time } from '../shapes.ts'

const Minor = z.int().nullable()

/** Something that was done to be noticed. */
const CampaignShape = z
  .object({
    id: Id,
    name: z.string(),
    slug: z
      .string()
      .describe('What `utm_campaign` and the campaign of a lead are compared with, in any case.'),
    aliases: z.array(z.string()).describe('Other names that it comes by.'),
    channel: Text,
    status: z.enum(campaignStatuses),
    starts_on: z.iso.date().nullable(),
    ends_on: z.iso.date().nullable(),
    budget_minor: Minor.describe('In minor units of `currency`.'),
    cost_minor: Minor.describe('All that was spent: the sum of `costs` where there are any.'),
    costs: z.array(DayCost).describe('What was spent by day.'),
    currency: z.string(),
    owner_id: Id.nullable(),
    owner: z.object({ id: Id, name: z.string() }).nullable(),
    description: Text,
    external_id: Text,
    archived_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Campaign' })

/** What a campaign brought. */
const ResultsShape = z
  .object({
    campaign_id: Id,
    name: z.string(),
    model: z.enum(attributionModels),
    from: Day.optional(),
    to: Day.optional(),
    currency: z.string().describe('The organization’s own: of every amount here.'),
    touches: z.int(),
    first_touch_leads: z.int(),
    last_touch_leads: z.int(),
    influenced_leads: z.int(),
    leads: z.int().describe('By the model, as everything below.'),
    qualified: z.int(),
    won: z.int().describe('Won deals that were made of these leads, and won leads without a deal.'),
    won_value_minor: z.number(),
    won_without_value: z.int().describe('Those that have no value in `currency`.'),
    cost_minor: z
      .number()
      .nullable()
      .describe(
        'Null without a cost, without costs by day where days are asked for, or without an exchange rate.',
      ),
    cost_per_lead_minor: z.number().nullable(),
    return: z.number().nullable().describe('(value − cost) ÷ cost: 1.5 is 150 %.'),
  })
  .meta({ id: 'CampaignResults' })

const ResultsQuery = z.object({
  from: Day.optional().describe('The first day on which a lead came in.'),
  to: Day.optional().describe('The last one.'),
  model: z.enum(attributionModels).default('first'),
})

/** Campaigns, and what they bring. */
export const campaigns = [
  route(
    {
      method: 'GET',
      path: '/api/campaigns',
      permission: 'campaigns:read',
      summary: 'Campaigns',
      description:
        '`filter` is JSON of the filter language, `sort` a list of fields such as `-starts_on,name`.',
      query: ListingQuery,
      response: listOf(CampaignShape),
    },
    ({ ctx, query }) => listCampaigns(ctx, query),
  ),
  route(
    {
      method: 'POST',
      path: '/api/campaigns',
      permission: 'campaigns:write',
      summary: 'Make a campaign',
      description:
        'Leads and visits that name it are given to it, those from before, too: by `slug` (made of the name unless given), name or alias, in any case. `costs` are amounts by day; `cost_minor` alone is one figure.',
      body: NewCampaign,
      example: {
        name: 'Spring fair',
        slug: 'spring-fair',
        channel: 'event',
        starts_on: '2026-03-01',
        costs: [{ on: '2026-03-01', amount_minor: 250_000 }],
      },
      response: CampaignShape,
      status: 201,
    },
    ({ ctx, body }) => createCampaign(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/campaigns/unmatched',
      permission: 'campaigns:read',
      summary: 'Campaigns that leads and visits name and nobody made',
      description: 'Make one with such a name, or give a campaign an alias: what named it becomes its own.',
      response: listOf(z.object({ campaign: z.string(), leads: z.int(), deals: z.int(), touches: z.int() })),
    },
    async ({ ctx }) => ({ data: await listUnmatched(ctx), next_cursor: null }),
  ),
  route(
    {
      method: 'GET',
      path: '/api/campaigns/results',
      permission: 'campaigns:read',
      summary: 'What each campaign brought',
      description: 'The numbers of `/api/campaigns/:id/results`, for every campaign that is not archived.',
      query: Paged.extend(ResultsQuery.shape),
      response: listOf(ResultsShape),
      report: true,
    },
    ({ ctx, query }) => listResults(ctx, query),
  ),
  route(
    {
      method: 'GET',
      path: '/api/campaigns/:id',
      permission: 'campaigns:read',
      summary: 'One campaign',
      params: ById,
      response: CampaignShape,
    },
    ({ ctx, params }) => getCampaign(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/campaigns/:id',
      permission: 'campaigns:write',
      summary: 'Change a campaign',
      description:
        'Absent fields stay, null empties one, `costs` replaces all days. What came in under a name it had stays its own. Send the `version` you read.',
      params: ById,
      body: CampaignChange,
      example: { version: 1, status: 'ended', aliases: ['fair-26'] },
      response: CampaignShape,
      versioned: true,
    },
    ({ ctx, params, body, version }) => updateCampaign(ctx, params.id, { ...body, version }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/campaigns/:id',
      permission: 'campaigns:write',
      summary: 'Archive a campaign',
      description: 'Its names are free for others; what it brought stays its own, and it can be restored.',
      params: ById,
      status: 204,
    },
    ({ ctx, params }) => archiveCampaign(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/campaigns/:id/restore',
      permission: 'campaigns:write',
      summary: 'Bring a campaign back from the archive',
      params: ById,
      response: CampaignShape,
    },
    ({ ctx, params }) => restoreCampaign(ctx, params.id),
  ),
  route(
    {
      method: 'GET',
      path: '/api/campaigns/:id/results',
      permission: 'campaigns:read',
      summary: 'What a campaign brought',
      description:
        'Of the leads that came in from `from` to `to`, days of the organization, both included. `model` says for which touch a lead and a win are counted: `first` its earliest; `last` its latest before it was won or converted; `influenced` any from `influence_days` (settings, 90) before it came in until then.',
      params: ById,
      query: ResultsQuery,
      response: ResultsShape,
      report: true,
    },
    ({ ctx, params, query }) => readResults(ctx, params.id, query),
  ),
]
