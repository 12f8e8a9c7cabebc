import { inTx, sendStatement, systemCtx } from './context.ts'
import type { Database } from './client.ts'

/** What one process asks for: how many it would have, and how many of an earlier grant it did not use. */
export type Reservation = {
  organization_id: string
  /** Whose allowance it is: a key's, a door's. */
  id: string
  per_minute: number
  wanted: number
  unused: number
}

/** What it got, and how many nobody has taken yet. */
export type Reserved = { granted: number; left: number }

/**
 * Takes from a token bucket that every process shares: it holds a minute's worth and fills steadily by the database's
 * clock. One whose size changed starts full. What is lost when the database crashes is at most what was taken last.
 */
export const reserveAllowance = (
  db: Database,
  { organization_id, id, per_minute, wanted, unused }: Reservation,
): Promise<Reserved> =>
  inTx(systemCtx(db, organization_id, 'allowances'), async (ctx) => {
    const { tx } = ctx
    sendStatement(ctx, tx`select set_config('synchronous_commit', 'off', true)`)
    const filled = tx`
      least(excluded.per_minute, case when a.per_minute = excluded.per_minute
        then a.tokens + ${unused}::float8
          + greatest(0, extract(epoch from excluded.filled_at - a.filled_at)) / 60 * a.per_minute
        else excluded.per_minute end)`
    const [row] = await tx<Reserved[]>`
      insert into allowances as a (organization_id, id, per_minute, tokens, granted, filled_at)
      values (${organization_id}, ${id}, ${per_minute}, ${per_minute - Math.min(wanted, per_minute)},
        ${Math.min(wanted, per_minute)}, clock_timestamp())
      on conflict (organization_id, id) do update set
        per_minute = excluded.per_minute,
        tokens = ${filled} - least(${wanted}::int4, floor(${filled})),
        granted = least(${wanted}::int4, floor(${filled})),
        filled_at = excluded.filled_at
      returning granted, tokens as left`
    if (!row) throw new Error(`no allowance came of ${id}`)
    return row
  })
