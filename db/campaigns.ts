import { v7 as uuidv7 } from 'uuid'
import { recordActivity, type ActivityType, type NewActivity } from './activities.ts'
import {
  NO_CAMPAIGN,
  readCampaign,
  requireFreeId,
  type CampaignChange,
  type CampaignValues,
  type NewCampaign,
} from './campaign-fields.ts'
import { linkNamed, writeNames } from './campaign-names.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { notFound, staleVersion } from './errors.ts'
import { listRecords, type ListQuery } from './listing.ts'
import type { SqlPart } from './opportunities.ts'
import type { Page } from './page.ts'
import { enqueue } from './queue.ts'
import { requireRecordInUse } from './records.ts'
import { readSettings } from './settings.ts'

/** A campaign, as it is answered everywhere. */
export type Campaign = CampaignValues & {
  id: string
  owner: { id: string; name: string } | null
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
    const values = await readCampaign(ctx, { ...NO_CAMPAIGN, currency }, input)
    await tx`insert into campaigns ${tx({ ...columnsOf(ctx, values), organization_id, id })}`
    await takeNames(ctx, id, values, input)
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
    const values = await readCampaign(ctx, before, input)
    const changes = Object.entries(values)
      .map(([field, after]) => ({ field, before: before[field as keyof Campaign], after }))
      .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
    if (changes.length === 0) return before
    await tx`
      update campaigns set ${tx(columnsOf(ctx, values))}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await takeNames(ctx, id, values, input)
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

const columnsOf = ({ tx }: TxCtx, values: CampaignValues) => ({ ...values, costs: tx.json(values.costs) })

/**
 * Its names become its own, and what named it before it was there.
 * @param sent whose slug, if any, is what a slug that is taken is told of; one that nobody sent was made of the name
 */
const takeNames = async (
  ctx: TxCtx,
  id: string,
  { name, slug, aliases }: Pick<CampaignValues, 'name' | 'slug' | 'aliases'>,
  sent: { slug?: string | null | undefined } = {},
): Promise<void> => {
  await writeNames(ctx, id, [
    { field: 'name', text: name },
    { field: sent.slug ? 'slug' : 'name', text: slug },
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
