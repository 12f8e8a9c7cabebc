import { z } from 'zod'
import { type Entry, EntryFields, entryReaders } from './address-book.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { writeCustomValues } from './custom-values.ts'
import { invalid } from './errors.ts'
import { companyDomain } from './lead-keys.ts'
import { Currency, Line, type Warning, Website } from './lead-fields.ts'
import { originOf, readChange, writeChanges } from './record-changes.ts'
import { type Arrival, createEntries } from './record-creation.ts'
import { changeOf, ChangeTerms, CustomValues, MinorUnits, newOf, normaliseFields } from './record-fields.ts'
import { readSettings } from './settings.ts'

/** What a company is to the organization. */
export const accountLifecycles = ['prospect', 'customer', 'partner', 'former_customer', 'other'] as const

/** The fields of an account that people and systems write. */
export const AccountFields = z.object({
  name: Line().pipe(z.string().min(1)),
  website: Website,
  ...EntryFields.shape,
  lifecycle: z.enum(accountLifecycles),
  segment: Line(),
  industry: Line(),
  /** Number of employees. */
  size: z.int().min(0).max(2_147_483_647),
  revenue_minor: MinorUnits,
  currency: Currency,
  /** 0 (about to leave) to 100 (thriving). */
  health: z.int().min(0).max(100),
})

export const NewAccount = newOf({ ...AccountFields.shape, custom: CustomValues }).extend({
  name: AccountFields.shape.name,
})
export type NewAccount = z.infer<typeof NewAccount>

/** A change of an account: absent fields stay, null empties a field. */
export const AccountChange = changeOf(AccountFields).extend(ChangeTerms)
export type AccountChange = z.infer<typeof AccountChange>

/** A company, as it is answered everywhere. */
export type Account = Entry & {
  website: string | null
  /** The registrable domain of the website. */
  domain: string | null
  lifecycle: (typeof accountLifecycles)[number]
  segment: string | null
  industry: string | null
  size: number | null
  revenue_minor: number | null
  currency: string
  health: number | null
}

/** How accounts are read; `accountReaders.source` and `present` are for narrower lists. */
export const accountReaders = entryReaders<Account>(
  'account',
  'c',
  (tx) =>
    tx`c.website, c.domain, c.lifecycle, c.segment, c.industry, c.size, c.revenue_minor, c.currency, c.health`,
)

/** One account, archived or not. */
export const getAccount = accountReaders.get

/** One account that nobody else changes until the transaction ends. */
export const lockAccount = accountReaders.lock

/** One page of accounts, the newest first unless another order is asked for. */
export const listAccounts = accountReaders.list

/**
 * Makes an account. One of the same domain that is there already is told of in `warnings`, and stands in nobody's way.
 * @throws {DomainError} `external_id_taken`, `owner_unknown`, and what custom fields refuse
 */
export const createAccount = (ctx: Ctx, input: NewAccount): Promise<Account> =>
  inTx(ctx, async (ctx) => {
    const known = await sameDomain(ctx, domainOf(input.website))
    const [id = ''] = await createAccounts(ctx, [{ input }])
    const account = await getAccount(ctx, id)
    return { ...account, warnings: [...account.warnings, ...known] }
  })

/** Makes many accounts with one statement per table; all of them or none. Answers their ids, in the same order. */
export const createAccounts = (
  ctx: Ctx,
  entries: readonly { input: NewAccount; from?: Arrival }[],
): Promise<string[]> =>
  inTx(ctx, async (ctx) => {
    const { default_country, currency } = await readSettings(ctx)
    return createEntries(
      ctx,
      'account',
      entries.map(({ input, from }) => {
        const { values } = normaliseFields(input, AccountFields.shape, default_country)
        const row = { currency, lifecycle: 'prospect', tags: [], ...values, name: input.name }
        return { input, values, from, row: { ...row, domain: domainOf(input.website) } }
      }),
    )
  })

/**
 * Changes fields of an account, with before and after on its timeline.
 * @throws {DomainError} stale when `version` is not the current one, and whatever creation refuses
 */
export const updateAccount = (ctx: Ctx, id: string, input: AccountChange): Promise<Account> =>
  inTx(ctx, async (ctx) => {
    const [before, settings] = await Promise.all([lockAccount(ctx, id), readSettings(ctx)])
    const { default_country } = settings
    const values = await readChange(ctx, 'account', before, input, AccountFields.shape, default_country)
    if (values['name'] === null) throw invalid('account_unnamed', '/name', 'An account always has a name.')
    if (values['currency'] === null) values['currency'] = settings.currency
    if (values['lifecycle'] === null) values['lifecycle'] = 'prospect'
    if ('website' in values) values['domain'] = domainOf(values['website'])
    await writeChanges(ctx, 'account', before, {
      values,
      custom: input.custom && (await writeCustomValues(ctx, 'account', id, input.custom)),
      origin: originOf(ctx),
      reason: input.reason,
    })
    return getAccount(ctx, id)
  })

/** The registrable domain of a website; null where there is none. */
export const domainOf = (website: unknown): string | null =>
  typeof website === 'string' ? companyDomain({ website }) : null

const sameDomain = async ({ tx, organization_id }: TxCtx, domain: string | null): Promise<Warning[]> => {
  if (domain === null) return []
  const [known] = await tx<{ id: string; name: string }[]>`
    select id, name from accounts
    where organization_id = ${organization_id} and domain = ${domain} and archived_at is null
    order by id limit 1`
  if (!known) return []
  return [
    { field: 'website', message: `“${known.name}” has the domain ${domain}, too.`, record_id: known.id },
  ]
}
