import { z } from 'zod'
import {
  ContactChange,
  contactLifecycles,
  createContact,
  getContact,
  listContacts,
  NewContact,
  updateContact,
} from '../../db/contacts.ts'
import { summariseRecord } from '../../db/linked-records.ts'
import { Anything, Id, OriginShape, Text, Time, WarningShape } from '../shapes.ts'
import { SummaryShape } from './accounts.ts'
import { recordRoutes } from './records.ts'

/** A person. */
export const ContactShape = z
  .object({
    id: Id,
    name: z.string(),
    title: Text,
    email: Text,
    phone: Text.describe('E.164'),
    phone_original: Text,
    description: Text,
    city: Text,
    state: Text,
    country: Text,
    owner_id: Id.nullable(),
    owner: z.object({ id: Id, name: z.string() }).nullable(),
    lifecycle: z.enum(contactLifecycles),
    account_ids: z.array(Id).describe('The main company first.'),
    account: z.object({ id: Id, name: z.string() }).nullable().describe('The main company.'),
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
  .meta({ id: 'Contact' })

/** People. */
export const contacts = recordRoutes({
  kind: 'contact',
  permission: 'contacts',
  shape: ContactShape,
  list: listContacts,
  get: async (ctx, id) => ({
    ...(await getContact(ctx, id)),
    summary: await summariseRecord(ctx, { kind: 'contact', id }),
  }),
  create: {
    body: NewContact,
    description:
      'It needs a name, an e-mail address or a phone number. The first of `account_ids` is the main company. Another contact of the same e-mail address is told of in `warnings`.',
    example: { name: 'Ana Ruiz', title: 'Head of Operations', email: 'ana@brightside.example' },
    run: createContact,
  },
  change: {
    body: ContactChange,
    description: '; `account_ids` replaces the companies, the first one is the main one',
    example: { version: 1, title: 'Head of purchasing' },
    run: updateContact,
  },
})
