import { readNumber, type Decimal } from './csv-numbers.ts'
import { minorUnits } from './exchange-rates.ts'
import { Currency } from './lead-fields.ts'

/** An amount of money as a cell says it. */
export type Money = {
  /** Major units as plain digits, such as `1200.50`. */
  amount: string
  /** What its sign or code can mean: one currency, or each that is written so; absent when it names none. */
  currencies?: readonly string[]
}

/** The amount in a cell, which may name its currency by sign or code before or after it; undefined when it is none. */
export const readMoney = (text: string, decimal: Decimal): Money | undefined => {
  const { rest, currencies } = withoutCurrency(text)
  const amount = readNumber(rest, decimal)
  return amount === undefined ? undefined : { amount, ...(currencies ? { currencies } : {}) }
}

/** An amount without the currency that a cell names beside it. */
export const withoutCurrency = (text: string): { rest: string; currencies?: readonly string[] } => {
  if (text.length > LONGEST) return { rest: text }
  const found = SIGNED.exec(text.trim())
  if (!found) return { rest: text }
  const [, outer = '', before = '', figures = '', after = '', end = ''] = found
  const name = before.trim() || after.trim()
  if (name === '' || (before.trim() !== '' && after.trim() !== '')) return { rest: text }
  const currencies = currenciesOf(name)
  return currencies ? { rest: `${outer}${figures}${end}`, currencies } : { rest: text }
}

/**
 * An amount in minor units of a currency: the row's own, or the one that the cell names, or the fallback.
 * Answers a sentence instead when the two contradict each other, or the amount has more decimals than the currency.
 */
export const minorAmount = (
  { amount, currencies = [] }: Money,
  { row, fallback }: { row?: string | null; fallback: string },
): { value: number; currency: string } | { message: string; nearest?: string } => {
  const currency = row || (currencies.length === 1 ? currencies[0] : undefined) || fallback
  if (currencies.length > 0 && !currencies.includes(currency))
    return {
      message: `This amount is in ${currencies.slice(0, 3).join(' or ')}, and the row's currency is ${currency}. Write the currency's code beside the amount, or map a column of currencies`,
      nearest: `${currencies[0]} ${amount}`,
    }
  const [whole = '0', fraction = ''] = amount.split('.')
  const digits = minorUnits(currency)
  const exact = fraction.replace(/0+$/, '')
  if (exact.length > digits)
    return {
      message: `${currency} has ${digits === 0 ? 'no decimals' : `at most ${digits} decimals`}, this amount has ${exact.length}`,
      nearest: rounded(amount, digits),
    }
  const value = Number(`${whole}${exact.padEnd(digits, '0')}`)
  if (!Number.isSafeInteger(value)) return { message: 'This amount is larger than any that is kept' }
  return { value, currency }
}

const rounded = (amount: string, digits: number): string => Number(amount).toFixed(digits)

const LONGEST = 60
const SIGNED =
  /^([-(+]?\s*)([^\d.,()+\s-][^\d.,()+-]*?\s*)?([-+]?[\d.,'’\s\u00a0\u202f]*\d[.,]?[-–]*)(\s*[^\d.,()+-]+)?(\)?-?)$/u

/** Signs and abbreviations by what they can mean. */
const SIGNS: Record<string, readonly string[]> = {
  '€': ['EUR'],
  euro: ['EUR'],
  euros: ['EUR'],
  $: ['USD', 'CAD', 'AUD', 'NZD', 'SGD', 'HKD', 'MXN', 'ARS', 'CLP', 'COP', 'TWD'],
  us$: ['USD'],
  usd$: ['USD'],
  c$: ['CAD'],
  ca$: ['CAD'],
  a$: ['AUD'],
  au$: ['AUD'],
  nz$: ['NZD'],
  hk$: ['HKD'],
  s$: ['SGD'],
  r$: ['BRL'],
  mx$: ['MXN'],
  '£': ['GBP', 'EGP', 'GIP', 'FKP', 'SHP'],
  '¥': ['JPY', 'CNY'],
  '￥': ['JPY', 'CNY'],
  円: ['JPY'],
  元: ['CNY'],
  '₹': ['INR'],
  rs: ['INR', 'PKR', 'LKR', 'NPR', 'MUR'],
  '₺': ['TRY'],
  tl: ['TRY'],
  '₽': ['RUB'],
  руб: ['RUB'],
  '₴': ['UAH'],
  '₩': ['KRW'],
  '₪': ['ILS'],
  '₫': ['VND'],
  '฿': ['THB'],
  '₱': ['PHP'],
  '₦': ['NGN'],
  zł: ['PLN'],
  zl: ['PLN'],
  kč: ['CZK'],
  ft: ['HUF'],
  лв: ['BGN'],
  lei: ['RON', 'MDL'],
  kr: ['SEK', 'NOK', 'DKK', 'ISK'],
  sfr: ['CHF'],
  fr: ['CHF'],
}

/**
 * The currency that a text names by code or sign; undefined when it names none or several.
 * @param likely of several, the likeliest
 */
export const currencyOf = (name: string, likely = false): string | undefined => {
  const currencies = currenciesOf(name)
  return currencies && (likely || currencies.length === 1) ? currencies[0] : undefined
}

const currenciesOf = (name: string): readonly string[] | undefined => {
  const code = name.trim().toUpperCase()
  if (Currency.safeParse(code).success) return [code]
  const sign = code.toLowerCase().replace(/\.$/, '')
  return Object.hasOwn(SIGNS, sign) ? SIGNS[sign] : undefined
}
