import type { PendingQuery, Row, TransactionSql } from 'postgres'
import { aboutEntries, loggedTypes } from './activity-types.ts'
import { beforeCommit, type Ctx, inTx, type TxCtx } from './context.ts'
import { assessRisk, type DealFacts, medianRule, RISK_FORMULA } from './deal-risk-formula.ts'
import { asItReads } from './filter-fields.ts'
import { enqueue } from './queue.ts'

/** So many deals are assessed in the transaction that touched them; of more, a job sees to it, some at a time. */
export const riskLimits = { at_once: 50, in_a_job: 500 }

type Touched = Record<'deal' | 'contact' | 'lead' | 'task', Set<string>>
const touched = new WeakMap<TransactionSql, Touched>()

/**
 * Has deals assessed again before the transaction commits, because something happened to them, to somebody who is their
 * contact, to a task that is about them, or was said to or by the lead that they came of. Called with every activity.
 */
export const touchDeals = (
  ctx: TxCtx,
  { type, subjects }: { type: string; subjects: readonly { kind: string; id: string }[] },
): void => {
  for (const { kind, id } of subjects) {
    if (kind !== 'deal' && kind !== 'contact' && kind !== 'lead' && kind !== 'task') continue
    // Of most leads no deal came yet: what else happens to them is no reason to look for one.
    if (kind === 'lead' && !SAID.has(type)) continue
    const all = touched.get(ctx.tx) ?? {
      deal: new Set(),
      contact: new Set(),
      lead: new Set(),
      task: new Set(),
    }
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
  const { deal, contact, lead, task } = pending
  const ids = [...deal]
  if (contact.size > 0 || lead.size > 0 || task.size > 0) {
    const linked = await tx<{ id: string }[]>`
      select opportunity_id as id from opportunity_contacts
      where organization_id = ${organization_id} and contact_id = any(${[...contact]}::uuid[])
      union
      select id from opportunities
      where organization_id = ${organization_id} and source_lead_id = any(${[...lead]}::uuid[])
      union
      select subject_id from task_subjects
      where organization_id = ${organization_id} and kind = 'deal' and task_id = any(${[...task]}::uuid[])`
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
/** What is said with them, and what is said about it later. */
const SAID: ReadonlySet<string> = new Set([...SENT, ...RECEIVED, ...aboutEntries])
/** What happens to a deal by itself, or to its data only. */
const NOT_WORK = [
  ...aboutEntries,
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
    greatest(0, floor(extract(epoch from now() - coalesce(last.worked_at, o.created_at)) / 86400))::int as idle_days,
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
    case when last.sent_at > coalesce(last.received_at, '-infinity') then
      floor(extract(epoch from now() - last.sent_at) / 86400)::int end as unanswered_days
  from opportunities o
  join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
  join settings c on c.organization_id = o.organization_id
  cross join lateral (${lastTold(tx)}) last
  where o.organization_id = ${organization_id} and o.id = any(${ids as string[]}::uuid[])
    and o.kind = 'deal' and o.archived_at is null and s.kind = 'open'`

/**
 * When each such thing last happened to the deal, to one of its contacts or to the lead that it came of, as entries read
 * now. Of lines that read as they were sealed the newest stands last on a timeline; those that were corrected are looked at
 * one by one.
 */
const lastTold = (tx: TransactionSql): SqlPart => {
  const kinds = {
    work: tx`x.actor_kind <> 'system' and x.type <> all(${NOT_WORK})`,
    sent: tx`x.type = any(${SENT})`,
    received: tx`x.type = any(${RECEIVED})`,
  }
  const lines = (which: SqlPart): SqlPart => tx`
    select x.activity_id from activity_subjects x
    where x.organization_id = o.organization_id and x.kind = about.kind and x.subject_id = about.id and ${which}`
  // Looked up line by line: as a join the planner would read every revision of the organization.
  const corrected = tx`(x.type = any(${[...loggedTypes]}) and (select r.n from activity_revisions r
    where r.organization_id = x.organization_id and r.activity_id = x.activity_id limit 1) is not null)`
  const newest = (which: SqlPart): SqlPart => tx`
    (${lines(tx`${which} and not ${corrected}`)} order by x.activity_id desc limit 1)`
  return tx`
    select max(x.at) filter (where ${kinds.work}) as worked_at, max(x.at) filter (where ${kinds.sent}) as sent_at,
      max(x.at) filter (where ${kinds.received}) as received_at
    from (
      select a.type, a.actor_kind, ${tx.unsafe(asItReads('occurred_at')('a'))} as at
      from (
        select 'deal' as kind, o.id as id
        union all
        select 'contact', l.contact_id from opportunity_contacts l
        where l.organization_id = o.organization_id and l.opportunity_id = o.id
        union all
        select 'lead', o.source_lead_id where o.source_lead_id is not null
      ) about
      cross join lateral (
        ${newest(kinds.work)} union ${newest(kinds.sent)} union ${newest(kinds.received)} union (${lines(corrected)})
      ) told
      join activities a on a.organization_id = o.organization_id and a.id = told.activity_id
      where ${tx.unsafe(asItReads('data')('a'))} is not null
    ) x`
}

type SqlPart = PendingQuery<Row[]>
