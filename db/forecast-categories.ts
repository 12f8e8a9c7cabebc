import { z } from 'zod'
import { inTx, type Ctx } from './context.ts'
import { lockOpportunity, type Opportunity } from './opportunities.ts'
import { forecastCategories } from './opportunity-fields.ts'
import { requireReason, requireUpon } from './opportunity-stages.ts'
import { writeOpportunity } from './opportunity-changes.ts'
import { originOf } from './record-changes.ts'

export const SetForecastCategory = z.object({
  forecast_category: z.enum(forecastCategories).nullable(),
  reason: z.string().trim().min(1).max(2_000).optional(),
  version: z.number().int().positive().optional(),
})
export type SetForecastCategory = z.infer<typeof SetForecastCategory>

/**
 * Says how sure the close of a card is held to be: what forecasts are sliced by.
 * @throws {DomainError} for agents `reason_required`, and `approval_required` without a person’s yes; what `requireUpon` refuses
 */
export const setForecastCategory = (ctx: Ctx, id: string, input: SetForecastCategory): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { forecast_category, reason, version } = input
    const before = await lockOpportunity(ctx, id)
    requireUpon(before, version)
    requireReason(ctx, reason)
    return writeOpportunity(ctx, before, { forecast_category }, { origin: originOf(ctx), reason })
  })
