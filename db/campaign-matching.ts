import { findNamed, nameKey } from './campaign-names.ts'
import { createCampaign } from './campaigns.ts'
import { asSystem, sendStatement, type TxCtx } from './context.ts'
import { readSettings } from './settings.ts'

/**
 * Gives cards the campaign that their text names, under whatever name it goes by; text that names none stays text, and is
 * offered as a new campaign. Derived from the text, so it raises nobody's version.
 */
export const matchCampaigns = async (
  ctx: TxCtx,
  cards: readonly { id: string; campaign: unknown }[],
): Promise<void> => {
  if (cards.length === 0) return
  const { tx, organization_id } = ctx
  const texts = cards.map(({ campaign }) => (typeof campaign === 'string' ? campaign : ''))
  const named = await ensureCampaigns(
    ctx,
    texts.filter((text) => text !== ''),
  )
  const ids = cards.map(({ id }) => id)
  const campaigns = texts.map((text) => named.get(nameKey(text)) ?? null)
  sendStatement(
    ctx,
    tx`
      update opportunities o set campaign_id = m.campaign_id
      from unnest(${ids}::uuid[], ${campaigns}::uuid[]) as m (id, campaign_id)
      where o.organization_id = ${organization_id} and o.id = m.id and o.campaign_id is distinct from m.campaign_id`,
  )
}

/** The campaigns that these texts name; where the organization wants it so, one that is not there is made. */
export const ensureCampaigns = async (ctx: TxCtx, texts: readonly string[]): Promise<Map<string, string>> => {
  if (texts.length === 0) return new Map()
  const named = await findNamed(ctx, texts)
  const unknown = new Map(
    texts.filter((text) => !named.has(nameKey(text))).map((text) => [nameKey(text), text]),
  )
  if (unknown.size === 0 || !(await readSettings(ctx)).create_campaigns) return named
  const { tx, organization_id } = ctx
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${organization_id} campaign names`}, 0))`
  // Another one may have made it while we waited.
  for (const [key, id] of await findNamed(ctx, [...unknown.values()])) named.set(key, id)
  for (const [key, text] of unknown) {
    if (named.has(key)) continue
    const { id } = await createCampaign(asSystem(ctx, 'campaigns'), { name: text, slug: text })
    named.set(key, id)
  }
  return named
}
