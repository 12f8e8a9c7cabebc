import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { NAME_KEY } from '../name-keys.ts'
import { searchColumn } from '../search-text.ts'
import { at, stamps, tenant } from './columns.ts'
import { opportunities } from './record.ts'

/** A company. */
export const accounts = pgTable(
  'accounts',
  {
    ...tenant,
    name: text().notNull(),
    website: text(),
    /** The registrable domain of the website. */
    domain: text(),
    phone: text(),
    phone_original: text(),
    description: text(),
    city: text(),
    state: text(),
    country: text(),
    owner_id: uuid(),
    lifecycle: text().notNull().default('prospect'),
    segment: text(),
    industry: text(),
    /** Number of employees. */
    size: integer(),
    revenue_minor: bigint({ mode: 'number' }),
    currency: text().notNull(),
    /** 0 (about to leave) to 100 (thriving); set by hand until it is first computed. */
    health: integer(),
    tags: text().array().notNull().default([]),
    source: text(),
    external_id: text(),
    archived_at: at('archived_at'),
    search_text: text().generatedAlwaysAs(sql.raw(searchColumn('name', 'domain', 'website', 'phone'))),
    /** What it is found by when somebody writes its name. */
    name_key: text().generatedAlwaysAs(sql.raw(NAME_KEY)),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('accounts_created').on(t.organization_id, t.created_at, t.id),
    index('accounts_name').on(t.organization_id, t.name, t.id),
    index('accounts_name_key').on(t.organization_id, t.name_key),
    index('accounts_owner').on(t.organization_id, t.owner_id, t.created_at, t.id),
    index('accounts_domain')
      .on(t.organization_id, t.domain)
      .where(sql`domain is not null`),
    uniqueIndex('accounts_external')
      .on(t.organization_id, t.external_id)
      .where(sql`external_id is not null and archived_at is null`),
    check(
      'accounts_lifecycle',
      sql`lifecycle in ('prospect', 'customer', 'partner', 'former_customer', 'other')`,
    ),
    check('accounts_health', sql`health between 0 and 100`),
    check('accounts_size', sql`size >= 0`),
    check('accounts_currency', sql`currency ~ '^[A-Z]{3}$'`),
  ],
)

/** A person. */
export const contacts = pgTable(
  'contacts',
  {
    ...tenant,
    name: text().notNull(),
    title: text(),
    email: text(),
    phone: text(),
    phone_original: text(),
    description: text(),
    city: text(),
    state: text(),
    country: text(),
    owner_id: uuid(),
    lifecycle: text().notNull().default('lead'),
    tags: text().array().notNull().default([]),
    source: text(),
    external_id: text(),
    archived_at: at('archived_at'),
    search_text: text().generatedAlwaysAs(sql.raw(searchColumn('name', 'email', 'phone'))),
    /** What the person is found by when somebody writes the name. */
    name_key: text().generatedAlwaysAs(sql.raw(NAME_KEY)),
    ...stamps,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.id] }),
    index('contacts_created').on(t.organization_id, t.created_at, t.id),
    index('contacts_name').on(t.organization_id, t.name, t.id),
    index('contacts_name_key').on(t.organization_id, t.name_key),
    index('contacts_owner').on(t.organization_id, t.owner_id, t.created_at, t.id),
    index('contacts_email')
      .on(t.organization_id, t.email)
      .where(sql`email is not null`),
    index('contacts_phone')
      .on(t.organization_id, t.phone)
      .where(sql`phone is not null`),
    uniqueIndex('contacts_external')
      .on(t.organization_id, t.external_id)
      .where(sql`external_id is not null and archived_at is null`),
    check(
      'contacts_lifecycle',
      sql`lifecycle in ('lead', 'customer', 'partner', 'former_customer', 'other')`,
    ),
  ],
)

const linked = {
  /** What it is to the other one: `decision maker`, `subsidiary`, … */
  role: text(),
  is_primary: boolean().notNull().default(false),
  linked_at: at('linked_at').notNull().defaultNow(),
}

/** People of a card; at most one is the primary contact. */
export const opportunity_contacts = pgTable(
  'opportunity_contacts',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    contact_id: uuid().notNull(),
    ...linked,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.opportunity_id, t.contact_id] }),
    index('opportunity_contacts_contact').on(t.organization_id, t.contact_id, t.opportunity_id),
    uniqueIndex('opportunity_contacts_primary')
      .on(t.organization_id, t.opportunity_id)
      .where(sql`is_primary`),
    foreignKey({
      name: 'opportunity_contacts_opportunity',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'opportunity_contacts_person',
      columns: [t.organization_id, t.contact_id],
      foreignColumns: [contacts.organization_id, contacts.id],
    }).onDelete('cascade'),
  ],
)

/** Companies of a card; at most one is the primary account. */
export const opportunity_accounts = pgTable(
  'opportunity_accounts',
  {
    organization_id: uuid().notNull(),
    opportunity_id: uuid().notNull(),
    account_id: uuid().notNull(),
    ...linked,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.opportunity_id, t.account_id] }),
    index('opportunity_accounts_account').on(t.organization_id, t.account_id, t.opportunity_id),
    uniqueIndex('opportunity_accounts_primary')
      .on(t.organization_id, t.opportunity_id)
      .where(sql`is_primary`),
    foreignKey({
      name: 'opportunity_accounts_opportunity',
      columns: [t.organization_id, t.opportunity_id],
      foreignColumns: [opportunities.organization_id, opportunities.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'opportunity_accounts_company',
      columns: [t.organization_id, t.account_id],
      foreignColumns: [accounts.organization_id, accounts.id],
    }).onDelete('cascade'),
  ],
)

/** Who works where; `is_primary` is the contact's main company. */
export const account_contacts = pgTable(
  'account_contacts',
  {
    organization_id: uuid().notNull(),
    account_id: uuid().notNull(),
    contact_id: uuid().notNull(),
    ...linked,
  },
  (t) => [
    primaryKey({ columns: [t.organization_id, t.account_id, t.contact_id] }),
    index('account_contacts_contact').on(t.organization_id, t.contact_id, t.account_id),
    uniqueIndex('account_contacts_primary')
      .on(t.organization_id, t.contact_id)
      .where(sql`is_primary`),
    foreignKey({
      name: 'account_contacts_company',
      columns: [t.organization_id, t.account_id],
      foreignColumns: [accounts.organization_id, accounts.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'account_contacts_person',
      columns: [t.organization_id, t.contact_id],
      foreignColumns: [contacts.organization_id, contacts.id],
    }).onDelete('cascade'),
  ],
)
