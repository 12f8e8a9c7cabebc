import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type ActivityType, type NewActivity } from './activities.ts'
import { linkNamed, nameKey, writeNames } from './campaign-names.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { requireMember } from './identity.ts'
import { Currency, Line, Lines } from './lead-fields.ts'
import { listRecords, type ListQuery } from './listing.ts'
import type { SqlPart } from './opportunities.ts'
import type { Page } from './page.ts'
import { enqueue } from './queue.ts'
import { changeOf, ChangeTerms, MinorUnits } from './record-fields.ts'
import { requireRecordInUse } from './records.ts'
import { readSettings } from './settings.ts'

/** Whether a campaign runs. */
export const campaignStatuses = ['planned', 'active', 'paused', 'ended'] as const

const Name = Line(120).pipe(z.string().min(1))

/** What one day of a campaign cost, in minor units of its currency. */
export const DayCost = z.object({ on: z.iso.date(), amount_minor: MinorUnits })
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
  starts_on: z.iso.date(),
  ends_on: z.iso.date(),
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

/** A campaign, as it is answered everywhere. */
export type Campaign = {
  id: string
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
  owner: { id: string; name: string } | null
  description: string | null
  external_id: string | null
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/**
 * Makes a campaign, and gives it the leads and visits that named it before it was there.
 * @throws {DomainError} `campaign_name_taken`, `external_id_taken`, `owner_unknown`, `campaign_ends_before_it_starts`,
 * `cost_day_twice`, `cost_contradicts_days`
 */
export const createCampaign = (ctx: Ctx, input: NewCampaign): Promise<Campaign> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { currency } = await readSettings(ctx)
    const id = uuidv7()
    const values = await readValues(ctx, { ...NOTHING, currency }, input)
    await tx`insert into campaigns ${tx({ ...columnsOf(ctx, values), organization_id, id })}`
    await takeNames(ctx, id, values)
    await record(ctx, { id, name: values.name, version: 1 }, 'record_created', {
      undo: { tool: 'archive_campaign', input: { campaign_id: id } },
    })
    return getCampaign(ctx, id)
  })

/**
 * Changes a campaign. What came in under a name it had stays its own; under a new one it gets what nobody was given.
 * @throws {DomainError} stale when `version` is not the current one, `record_archived`, and whatever creation refuses
 */
export const updateCampaign = (
  ctx: Ctx,
  id: string,
  { version, reason, ...input }: CampaignChange & { version?: number | undefined },
): Promise<Campaign> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockCampaign(ctx, id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    requireRecordInUse({ ...before, kind: 'campaign' })
    const values = await readValues(ctx, before, input)
    const changes = Object.entries(values)
      .map(([field, after]) => ({ field, before: before[field as keyof Campaign], after }))
      .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
    if (changes.length === 0) return before
    await tx`
      update campaigns set ${tx(columnsOf(ctx, values))}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await takeNames(ctx, id, values)
    // The sum follows from the days.
    const given = changes.filter(({ field }) => field !== 'cost_minor' || before.costs.length === 0)
    await record(
      ctx,
      { ...before, version: before.version + 1 },
      'record_updated',
      {
        changes,
        undo: {
          tool: 'update_campaign',
          input: {
            campaign_id: id,
            values: Object.fromEntries(given.map((change) => [change.field, change.before])),
          },
        },
      },
      reason,
    )
    return getCampaign(ctx, id)
  })

/** Takes a campaign out of lists, and its names with it; what it brought stays its own. Twice is once. */
export const archiveCampaign = (ctx: Ctx, id: string, reason?: string): Promise<void> =>
  setArchived(ctx, id, true, reason)

/**
 * Brings a campaign back with its names. One that is in use stays as it is.
 * @throws {DomainError} `campaign_name_taken`, `external_id_taken` when another one was given it meanwhile
 */
export const restoreCampaign = async (ctx: Ctx, id: string, reason?: string): Promise<Campaign> => {
  await setArchived(ctx, id, false, reason)
  return getCampaign(ctx, id)
}

/** One campaign, archived or not. */
export const getCampaign = (ctx: Ctx, id: string): Promise<Campaign> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<Campaign[]>`
      ${selectCampaign(tx)} where g.organization_id = ${organization_id} and g.id = ${id}`
    if (!row) throw notFound('campaign', id)
    return row
  })

/** The same, held until the transaction ends. */
export const lockCampaign = (ctx: TxCtx, id: string): Promise<Campaign> => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`select 1 from campaigns where organization_id = ${organization_id} and id = ${id} for update`,
  )
  return getCampaign(ctx, id)
}

/** Campaigns, the newest first unless sorted; archived ones only where the filter asks for them. */
export const listCampaigns = (ctx: Ctx, query: ListQuery): Promise<Page<Campaign>> =>
  listRecords<Campaign>(ctx, { kind: 'campaign', default_sort: '-created_at', select: selectCampaign }, query)

const selectCampaign = (tx: TxCtx['tx'], more?: SqlPart): SqlPart => tx`
  select g.id, g.name, g.slug, g.aliases, g.channel, g.status, g.starts_on, g.ends_on, g.budget_minor, g.cost_minor, g.costs,
    g.currency, g.owner_id, case when u.id is not null then jsonb_build_object('id', u.id, 'name', u.name) end as owner,
    g.description, g.external_id, g.archived_at, g.created_at, g.updated_at, g.version ${more ? tx`, ${more}` : tx``}
  from campaigns g left join identity.users u on u.id = g.owner_id`

/** What a campaign has without anybody saying. */
const NOTHING = {
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
} satisfies Partial<Campaign>

type Values = Pick<Campaign, keyof typeof NOTHING>

/** What a campaign will be: what is given over what is there, checked as a whole. */
const readValues = async (
  ctx: TxCtx,
  before: Values & { id?: string },
  input: Omit<CampaignChange, 'reason'>,
): Promise<Values> => {
  const values = Object.fromEntries(
    Object.entries({ ...NOTHING, currency: before.currency }).map(([field, nothing]) => {
      const sent = input[field as keyof typeof input]
      return [
        field,
        sent === undefined ? before[field as keyof Values] : sent === '' ? null : (sent ?? nothing),
      ]
    }),
  ) as Values
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
  { costs, cost_minor }: Values,
  given: Omit<CampaignChange, 'reason'>,
): Pick<Values, 'costs' | 'cost_minor'> => {
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

const columnsOf = ({ tx }: TxCtx, values: Values) => ({ ...values, costs: tx.json(values.costs) })

const requireFreeId = async (
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

/** Its names become its own, and what named it before it was there. */
const takeNames = async (
  ctx: TxCtx,
  id: string,
  { name, slug, aliases }: Pick<Values, 'name' | 'slug' | 'aliases'>,
): Promise<void> => {
  await writeNames(ctx, id, [
    { field: 'slug', text: slug },
    { field: 'name', text: name },
    ...aliases.map((text, n) => ({ field: `aliases/${n}`, text })),
  ])
  await linkNamed(ctx, id)
  // What comes at this moment does not see the name yet: the job looks once more when it does.
  await enqueue(ctx, 'campaign.named', { campaign_id: id })
}

const setArchived = (ctx: Ctx, id: string, archived: boolean, reason: string | undefined): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockCampaign(ctx, id)
    if ((before.archived_at !== null) === archived) return
    if (!archived) await requireFreeId(ctx, before.external_id, id)
    const at = archived ? new Date() : null
    await tx`
      update campaigns set archived_at = ${at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    if (archived) await writeNames(ctx, id, [])
    else await takeNames(ctx, id, before)
    await record(
      ctx,
      { ...before, version: before.version + 1 },
      archived ? 'record_archived' : 'record_restored',
      {
        changes: [{ field: 'archived_at', before: before.archived_at, after: at }],
        undo: { tool: archived ? 'restore_campaign' : 'archive_campaign', input: { campaign_id: id } },
      },
      reason,
    )
  })

const record = (
  ctx: TxCtx,
  { id, name, version }: Pick<Campaign, 'id' | 'name' | 'version'>,
  type: ActivityType,
  data: NonNullable<NewActivity['data']>,
  reason?: string,
): Promise<string> =>
  recordActivity(ctx, {
    type,
    subjects: [{ kind: 'campaign', id }],
    reason,
    record_version: version,
    data: { kind: 'campaign', name, ...data },
  })
