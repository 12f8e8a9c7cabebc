import { z } from 'zod'
import { nameKey } from './campaign-names.ts'
import type { TxCtx } from './context.ts'
import { DomainError, invalid } from './errors.ts'
import { requireMember } from './identity.ts'
import { Currency, Day, Line, Lines } from './lead-fields.ts'
import { changeOf, ChangeTerms, MinorUnits } from './record-fields.ts'

/** Whether a campaign runs. */
export const campaignStatuses = ['planned', 'active', 'paused', 'ended'] as const

const Name = Line(120).pipe(z.string().min(1))

/** What one day of a campaign cost, in minor units of its currency. */
export const DayCost = z.object({ on: Day, amount_minor: MinorUnits })
export type DayCost = z.infer<typeof DayCost>

/** The fields of a campaign that people and systems write. */
export const CampaignFields = z.object({
  name: Name,
  /** What `utm_campaign` says; from the name unless given. */
  slug: Name,
  /** Other names that it comes by. */
  aliases: z.array(Name).max(50),
  channel: Line(60),
  status: z.enum(campaignStatuses),
  starts_on: Day,
  ends_on: Day,
  budget_minor: MinorUnits,
  /** All that was spent; the sum of `costs` where there are any. */
  cost_minor: MinorUnits,
  /** What was spent by day, at most one amount for each. */
  costs: z.array(DayCost).max(2_000),
  currency: Currency,
  owner_id: z.uuid(),
  description: Lines(5_000),
  external_id: Line(),
})

export const NewCampaign = CampaignFields.partial().required({ name: true })
export type NewCampaign = z.infer<typeof NewCampaign>

/** A change of a campaign: absent fields stay, null empties one. */
export const CampaignChange = changeOf(CampaignFields).extend({ reason: ChangeTerms.reason })
export type CampaignChange = z.infer<typeof CampaignChange>

/** What a campaign is made of. */
export type CampaignValues = {
  name: string
  slug: string
  aliases: string[]
  channel: string | null
  status: (typeof campaignStatuses)[number]
  starts_on: string | null
  ends_on: string | null
  budget_minor: number | null
  cost_minor: number | null
  costs: DayCost[]
  currency: string
  owner_id: string | null
  description: string | null
  external_id: string | null
}

/** What a campaign has without anybody saying. */
export const NO_CAMPAIGN = {
  name: '',
  slug: '',
  aliases: [],
  channel: null,
  status: 'active',
  starts_on: null,
  ends_on: null,
  budget_minor: null,
  cost_minor: null,
  costs: [],
  currency: '',
  owner_id: null,
  description: null,
  external_id: null,
} satisfies CampaignValues

/**
 * What a campaign will be: what is given over what is there, checked as a whole.
 * @throws {DomainError} what `createCampaign` refuses but for its names
 */
export const readCampaign = async (
  ctx: TxCtx,
  before: CampaignValues & { id?: string },
  input: Omit<CampaignChange, 'reason'>,
): Promise<CampaignValues> => {
  const values = Object.fromEntries(
    Object.entries({ ...NO_CAMPAIGN, currency: before.currency }).map(([field, nothing]) => {
      const sent = input[field as keyof typeof input]
      return [
        field,
        sent === undefined ? before[field as keyof CampaignValues] : sent === '' ? null : (sent ?? nothing),
      ]
    }),
  ) as CampaignValues
  if (values.name === '' || values.name === null)
    throw invalid('campaign_unnamed', '/name', 'A campaign always has a name.')
  values.slug ||= slugOf(values.name)
  const keys = new Set([nameKey(values.slug)])
  values.aliases = values.aliases.filter((alias) => !keys.has(nameKey(alias)) && keys.add(nameKey(alias)))
  if (values.starts_on && values.ends_on && values.ends_on < values.starts_on) {
    throw invalid(
      'campaign_ends_before_it_starts',
      '/ends_on',
      `It starts on ${values.starts_on}; it ends on that day or later.`,
    )
  }
  Object.assign(values, costsOf(values, input))
  if (values.owner_id && values.owner_id !== before.owner_id) await requireMember(ctx, values.owner_id)
  if (values.external_id !== before.external_id) await requireFreeId(ctx, values.external_id, before.id)
  return values
}

const slugOf = (name: string): string =>
  nameKey(name)
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-+|-+$/g, '') || name

/** Days in their order, and their sum. */
const costsOf = (
  { costs, cost_minor }: CampaignValues,
  given: Omit<CampaignChange, 'reason'>,
): Pick<CampaignValues, 'costs' | 'cost_minor'> => {
  if (costs.length === 0)
    return { costs, cost_minor: given.costs && given.cost_minor === undefined ? null : cost_minor }
  const ordered = costs.toSorted((a, b) => (a.on < b.on ? -1 : 1))
  const twice = ordered.find(({ on }, n) => ordered[n + 1]?.on === on)
  if (twice) throw invalid('cost_day_twice', '/costs', `${twice.on} has two amounts: give their sum.`)
  const sum = ordered.reduce((sum, { amount_minor }) => sum + amount_minor, 0)
  if (!Number.isSafeInteger(sum))
    throw invalid('cost_too_large', '/costs', 'Together this is more than can be kept.')
  if (given.cost_minor !== undefined && given.cost_minor !== sum) {
    throw invalid(
      'cost_contradicts_days',
      '/cost_minor',
      'What it cost is the sum of its days (costs). Change those, or empty them with [] to give one figure.',
      [sum],
    )
  }
  return { costs: ordered, cost_minor: sum }
}

/** @throws {DomainError} `external_id_taken`, with the campaign that has it */
export const requireFreeId = async (
  { tx, organization_id }: TxCtx,
  external_id: string | null,
  own_id?: string,
): Promise<void> => {
  if (external_id === null) return
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${organization_id} external_id campaign ${external_id}`}, 0))`
  const [holder] = await tx<{ id: string; name: string }[]>`
    select id, name from campaigns where organization_id = ${organization_id} and external_id = ${external_id}
      and archived_at is null ${own_id ? tx`and id <> ${own_id}` : tx``}`
  if (!holder) return
  throw new DomainError('conflict', 'external_id_taken', `“${holder.name}” has this external id already.`, {
    errors: [{ pointer: '/external_id', message: `belongs to campaign ${holder.id}` }],
    extra: { campaign_id: holder.id },
  })
}
