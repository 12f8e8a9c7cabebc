import { sql } from 'drizzle-orm'
import { foreignKey, index, jsonb, pgTable, primaryKey, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, tenant } from './columns.ts'
import { opportunities } from './record.ts'

/** Every conversion of a lead: what came of it, and whether it was taken back. */
export const conversions = pgTable(
  'conversions',
  {
    ...tenant,
    lead_id: uuid().notNull(),
    account_id: uuid(),
    contact_id: uuid(),
    deal_id: uuid(),
    /** Of `account`, `contact` and `deal` what was made, each with its version then; the rest was there. */
    created: jsonb().notNull(),
    converted_at: at('converted_at').notNull(),
    converted_by: jsonb().notNull(),
    reversed_at: at('reversed_at'),
    reversed_by: jsonb(),
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    uniqueIndex('conversions_one_standing')
      .on(t.organization_id, t.lead_id)
      .where(sql`reversed_at is null`),
    index('conversions_deal').on(t.organization_id, t.deal_id),
    foreignKey({
      name: 'conversions_lead',
      columns: [t.organization_id, t.lead_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
  ],
)
