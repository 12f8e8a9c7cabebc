import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { searchColumn } from '../search-text.ts'
import { at, stamps, tenant } from './columns.ts'

export const settings = pgTable('settings', {
  organization_id: uuid().primaryKey(),
  /** Off switch for every agent of the organization. */
  ai_enabled: boolean().notNull().default(true),
  currency: text().notNull().default('EUR'),
  /** Where a phone number without a country code is assumed to be; null assumes nothing. */
  default_country: text(),
  timezone: text().notNull().default('UTC'),
  /** ISO weekday (1 = Monday) → [opens, closes] as HH:MM. */
  business_hours: jsonb().notNull(),
  /** What an e-mail is signed with. */
  sender_name: text(),
  /** Model name → `{input_minor_per_million, output_minor_per_million}` in the organization's currency. */
  model_prices: jsonb().notNull().default({}),
  /** A campaign that a lead names and nobody made is made. */
  create_campaigns: boolean().notNull().default(false),
  /** How long before a lead came in a campaign may have touched it to have influenced it. */
  influence_days: integer().notNull().default(90),
  updated_at: at('updated_at').notNull().defaultNow(),
  version: integer().notNull().default(1),
})

export const pipelines = pgTable(
  'pipelines',
  {
    ...tenant,
    name: text().notNull(),
    description: text(),
    record_kind: text().notNull(),
    lost_reason: text().notNull().default('required'),
    is_default: boolean().notNull().default(false),
    template: text(),
    position: text().notNull(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('pipelines_default')
      .on(t.organization_id, t.record_kind)
      .where(sql`is_default and archived_at is null`),
    check('pipelines_record_kind', sql`record_kind in ('lead', 'deal')`),
    check('pipelines_lost_reason', sql`lost_reason in ('required', 'optional')`),
  ],
)

export const stages = pgTable(
  'stages',
  {
    ...tenant,
    pipeline_id: uuid().notNull(),
    label: text().notNull(),
    description: text(),
    kind: text().notNull(),
    position: integer().notNull(),
    color: text().notNull().default('neutral'),
    close_probability: integer().notNull(),
    rot_days: integer(),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    unique('stages_of_pipeline').on(t.organization_id, t.pipeline_id, t.id),
    uniqueIndex('stages_one_won_one_lost')
      .on(t.organization_id, t.pipeline_id, t.kind)
      .where(sql`kind in ('won', 'lost')`),
    index('stages_position').on(t.organization_id, t.pipeline_id, t.position),
    foreignKey({
      name: 'stages_pipeline',
      columns: [t.organization_id, t.pipeline_id],
      foreignColumns: [pipelines.organization_id, pipelines.id],
    }).onDelete('cascade'),
    check('stages_kind', sql`kind in ('open', 'won', 'lost')`),
    check(
      'stages_probability',
      sql`(kind = 'open' and close_probability between 1 and 99) or (kind = 'won' and close_probability = 100) or (kind = 'lost' and close_probability = 0)`,
    ),
  ],
)

/** A card in a pipeline: a lead that is still being qualified, or a deal. */
export const opportunities = pgTable(
  'opportunities',
  {
    ...tenant,
    kind: text().notNull(),
    name: text().notNull(),
    contact_name: text(),
    company_name: text(),
    title: text(),
    email: text(),
    phone: text(),
    /** The phone number as it was given, when it could not be written as E.164. */
    phone_original: text(),
    website: text(),
    city: text(),
    state: text(),
    country: text(),
    industry: text(),
    message: text(),
    pipeline_id: uuid().notNull(),
    stage_id: uuid().notNull(),
    stage_entered_at: at('stage_entered_at').notNull().defaultNow(),
    /** The `stage_entered_at` of the stay that was told of as stuck: a mark, no change of the card. */
    told_stuck_since: at('told_stuck_since'),
    position: text().notNull(),
    owner_id: uuid(),
    source: text(),
    campaign: text(),
    campaign_id: uuid(),
    landing_page: text(),
    /** `{door, submission_id}`: how it came in; never changes. */
    origin: jsonb().notNull(),
    value_minor: bigint({ mode: 'number' }),
    currency: text().notNull(),
    forecast_category: text(),
    expected_close_on: date({ mode: 'string' }),
    /** How often the expected close was moved to a later day. */
    expected_close_slips: integer().notNull().default(0),
    /** Of `currency` in the organization's own, frozen when the card was closed. */
    exchange_rate: doublePrecision(),
    base_value_minor: bigint({ mode: 'number' }),
    tags: text().array().notNull().default([]),
    /** What the door was sent and no field takes, kept as it came. */
    extra: jsonb().notNull().default({}),
    /** `[{field, message}]`: what could not be understood when it came in. */
    warnings: jsonb().notNull().default([]),
    sent_at: at('sent_at'),
    accepted_at: at('accepted_at'),
    qualifying_started_at: at('qualifying_started_at'),
    qualified_at: at('qualified_at'),
    scheduled_at: at('scheduled_at'),
    won_at: at('won_at'),
    lost_at: at('lost_at'),
    discard_reason_id: uuid(),
    discard_note: text(),
    source_lead_id: uuid(),
    /** The lead that this one was merged into: the one that is worked now, however often it was merged on. */
    merged_into: uuid(),
    external_id: text(),
    /** Off switch for agents on this record. */
    agents_paused: boolean().notNull().default(false),
    archived_at: at('archived_at'),
    search_text: text().generatedAlwaysAs(
      sql.raw(searchColumn('name', 'contact_name', 'company_name', 'email', 'phone', 'website')),
    ),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    foreignKey({
      name: 'opportunities_stage',
      columns: [t.organization_id, t.pipeline_id, t.stage_id],
      foreignColumns: [stages.organization_id, stages.pipeline_id, stages.id],
    }),
    index('opportunities_created').on(t.organization_id, t.kind, t.created_at, t.id),
    index('opportunities_stage_position').on(
      t.organization_id,
      t.stage_id,
      sql`(archived_at is null)`,
      t.position,
      t.id,
    ),
    index('opportunities_stage_entered').on(t.organization_id, t.stage_id, t.stage_entered_at),
    index('opportunities_stuck_untold')
      .on(t.organization_id, t.stage_id, t.stage_entered_at)
      .where(sql`archived_at is null and told_stuck_since is distinct from stage_entered_at`),
    index('opportunities_owner').on(t.organization_id, t.owner_id, t.created_at),
    /** How many open leads a member has, without the closed ones. */
    index('opportunities_lead_owner')
      .on(t.organization_id, t.owner_id, t.stage_id)
      .where(sql`kind = 'lead' and owner_id is not null and archived_at is null`),
    index('opportunities_updated').on(t.organization_id, t.kind, t.updated_at, t.id),
    index('opportunities_name').on(t.organization_id, t.kind, t.name, t.id),
    index('opportunities_value')
      .on(t.organization_id, t.kind, t.value_minor, t.id)
      .where(sql`value_minor is not null`),
    index('opportunities_expected_close')
      .on(t.organization_id, t.kind, t.expected_close_on, t.id)
      .where(sql`expected_close_on is not null`),
    index('opportunities_source_lead')
      .on(t.organization_id, t.source_lead_id)
      .where(sql`source_lead_id is not null`),
    index('opportunities_merged_into')
      .on(t.organization_id, t.merged_into)
      .where(sql`merged_into is not null`),
    index('opportunities_campaign')
      .on(t.organization_id, t.campaign_id, t.created_at, t.id)
      .where(sql`campaign_id is not null`),
    index('opportunities_unmatched')
      .on(t.organization_id, t.campaign)
      .where(sql`campaign is not null and campaign_id is null`),
    uniqueIndex('opportunities_external')
      .on(t.organization_id, t.kind, t.external_id)
      .where(sql`external_id is not null and archived_at is null`),
    check('opportunities_kind', sql`kind in ('lead', 'deal')`),
    check(
      'opportunities_forecast_category',
      sql`forecast_category in ('commit', 'best_case', 'pipeline', 'omitted')`,
    ),
    check('opportunities_merged_archived', sql`merged_into is null or archived_at is not null`),
    check('opportunities_currency', sql`currency ~ '^[A-Z]{3}$'`),
  ],
)

/**
 * What a lead can be recognised by: normalised e-mail, E.164 phone, external id, domain + name. Derived from the card in the
 * statement that writes it, and cards are never deleted: a check of each row would cost an import a fifth of its time.
 */
export const opportunity_keys = pgTable(
  'opportunity_keys',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    kind: text().notNull(),
    value: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.kind, t.value, t.opportunity_id] }),
    index('opportunity_keys_opportunity').on(t.organization_id, t.opportunity_id),
  ],
)

/** Derived, so it never raises the record's version. */
export const opportunity_scores = pgTable(
  'opportunity_scores',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    score: integer().notNull(),
    /** `[{factor, points, reason}]` */
    reasons: jsonb().notNull(),
    formula: text().notNull(),
    verdict: text(),
    verdict_reason: text(),
    scored_at: at('scored_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.opportunity_id] }),
    index('opportunity_scores_score').on(t.organization_id, t.score, t.opportunity_id),
    check('opportunity_scores_range', sql`score between 0 and 100`),
  ],
)

/** What the lead's own website said of it, each fact with where it was found. */
export const enrichments = pgTable(
  'enrichments',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    website: text().notNull(),
    summary: text().notNull(),
    /** `[{key, value, source_url, snippet}]` */
    facts: jsonb().notNull(),
    /** `[{url, title, status}]` */
    pages: jsonb().notNull(),
    run_id: uuid(),
    read_at: at('read_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.opportunity_id] }),
    foreignKey({
      name: 'enrichments_owner',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)

/** Who or what a field's present value came from. */
export const record_origins = pgTable(
  'record_origins',
  {
    organization_id: uuid().notNull(),
    record_kind: text().notNull(),
    record_id: uuid().notNull(),
    field: text().notNull(),
    /** `{kind: 'submission' | 'url' | 'person' | 'agent' | 'api_key', submission_id?, url?, snippet?, run_id?, name?}` */
    origin: jsonb().notNull(),
    /** True when the value was written by somebody outside. */
    tainted: boolean().notNull(),
    set_at: at('set_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.record_kind, t.record_id, t.field] })],
)

export const notes = pgTable(
  'notes',
  {
    ...tenant,
    body: text().notNull(),
    subject_kind: text().notNull(),
    subject_id: uuid().notNull(),
    author: jsonb().notNull(),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('notes_subject').on(t.organization_id, t.subject_kind, t.subject_id, t.id),
  ],
)

export const tasks = pgTable(
  'tasks',
  {
    ...tenant,
    title: text().notNull(),
    description: text(),
    status: text().notNull().default('open'),
    priority: text().notNull().default('normal'),
    due_at: at('due_at'),
    remind_at: at('remind_at'),
    reminded_at: at('reminded_at'),
    /** `{every: {n, unit}, until?}`: the next one is made when this one is completed. */
    recurrence: jsonb(),
    /** The task that this one repeats. */
    repeats_id: uuid(),
    assignee_kind: text(),
    assignee_id: text(),
    created_by: jsonb().notNull(),
    completed_at: at('completed_at'),
    archived_at: at('archived_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('tasks_due').on(t.organization_id, t.status, t.due_at, t.id),
    index('tasks_priority').on(
      t.organization_id,
      t.status,
      // As `priority` of `taskFields` says it in db/filter-fields.ts: an order by it is the order of this index.
      sql`(case priority when 'low' then 0 when 'normal' then 1 when 'high' then 2 when 'urgent' then 3 end)`,
      t.id,
    ),
    index('tasks_assignee').on(t.organization_id, t.assignee_kind, t.assignee_id, t.status, t.due_at),
    index('tasks_reminder')
      .on(t.remind_at)
      .where(sql`reminded_at is null and remind_at is not null and status = 'open' and archived_at is null`),
    uniqueIndex('tasks_repeats')
      .on(t.organization_id, t.repeats_id)
      .where(sql`repeats_id is not null`),
    check('tasks_status', sql`status in ('open', 'done', 'cancelled')`),
    check('tasks_priority', sql`priority in ('low', 'normal', 'high', 'urgent')`),
  ],
)

export const task_subjects = pgTable(
  'task_subjects',
  {
    organization_id: uuid().notNull(),
    task_id: uuid().notNull(),
    kind: text().notNull(),
    subject_id: uuid().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.task_id, t.kind, t.subject_id] }),
    index('task_subjects_subject').on(t.organization_id, t.kind, t.subject_id),
    foreignKey({
      name: 'task_subjects_task',
      columns: [t.organization_id, t.task_id],
      foreignColumns: [tasks.organization_id, tasks.id],
    }).onDelete('cascade'),
  ],
)
