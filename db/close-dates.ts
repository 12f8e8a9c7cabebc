import { v7 as uuidv7 } from 'uuid'
import { sendStatement, type TxCtx } from './context.ts'

const DAY_MS = 86_400_000

/**
 * Writes down that the expected close of a card moved; a move to a later day is a slip and counts on the card, without
 * raising its version. One that takes a move back takes back what that counted, too. Called in the transaction of every
 * change of `expected_close_on`, whatever made it.
 * @param before ISO dates; null when there was none, or is none now
 */
export const recordCloseDateMove = (
  ctx: TxCtx,
  opportunity_id: string,
  before: string | null,
  after: string | null,
): void => {
  if (before === after) return
  const { tx, organization_id, recording } = ctx
  const slipped_days = before && after ? (Date.parse(after) - Date.parse(before)) / DAY_MS : 0
  const slips = recording?.takes_back
    ? tx`-coalesce((
        select slips from close_date_moves
        where organization_id = ${organization_id} and opportunity_id = ${opportunity_id}
          and before_on is not distinct from ${after} and after_on is not distinct from ${before}
        order by id desc limit 1), 0)`
    : tx`${slipped_days > 0 ? 1 : 0}::int`
  sendStatement(
    ctx,
    tx`
      with moved as (
        insert into close_date_moves (organization_id, id, opportunity_id, before_on, after_on, slipped_days, slips, actor)
        values (${organization_id}, ${uuidv7()}, ${opportunity_id}, ${before}, ${after}, ${slipped_days}, ${slips}, ${tx.json(ctx.actor)})
        returning slips
      )
      update opportunities set expected_close_slips = expected_close_slips + moved.slips from moved
      where organization_id = ${organization_id} and id = ${opportunity_id} and moved.slips <> 0`,
  )
}
