import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { invalid, notFound } from './errors.ts'
import { Currency } from './lead-fields.ts'
import { once } from './together.ts'

/** What one unit of a currency is worth in units of the organization's own. */
export type ExchangeRate = {
  currency: string
  rate: number
  updated_by: Actor
  updated_at: Date
  version: number
}

/** A currency in a path, written either way. */
export const CurrencyCode = z
  .string()
  .transform((code) => code.toUpperCase())
  .pipe(Currency)

export const NewRate = z.object({
  rate: z.number('a number such as 1.08').positive('more than 0').max(1e12, 'at most 1,000,000,000,000'),
})

/** Every rate, in order of currencies. */
export const listExchangeRates = (ctx: Ctx): Promise<ExchangeRate[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<ExchangeRate[]>`
      select currency, rate, updated_by, updated_at, version from exchange_rates
      where organization_id = ${organization_id} order by currency`
    return [...rows]
  })

/** A rate that nobody else changes until the transaction ends; undefined where there is none. */
export const lockExchangeRate = async (
  { tx, organization_id }: TxCtx,
  currency: string,
): Promise<ExchangeRate | undefined> => {
  const [row] = await tx<ExchangeRate[]>`
    select currency, rate, updated_by, updated_at, version from exchange_rates
    where organization_id = ${organization_id} and currency = ${currency} for update`
  return row
}

/**
 * Sets what one unit of a currency is worth from now on; what was closed before keeps the rate it was closed at.
 * @throws {DomainError} `own_currency` for the organization's own, which is always worth 1
 */
export const setExchangeRate = (ctx: Ctx, currency: string, rate: number): Promise<ExchangeRate> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    if (currency === (await baseCurrency(ctx))) {
      throw invalid(
        'own_currency',
        '/currency',
        `${currency} is the organization’s own currency: it is worth 1.`,
      )
    }
    const before = await findRate(ctx, currency)
    await tx`
      insert into exchange_rates ${tx({ organization_id, currency, rate, updated_by: tx.json(ctx.actor) })}
      on conflict (organization_id, currency) do update set rate = excluded.rate, updated_by = excluded.updated_by,
        updated_at = now(), version = exchange_rates.version + 1`
    if (before !== rate) await recordRate(ctx, currency, before, rate)
    const [row] = await tx<ExchangeRate[]>`
      select currency, rate, updated_by, updated_at, version from exchange_rates
      where organization_id = ${organization_id} and currency = ${currency}`
    if (!row) throw new Error('an exchange rate was not stored')
    return row
  })

/**
 * Forgets a rate: what is closed in this currency from now on has no value in the organization's own.
 * @throws {DomainError} `exchange_rate_not_found`
 */
export const deleteExchangeRate = (ctx: Ctx, currency: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [gone] = await tx<{ rate: number }[]>`
      delete from exchange_rates where organization_id = ${organization_id} and currency = ${currency} returning rate`
    if (!gone) throw notFound('exchange_rate', currency)
    await recordRate(ctx, currency, gone.rate, null)
  })

/**
 * Follows the organization to another currency of its own: rates are said in the new one, by what it was worth in the old
 * one. Without a rate for it they would all be wrong, so they are forgotten. What is closed keeps what it was frozen at.
 */
export const rebaseRates = async (ctx: TxCtx, before: string, after: string): Promise<void> => {
  if (before === after) return
  const { tx, organization_id } = ctx
  const old = await tx<{ currency: string; rate: number }[]>`
    delete from exchange_rates where organization_id = ${organization_id} returning currency, rate`
  if (old.length === 0) return
  const worth = old.find(({ currency }) => currency === after)?.rate
  const rates =
    worth === undefined
      ? []
      : [{ currency: before, rate: 1 }, ...old.filter(({ currency }) => currency !== after)].map(
          ({ currency, rate }) => ({ currency, rate: Number((rate / worth).toPrecision(12)) }),
        )
  if (rates.length > 0) {
    const updated_by = tx.json(ctx.actor)
    await tx`
      insert into exchange_rates ${tx(rates.map((rate) => ({ organization_id, ...rate, updated_by })))}`
  }
  const currencies = [...new Set([...old, ...rates].map(({ currency }) => currency))].toSorted()
  const rateIn = (list: readonly { currency: string; rate: number }[], currency: string): number | null =>
    list.find((each) => each.currency === currency)?.rate ?? null
  await recordActivity(ctx, {
    type: 'settings_changed',
    subjects: [{ kind: 'organization', id: organization_id }],
    data: {
      what: `exchange rates, which are in ${after} now`,
      changes: currencies.map((currency) => ({
        field: `exchange_rate.${currency}`,
        before: rateIn(old, currency),
        after: rateIn(rates, currency),
      })),
    },
  })
}

/** An amount in the organization's currency on the day it was frozen. */
export type Frozen = { exchange_rate: number | null; base_currency: string; base_value_minor: number | null }

/** What an amount is worth today: a rate of 1 in the organization's own currency, nulls where there is no rate. */
export const freezeValue = async (
  ctx: TxCtx,
  { value_minor, currency }: { value_minor: number | null; currency: string },
): Promise<Frozen> => {
  const [base_currency, known] = await Promise.all([baseCurrency(ctx), findRate(ctx, currency)])
  const at = { exchange_rate: currency === base_currency ? 1 : known, base_currency }
  return { ...at, base_value_minor: worthOf({ value_minor, currency }, at) }
}

/** What an amount is worth at a rate that is frozen already; null without a rate or an amount. */
export const worthOf = (
  { value_minor, currency }: { value_minor: number | null; currency: string },
  { exchange_rate, base_currency }: Omit<Frozen, 'base_value_minor'>,
): number | null =>
  exchange_rate === null || value_minor === null
    ? null
    : exchangeMinor(value_minor, currency, exchange_rate, base_currency)

/**
 * Minor units of one currency as minor units of another, halves rounded up: exact for the rate as it is written in
 * decimals, whatever the size. Null when it is more than can be kept.
 */
export const exchangeMinor = (
  value_minor: number,
  currency: string,
  rate: number,
  base_currency: string,
): number | null => {
  const { digits, exponent } = decimalOf(rate)
  const power = exponent + minorUnits(base_currency) - minorUnits(currency)
  const product = BigInt(value_minor) * digits
  const exact = power >= 0 ? product * 10n ** BigInt(power) : divideRounding(product, 10n ** BigInt(-power))
  return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : null
}

/** How many decimals a currency's minor unit has (ISO 4217). */
export const minorUnits = (currency: string): number => EXPONENTS[currency] ?? 2

/** ISO 4217, where it is not 2. `Intl` cannot be asked: it knows what is customary, which differs for some currencies. */
const EXPONENTS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' ').map((code) => [code, 0]),
  ),
  ...Object.fromEntries('BHD IQD JOD KWD LYD OMR TND'.split(' ').map((code) => [code, 3])),
  CLF: 4,
  UYW: 4,
}

/** A number as it is written: `digits × 10^exponent`. */
const decimalOf = (number: number): { digits: bigint; exponent: number } => {
  const [mantissa = '0', power = '0'] = number.toExponential().split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length }
}

const divideRounding = (value: bigint, by: bigint): bigint => (value * 2n + by) / (by * 2n)

const baseCurrency = once(async ({ tx, organization_id }: TxCtx): Promise<string> => {
  const [row] = await tx<{ currency: string }[]>`
    select currency from settings where organization_id = ${organization_id}`
  if (!row) throw notFound('organization', organization_id)
  return row.currency
})

const findRate = once(async ({ tx, organization_id }: TxCtx, currency: string): Promise<number | null> => {
  const [row] = await tx<{ rate: number }[]>`
    select rate from exchange_rates where organization_id = ${organization_id} and currency = ${currency}`
  return row?.rate ?? null
})

const recordRate = (
  ctx: TxCtx,
  currency: string,
  before: number | null,
  after: number | null,
): Promise<string> =>
  recordActivity(ctx, {
    type: 'settings_changed',
    subjects: [{ kind: 'organization', id: ctx.organization_id }],
    data: {
      what: `the exchange rate of ${currency}`,
      changes: [{ field: `exchange_rate.${currency}`, before, after }],
      undo: { tool: 'set_exchange_rate', input: { currency, rate: before } },
    },
  })
