import { recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { inTx, recordingOf, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { refreshAttributions } from './lead-attribution.ts'
import type { Created } from './lead-conversion.ts'
import { lockLead } from './leads.ts'
import { unlinkRecords } from './links.ts'
import { getOpportunity, lockOpportunity, type Opportunity } from './opportunities.ts'
import { requireApproval, requireReason } from './opportunity-stages.ts'
import { readWork, type Work } from './record-work.ts'
import { type RecordRef, requireFreeExternalId, requireUnmerged, tableOf } from './records.ts'

/** What taking a conversion back leaves: records that it made and somebody worked on since stay. */
export type Reversal = {
  lead: Opportunity
  archived: ('account' | 'contact' | 'deal')[]
  kept: { kind: 'account' | 'contact'; id: string; name: string; because: string }[]
}

type Standing = {
  id: string
  account_id: string | null
  contact_id: string | null
  deal_id: string | null
  created: Created
}

/**
 * Takes a conversion back: the lead is where it was, the deal goes to the archive, and so do the account and the contact
 * that were made for it unless they were edited, have other links or something hangs on them by now.
 * @throws {DomainError} `lead_not_found`, `not_converted`, `deal_edited` with the deal, also where something hangs on it; `approval_required` for an agent
 */
export const reverseConversion = (ctx: Ctx, lead_id: string, reason?: string): Promise<Reversal> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const lead = await lockLead(ctx, lead_id)
    requireReason(ctx, reason)
    requireApproval(ctx, 'takes a conversion back')
    const conversion = await standingConversion(ctx, lead_id)
    requireUnmerged(lead)
    if (!conversion) throw new DomainError('conflict', 'not_converted', `“${lead.name}” is not converted.`)
    const { deal_id, account_id, contact_id, created } = conversion
    await requireUntouched(ctx, conversion)
    await requireFreeExternalId(ctx, 'lead', lead.external_id)
    await recordingOf(ctx, { data: {}, takes_back: true }, async (ctx) => {
      for (const pair of created.links) await unlinkRecords(ctx, pair, reason)
    })
    const archived: Reversal['archived'] = []
    if (deal_id) {
      await archive(ctx, 'deal', deal_id)
      archived.push('deal')
      await tx`
        delete from task_subjects where organization_id = ${organization_id} and kind = 'deal' and subject_id = ${deal_id}
          and task_id = any(${created.tasks}::uuid[])`
    }
    const kept: Reversal['kept'] = []
    for (const [kind, id] of [
      ['contact', contact_id],
      ['account', account_id],
    ] as const) {
      const made = created[kind]
      if (!made || !id) continue
      const because = await inUse(ctx, kind, id, made.version, conversion)
      if (because) kept.push({ kind, id, ...because })
      else {
        await archive(ctx, kind, id)
        archived.push(kind)
      }
    }
    const at = new Date()
    sendStatement(
      ctx,
      tx`
        update conversions set reversed_at = ${at}, reversed_by = ${tx.json(actor)}
        where organization_id = ${organization_id} and id = ${conversion.id}`,
    )
    const [after] = await tx<{ version: number }[]>`
      update opportunities set archived_at = null, version = version + 1, updated_at = ${at}
      where organization_id = ${organization_id} and id = ${lead_id} returning version`
    if (lead.first_touch) refreshAttributions(ctx, [lead_id])
    await recordActivity(ctx, {
      type: 'conversion_reversed',
      subjects: [
        { kind: 'lead', id: lead_id },
        ...(deal_id ? [{ kind: 'deal', id: deal_id }] : []),
        ...(account_id ? [{ kind: 'account', id: account_id }] : []),
        ...(contact_id ? [{ kind: 'contact', id: contact_id }] : []),
      ],
      reason,
      ...(after ? { record_version: after.version } : {}),
      data: {
        name: lead.name,
        archived,
        kept,
        changes: [{ field: 'converted', before: true, after: false }],
        irreversible: 'Convert the lead again instead: what is there is found and linked.',
      },
    })
    await recheckApprovals(ctx, { kind: 'lead', id: lead_id })
    return { lead: await getOpportunity(ctx, lead_id), archived, kept }
  })

/** The conversion of a lead that nobody took back. */
export const standingConversion = async (
  { tx, organization_id }: TxCtx,
  lead_id: string,
): Promise<Standing | undefined> => {
  const [conversion] = await tx<Standing[]>`
    select id, account_id, contact_id, deal_id, created from conversions
    where organization_id = ${organization_id} and lead_id = ${lead_id} and reversed_at is null`
  return conversion
}

/** @throws {DomainError} `deal_edited` */
const requireUntouched = async (ctx: TxCtx, { deal_id, created }: Standing): Promise<void> => {
  if (!deal_id || !created.deal) return
  const deal = await lockOpportunity(ctx, deal_id, 'deal')
  const because =
    deal.version === created.deal.version
      ? await workOn(ctx, { kind: 'deal', id: deal_id }, created.tasks)
      : 'It was edited since.'
  if (because === undefined) return
  throw new DomainError(
    'conflict',
    'deal_edited',
    `“${deal.name}” was worked on since. ${because} It is a deal of its own now: close or archive it, and make the lead anew.`,
    { extra: { deal_id, version: deal.version, converted_version: created.deal.version } },
  )
}

const archive = async (ctx: TxCtx, kind: 'account' | 'contact' | 'deal', id: string): Promise<void> => {
  const { tx, organization_id } = ctx
  await tx`
    update ${tx(tableOf[kind])} set archived_at = now(), version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${id} and archived_at is null`
  await recheckApprovals(ctx, { kind, id })
}

/** Why a record that the conversion made is more than that by now. */
const inUse = async (
  ctx: TxCtx,
  kind: 'account' | 'contact',
  id: string,
  version: number,
  { deal_id, contact_id }: Standing,
): Promise<{ name: string; because: string } | undefined> => {
  const { tx, organization_id } = ctx
  const column = tx(`${kind}_id`)
  const [row] = await tx<{ name: string; version: number; cards: number; people: number }[]>`
    select r.name, r.version,
      (select count(*) from ${tx(`opportunity_${kind}s`)} l
        where l.organization_id = r.organization_id and l.${column} = r.id and l.opportunity_id is distinct from ${deal_id})::int as cards,
      (select count(*) from account_contacts l where l.organization_id = r.organization_id
        and l.${column} = r.id and l.contact_id is distinct from ${contact_id})::int as people
    from ${tx(tableOf[kind])} r where r.organization_id = ${organization_id} and r.id = ${id} and r.archived_at is null
    for update`
  if (!row) return undefined
  const { name } = row
  if (row.version !== version) return { name, because: 'It was edited since.' }
  if (row.cards > 0) return { name, because: 'Another lead or deal is linked with it.' }
  if (row.people > 0) return { name, because: 'Another contact is linked with it.' }
  const because = await workOn(ctx, { kind, id })
  return because === undefined ? undefined : { name, because }
}

/**
 * What hangs on a record that was made by the conversion and would go to the archive with it unseen.
 * @param shared tasks that are on it because they are on the lead, where they stay
 */
const workOn = async (
  ctx: TxCtx,
  { kind, id }: RecordRef,
  shared: readonly string[] = [],
): Promise<string | undefined> => {
  const { work = [] } = (await readWork(ctx, kind, [id], shared)).get(id) ?? {}
  return work.map((one) => BECAUSE[one]).find((because) => because !== undefined)
}

/** What is only proposed goes stale with the archive; nothing of it was done. */
const BECAUSE: Partial<Record<Work, string>> = {
  note: 'It has a note.',
  task: 'It has a task.',
  file: 'It has a file.',
  message: 'It has an e-mail.',
  activity: 'A call, meeting or message was logged with it.',
}
