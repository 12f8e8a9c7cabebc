import type { TransactionSql } from 'postgres'
import { beforeCommit, type Ctx, inTx, type TxCtx } from './context.ts'
import { assessRisk, type DealFacts, medianRule, RISK_FORMULA } from './deal-risk-formula.ts'
import { enqueue } from './queue.ts'

/** So many deals are assessed in the transaction that touched them; of more, a job sees to it, some at a time. */
export const riskLimits = { at_once: 50, in_a_job: 500 }

type Touched = Record<'deal' | 'contact' | 'task', Set<string>>
const touched = new WeakMap<TransactionSql, Touched>()

/**
 * Has deals assessed again before the transaction commits, because something happened to them, to somebody who is their
 * contact or to a task that is about them. Called with the subjects of every activity.
 */
export const touchDeals = (ctx: TxCtx, subjects: readonly { kind: string; id: string }[]): void => {
  for (const { kind, id } of subjects) {
    if (kind !== 'deal' && kind !== 'contact' && kind !== 'task') continue
    const all = touched.get(ctx.tx) ?? { deal: new Set(), contact: new Set(), task: new Set() }
    touched.set(ctx.tx, all)
    all[kind].add(id)
    beforeCommit(ctx, 'deal risk', settleDeals)
  }
}

/** Assesses what was touched so far in the transaction: before a deal is answered, and before the commit. */
export const settleDeals = async (ctx: TxCtx): Promise<void> => {
  const { tx, organization_id } = ctx
  const pending = touched.get(tx)
  if (!pending) return
  touched.delete(tx)
  const { deal, contact, task } = pending
  const ids = [...deal]
  if (contact.size > 0 || task.size > 0) {
    const linked = await tx<{ id: string }[]>`
      select opportunity_id as id from opportunity_contacts
      where organization_id = ${organization_id} and contact_id = any(${[...contact]}::uuid[])
      union
      select subject_id from task_subjects
      where organization_id = ${organization_id} and kind = 'deal' and task_id = any(${[...task]}::uuid[])
`
    ids.push(...linked.map(({ id }) => id))
  }
  const distinct = [...new Set(ids)]
  if (distinct.length <= riskLimits.at_once) {
    if (distinct.length > 0) await assessDeals(ctx, distinct)
    return
  }
  for (let n = 0; n < distinct.length; n += riskLimits.in_a_job)
    await enqueue(ctx, 'deals.touched', { deal_ids: distinct.slice(n, n + riskLimits.in_a_job) })
}

/** Assesses the many deals that were touched together; one that is gone has no risk. Twice is once. */
export const assessTouched = async (ctx: Ctx, deal_ids: readonly string[]): Promise<void> => {
  for (let n = 0; n < deal_ids.length; n += riskLimits.at_once)
    await inTx(ctx, (ctx) => assessDeals(ctx, deal_ids.slice(n, n + riskLimits.at_once)))
}

/** Assesses these deals as things are now; one that is closed, archived or no deal has no risk. Answers how many have one. */
export const assessDeals = async (ctx: TxCtx, ids: readonly string[]): Promise<number> => {
  const { tx, organization_id } = ctx
  const facts = await readFacts(ctx, ids)
  const rows = facts.map(({ id, ...deal }) => ({ id, ...assessRisk(deal) }))
  await tx`
    with assessed as (
      select * from jsonb_to_recordset(${tx.json(rows)}) as row (id uuid, risk int, level text, reasons jsonb)
    ), gone as (
      delete from deal_risks where organization_id = ${organization_id}
        and opportunity_id = any(${ids as string[]}::uuid[]) and opportunity_id not in (select id from assessed)
    )
    insert into deal_risks (organization_id, opportunity_id, risk, level, reasons, formula, assessed_at)
    select ${organization_id}, id, risk, level, reasons, ${RISK_FORMULA}, now() from assessed order by id
    on conflict (organization_id, opportunity_id) do update set risk = excluded.risk, level = excluded.level,
      reasons = excluded.reasons, formula = excluded.formula, assessed_at = excluded.assessed_at`
  return rows.length
}

/** What was written to them, and what came back. */
const SENT = ['email_sent', 'sms_sent', 'whatsapp_sent']
const RECEIVED = [
  'email_received',
  'sms_received',
  'whatsapp_received',
  'submission_joined',
  'call_logged',
  'meeting_logged',
]
/** What happens to a deal by itself, or to its data only. */
const NOT_WORK = [
  'stage_stuck',
  'task_reminder',
  'milestone_reached',
  'approval_stale',
  'expired',
  'agent_refused',
]

const readFacts = ({ tx, organization_id }: TxCtx, ids: readonly string[]) => tx<
  (DealFacts & { id: string })[]
>`
  select o.id, s.label as stage,
    greatest(0, floor(extract(epoch from now() - coalesce(latest.at, o.created_at)) / 86400))::int as idle_days,
    greatest(0, floor(extract(epoch from now() - o.stage_entered_at) / 86400))::int as days_in_stage,
    (select m.median_days from stage_medians m where m.organization_id = o.organization_id and m.stage_id = o.stage_id
      and m.stays >= ${medianRule.stays}) as median_days,
    ((now() at time zone c.timezone)::date - o.expected_close_on)::int as days_past_close,
    o.expected_close_slips as slips,
    exists (select from task_subjects ts join tasks t on t.organization_id = ts.organization_id and t.id = ts.task_id
      where ts.organization_id = o.organization_id and ts.kind = 'deal' and ts.subject_id = o.id
        and t.status = 'open' and t.archived_at is null) as has_next_task,
    (select count(*) from opportunity_contacts l
      join contacts p on p.organization_id = l.organization_id and p.id = l.contact_id and p.archived_at is null
      where l.organization_id = o.organization_id and l.opportunity_id = o.id)::int as contacts,
    case when sent.at > coalesce(received.at, '-infinity') then
      floor(extract(epoch from now() - sent.at) / 86400)::int end as unanswered_days
  from opportunities o
  join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
  join settings c on c.organization_id = o.organization_id
  left join lateral (${newest(tx, tx`x.actor_kind <> 'system' and x.type <> all(${NOT_WORK})`)}) latest on true
  left join lateral (${newest(tx, tx`x.type = any(${SENT})`)}) sent on true
  left join lateral (${newest(tx, tx`x.type = any(${RECEIVED})`)}) received on true
  where o.organization_id = ${organization_id} and o.id = any(${ids as string[]}::uuid[])
    and o.kind = 'deal' and o.archived_at is null and s.kind = 'open'`

/** When the newest such thing happened to the deal, to one of its contacts or to the lead that it came of. */
const newest = (tx: TransactionSql, which: ReturnType<TransactionSql>) => tx`
  select max(a.occurred_at) as at from (
    select 'deal' as kind, o.id as id
    union all
    select 'contact', l.contact_id from opportunity_contacts l
    where l.organization_id = o.organization_id and l.opportunity_id = o.id
    union all
    select 'lead', o.source_lead_id where o.source_lead_id is not null
  ) about
  cross join lateral (
    select x.activity_id from activity_subjects x
    where x.organization_id = o.organization_id and x.kind = about.kind and x.subject_id = about.id and ${which}
    order by x.activity_id desc limit 1
  ) x
  join activities a on a.organization_id = o.organization_id and a.id = x.activity_id`
