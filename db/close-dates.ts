import { v7 as uuidv7 } from 'uuid'
import { sendStatement, type TxCtx } from './context.ts'

const DAY_MS = 86_400_000

/**
 * Writes down that the expected close of a card moved; a move to a later day is a slip and counts on the card, without
 * raising its version. Called in the transaction of every change of `expected_close_on`, whatever made it.
 * @param before ISO dates; null when there was none, or is none now
 */
export const recordCloseDateMove = (
  ctx: TxCtx,
  opportunity_id: string,
  before: string | null,
  after: string | null,
): void => {
  if (before === after) return
  const { tx, organization_id } = ctx
  const slipped_days = before && after ? (Date.parse(after) - Date.parse(before)) / DAY_MS : 0
  sendStatement(
    ctx,
    tx`
      insert into close_date_moves ${tx({
        organization_id,
        id: uuidv7(),
        opportunity_id,
        before_on: before,
        after_on: after,
        slipped_days,
        actor: tx.json(ctx.actor),
      })}`,
  )
  if (slipped_days > 0) {
    sendStatement(
      ctx,
      tx`
        update opportunities set expected_close_slips = expected_close_slips + 1
        where organization_id = ${organization_id} and id = ${opportunity_id}`,
    )
  }
}
