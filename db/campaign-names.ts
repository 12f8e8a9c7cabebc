import type { Database } from './client.ts'
import { inTx, systemCtx, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { refreshAttributions } from './lead-attribution.ts'
import { visibleText } from './text.ts'

/** A name as it is compared: case, blanks around and between, and the way it is encoded make no other campaign. */
export const nameKey = (text: string): string =>
  visibleText(text).normalize('NFKC').replaceAll(/\s+/g, ' ').trim().toLowerCase()

/** Campaigns by the names that they go by now: key → id. */
export const findNamed = async (
  { tx, organization_id }: TxCtx,
  texts: readonly string[],
): Promise<Map<string, string>> => {
  const rows = await tx<{ name: string; campaign_id: string }[]>`
    select name, campaign_id from campaign_names
    where organization_id = ${organization_id} and name = any(${[...new Set(texts.map(nameKey))]}::text[])`
  return new Map(rows.map(({ name, campaign_id }) => [name, campaign_id]))
}

/**
 * Makes these the names of a campaign. Of two that want one at the same time, the second one waits, and is told.
 * @throws {DomainError} `campaign_name_taken`, with the campaign that has it
 */
export const writeNames = async (
  ctx: TxCtx,
  campaign_id: string,
  texts: readonly { field: string; text: string }[],
): Promise<void> => {
  const { tx, organization_id } = ctx
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${organization_id} campaign names`}, 0))`
  const named = await findNamed(
    ctx,
    texts.map(({ text }) => text),
  )
  for (const { field, text } of texts) {
    const holder = named.get(nameKey(text))
    if (holder === undefined || holder === campaign_id) continue
    throw new DomainError(
      'conflict',
      'campaign_name_taken',
      `“${text}” names another campaign already, whatever its case. Choose another name, or change that campaign.`,
      {
        errors: [{ pointer: `/${field}`, message: `belongs to campaign ${holder}` }],
        extra: { campaign_id: holder },
      },
    )
  }
  await tx`delete from campaign_names where organization_id = ${organization_id} and campaign_id = ${campaign_id}`
  const names = [...new Set(texts.map(({ text }) => nameKey(text)))]
  if (names.length > 0)
    await tx`insert into campaign_names ${tx(names.map((name) => ({ organization_id, name, campaign_id })))}`
}

/** So many cards and touches are given to a campaign in one transaction. */
const AT_ONCE = 1_000

/**
 * Gives a campaign the cards and touches that name it and came before it had the name, a part at a time.
 * @returns whether there are more
 */
export const linkNamed = async (ctx: TxCtx, campaign_id: string): Promise<boolean> => {
  const { tx, organization_id } = ctx
  const rows = await tx<{ name: string }[]>`
    select name from campaign_names where organization_id = ${organization_id} and campaign_id = ${campaign_id}`
  const names = new Set(rows.map(({ name }) => name))
  const link = async (table: 'opportunities' | 'touchpoints') => {
    const waiting = tx`organization_id = ${organization_id} and campaign is not null and campaign_id is null`
    const texts = await tx<
      { campaign: string }[]
    >`select distinct campaign from ${tx(table)} where ${waiting}`
    const own = texts.map(({ campaign }) => campaign).filter((text) => names.has(nameKey(text)))
    if (own.length === 0) return []
    return tx<{ id: string; lead_id: string | null }[]>`
      update ${tx(table)} set campaign_id = ${campaign_id}
      where organization_id = ${organization_id} and id = any(array(
        select id from ${tx(table)} where ${waiting} and campaign = any(${own}::text[]) limit ${AT_ONCE} for update))
      returning id, ${table === 'touchpoints' ? tx`lead_id` : tx`null::uuid as lead_id`}`
  }
  const [cards, touches] = [await link('opportunities'), await link('touchpoints')]
  refreshAttributions(
    ctx,
    touches.flatMap(({ lead_id }) => lead_id ?? []),
  )
  return cards.length === AT_ONCE || touches.length === AT_ONCE
}

/** Gives a campaign everything that names it: what came while it was being named, too. May run twice. */
export const linkEverythingNamed = async (
  db: Database,
  organization_id: string,
  campaign_id: string,
): Promise<void> => {
  const next = (): Promise<boolean> =>
    inTx(systemCtx(db, organization_id, 'campaigns'), (ctx) => linkNamed(ctx, campaign_id))
  // One transaction after the other: others want the rows, too.
  while (await next());
}

/** A campaign that leads and visits name and nobody made. */
export type UnmatchedCampaign = { campaign: string; leads: number; deals: number; touches: number }

/** The campaigns that are named and not there, those of the most leads first, 200 at most. */
export const listUnmatched = (ctx: Ctx): Promise<UnmatchedCampaign[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<UnmatchedCampaign[]>`
      select campaign, sum(leads)::int as leads, sum(deals)::int as deals, sum(touches)::int as touches from (
        select campaign, count(*) filter (where kind = 'lead') as leads, count(*) filter (where kind = 'deal') as deals,
          0 as touches
        from opportunities
        where organization_id = ${organization_id} and campaign is not null and campaign_id is null group by campaign
        union all
        select campaign, 0, 0, count(*) from touchpoints
        where organization_id = ${organization_id} and campaign is not null and campaign_id is null group by campaign
      ) as named group by campaign order by leads desc, touches desc, campaign limit ${MAX_UNMATCHED}`
    return [...rows]
  })

const MAX_UNMATCHED = 200
