import {
  ACTOR_KINDS,
  type Activity,
  activityColumns,
  type ActivityRow,
  type TimelineFilter,
  toActivity,
} from './activities.ts'
import { toldOnCards } from './activity-types.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import type { SqlPart } from './opportunities.ts'
import { page, type Page } from './page.ts'
import { mayRead } from './reading.ts'
import { type RecordKind, recordKinds, type RecordRef } from './records.ts'

/**
 * Everything that happened to a record and, by query, to what it is linked with, newest first and each line once: an
 * account shows what happened to its contacts and cards, a contact what happened to its cards, a card what was logged on
 * its contacts and accounts. Nothing is copied, so a link that comes or goes shows or hides its past at once. Of what it is
 * linked with, those kinds are told of that whoever asks may read.
 */
export const listTimeline = (ctx: Ctx, record: RecordRef, filter: TimelineFilter): Promise<Page<Activity>> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const limit = filter.limit + 1
    const kinds = recordKinds.filter((kind) => mayRead(ctx, kind))
    const rows = await tx<ActivityRow[]>`
      with linked as materialized (
        select * from (${linkedWith(ctx, record)}) around
        where (kind, id) = (${record.kind}, ${record.id}::uuid) or kind = any(${kinds}::text[])
      ),
      newest as (
        select l.kind, l.id, l.only_logged, n.activity_id from linked l
        cross join lateral (${activitiesOf(ctx, filter, 1)}) n
      ),
      -- As many different newest activities as the page is long: what stands further back adds nothing to it.
      among as (select *, dense_rank() over (order by activity_id desc) as place from newest),
      found as (
        select distinct n.activity_id from among l cross join lateral (${activitiesOf(ctx, filter, limit)}) n
        where l.place <= ${limit}
        order by n.activity_id desc limit ${limit}
      )
      select ${activityColumns(tx)} from found
      join activities a on a.organization_id = ${organization_id} and a.id = found.activity_id
      order by a.id desc`
    return page(rows.map(toActivity), filter.limit, (activity) => activity.id)
  })

/** When something last happened to a record or to what it is linked with; null when nothing did. */
export const lastActivityAt = async (ctx: Ctx, record: RecordRef): Promise<Date | null> => {
  const { data } = await listTimeline(ctx, record, { limit: 1 })
  return data[0]?.occurred_at ?? null
}

/** The newest activities of `l`, by the index of activities by subject. */
const activitiesOf = ({ tx, organization_id }: TxCtx, filter: TimelineFilter, limit: number): SqlPart => {
  const { cursor, actor, run_id } = filter
  return tx`
    select s.activity_id from activity_subjects s
    ${run_id === undefined ? tx`` : tx`join activities a on a.organization_id = s.organization_id and a.id = s.activity_id`}
    where s.organization_id = ${organization_id} and s.kind = l.kind and s.subject_id = l.id
      ${cursor ? tx`and s.activity_id < ${cursor}` : tx``}
      ${actor ? tx`and s.actor_kind in ${tx(ACTOR_KINDS[actor])}` : tx``}
      ${run_id ? tx`and a.run_id = ${run_id}` : tx``}
      and (not l.only_logged or s.type in ${tx([...toldOnCards])})
    order by s.activity_id desc limit ${limit}`
}

/** The record itself and what it is linked with: `kind, id, only_logged`. */
const linkedWith = ({ tx, organization_id }: TxCtx, { kind, id }: RecordRef): SqlPart => {
  const cards = (table: string, own: string): SqlPart => tx`
    select o.kind, o.id, false from ${tx(table)} l
    join opportunities o on o.organization_id = l.organization_id and o.id = l.opportunity_id
    where l.organization_id = ${organization_id} and l.${tx(own)} = ${id}`
  const around: Record<RecordKind, () => SqlPart> = {
    lead: () => tx`
      select 'contact', l.contact_id, true from opportunity_contacts l
      where l.organization_id = ${organization_id} and l.opportunity_id = ${id}
      union all
      select 'account', l.account_id, true from opportunity_accounts l
      where l.organization_id = ${organization_id} and l.opportunity_id = ${id}`,
    // What happened to the lead that it came of is its past, too.
    deal: () => tx`
      ${around.lead()}
      union all
      select 'lead', o.source_lead_id, false from opportunities o
      where o.organization_id = ${organization_id} and o.id = ${id} and o.source_lead_id is not null`,
    contact: () => cards('opportunity_contacts', 'contact_id'),
    account: () => tx`
      select 'contact', l.contact_id, false from account_contacts l
      where l.organization_id = ${organization_id} and l.account_id = ${id}
      union all ${cards('opportunity_accounts', 'account_id')}`,
  }
  return tx`
    select ${kind}::text as kind, ${id}::uuid as id, false as only_logged
    union all ${around[kind]()}`
}
