import { z } from 'zod'
import { setForecastCategory } from '../db/forecast-categories.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { forecastCategories } from '../db/opportunity-fields.ts'
import { requireRecordInUse } from '../db/records.ts'
import { defineTool } from './tool.ts'

const inWords = (category: string | null): string | null => category?.replaceAll('_', ' ') ?? null

/** Puts a deal into another slice of the forecast. An agent asks for it; a person decides. */
export const set_forecast_category = defineTool({
  name: 'set_forecast_category',
  title: 'Set forecast category',
  effect: 'write',
  description:
    'Says how sure the deal is to close: commit, best_case, pipeline or omitted, with the reason. Waits for a person.',
  input: z.object({
    opportunity_id: z.uuid(),
    forecast_category: z.enum(forecastCategories),
    reason: z.string().trim().min(1).max(1_000),
  }),
  output: z.object({
    forecast_category: z.enum(forecastCategories),
    previous: z.enum(forecastCategories).nullable(),
  }),
  summary: async ({ opportunity_id, forecast_category }, ctx) =>
    `Forecast “${(await getOpportunity(ctx, opportunity_id)).name}” as ${inWords(forecast_category)}`,
  consequence: () => 'If you approve: it counts in another slice of the forecast.',
  needsPerson: async ({ opportunity_id }, ctx) => {
    requireRecordInUse(await getOpportunity(ctx, opportunity_id))
    return 'What a forecast counts on needs a person.'
  },
  safe_when_tainted: false,
  risk: 'medium',
  reads: () => [
    { name: 'stage_kind' },
    { name: 'archived' },
    { name: 'field', argument: 'forecast_category' },
    { name: 'field', argument: 'expected_close_on' },
    { name: 'field', argument: 'value_minor' },
  ],
  preview: async ({ opportunity_id, forecast_category }, ctx) => [
    {
      field: 'forecast_category',
      label: 'Forecast category',
      before: inWords((await getOpportunity(ctx, opportunity_id)).forecast_category),
      after: inWords(forecast_category),
    },
  ],
  run: async (ctx, { opportunity_id, forecast_category, reason }) => {
    const { forecast_category: previous } = await getOpportunity(ctx, opportunity_id)
    await setForecastCategory(ctx, opportunity_id, { forecast_category, reason })
    return { forecast_category, previous }
  },
  undo: 'update_record',
})
