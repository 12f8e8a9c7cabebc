import type { Ctx } from './context.ts'
import { listRecords, type ListQuery } from './listing.ts'
import { selectOpportunity, type Opportunity } from './opportunities.ts'
import type { Page } from './page.ts'

export type ListOpportunities = ListQuery & { kind?: 'lead' | 'deal' | undefined }

/** One page of cards; the order is total, so pages neither repeat nor miss a card while others are added. */
export const listOpportunities = (
  ctx: Ctx,
  { kind, ...query }: ListOpportunities,
): Promise<Page<Opportunity>> =>
  listRecords<Opportunity>(
    ctx,
    { kind: kind ?? 'opportunity', default_sort: '-created_at', select: selectOpportunity },
    query,
  )
