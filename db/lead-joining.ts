import { recordActivity } from './activities.ts'
import type { TxCtx } from './context.ts'
import { instructionIn, instructionWarning, recordInstruction } from './lead-injection.ts'
import { keyLabels, type LeadKey } from './lead-keys.ts'
import { whoJoins } from './lead-merge-arrivals.ts'
import type { StoredOrigin } from './lead-merge-images.ts'
import { routeUnowned } from './lead-rerouting.ts'
import { rescoreAfter } from './lead-scoring.ts'
import { lockLead } from './leads.ts'
import { writeOpportunity } from './opportunity-changes.ts'
import type { OpportunityOrigin } from './opportunity-writing.ts'
import type { Opportunity } from './opportunities.ts'
import { originOf } from './record-changes.ts'
import { recordArrivals } from './touchpoints.ts'

/**
 * Has somebody join the open lead that they are: its blanks are filled, its timeline says so, also what was sent and not
 * taken. Where others were merged into the lead, it is kept of which of them they are known.
 * @param values ready for their columns
 */
export const joinLead = async (
  ctx: TxCtx,
  id: string,
  values: Record<string, unknown>,
  { door, submission_id, source_id, extra }: OpportunityOrigin,
  matched_by: LeadKey['kind'],
): Promise<Opportunity> => {
  const before = await lockLead(ctx, id)
  const changes = filledBy(before, values)
  // What the person sent and the lead has another value for: nothing is overwritten, nothing is lost.
  const conflicts = Object.entries(values)
    .map(([field, sent]) => ({ field, kept: before[field as keyof Opportunity] ?? null, sent }))
    .filter(
      ({ field, kept, sent }) =>
        !(field in changes) && sent !== null && JSON.stringify(kept) !== JSON.stringify(sent),
    )
  const from = { door, ...(submission_id ? { submission_id } : {}), ...(source_id ? { source_id } : {}) }
  const merged = await ofWhom(ctx, before, values, changes)
  await recordActivity(ctx, {
    type: 'submission_joined',
    subjects: [{ kind: 'lead', id }, ...(merged?.known_as ? [{ kind: 'lead', id: merged.known_as }] : [])],
    reason: `It is the same person: same ${keyLabels[matched_by]}.`,
    data: {
      ...from,
      matched_by,
      ...(conflicts.length > 0 ? { conflicts } : {}),
      ...(values['message'] ? { message: values['message'] } : {}),
      ...(extra ? { extra } : {}),
      ...merged,
    },
  })
  await recordArrivals(ctx, [{ lead_id: id, values, extra, from }])
  await rescoreAfter(ctx, 'submission_joined', [{ kind: 'lead', id }])
  const joined = await takeSent(
    ctx,
    before,
    values,
    from,
    'From the newer submission: blanks are filled, the message is the newest.',
  )
  return routeUnowned(ctx, joined)
}

/** Gives a lead what its person sent: its blanks are filled, the message is the newest. */
export const takeSent = async (
  ctx: TxCtx,
  before: Opportunity,
  sent: Record<string, unknown>,
  from: { door: string; submission_id?: string | undefined },
  reason: string,
): Promise<Opportunity> => {
  const instruction = instructionIn(sent)
  if (instruction) {
    await recordInstruction(ctx, before.id, instruction, from.submission_id)
    await ctx.tx`
      update opportunities set warnings = warnings || ${ctx.tx.json([instructionWarning(instruction)])}
      where organization_id = ${ctx.organization_id} and id = ${before.id}`
  }
  return writeOpportunity(ctx, before, filledBy(before, sent), { origin: originOf(ctx, from), reason })
}

/** The newest message is what has to be answered; the older ones stay on the timeline. Else only blanks are filled. */
const filledBy = (before: Opportunity, sent: Record<string, unknown>): Record<string, unknown> => {
  const blanks = Object.entries(sent).filter(([field, value]) => {
    // A number and the text that it was read from belong together.
    const current =
      before[field === 'phone_original' && before.phone === null ? 'phone' : (field as keyof Opportunity)]
    return value !== null && (current === null || (Array.isArray(current) && current.length === 0))
  })
  const filled = Object.fromEntries(blanks)
  // An amount brings its currency; a currency alone says nothing of the amount that is there.
  if (filled['value_minor'] !== undefined && sent['currency']) filled['currency'] = sent['currency']
  if (sent['message']) filled['message'] = sent['message']
  return filled
}

/** What taking a merge apart has to know of somebody who comes during it. */
const ofWhom = async (
  ctx: TxCtx,
  before: Opportunity,
  sent: Record<string, unknown>,
  changes: Record<string, unknown>,
) => {
  const whose = await whoJoins(ctx, before, sent)
  if (!whose) return undefined
  const { tx, organization_id } = ctx
  const origins = await tx<StoredOrigin[]>`
    select field, origin, tainted, set_at::text from record_origins where organization_id = ${organization_id}
      and record_kind = 'lead' and record_id = ${before.id} and field = any(${Object.keys(changes)}::text[])`
  const filled = Object.entries(changes).map(([field, after]) => ({
    field,
    before: before[field as keyof Opportunity] ?? null,
    after,
    origin: origins.find((origin) => origin.field === field) ?? null,
  }))
  return { ...whose, joined: before.id, sent, filled }
}
