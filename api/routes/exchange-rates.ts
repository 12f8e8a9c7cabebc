import { z } from 'zod'
import { inTx } from '../../db/context.ts'
import {
  CurrencyCode,
  deleteExchangeRate,
  listExchangeRates,
  lockExchangeRate,
  NewRate,
  setExchangeRate,
} from '../../db/exchange-rates.ts'
import { route } from '../route.ts'
import { requireMatch } from '../versions.ts'
import { Actor, listOf, Time } from '../shapes.ts'

/** What one unit of a currency is worth. */
const ExchangeRateShape = z
  .object({
    currency: z.string(),
    rate: z.number().describe('Units of the organization’s currency for one unit of this one.'),
    updated_by: Actor,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'ExchangeRate' })

const ByCurrency = z.object({ currency: CurrencyCode })

/** Rates of other currencies in the organization's own. */
export const exchangeRates = [
  route(
    {
      method: 'GET',
      path: '/api/exchange-rates',
      permission: 'settings:read',
      summary: 'Exchange rates in the organization’s currency',
      response: listOf(ExchangeRateShape),
    },
    async ({ ctx }) => ({ data: await listExchangeRates(ctx), next_cursor: null }),
  ),
  route(
    {
      method: 'PUT',
      path: '/api/exchange-rates/:currency',
      permission: 'settings:write',
      summary: 'Set what one unit of a currency is worth',
      description: 'From now on: what was closed before keeps the rate that it was closed at.',
      params: ByCurrency,
      body: NewRate,
      example: { rate: 1.08 },
      if_match: true,
      response: ExchangeRateShape,
    },
    ({ ctx, params, body, request }) =>
      inTx(ctx, async (ctx) => {
        requireMatch(request, await lockExchangeRate(ctx, params.currency))
        return setExchangeRate(ctx, params.currency, body.rate)
      }),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/exchange-rates/:currency',
      permission: 'settings:write',
      summary: 'Forget an exchange rate',
      params: ByCurrency,
      if_match: true,
      status: 204,
    },
    ({ ctx, params, request }) =>
      inTx(ctx, async (ctx) => {
        const current = await lockExchangeRate(ctx, params.currency)
        // Of what is gone already that is said.
        if (current) requireMatch(request, current)
        return deleteExchangeRate(ctx, params.currency)
      }),
  ),
]
