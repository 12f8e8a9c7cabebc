import { sql } from 'drizzle-orm'
import {
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
  uuid,
} from 'drizzle-orm/pg-core'
import { at } from './columns.ts'
import { opportunities } from './record.ts'

/** How much an open deal is at risk; derived, so it never raises the deal's version. */
export const deal_risks = pgTable(
  'deal_risks',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    risk: integer().notNull(),
    level: text().notNull(),
    /** `[{factor, points, reason}]` */
    reasons: jsonb().notNull(),
    formula: text().notNull(),
    assessed_at: at('assessed_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.opportunity_id] }),
    index('deal_risks_risk').on(t.organization_id, t.risk, t.opportunity_id),
    foreignKey({
      name: 'deal_risks_deal',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    check('deal_risks_range', sql`risk between 0 and 100`),
    check('deal_risks_level', sql`level in ('low', 'medium', 'high')`),
  ],
)

/** How long deals stayed in a stage before they left it: what the age of those in it is held against. */
export const stage_medians = pgTable(
  'stage_medians',
  {
    organization_id: uuid().notNull(),
    stage_id: uuid().notNull(),
    /** Of how many stays. */
    stays: integer().notNull(),
    median_days: doublePrecision().notNull(),
    computed_at: at('computed_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.organization_id, t.stage_id] })],
)

/** The last day, in the organization's time zone, for which all its open deals were assessed. */
export const deal_risk_days = pgTable('deal_risk_days', {
  organization_id: uuid().primaryKey(),
  day: date({ mode: 'string' }).notNull(),
})
