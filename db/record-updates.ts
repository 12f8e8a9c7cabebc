import type { z } from 'zod'
import { type Account, AccountChange, getAccount, lockAccount, updateAccount } from './accounts.ts'
import { type Contact, ContactChange, getContact, lockContact, updateContact } from './contacts.ts'
import type { Ctx, TxCtx } from './context.ts'
import { readKeptValues } from './custom-values.ts'
import { DealChange, updateDeal } from './deals.ts'
import { DomainError } from './errors.ts'
import { faultsOf } from './faults.ts'
import { LeadChange, lockLead, updateLead } from './leads.ts'
import { getOpportunity, lockOpportunity, type Opportunity } from './opportunities.ts'
import type { RecordKind, RecordRef } from './records.ts'
import { loaded } from './together.ts'

const changes = {
  lead: LeadChange.omit({ version: true }).strict(),
  deal: DealChange.omit({ version: true }).strict(),
  account: AccountChange.omit({ version: true }).strict(),
  contact: ContactChange.omit({ version: true }).strict(),
} as const

/** What a change of this kind of record takes, without the version it was made upon. */
export const changeOfKind = (kind: RecordKind): z.ZodObject => changes[kind]

/**
 * Changes a record of any kind, as its own update does. Takes what an earlier change replaced, too: the values of columns
 * that follow from others are left to follow.
 * @throws {DomainError} `invalid_input` with every wrong place, stale when `version` is not the current one, and whatever
 * the kind refuses
 */
export const updateRecord = async (
  ctx: Ctx,
  { kind, id }: RecordRef,
  values: Record<string, unknown>,
  { version, reason }: { version?: number | undefined; reason?: string | undefined } = {},
): Promise<{ id: string; version: number }> => {
  const given = { ...withoutFollowing(values), ...(reason ? { reason } : {}) }
  switch (kind) {
    case 'lead':
      return updateLead(ctx, id, { ...parse(changes.lead, given), version })
    case 'deal':
      return updateDeal(ctx, id, { ...parse(changes.deal, given), version })
    case 'account':
      return updateAccount(ctx, id, { ...parse(changes.account, given), version })
    case 'contact':
      return updateContact(ctx, id, { ...parse(changes.contact, given), version })
  }
}

/** A record of any kind, archived or not. */
export const readRecord = (ctx: Ctx, { kind, id }: RecordRef): Promise<Opportunity | Account | Contact> =>
  readers[kind](ctx, id)

const readers = {
  lead: (ctx: Ctx, id: string) => getOpportunity(ctx, id, 'lead'),
  deal: (ctx: Ctx, id: string) => getOpportunity(ctx, id, 'deal'),
  account: getAccount,
  contact: getContact,
}

/**
 * A record of any kind as it stands, which nobody else changes until the transaction ends; custom values, those of archived
 * fields too, also as `custom.<key>`.
 */
export const lockRecord = async (ctx: TxCtx, { kind, id }: RecordRef): Promise<Record<string, unknown>> => {
  const record = await locks[kind](ctx, id)
  const custom = Object.entries((await keptValues(ctx, id)) ?? {}).map(([key, value]) => [
    `custom.${key}`,
    value,
  ])
  return { ...record, ...Object.fromEntries(custom) }
}

const keptValues = loaded(readKeptValues)

const locks: Record<RecordKind, (ctx: TxCtx, id: string) => Promise<object>> = {
  lead: lockLead,
  deal: (ctx, id) => lockOpportunity(ctx, id, 'deal'),
  account: lockAccount,
  contact: lockContact,
}

/** A phone is given as it was written, so that it is read the same way again. */
const withoutFollowing = ({
  phone_original,
  domain: _domain,
  exchange_rate: _rate,
  base_value_minor: _base,
  ...values
}: Record<string, unknown>): Record<string, unknown> =>
  phone_original === undefined ? values : { ...values, phone: phone_original ?? values['phone'] ?? null }

const parse = <Schema extends z.ZodObject>(schema: Schema, given: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new DomainError('invalid', 'invalid_input', 'Some of these values cannot be accepted.', {
    errors: faultsOf(parsed.error, Object.keys(schema.shape)),
  })
}
