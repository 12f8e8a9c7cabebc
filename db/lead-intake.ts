import { recordActivity } from './activities.ts'
import { type Ctx, inTx, type TxCtx } from './context.ts'
import { findKnownLead } from './lead-duplicates.ts'
import { keyLabels, type LeadKey } from './lead-keys.ts'
import { instructionIn, instructionWarning, recordInstruction } from './lead-injection.ts'
import { rescoreAfter } from './lead-scoring.ts'
import { routeUnowned } from './lead-rerouting.ts'
import { createLead, lockLead, type NewLead, requireIdentity } from './leads.ts'
import type { Opportunity } from './opportunities.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import { writeOpportunity } from './opportunity-changes.ts'
import type { OpportunityOrigin } from './opportunity-writing.ts'
import { originOf } from './record-changes.ts'
import { normaliseFields } from './record-fields.ts'
import { holderOfExternalId } from './records.ts'
import { readSettings } from './settings.ts'
import { recordArrivals } from './touchpoints.ts'

/** What came of a lead at a door: a new one, or the open one that this person already is. */
export type ReceivedLead = { lead: Opportunity; joined: boolean; matched_by?: LeadKey['kind'] }

/**
 * Takes a lead in at a door: the same person's open lead is joined, its blanks are filled, its timeline says so;
 * otherwise a new lead is made.
 */
export const receiveLead = (ctx: Ctx, input: NewLead, origin: OpportunityOrigin): Promise<ReceivedLead> =>
  inTx(ctx, async (ctx) => {
    const settings = await readSettings(ctx)
    const { values } = normaliseFields(input, OpportunityFields.shape, settings.default_country)
    requireIdentity(values)
    const known = await findKnownLead(ctx, values)
    if (!known)
      return { lead: await createLead(ctx, ...(await withoutTakenId(ctx, input, origin))), joined: false }
    const lead = await joinLead(ctx, known.id, input, origin, known.matched_by)
    return { lead, joined: true, matched_by: known.matched_by }
  })

const joinLead = async (
  ctx: TxCtx,
  id: string,
  input: NewLead,
  origin: OpportunityOrigin,
  matched_by: LeadKey['kind'],
): Promise<Opportunity> => {
  const before = await lockLead(ctx, id)
  const settings = await readSettings(ctx)
  const { values } = normaliseFields(
    (await withoutTakenId(ctx, input, origin))[0],
    OpportunityFields.shape,
    settings.default_country,
  )
  const blanks = Object.entries(values).filter(([field, value]) => {
    // A number and the text that it was read from belong together.
    const current =
      before[field === 'phone_original' && before.phone === null ? 'phone' : (field as keyof Opportunity)]
    return value !== null && (current === null || (Array.isArray(current) && current.length === 0))
  })
  // The newest message is what has to be answered; the older ones stay on the timeline.
  const changes = Object.fromEntries(values['message'] ? [...blanks, ['message', values['message']]] : blanks)
  // What the person sent and the lead has another value for: nothing is overwritten, nothing is lost.
  const conflicts = Object.entries(values)
    .map(([field, sent]) => ({ field, kept: before[field as keyof Opportunity] ?? null, sent }))
    .filter(
      ({ field, kept, sent }) =>
        !(field in changes) && sent !== null && JSON.stringify(kept) !== JSON.stringify(sent),
    )
  const { door, submission_id, source_id, extra } = origin
  const from = { door, ...(submission_id ? { submission_id } : {}), ...(source_id ? { source_id } : {}) }
  await recordActivity(ctx, {
    type: 'submission_joined',
    subjects: [{ kind: 'lead', id }],
    reason: `It is the same person: same ${keyLabels[matched_by]}.`,
    data: {
      ...from,
      matched_by,
      ...(conflicts.length > 0 ? { conflicts } : {}),
      ...(input.message ? { message: input.message } : {}),
      ...(extra ? { extra } : {}),
    },
  })
  await recordArrivals(ctx, [{ lead_id: id, values, extra, from }])
  const instruction = instructionIn(values)
  if (instruction) {
    await recordInstruction(ctx, id, instruction, submission_id)
    await ctx.tx`
      update opportunities set warnings = warnings || ${ctx.tx.json([instructionWarning(instruction)])}
      where organization_id = ${ctx.organization_id} and id = ${id}`
  }
  await rescoreAfter(ctx, 'submission_joined', [{ kind: 'lead', id }])
  const joined = await writeOpportunity(ctx, before, changes, {
    origin: originOf(ctx, from),
    reason: 'From the newer submission: blanks are filled, the message is the newest.',
  })
  return routeUnowned(ctx, joined)
}

/** A closed lead keeps its external id: a newcomer at a door with the same one goes without, and says so. */
const withoutTakenId = async (
  ctx: TxCtx,
  input: NewLead,
  origin: OpportunityOrigin,
): Promise<[NewLead, OpportunityOrigin]> => {
  const holder = await holderOfExternalId(ctx, 'lead', input.external_id)
  if (!holder) return [input, origin]
  const { external_id, ...rest } = input
  const warning = {
    field: 'external_id',
    message: `“${external_id}” belongs to the lead “${holder.name}”; it was kept but not used.`,
  }
  return [
    rest,
    { ...origin, extra: { ...origin.extra, external_id }, warnings: [...(origin.warnings ?? []), warning] },
  ]
}
