import { type Ctx, inTx, type TxCtx } from './context.ts'
import { findKnownLead } from './lead-duplicates.ts'
import { joinLead } from './lead-joining.ts'
import type { LeadKey } from './lead-keys.ts'
import { createLead, type NewLead, requireIdentity } from './leads.ts'
import type { Opportunity } from './opportunities.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import type { OpportunityOrigin } from './opportunity-writing.ts'
import { normaliseFields } from './record-fields.ts'
import { holderOfExternalId } from './records.ts'
import { readSettings } from './settings.ts'

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
    const [given] = await withoutTakenId(ctx, input, origin)
    const { values: sent } = normaliseFields(given, OpportunityFields.shape, settings.default_country)
    // An amount is nothing without its currency: unsaid, it is the organization's, whatever the lead's is.
    if (typeof sent['value_minor'] === 'number') sent['currency'] ??= settings.currency
    const lead = await joinLead(ctx, known.id, sent, origin, known.matched_by)
    return { lead, joined: true, matched_by: known.matched_by }
  })

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
