import { z } from 'zod'
import {
  ContactChange,
  contactLifecycles,
  createContact,
  createContacts,
  getContact,
  listContacts,
  NewContact,
  updateContact,
} from '../../db/contacts.ts'
import { summariseRecord } from '../../db/linked-records.ts'
import { EntryShape } from '../address-book.ts'
import { Id, Text } from '../shapes.ts'
import { recordRoutes } from './records.ts'

/** A person. */
export const ContactShape = EntryShape.extend({
  title: Text,
  email: Text,
  lifecycle: z.enum(contactLifecycles),
  account_ids: z.array(Id).describe('The main company first.'),
  account: z
    .object({ id: Id, name: z.string().optional() })
    .nullable()
    .describe('The main company; its name for whoever may read accounts.'),
}).meta({ id: 'Contact' })

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
    together: (ctx, inputs) =>
      createContacts(
        ctx,
        inputs.map((input) => ({ input })),
      ),
  },
  change: {
    body: ContactChange,
    description: '; `account_ids` replaces the companies, the first one is the main one',
    example: { version: 1, title: 'Head of purchasing' },
    run: updateContact,
  },
})
