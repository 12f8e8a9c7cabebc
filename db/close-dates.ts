import { v7 as uuidv7 } from 'uuid'
import { sendStatement, type TxCtx } from './context.ts'

/**
 * Writes down that the expected close of a card moved; a move to a later day is a slip and counts on the card, without
 * raising its version. A day that follows a blank is compared with the one before the blank. A move that takes another
 * one back takes back what that counted, too. Called in the transaction of every change of `expected_close_on`, whatever
 * made it.
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
  const takes_back = recording?.takes_back ?? false
  const moves = tx`from close_date_moves where organization_id = ${organization_id} and opportunity_id = ${opportunity_id}`
  // What was taken back had never been said.
  const last_on =
    before === null && !takes_back
      ? tx`(select before_on ${moves} and after_on is null and not takes_back order by id desc limit 1)`
      : tx`${before}::text`
  const slips = takes_back
    ? tx`-coalesce((
        select slips ${moves} and before_on is not distinct from ${after} and after_on is not distinct from ${before}
        order by id desc limit 1), 0)`
    : tx`(days > 0)::int`
  sendStatement(
    ctx,
    tx`
      with moved as (
        insert into close_date_moves (organization_id, id, opportunity_id, before_on, after_on, slipped_days, slips, takes_back, actor)
        select ${organization_id}, ${uuidv7()}, ${opportunity_id}, ${before}, ${after}, days, ${slips}, ${takes_back}, ${tx.json(ctx.actor)}
        from (select coalesce(${after}::date - ${last_on}::date, 0) as days) as slipped
        returning slips
      )
      update opportunities set expected_close_slips = expected_close_slips + moved.slips from moved
      where organization_id = ${organization_id} and id = ${opportunity_id} and moved.slips <> 0`,
  )
}
