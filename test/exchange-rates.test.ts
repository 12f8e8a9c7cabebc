import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listActivities } from '../db/activities.ts'
import type { Ctx } from '../db/context.ts'
import { exchangeMinor, listExchangeRates, minorUnits } from '../db/exchange-rates.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { undoActivity } from '../db/undo.ts'
import { openApi, type ApiWorld } from './api.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())

const put = (currency: string, rate: unknown) => api.json('PUT', `/api/exchange-rates/${currency}`, { rate })
const ratesOf = async (ctx: Ctx): Promise<Record<string, number>> =>
  Object.fromEntries((await listExchangeRates(ctx)).map(({ currency, rate }) => [currency, rate]))

describe('F44: exchange rates', () => {
  test('are set, changed, listed and forgotten, each with a line that says by whom', async () => {
    expect(await put('USD', 0.92)).toMatchObject({
      status: 200,
      body: { currency: 'USD', rate: 0.92, version: 1, updated_by: { kind: 'api_key' } },
    })
    expect(await put('usd', 0.95)).toMatchObject({
      status: 200,
      body: { currency: 'USD', rate: 0.95, version: 2 },
    })
    expect((await api.json('GET', '/api/exchange-rates')).body.data).toMatchObject([
      { currency: 'USD', rate: 0.95 },
    ])
    const [line] = (await listActivities(ctx, { limit: 1 })).data
    expect(line).toMatchObject({
      type: 'settings_changed',
      summary: 'changed the exchange rate of USD',
      data: { changes: [{ field: 'exchange_rate.USD', before: 0.92, after: 0.95 }] },
    })
    await undoActivity(ctx, line!.id)
    expect(await ratesOf(ctx)).toEqual({ USD: 0.92 })
    expect((await api.ask('DELETE', '/api/exchange-rates/USD')).status).toBe(204)
    expect(await api.json('DELETE', '/api/exchange-rates/USD')).toMatchObject({
      status: 404,
      body: { code: 'exchange_rate_not_found' },
    })
    expect(await ratesOf(ctx)).toEqual({})
  })

  test('are of ISO currencies other than the organization’s own, and more than 0', async () => {
    for (const rate of [0, -1, 'x', null, Number.POSITIVE_INFINITY, undefined])
      expect(await put('USD', rate)).toMatchObject({ status: 422, body: { errors: [{ pointer: '/rate' }] } })
    expect(await put('EUR', 1.1)).toMatchObject({ status: 422, body: { code: 'own_currency' } })
    for (const currency of ['ABC', 'US', '$'])
      expect((await put(encodeURIComponent(currency), 1)).status, currency).toBe(404)
    expect(await ratesOf(ctx)).toEqual({})
  })

  test('follow the organization to another currency, by what it was worth; without its rate they are forgotten', async () => {
    await put('USD', 0.8)
    await put('GBP', 1.2)
    const to = async (currency: string) => {
      const { version } = await readSettings(ctx)
      await changeSettings(ctx, { version, changes: { currency } })
      return ratesOf(ctx)
    }
    expect(await to('USD')).toEqual({ EUR: 1.25, GBP: 1.5 })
    expect(await to('JPY')).toEqual({})
    const { data } = await listActivities(ctx, { limit: 2 })
    expect(data.map(({ summary }) => summary)).toEqual([
      'changed currency',
      'changed exchange rates, which are in JPY now',
    ])
    await to('EUR')
  })
})

describe('F44: minor units', () => {
  test.each([
    // 100.00 USD at 0.9 is 90.00 EUR.
    [10_000, 'USD', 0.9, 'EUR', 9_000],
    // 1,000 JPY has no minor unit: at 0.0061 it is 6.10 EUR.
    [1_000, 'JPY', 0.0061, 'EUR', 610],
    // 1.234 KWD has thousandths: at 3 it is 3.702, so 3.70 EUR.
    [1_234, 'KWD', 3, 'EUR', 370],
    // 12.50 EUR at 163.5 is 2,043.75, so 2,044 JPY.
    [1_250, 'EUR', 163.5, 'JPY', 2_044],
    // Halves up, although 1.005 is a little less in binary.
    [100, 'USD', 1.005, 'EUR', 101],
    [1, 'USD', 1e-9, 'EUR', 0],
    [0, 'USD', 1.1, 'EUR', 0],
    [Number.MAX_SAFE_INTEGER, 'USD', 1, 'EUR', Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, 'USD', 1e12, 'EUR', null],
  ])('%i minor units of %s at %d are, in %s: %s', (value, currency, rate, base, wanted) => {
    expect(exchangeMinor(value, currency, rate, base)).toBe(wanted)
  })

  test('are those of ISO 4217, also where habits differ', () => {
    const exponents = {
      EUR: 2,
      JPY: 0,
      KRW: 0,
      KWD: 3,
      BHD: 3,
      CLF: 4,
      HUF: 2,
      IDR: 2,
      IQD: 3,
      LBP: 2,
      ISK: 0,
    }
    for (const [currency, exponent] of Object.entries(exponents))
      expect(minorUnits(currency), currency).toBe(exponent)
  })

  test('are the amount times the rate, rounded once, whatever the size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e11 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (value, cents) => {
          const hundredfold = BigInt(value) * BigInt(cents)
          expect(exchangeMinor(value, 'USD', cents / 100, 'EUR')).toBe(
            Number((hundredfold * 2n + 100n) / 200n),
          )
        },
      ),
    )
  })
})
