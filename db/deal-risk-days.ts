import type { Database } from './client.ts'
import { inTx, systemCtx, type Ctx } from './context.ts'
import { assessDeals } from './deal-risk.ts'
import { enqueue } from './queue.ts'

/** Deals assessed in one transaction, organizations that one look wakes, and how far back stays count. */
export const riskDays = { chunk: 500, organizations: 50, stays_within_days: 365 }

/**
 * Wakes the assessment of every organization in whose time zone a day began: idle days and passed dates grow by themselves.
 * However many look, each day is begun once.
 */
export const beginRiskDays = async (db: Database): Promise<void> => {
  const due = await db.sql<{ organization_id: string }[]>`
    select * from finder.unassessed_organizations(${riskDays.organizations})`
  for (const { organization_id } of due) {
    await inTx(systemCtx(db, organization_id, 'deal_risk'), async (ctx) => {
      const { tx } = ctx
      const begun = await tx`
        insert into deal_risk_days (organization_id, day)
        select organization_id, (now() at time zone timezone)::date from settings where organization_id = ${organization_id}
        on conflict (organization_id) do update set day = excluded.day where deal_risk_days.day < excluded.day
        returning day`
      if (begun.length > 0) await enqueue(ctx, 'deal_risk.day_begun', {})
    })
  }
}

/** Measures how long deals stay in each stage and assesses every open deal. Safe to run twice, or again after a kill. */
export const assessAllDeals = async (db: Database, organization_id: string): Promise<number> => {
  const ctx = systemCtx(db, organization_id, 'deal_risk')
  await measureStays(ctx)
  let assessed = 0
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const ids = await inTx(ctx, async (ctx) => {
      const rows = await ctx.tx<{ id: string }[]>`
        select id from opportunities
        where organization_id = ${organization_id} and kind = 'deal' and archived_at is null and id > ${after}
        order by id limit ${riskDays.chunk}`
      const ids = rows.map(({ id }) => id)
      if (ids.length > 0) assessed += await assessDeals(ctx, ids)
      return ids
    })
    const last = ids.at(-1)
    if (last === undefined || ids.length < riskDays.chunk) return assessed
    after = last
  }
}

/** The median stay of deals in each stage, of the stays that ended within a year. */
export const measureStays = (ctx: Ctx): Promise<void> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    await tx`
      with stays as (
        select (a.data ->> 'from')::uuid as stage_id, (a.data ->> 'seconds_in_stage')::float8 / 86400 as days
        from activities a
        where a.organization_id = ${organization_id} and a.type = 'stage_changed'
          and a.occurred_at > now() - ${riskDays.stays_within_days}::int * interval '1 day'
          and a.subjects -> 0 ->> 'kind' = 'deal' and a.data ? 'seconds_in_stage'
      ), measured as (
        select stage_id, count(*) as stays, percentile_cont(0.5) within group (order by days) as median_days
        from stays group by stage_id
      ), gone as (
        delete from stage_medians where organization_id = ${organization_id}
          and stage_id not in (select stage_id from measured)
      )
      insert into stage_medians (organization_id, stage_id, stays, median_days, computed_at)
      select ${organization_id}, stage_id, stays, median_days, now() from measured
      on conflict (organization_id, stage_id) do update set stays = excluded.stays, median_days = excluded.median_days,
        computed_at = excluded.computed_at`
  })
