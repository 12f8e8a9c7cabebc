import { z } from 'zod'
import type { AccountFields } from './accounts.ts'
import type { ContactFields } from './contacts.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { fitsCustomField } from './custom-values.ts'
import { DomainError, invalid } from './errors.ts'
import { customFields } from './fields.ts'
import {
  accountsOf,
  type Candidate,
  contactsOf,
  lockCandidates,
  PLAINLY,
} from './lead-conversion-candidates.ts'
import { companyDomain } from './lead-keys.ts'
import { getOpportunity, requireOpen, type Opportunity } from './opportunities.ts'
import { OpportunityFields } from './opportunity-fields.ts'
import { defaultPipeline, entryStage, getPipeline, getStage } from './pipelines.ts'
import { CustomValues } from './record-fields.ts'
import { requireRecord } from './records.ts'

/** Which account or contact the deal is to have: the one with this id, a new one, or none. */
const Choice = z
  .string()
  .refine((text) => text === 'create' || text === 'none' || z.uuid().safeParse(text).success, {
    error: 'an id, `create` or `none`',
  })

const { name, value_minor, currency, expected_close_on, forecast_category, owner_id } =
  OpportunityFields.shape

/** What a person may say of a conversion; whatever is not said is found by itself. */
export const ConversionTerms = z.object({
  /** Absent: the one that the lead is linked with or that is plainly the same, else a new one. */
  account: Choice.optional(),
  contact: Choice.optional(),
  /** Null makes no deal. */
  deal: z
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
    .nullable()
    .optional(),
})
export type ConversionTerms = z.infer<typeof ConversionTerms>

/** What becomes of one of the records that a deal has. */
export type ConversionPart<Values> =
  | { act: 'create'; values: Values & { custom: Record<string, unknown> } }
  | ({ act: 'link' } & Candidate)

type Fields<Shape extends z.ZodObject> = Partial<Record<keyof z.infer<Shape>, unknown>> & { name: string }

/** What converting a lead would do: read, and nothing is written. */
export type ConversionPlan = {
  lead: { id: string; name: string; version: number }
  account: ConversionPart<Fields<typeof AccountFields>> | null
  contact: ConversionPart<Fields<typeof ContactFields>> | null
  deal:
    | (Extract<ConversionPart<Fields<typeof OpportunityFields>>, { act: 'create' }> & {
        pipeline: { id: string; name: string }
        stage: { id: string; label: string }
      })
    | null
  /** Others that could be meant, the likeliest first. */
  candidates: { account: Candidate[]; contact: Candidate[] }
  /** The lead's custom values: which new records take them; those that none takes stay on the lead. */
  custom: { key: string; label: string; value: unknown; to: ('account' | 'contact' | 'deal')[] }[]
}

/**
 * What converting a lead would create, and what it would link because it is there.
 * @param lock whoever looks for the same company or person waits until the transaction ends
 * @throws {DomainError} `lead_not_found`, `already_converted` with what came of it, `opportunity_closed`, `record_archived`,
 * `<kind>_not_found` for a chosen one, `pipeline_of_other_kind`, `stage_closed`, `pipeline_missing`
 */
export const planConversion = (
  ctx: Ctx,
  lead_id: string,
  terms: ConversionTerms = {},
  { lock = false }: { lock?: boolean } = {},
): Promise<ConversionPlan> =>
  inTx(ctx, async (ctx) => {
    const lead = await getOpportunity(ctx, lead_id, 'lead')
    requireConvertible(lead)
    if (lock) lockCandidates(ctx, lead)
    const [accounts, contacts, fields] = await Promise.all([
      accountsOf(ctx, lead),
      contactsOf(ctx, lead),
      customFields(ctx),
    ])
    const customFor = (kind: 'account' | 'contact' | 'deal'): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(lead.custom).filter(([key, value]) =>
          fields.some(
            (field) => field.record_kind === kind && field.key === key && fitsCustomField(field, value),
          ),
        ),
      )
    const account = await partOf(ctx, 'account', terms.account, accounts, companyOf(lead))
    const contact = await partOf(ctx, 'contact', terms.contact, contacts, personOf(lead))
    const parts = {
      account: account && withCustom(account, customFor('account')),
      contact: contact && withCustom(contact, customFor('contact')),
      deal: terms.deal === null ? null : await dealOf(ctx, lead, terms.deal, customFor('deal')),
    }
    const labels = new Map(
      fields.filter(({ record_kind }) => record_kind === 'lead').map(({ key, label }) => [key, label]),
    )
    return {
      lead: { id: lead.id, name: lead.name, version: lead.version },
      ...parts,
      candidates: {
        account: others(accounts, parts.account),
        contact: others(contacts, parts.contact),
      },
      custom: Object.entries(lead.custom).map(([key, value]) => ({
        key,
        label: labels.get(key) ?? key,
        value,
        to: (['account', 'contact', 'deal'] as const).filter((kind) => {
          const part = parts[kind]
          return part?.act === 'create' && key in part.values.custom
        }),
      })),
    }
  })

/** @throws {DomainError} `already_converted`, `record_archived`, `opportunity_closed` */
const requireConvertible = (lead: Opportunity): void => {
  const { name, converted, archived_at } = lead
  if (converted) {
    throw new DomainError('conflict', 'already_converted', `“${name}” was converted already.`, {
      extra: { ...converted },
    })
  }
  if (archived_at !== null)
    throw new DomainError('conflict', 'record_archived', `“${name}” is archived. Bring it back first.`)
  requireOpen(lead)
}

const partOf = async <Values extends { name: string }>(
  ctx: TxCtx,
  kind: 'account' | 'contact',
  choice: ConversionTerms['account'],
  candidates: Candidate[],
  values: Values | null,
): Promise<{ act: 'create'; values: Values } | ({ act: 'link' } & Candidate) | null> => {
  if (choice === 'none') return null
  if (choice !== undefined && choice !== 'create')
    return { act: 'link', ...(await chosen(ctx, kind, choice)) }
  const [same] = candidates.filter(({ because }) => PLAINLY.has(because))
  if (choice === undefined && same) return { act: 'link', ...same }
  if (values) return { act: 'create', values }
  if (choice === undefined) return null
  throw invalid('company_unnamed', '/account', 'The lead names no company: give it one first, or say `none`.')
}

/** @throws {DomainError} `<kind>_not_found`, `record_archived` */
const chosen = async (ctx: TxCtx, kind: 'account' | 'contact', id: string): Promise<Candidate> => {
  const { name, archived_at } = await requireRecord(ctx, { kind, id })
  if (archived_at === null) return { id, name, because: 'chosen' }
  throw invalid(
    'record_archived',
    `/${kind}`,
    `“${name}” is archived. Bring it back first, or choose another one.`,
  )
}

const withCustom = <Values extends object>(
  part: { act: 'create'; values: Values } | ({ act: 'link' } & Candidate),
  custom: Record<string, unknown>,
): ConversionPart<Values> =>
  part.act === 'create' ? { act: 'create', values: { ...part.values, custom } } : part

const others = (candidates: Candidate[], part: ConversionPart<object> | null): Candidate[] =>
  candidates.filter(({ id }) => part?.act !== 'link' || part.id !== id)

/** The lead's company; null when it names none. */
const companyOf = (lead: Opportunity): Fields<typeof AccountFields> | null => {
  const domain = companyDomain(lead)
  const named = lead.company_name ?? domain
  if (named === null) return null
  const { city, state, country, industry, source, owner_id, currency } = lead
  const website = lead.website ?? domain
  return given({ name: named, website, city, state, country, industry, source, owner_id, currency })
}

/** The lead's person: it has a name, an address or a number, or else it is known by what it is called. */
const personOf = (lead: Opportunity): Fields<typeof ContactFields> => {
  const { title, email, city, state, country, source, owner_id } = lead
  const phone = lead.phone_original ?? lead.phone
  const called = lead.contact_name ?? email ?? phone ?? lead.name
  return given({ name: called, title, email, phone, city, state, country, source, owner_id })
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
  'tags',
] as const satisfies (keyof OpportunityFields)[]

const dealOf = async (
  ctx: TxCtx,
  lead: Opportunity,
  terms: NonNullable<ConversionTerms['deal']> = {},
  custom: Record<string, unknown>,
): Promise<NonNullable<ConversionPlan['deal']>> => {
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
  const values = given({
    ...Object.fromEntries(DEAL_FIELDS.map((field) => [field, lead[field]])),
    phone: lead.phone_original ?? lead.phone,
    name: nameOfDeal(lead),
    ...wanted,
  })
  return {
    act: 'create',
    values: { ...values, custom: { ...custom, ...own } },
    pipeline: { id: pipeline.id, name: pipeline.name },
    stage: { id: stage.id, label: stage.label },
  }
}

/** A lead that is called like its person becomes a deal that is called like the company. */
const nameOfDeal = ({ name, contact_name, email, company_name }: Opportunity): string =>
  company_name !== null && (name === contact_name || name === email) ? company_name : name

const given = <Values extends { name: string }>(values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined),
  ) as Values
