import type { Database } from './client.ts'
import { inTx, systemCtx, type Ctx } from './context.ts'

/** How many cards that are not archived a stage holds in one currency, and what they are worth together. */
export type StageTotal = {
  pipeline_id: string
  stage_id: string
  currency: string
  count: number
  value_minor: number
}

/**
 * The totals of every stage that holds cards, exact in the caller's transaction.
 * @param pipeline_id only of this pipeline
 */
export const readStageTotals = (ctx: Ctx, pipeline_id?: string): Promise<StageTotal[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<StageTotal[]>`
      select pipeline_id, stage_id, currency, sum(cards)::int8 as count, sum(value_minor)::float8 as value_minor
      from stage_totals
      where organization_id = ${organization_id} ${pipeline_id ? tx`and pipeline_id = ${pipeline_id}` : tx``}
      group by pipeline_id, stage_id, currency having sum(cards) <> 0
      order by pipeline_id, stage_id, currency`
    return [...rows]
  })

/** What closed cards of another currency than the organization's were worth on the days of their closings. */
export type FrozenTotal = StageTotal & { base_currency: string; base_value_minor: number }

/**
 * The same of the closed cards alone whose amount was exchanged when they were closed: part of what `readStageTotals` says.
 * Organizations of one currency have none.
 */
export const readFrozenTotals = (ctx: Ctx, pipeline_id?: string): Promise<FrozenTotal[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<FrozenTotal[]>`
      select o.pipeline_id, o.stage_id, o.currency, c.base_currency, count(*)::int as count,
        sum(o.value_minor)::float8 as value_minor, sum(c.base_value_minor)::float8 as base_value_minor
      from closings c
      join opportunities o on o.organization_id = c.organization_id and o.id = c.opportunity_id
      where c.organization_id = ${organization_id} and c.reopened_at is null and c.currency <> c.base_currency
        and c.base_value_minor is not null and o.archived_at is null
        ${pipeline_id ? tx`and o.pipeline_id = ${pipeline_id}` : tx``}
      group by o.pipeline_id, o.stage_id, o.currency, c.base_currency`
    return [...rows]
  })

/** A sum weighted by how likely it is to come in: minor units, halves rounded away from zero. */
export const weigh = (value_minor: number, close_probability: number): number => {
  const hundredths = BigInt(Math.round(value_minor)) * BigInt(close_probability)
  const half = hundredths < 0n ? -50n : 50n
  return Number((hundredths + half) / 100n)
}

/** Longer ledgers are folded: reading a thousand rows takes a fraction of a millisecond. */
export const ledgerLimits = { rows: 1_000, organizations: 100 }

/**
 * Folds an organization's ledger to one row per stage and currency. What is added meanwhile stays as it is: only rows that
 * were seen are replaced, by their sum, in one statement. Answers how many rows it saved.
 */
export const foldStageTotals = (ctx: Ctx): Promise<number> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [folded] = await tx<{ gone: number; made: number }[]>`
      with gone as (
        delete from stage_totals where organization_id = ${organization_id}
        returning pipeline_id, stage_id, currency, cards, value_minor
      ), made as (
        insert into stage_totals (organization_id, id, pipeline_id, stage_id, currency, cards, value_minor)
        select ${organization_id}::uuid, gen_random_uuid(), pipeline_id, stage_id, currency, sum(cards), sum(value_minor)
        from gone group by pipeline_id, stage_id, currency having sum(cards) <> 0 or sum(value_minor) <> 0
        returning 1
      )
      select (select count(*) from gone) as gone, (select count(*) from made) as made`
    return (folded?.gone ?? 0) - (folded?.made ?? 0)
  })

/** Organizations whose ledger is worth folding. */
export const findLongLedgers = async (
  db: Database,
  longer_than: number = ledgerLimits.rows,
): Promise<string[]> => {
  const rows = await db.sql<{ organization_id: string }[]>`
    select organization_id from finder.long_ledgers(${longer_than}, ${ledgerLimits.organizations})`
  return rows.map(({ organization_id }) => organization_id)
}

/** Folds every ledger that has grown long. */
export const foldLongLedgers = async (db: Database, longer_than?: number): Promise<void> => {
  for (const organization_id of await findLongLedgers(db, longer_than))
    await foldStageTotals(systemCtx(db, organization_id, 'stage_totals'))
}
