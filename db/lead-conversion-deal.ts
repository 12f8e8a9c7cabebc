import { z } from 'zod'
import type { TxCtx } from './context.ts'
import { readNewValues } from './custom-values.ts'
import { USUAL_FORECAST } from './deals.ts'
import { DomainError, invalid } from './errors.ts'
import { requireMembers } from './identity.ts'
import type { Opportunity } from './opportunities.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import { defaultPipeline, entryStage, getPipeline, getStage } from './pipelines.ts'
import { CustomValues, normaliseFields } from './record-fields.ts'
import { readSettings } from './settings.ts'

const { name, value_minor, currency, expected_close_on, forecast_category, owner_id } =
  OpportunityFields.shape

/** What a person may say of the deal; whatever is not said is the lead's. */
export const DealTerms = z
  .object({
    name: name.pipe(z.string().min(1)),
    pipeline_id: z.uuid(),
    stage_id: z.uuid(),
    value_minor: value_minor.nullable(),
    currency,
    expected_close_on: expected_close_on.nullable(),
    forecast_category,
    owner_id: owner_id.nullable(),
    custom: CustomValues,
  })
  .partial()
export type DealTerms = z.infer<typeof DealTerms>

export type Fields<Shape extends z.ZodObject> = Partial<Record<keyof z.infer<Shape>, unknown>> & {
  name: string
  phone_original?: unknown
}

/** The deal that a lead becomes. */
export type PlannedDeal = {
  act: 'create'
  values: Fields<typeof OpportunityFields> & { custom: Record<string, unknown> }
  pipeline: { id: string; name: string }
  stage: { id: string; label: string }
  /** Somebody switched the agents off for this person. */
  agents_paused: boolean
}

const DEAL_FIELDS = [
  'contact_name',
  'company_name',
  'title',
  'email',
  'website',
  'city',
  'state',
  'country',
  'industry',
  'source',
  'campaign',
  'landing_page',
  'owner_id',
  'value_minor',
  'currency',
  'expected_close_on',
  'forecast_category',
  'tags',
] as const satisfies (keyof OpportunityFields)[]

/**
 * The deal that a lead becomes, as it will be stored.
 * @throws {DomainError} `pipeline_of_other_kind`, `stage_closed`, `pipeline_missing`, `owner_unknown`,
 * `currency_of_other_amount`, and what custom fields refuse
 */
export const planDeal = async (
  ctx: TxCtx,
  lead: Opportunity,
  terms: DealTerms = {},
  custom: Record<string, unknown>,
): Promise<PlannedDeal> => {
  const { pipeline_id, stage_id, custom: own, ...wanted } = terms
  const pipeline = await (pipeline_id === undefined && stage_id === undefined
    ? defaultPipeline(ctx, 'deal')
    : getPipeline(ctx, pipeline_id ?? (await getStage(ctx, String(stage_id))).pipeline_id))
  if (pipeline.record_kind !== 'deal') {
    throw invalid(
      'pipeline_of_other_kind',
      pipeline_id ? '/deal/pipeline_id' : '/deal/stage_id',
      `“${pipeline.name}” is a pipeline for ${pipeline.record_kind}s.`,
    )
  }
  const stage = stage_id ? pipeline.stages.find(({ id }) => id === stage_id) : entryStage(pipeline)
  if (!stage || stage.kind !== 'open') {
    throw invalid(
      stage ? 'stage_closed' : 'stage_of_other_pipeline',
      '/deal/stage_id',
      stage
        ? `A deal begins open; “${stage.label}” closes it.`
        : `This stage does not belong to “${pipeline.name}”.`,
      pipeline.stages.filter(({ kind }) => kind === 'open').map(({ id, label }) => ({ id, label })),
    )
  }
  requireOneAmount(lead, wanted)
  const { default_country } = await readSettings(ctx)
  const values = given({
    forecast_category: USUAL_FORECAST,
    ...Object.fromEntries(
      DEAL_FIELDS.filter((field) => lead[field] !== null).map((field) => [field, lead[field]]),
    ),
    phone: lead.phone_original ?? lead.phone,
    name: nameOfDeal(lead),
    ...wanted,
  })
  const kept = await within('/deal', async () => {
    await requireMembers(ctx, wanted.owner_id ? [wanted.owner_id] : [])
    return readNewValues(ctx, 'deal', { ...custom, ...own })
  })
  return {
    act: 'create',
    values: { ...asStored(values, OpportunityFields.shape, default_country), custom: kept },
    pipeline: { id: pipeline.id, name: pipeline.name },
    stage: { id: stage.id, label: stage.label },
    agents_paused: lead.agents_paused,
  }
}

/** A lead that is called like its person becomes a deal that is called like the company. */
const nameOfDeal = ({ name, contact_name, email, company_name }: Opportunity): string =>
  company_name !== null && (name === contact_name || name === email) ? company_name : name

/** @throws {DomainError} `currency_of_other_amount`: 500.00 EUR do not become 50,000 JPY because a currency was named */
const requireOneAmount = (lead: Opportunity, { currency, value_minor }: DealTerms): void => {
  if (currency === undefined || value_minor !== undefined) return
  if (lead.value_minor === null || currency === lead.currency) return
  throw invalid(
    'currency_of_other_amount',
    '/deal/currency',
    `The lead’s amount is in ${lead.currency}: say \`value_minor\` in ${currency}, too, or leave \`currency\` out.`,
    { currency: lead.currency },
  )
}

/** What was said of a part is refused where it was said. */
const within = async <T>(place: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    const { kind, code, message, errors, extra, missing } = error
    throw new DomainError(kind, code, message, {
      errors: errors.map((fault) => ({ ...fault, pointer: `${place}${fault.pointer}` })),
      extra,
      missing,
    })
  }
}

/** What there is of values. */
export const given = <Values extends { name: string }>(values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined),
  ) as Values

/** Values as their columns will hold them: the number as it is dialled, beside how it was written. */
export const asStored = <Values extends { name: string }>(
  values: Values,
  shape: object,
  default_country: string | null,
): Values & { phone_original?: unknown } =>
  given({ ...values, ...normaliseFields(values, shape, default_country).values })

/** The same as somebody would give them: the number as it was written. */
export const asGiven = <Values extends { phone?: unknown; phone_original?: unknown }>({
  phone_original,
  ...values
}: Values): Omit<Values, 'phone_original'> => ({
  ...values,
  ...(phone_original === undefined ? {} : { phone: phone_original }),
})
