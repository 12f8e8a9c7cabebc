import { z } from 'zod'
import { Currency, Day, Email, Line, Lines, Website } from './lead-fields.ts'
import { changeOf, ChangeTerms, CustomValues, LinkedIds, MinorUnits, newOf, Tags } from './record-fields.ts'

/** How sure the close of a card is held to be. */
export const forecastCategories = ['commit', 'best_case', 'pipeline', 'omitted'] as const

/** The fields of a card, lead or deal, that people, doors and agents write. */
export const OpportunityFields = z.object({
  name: Line(),
  contact_name: Line(),
  company_name: Line(),
  title: Line(),
  email: Email,
  phone: z.string().max(100),
  website: Website,
  city: Line(),
  state: Line(),
  country: Line(),
  industry: Line(),
  message: Lines(),
  source: Line(),
  campaign: Line(),
  landing_page: Line(2_000),
  external_id: Line(),
  owner_id: z.uuid(),
  value_minor: MinorUnits,
  currency: Currency,
  expected_close_on: Day,
  forecast_category: z.enum(forecastCategories),
  tags: Tags,
})
export type OpportunityFields = z.infer<typeof OpportunityFields>

/** The people and companies of a card; the first one of each is the primary. */
const beside = { contact_ids: LinkedIds, account_ids: LinkedIds }

/** Why a card is lost: a reason of the organization's list, and in words. Null is none. */
export const Discard = z.object({
  discard_reason_id: z.uuid().nullish(),
  discard_note: Lines(2_000).nullish(),
})
export type Discard = z.infer<typeof Discard>

/** Where a card goes; into a stage that is lost with why. */
const place = { pipeline_id: z.uuid(), stage_id: z.uuid() }

/** A card that is made by hand, by the API or by an agent. */
export const NewOpportunity = newOf({
  ...OpportunityFields.shape,
  ...beside,
  ...place,
  custom: CustomValues,
}).extend(Discard.shape)
export type NewOpportunity = z.infer<typeof NewOpportunity>

/** A change of a card: absent fields stay, null empties a field; `contact_ids` and `account_ids` replace what is linked. */
export const OpportunityChange = changeOf(OpportunityFields).extend({
  ...z.object({ ...beside, ...place }).partial().shape,
  ...Discard.shape,
  ...ChangeTerms,
  agents_paused: z.boolean().optional(),
})
export type OpportunityChange = z.infer<typeof OpportunityChange>
