import { z } from 'zod'
import { Anything, Id, OriginShape, Text, Time, WarningShape } from './shapes.ts'

/** What an account or contact amounts to, as far as whoever asks may read it. */
const SummaryShape = z
  .object({
    open_deals: z.int().optional().describe('This and their values: for whoever has `leads:read`.'),
    open_deal_values: z
      .array(z.object({ currency: z.string(), deals: z.int(), value_minor: z.int() }))
      .optional()
      .describe('What the open deals are worth, per currency, in minor units.'),
    contacts: z.int().optional().describe('People of an account, for whoever has `contacts:read`.'),
    accounts: z.int().optional().describe('Companies of a contact, for whoever has `accounts:read`.'),
    open_tasks: z.int().optional().describe('For whoever has `tasks:read`.'),
    last_activity_at: Time.nullable(),
  })
  .meta({ id: 'RecordSummary' })

/** What accounts and contacts have in common. */
export const EntryShape = z.object({
  id: Id,
  name: z.string(),
  phone: Text.describe('E.164'),
  phone_original: Text,
  description: Text,
  city: Text,
  state: Text,
  country: Text,
  owner_id: Id.nullable(),
  owner: z.object({ id: Id, name: z.string() }).nullable(),
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
