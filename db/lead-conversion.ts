import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { createAccount, getAccount } from './accounts.ts'
import { recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { createContact, getContact } from './contacts.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { createDeal } from './deals.ts'
import { staleVersion } from './errors.ts'
import { refreshAttributions } from './lead-attribution.ts'
import { asGiven } from './lead-conversion-deal.ts'
import { ConversionTerms, planConversion, type ConversionPlan } from './lead-conversion-plan.ts'
import { lockLead } from './leads.ts'
import { linkRecords } from './links.ts'
import { getOpportunity, type Opportunity } from './opportunities.ts'
import { requireApproval, requireReason } from './opportunity-stages.ts'
import type { RecordKind } from './records.ts'

export const ConvertLead = ConversionTerms.extend({
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.int().positive().optional(),
})
export type ConvertLead = z.infer<typeof ConvertLead>

/** The records that a conversion made, each with the version that it left. */
export type Created = Partial<Record<'account' | 'contact' | 'deal', { version: number }>> & {
  /** Links of records that were there. */
  links: { from: { kind: RecordKind; id: string }; to: { kind: RecordKind; id: string } }[]
  /** Open tasks of the lead that are about the deal, too. */
  tasks: string[]
}

/** What came of a lead. */
export type Conversion = {
  lead: Opportunity
  account_id: string | null
  contact_id: string | null
  deal_id: string | null
  created: ('account' | 'contact' | 'deal')[]
}

/**
 * Converts a lead: makes or links an account and a contact, makes a deal that keeps `source_lead_id`, and sets the lead
 * aside as converted, with its history. What the new records take from the lead keeps its origin.
 * @throws {DomainError} what `planConversion` refuses; `approval_required` and `reason_required` for an agent; stale when
 * `version` is not the current one
 */
export const convertLead = (ctx: Ctx, id: string, input: ConvertLead): Promise<Conversion> =>
  inTx(ctx, async (ctx) => {
    const { reason, version, ...terms } = input
    const lead = await lockLead(ctx, id)
    if (version !== undefined && version !== lead.version) throw staleVersion(lead)
    requireReason(ctx, reason)
    requireApproval(ctx, 'converts a lead')
    const plan = await planConversion(ctx, id, terms, { lock: true })
    const { account_id, contact_id, deal_id, links } = await carryOut(ctx, lead, plan)
    const tasks = deal_id ? await shareTasks(ctx, id, deal_id) : []
    const created: Created = { links, tasks }
    if (plan.account?.act === 'create' && account_id)
      created.account = { version: (await getAccount(ctx, account_id)).version }
    if (plan.contact?.act === 'create' && contact_id)
      created.contact = { version: (await getContact(ctx, contact_id)).version }
    if (deal_id) created.deal = { version: (await getOpportunity(ctx, deal_id)).version }
    await setAside(ctx, lead, { account_id, contact_id, deal_id, created, reason })
    return {
      lead: await getOpportunity(ctx, id),
      account_id,
      contact_id,
      deal_id,
      created: (['account', 'contact', 'deal'] as const).filter((kind) => created[kind]),
    }
  })

/**
 * What converting a lead would come to: nothing is written.
 * @throws {DomainError} what `planConversion` refuses; stale when `version` is not the current one
 */
export const previewConversion = (ctx: Ctx, id: string, input: ConvertLead): Promise<ConversionPlan> =>
  inTx(ctx, async (ctx) => {
    const { version, ...terms } = input
    const plan = await planConversion(ctx, id, terms)
    if (version !== undefined && version !== plan.lead.version)
      throw staleVersion(await getOpportunity(ctx, id))
    return plan
  })

type Made = { account_id: string | null; contact_id: string | null; deal_id: string | null }

const carryOut = async (
  ctx: TxCtx,
  lead: Opportunity,
  { account, contact, deal }: ConversionPlan,
): Promise<Made & Pick<Created, 'links'>> => {
  const links: Created['links'] = []
  const link = async (from: { kind: RecordKind; id: string }, to: { kind: RecordKind; id: string }) => {
    await linkRecords(ctx, { from, to })
    links.push({ from, to })
  }
  const account_id =
    account?.act === 'create'
      ? (await createAccount(ctx, asGiven(account.values) as never)).id
      : (account?.id ?? null)
  const account_ids = account_id ? [account_id] : []
  let contact_id: string | null = null
  if (contact?.act === 'create') {
    contact_id = (await createContact(ctx, { ...(asGiven(contact.values) as object), account_ids })).id
  } else if (contact) {
    contact_id = contact.id
    const known = await getContact(ctx, contact_id)
    if (account_id && !known.account_ids.includes(account_id))
      await link({ kind: 'contact', id: contact_id }, { kind: 'account', id: account_id })
  }
  const contact_ids = contact_id ? [contact_id] : []
  const deal_id = deal
    ? (
        await createDeal(
          ctx,
          {
            ...(asGiven(deal.values) as { name: string }),
            stage_id: deal.stage.id,
            account_ids,
            contact_ids,
          },
          { door: 'conversion' },
        )
      ).id
    : null
  const card = { kind: 'lead' as const, id: lead.id }
  if (account_id && !lead.account_ids.includes(account_id))
    await link(card, { kind: 'account', id: account_id })
  if (contact_id && !lead.contact_ids.includes(contact_id))
    await link(card, { kind: 'contact', id: contact_id })
  await keepOrigins(ctx, lead.id, [
    ...(account?.act === 'create' && account_id
      ? [
          {
            kind: 'account',
            id: account_id,
            after: {
              name: calledAfter(lead, account.values.name),
              website: lead.website ? 'website' : 'email',
            },
          },
        ]
      : []),
    ...(contact?.act === 'create' && contact_id
      ? [{ kind: 'contact', id: contact_id, after: { name: calledAfter(lead, contact.values.name) } }]
      : []),
    ...(deal_id
      ? [{ kind: 'deal', id: deal_id, after: { name: calledAfter(lead, deal?.values.name) } }]
      : []),
  ])
  if (deal_id) {
    const { tx, organization_id } = ctx
    await tx`
      update opportunities set source_lead_id = ${lead.id}, agents_paused = ${lead.agents_paused} where organization_id = ${organization_id} and id = ${deal_id}`
  }
  return { account_id, contact_id, deal_id, links }
}

/** Of which field of the lead this is the value. */
const calledAfter = (lead: Opportunity, name: string | undefined): string =>
  (['company_name', 'contact_name', 'email'] as const).find((field) => lead[field] === name) ?? 'name'

/** What somebody outside wrote is that in the new records, too, whoever converts. `after` names the lead's fields where theirs are called otherwise. */
const keepOrigins = async (
  { tx, organization_id }: TxCtx,
  lead_id: string,
  made: { kind: string; id: string; after: Record<string, string> }[],
): Promise<void> => {
  if (made.length === 0) return
  await tx`
    update record_origins r set origin = o.origin, tainted = o.tainted, set_at = o.set_at
    from jsonb_to_recordset(${tx.json(made)}) as made (kind text, id uuid, after jsonb), record_origins o
    where r.organization_id = ${organization_id} and r.record_kind = made.kind and r.record_id = made.id
      and o.organization_id = ${organization_id} and o.record_kind = 'lead' and o.record_id = ${lead_id}
      and o.field = coalesce(made.after ->> r.field, r.field)`
}

/** What is still to do about the lead is to do about the deal. */
const shareTasks = async (
  { tx, organization_id }: TxCtx,
  lead_id: string,
  deal_id: string,
): Promise<string[]> => {
  const rows = await tx<{ task_id: string }[]>`
    insert into task_subjects (organization_id, task_id, kind, subject_id)
    select s.organization_id, s.task_id, 'deal', ${deal_id}::uuid from task_subjects s
    join tasks t on t.organization_id = s.organization_id and t.id = s.task_id
    where s.organization_id = ${organization_id} and s.kind = 'lead' and s.subject_id = ${lead_id}
      and t.status = 'open' and t.archived_at is null
    on conflict do nothing returning task_id`
  return rows.map(({ task_id }) => task_id)
}

const setAside = async (
  ctx: TxCtx,
  lead: Opportunity,
  { created, reason, ...made }: Made & { created: Created; reason: string | undefined },
): Promise<void> => {
  const { tx, organization_id, actor } = ctx
  const at = new Date()
  sendStatement(
    ctx,
    tx`
      insert into conversions ${tx({ organization_id, id: uuidv7(), lead_id: lead.id, ...made, created: tx.json(created), converted_at: at, converted_by: tx.json(actor) })}`,
  )
  const [after] = await tx<{ version: number }[]>`
    update opportunities set archived_at = ${at}, version = version + 1, updated_at = ${at}
    where organization_id = ${organization_id} and id = ${lead.id} returning version`
  if (lead.first_touch) refreshAttributions(ctx, [lead.id])
  await recordActivity(ctx, {
    type: 'lead_converted',
    subjects: [
      { kind: 'lead', id: lead.id },
      ...(made.deal_id ? [{ kind: 'deal', id: made.deal_id }] : []),
      ...(made.account_id ? [{ kind: 'account', id: made.account_id }] : []),
      ...(made.contact_id ? [{ kind: 'contact', id: made.contact_id }] : []),
    ],
    reason,
    ...(after ? { record_version: after.version } : {}),
    data: {
      name: lead.name,
      ...made,
      created: Object.keys(created).filter((kind) => kind !== 'links' && kind !== 'tasks'),
      changes: [{ field: 'converted', before: false, after: true }],
      undo: { tool: 'reverse_conversion', input: { lead_id: lead.id } },
    },
  })
  await recheckApprovals(ctx, { kind: 'lead', id: lead.id })
}
