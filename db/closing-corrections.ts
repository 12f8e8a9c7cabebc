import { sendStatement, type TxCtx } from './context.ts'
import { exchangeMinor, freezeValue } from './exchange-rates.ts'
import type { Opportunity } from './opportunities.ts'

// What is corrected on a closed card is corrected on the closing that stands: both say the same.

/** A closed card keeps the rate of its day; its value in the organization's currency follows a correction. */
export const refrozen = async (
  ctx: TxCtx,
  before: Opportunity,
  { value_minor = before.value_minor, currency = before.currency }: Record<string, unknown>,
): Promise<Record<string, unknown>> => {
  const amount = { value_minor: value_minor as number | null, currency: currency as string }
  const same = amount.value_minor === before.value_minor && amount.currency === before.currency
  if (before.stage.kind === 'open' || same) return {}
  const { exchange_rate, base_currency, base_value_minor } = await freezeValue(ctx, amount)
  if (amount.currency !== before.currency) return { exchange_rate, base_value_minor }
  const rate = before.exchange_rate
  if (rate === null || amount.value_minor === null) return { base_value_minor: null }
  return { base_value_minor: exchangeMinor(amount.value_minor, amount.currency, rate, base_currency) }
}

/** The closings that stand say what their cards say: reports of what was won, and why cards are lost, read them. */
export const correctClosings = (
  ctx: TxCtx,
  sets: readonly { before: { id: string }; values: Record<string, unknown> }[],
): void => {
  const { tx, organization_id } = ctx
  const corrected = sets.filter(({ values }) => kept.some((name) => name in values))
  if (corrected.length === 0) return
  const ids = corrected.map(({ before }) => before.id)
  const refrozen = corrected.filter(({ values }) => 'exchange_rate' in values).map(({ before }) => before.id)
  sendStatement(
    ctx,
    tx`
      update closings c set discard_reason_id = o.discard_reason_id, note = o.discard_note,
        discard_reason_label = (select d.label from discard_reasons d
          where d.organization_id = o.organization_id and d.id = o.discard_reason_id),
        value_minor = o.value_minor, currency = o.currency, exchange_rate = o.exchange_rate,
        base_value_minor = o.base_value_minor,
        base_currency = case when o.id = any(${refrozen}::uuid[]) then s.currency else c.base_currency end
      from opportunities o join settings s on s.organization_id = o.organization_id
      where c.organization_id = ${organization_id} and c.opportunity_id = any(${ids}::uuid[]) and c.reopened_at is null
        and o.organization_id = c.organization_id and o.id = c.opportunity_id`,
  )
}

/** What a closing keeps of its card. */
const kept = [
  'discard_reason_id',
  'discard_note',
  'value_minor',
  'currency',
  'exchange_rate',
  'base_value_minor',
] as const
