import { integer, timestamp, uuid } from 'drizzle-orm/pg-core'

/** A moment: timestamptz. */
export const at = (name: string) => timestamp(name, { withTimezone: true })

/** What every record of an organization is found by. */
export const tenant = { organization_id: uuid().notNull(), id: uuid().notNull() }

/** When a record was made and last set, and how often: what an editor sends back to show what it read. */
export const stamps = {
  created_at: at('created_at').notNull().defaultNow(),
  updated_at: at('updated_at').notNull().defaultNow(),
  version: integer().notNull().default(1),
}
