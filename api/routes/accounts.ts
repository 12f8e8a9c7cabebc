import { z } from 'zod'
import {
  AccountChange,
  accountLifecycles,
  createAccount,
  createAccounts,
  getAccount,
  listAccounts,
  NewAccount,
  updateAccount,
} from '../../db/accounts.ts'
import { summariseRecord } from '../../db/linked-records.ts'
import { EntryShape } from '../address-book.ts'
import { Text } from '../shapes.ts'
import { recordRoutes } from './records.ts'

/** A company. */
export const AccountShape = EntryShape.extend({
  website: Text,
  domain: Text.describe('The registrable domain of the website.'),
  lifecycle: z.enum(accountLifecycles),
  segment: Text,
  industry: Text,
  size: z.int().nullable().describe('Number of employees.'),
  revenue_minor: z.int().nullable().describe('In minor units of `currency`.'),
  currency: z.string(),
  health: z.int().nullable().describe('0 (about to leave) to 100 (thriving).'),
}).meta({ id: 'Account' })

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
    together: (ctx, inputs) =>
      createAccounts(
        ctx,
        inputs.map((input) => ({ input })),
      ),
  },
  change: {
    body: AccountChange,
    example: { version: 1, segment: 'Hospitality', size: 120 },
    run: updateAccount,
  },
})
