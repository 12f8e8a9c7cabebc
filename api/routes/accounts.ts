import { z } from 'zod'
import {
  AccountChange,
  accountLifecycles,
  createAccount,
  getAccount,
  listAccounts,
  NewAccount,
  updateAccount,
} from '../../db/accounts.ts'
import { summariseRecord } from '../../db/linked-records.ts'
import { Anything, Id, OriginShape, Text, Time, WarningShape } from '../shapes.ts'
import { recordRoutes } from './records.ts'

/** What an account or contact amounts to; on a single one. */
export const SummaryShape = z
  .object({
    open_deals: z.int(),
    open_deal_values: z
      .array(z.object({ currency: z.string(), deals: z.int(), value_minor: z.int() }))
      .describe('What the open deals are worth, per currency, in minor units.'),
    contacts: z.int().optional().describe('People of an account.'),
    accounts: z.int().optional().describe('Companies of a contact.'),
    open_tasks: z.int(),
    last_activity_at: Time.nullable(),
  })
  .meta({ id: 'RecordSummary' })

/** A company. */
export const AccountShape = z
  .object({
    id: Id,
    name: z.string(),
    website: Text,
    domain: Text.describe('The registrable domain of the website.'),
    phone: Text.describe('E.164'),
    phone_original: Text,
    description: Text,
    city: Text,
    state: Text,
    country: Text,
    owner_id: Id.nullable(),
    owner: z.object({ id: Id, name: z.string() }).nullable(),
    lifecycle: z.enum(accountLifecycles),
    segment: Text,
    industry: Text,
    size: z.int().nullable().describe('Number of employees.'),
    revenue_minor: z.int().nullable().describe('In minor units of `currency`.'),
    currency: z.string(),
    health: z.int().nullable().describe('0 (about to leave) to 100 (thriving).'),
    tags: z.array(z.string()),
    custom: Anything,
    source: Text,
    external_id: Text,
    warnings: z.array(WarningShape),
    origins: z.array(OriginShape).optional().describe('Where each field’s value came from; on a single one.'),
    summary: SummaryShape.optional().describe('On a single one.'),
    archived_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'Account' })

/** Companies. */
export const accounts = recordRoutes({
  kind: 'account',
  permission: 'accounts',
  shape: AccountShape,
  list: listAccounts,
  get: async (ctx, id) => ({
    ...(await getAccount(ctx, id)),
    summary: await summariseRecord(ctx, { kind: 'account', id }),
  }),
  create: {
    body: NewAccount,
    description:
      '`domain` is read from `website`. Another account of the same domain is told of in `warnings`.',
    example: { name: 'Brightside Coffee Roasters', website: 'brightside.example', lifecycle: 'prospect' },
    run: createAccount,
  },
  change: {
    body: AccountChange,
    example: { version: 1, segment: 'Hospitality', size: 120 },
    run: updateAccount,
  },
})
