import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, stamps, tenant } from './columns.ts'
import { opportunities } from './record.ts'

/** What the organization did to be noticed: what it cost, and under which names its visits come in. */
export const campaigns = pgTable(
  'campaigns',
  {
    ...tenant,
    name: text().notNull(),
    /** What `utm_campaign` and the campaign of a lead are compared with, whatever their case. */
    slug: text().notNull(),
    aliases: text().array().notNull().default([]),
    channel: text(),
    status: text().notNull().default('active'),
    starts_on: date({ mode: 'string' }),
    ends_on: date({ mode: 'string' }),
    budget_minor: bigint({ mode: 'number' }),
    /** All of it; the sum of `costs` where there are any. */
    cost_minor: bigint({ mode: 'number' }),
    /** `[{on, amount_minor}]`, by day. */
    costs: jsonb().notNull().default([]),
    currency: text().notNull(),
    owner_id: uuid(),
    description: text(),
    external_id: text(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('campaigns_created').on(t.organization_id, t.created_at, t.id),
    uniqueIndex('campaigns_external')
      .on(t.organization_id, t.external_id)
      .where(sql`external_id is not null and archived_at is null`),
    check('campaigns_status', sql`status in ('planned', 'active', 'paused', 'ended')`),
    check('campaigns_currency', sql`currency ~ '^[A-Z]{3}$'`),
  ],
)

/** The names that campaigns which are not archived go by, in small letters: each is one campaign's. */
export const campaign_names = pgTable(
  'campaign_names',
  {
    organization_id: uuid().notNull(),
    name: text().notNull(),
    campaign_id: uuid().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.name] }),
    index('campaign_names_campaign').on(t.organization_id, t.campaign_id),
    foreignKey({
      name: 'campaign_names_campaign',
      columns: [t.organization_id, t.campaign_id],
      foreignColumns: [campaigns.organization_id, campaigns.id],
    }).onDelete('cascade'),
  ],
)

/** One time that somebody came by. Ids are in the order of `occurred_at`; what was seen never changes. */
export const touchpoints = pgTable(
  'touchpoints',
  {
    ...tenant,
    /** What the website calls the browser, once its visitor agreed. */
    visitor_id: text(),
    /** Null until the visitor is known. */
    lead_id: uuid(),
    /** The campaign that `campaign` names; null while none does. */
    campaign_id: uuid(),
    campaign: text(),
    source: text(),
    medium: text(),
    term: text(),
    content: text(),
    /** Origin and path. */
    landing_page: text(),
    /** Origin and path. */
    referrer: text(),
    /** What advertisers mark a click with, by its name: `gclid`. */
    click_ids: jsonb().notNull().default({}),
    occurred_at: at('occurred_at').notNull(),
    received_at: at('received_at').notNull().defaultNow(),
    door: text().notNull(),
    /** The intake source it came in by. */
    source_id: uuid(),
    submission_id: uuid(),
    /** What the visitor said on the website; null where a lead itself wrote to us. */
    consent: boolean(),
    /** Given by the sender: what comes twice is one. */
    dedupe_id: text(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('touchpoints_dedupe')
      .on(t.organization_id, t.source_id, t.dedupe_id)
      .where(sql`dedupe_id is not null`),
    uniqueIndex('touchpoints_submission')
      .on(t.organization_id, t.submission_id)
      .where(sql`submission_id is not null`),
    index('touchpoints_lead')
      .on(t.organization_id, t.lead_id, t.id)
      .where(sql`lead_id is not null`),
    index('touchpoints_visitor')
      .on(t.organization_id, t.visitor_id, t.id)
      .where(sql`visitor_id is not null`),
    index('touchpoints_campaign')
      .on(t.organization_id, t.campaign_id, t.id)
      .where(sql`campaign_id is not null`),
    index('touchpoints_unmatched')
      .on(t.organization_id, t.campaign)
      .where(sql`campaign is not null and campaign_id is null`),
    foreignKey({
      name: 'touchpoints_lead',
      columns: [t.organization_id, t.lead_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    check('touchpoints_consent', sql`visitor_id is null or lead_id is not null or consent`),
  ],
)

/** Which lead a visitor said to be, the last time. */
export const visitors = pgTable(
  'visitors',
  {
    organization_id: uuid().notNull(),
    visitor_id: text().notNull(),
    lead_id: uuid().notNull(),
    identified_at: at('identified_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.visitor_id] }),
    index('visitors_lead').on(t.organization_id, t.lead_id),
    foreignKey({
      name: 'visitors_lead',
      columns: [t.organization_id, t.lead_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)

/** What a card's touchpoints come to. Derived, so it never raises the record's version. */
export const attributions = pgTable(
  'attributions',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    touches: integer().notNull(),
    /** `{id, campaign_id, campaign, source, medium, occurred_at}`, as the three below. */
    first_touch: jsonb(),
    /** The last one when the lead came in. */
    creation_touch: jsonb(),
    /** The last one before it was won; of all, while it is not. */
    last_touch: jsonb(),
    first_campaign_id: uuid(),
    last_campaign_id: uuid(),
    refreshed_at: at('refreshed_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.opportunity_id] }),
    index('attributions_first')
      .on(t.organization_id, t.first_campaign_id, t.opportunity_id)
      .where(sql`first_campaign_id is not null`),
    index('attributions_last')
      .on(t.organization_id, t.last_campaign_id, t.opportunity_id)
      .where(sql`last_campaign_id is not null`),
    foreignKey({
      name: 'attributions_owner',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)

/** The campaigns that a card was touched by before it was won. Derived, like `attributions`. */
export const campaign_influences = pgTable(
  'campaign_influences',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    campaign_id: uuid().notNull(),
    touches: integer().notNull(),
    first_at: at('first_at').notNull(),
    last_at: at('last_at').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'campaign_influences_pk',
      columns: [t.organization_id, t.opportunity_id, t.campaign_id],
    }),
    index('campaign_influences_campaign').on(t.organization_id, t.campaign_id, t.opportunity_id),
    foreignKey({
      name: 'campaign_influences_owner',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)
