import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  doublePrecision,
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

/** Why cards are lost. Retired ones stay on the cards that name them. */
export const discard_reasons = pgTable(
  'discard_reasons',
  {
    ...tenant,
    label: text().notNull(),
    description: text(),
    position: text().notNull(),
    retired_at: at('retired_at'),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('discard_reasons_label')
      .on(t.organization_id, t.label)
      .where(sql`retired_at is null`),
  ],
)

/** Every closing of a card, as it was when it was closed; a reopening is noted on it, never erased. */
export const closings = pgTable(
  'closings',
  {
    ...tenant,
    opportunity_id: uuid().notNull(),
    outcome: text().notNull(),
    pipeline_id: uuid().notNull(),
    stage_id: uuid().notNull(),
    stage_label: text().notNull(),
    /** Where it was closed from. */
    from_stage_id: uuid().notNull(),
    from_stage_label: text().notNull(),
    discard_reason_id: uuid(),
    discard_reason_label: text(),
    note: text(),
    value_minor: bigint({ mode: 'number' }),
    currency: text().notNull(),
    /** Of `currency` in `base_currency` on that day; null when the organization had none. */
    exchange_rate: doublePrecision(),
    base_currency: text().notNull(),
    base_value_minor: bigint({ mode: 'number' }),
    owner_id: uuid(),
    source: text(),
    closed_at: at('closed_at').notNull(),
    closed_by: jsonb().notNull(),
    reopened_at: at('reopened_at'),
    reopened_by: jsonb(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('closings_opportunity').on(t.organization_id, t.opportunity_id, t.id),
    index('closings_closed').on(t.organization_id, t.outcome, t.closed_at),
    uniqueIndex('closings_one_standing')
      .on(t.organization_id, t.opportunity_id)
      .where(sql`reopened_at is null`),
    // What was exchanged, for the sums of stages; most organizations have one currency.
    index('closings_exchanged')
      .on(t.organization_id, t.opportunity_id)
      .where(sql`reopened_at is null and currency <> base_currency`),
    foreignKey({
      name: 'closings_card',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    check('closings_outcome', sql`outcome in ('won', 'lost')`),
  ],
)

/** Each time a milestone was reached; the card carries the first. */
export const milestones = pgTable(
  'milestones',
  {
    ...tenant,
    opportunity_id: uuid().notNull(),
    milestone: text().notNull(),
    reached_at: at('reached_at').notNull(),
    actor: jsonb().notNull(),
    /** The entry on the timeline that it was reached by, where somebody logged it. */
    activity_id: uuid(),
    /** Set when what it was reached by was taken back: it stays in the history and counts for nothing. */
    withdrawn_at: at('withdrawn_at'),
    withdrawn_by: jsonb(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('milestones_opportunity').on(t.organization_id, t.opportunity_id, t.id),
    foreignKey({
      name: 'milestones_card',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    check(
      'milestones_milestone',
      sql`milestone in ('sent_at', 'accepted_at', 'qualifying_started_at', 'qualified_at', 'scheduled_at', 'won_at', 'lost_at')`,
    ),
  ],
)

/** Each move of an expected close date; one to a later day is a slip. */
export const close_date_moves = pgTable(
  'close_date_moves',
  {
    ...tenant,
    opportunity_id: uuid().notNull(),
    before_on: text(),
    after_on: text(),
    slipped_days: integer().notNull(),
    /** By how much the card's count of slips changed: 1 for a slip, -1 where one was taken back. */
    slips: integer().notNull().default(0),
    /** Whether it is an undo, or the undo of one. */
    takes_back: boolean().notNull().default(false),
    moved_at: at('moved_at').notNull().defaultNow(),
    actor: jsonb().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('close_date_moves_opportunity').on(t.organization_id, t.opportunity_id, t.id),
    foreignKey({
      name: 'close_date_moves_card',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)

/** Every close probability that a stage had, from when: an old forecast can be computed again. */
export const stage_probabilities = pgTable(
  'stage_probabilities',
  {
    organization_id: uuid().notNull(),
    stage_id: uuid().notNull(),
    since: at('since').notNull(),
    /** Null while it holds; set when another one took its place, or the stage was deleted. */
    until: at('until'),
    pipeline_id: uuid().notNull(),
    /** As the stage was called then: it outlives the stage. */
    label: text().notNull(),
    kind: text().notNull(),
    close_probability: integer().notNull(),
    actor: jsonb().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.stage_id, t.since] }),
    index('stage_probabilities_pipeline').on(t.organization_id, t.pipeline_id, t.since),
  ],
)

/** What one unit of a currency is worth in the organization's own. */
export const exchange_rates = pgTable(
  'exchange_rates',
  {
    organization_id: uuid().notNull(),
    currency: text().notNull(),
    rate: doublePrecision().notNull(),
    updated_by: jsonb().notNull(),
    updated_at: at('updated_at').notNull().defaultNow(),
    version: integer().notNull().default(1),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.currency] }),
    check('exchange_rates_rate', sql`rate > 0`),
    check('exchange_rates_currency', sql`currency ~ '^[A-Z]{3}$'`),
  ],
)

/**
 * How many cards a stage holds and what they are worth, as a ledger: triggers on `opportunities` append what each
 * statement changed, nobody locks a counter, and the sum over a stage is exact in every transaction. Compacted by a job.
 */
export const stage_totals = pgTable(
  'stage_totals',
  {
    organization_id: uuid().notNull(),
    id: uuid().notNull(),
    pipeline_id: uuid().notNull(),
    stage_id: uuid().notNull(),
    currency: text().notNull(),
    cards: bigint({ mode: 'number' }).notNull(),
    value_minor: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('stage_totals_pipeline').on(
      t.organization_id,
      t.pipeline_id,
      t.stage_id,
      t.currency,
      t.cards,
      t.value_minor,
    ),
  ],
)
