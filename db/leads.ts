import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { type Change, recordActivity } from './activities.ts'
import { recheckApprovals } from './approval-reads.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, staleVersion } from './errors.ts'
import { holderOfExternalId, keysOf, writeKeys } from './lead-duplicates.ts'
import { requireMember } from './identity.ts'
import {
  countryCode,
  Currency,
  Email,
  Line,
  Lines,
  normalisePhone,
  type Warning,
  Website,
} from './lead-fields.ts'
import { instructionIn, instructionWarning, recordInstruction } from './lead-injection.ts'
import { getOpportunity, lastPosition, type Opportunity } from './opportunities.ts'
import { type Origin, writeOrigins } from './origins.ts'
import { defaultPipeline, entryStage, getPipeline } from './pipelines.ts'
import { readSettings } from './settings.ts'

/** The fields of a lead that people, doors and agents write. */
export const LeadFields = z.object({
  name: Line(),
  contact_name: Line(),
  company_name: Line(),
  title: Line(),
  email: Email,
  phone: z.string().max(100),
  website: Website,
  city: Line(),
  state: Line(),
  country: Line(),
  industry: Line(),
  message: Lines(),
  source: Line(),
  campaign: Line(),
  landing_page: Line(2_000),
  external_id: Line(),
  owner_id: z.uuid(),
  value_minor: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  currency: Currency,
  expected_close_on: z.iso.date(),
  tags: z.array(Line(60)).max(50),
})

export type LeadFields = z.infer<typeof LeadFields>

/** A lead made by hand, by the API or by an agent. */
export const NewLead = LeadFields.partial().extend({
  pipeline_id: z.uuid().optional(),
  stage_id: z.uuid().optional(),
  /** Whether `lead_worker` is woken for it. */
  work: z.boolean().optional(),
})

export type NewLead = z.infer<typeof NewLead>

/** A change of a lead: absent fields stay, null empties a field. */
export const LeadChange = z
  .object(
    Object.fromEntries(
      Object.entries(LeadFields.shape).map(([key, field]) => [key, field.nullable().optional()]),
    ),
  )
  .extend({
    version: z.number().int().positive().optional(),
    agents_paused: z.boolean().optional(),
  }) as unknown as z.ZodType<
  Partial<{ [Field in keyof LeadFields]: LeadFields[Field] | null }> & {
    version?: number
    agents_paused?: boolean
  }
>

export type LeadChange = z.infer<typeof LeadChange>

/** How a lead came in. */
export type LeadOrigin = {
  door: string
  submission_id?: string
  source_id?: string
  extra?: Record<string, unknown>
  warnings?: Warning[]
}

/**
 * Makes a lead at the entry of its pipeline, with a `lead_imported` line on its timeline.
 * @throws {DomainError} `lead_unidentified` when it has neither name, e-mail nor phone, `external_id_taken`
 */
export const createLead = (ctx: Ctx, input: NewLead, origin: LeadOrigin): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [settings, pipeline] = await Promise.all([
      readSettings(ctx),
      input.pipeline_id ? getPipeline(ctx, input.pipeline_id) : defaultPipeline(ctx, 'lead'),
    ])
    const fields = normalise(input, settings.default_country)
    requireIdentity(fields.values)
    if (input.owner_id) await requireMember(ctx, input.owner_id)
    await requireFreeExternalId(ctx, fields.values['external_id'])
    const stage = input.stage_id
      ? pipeline.stages.find(({ id }) => id === input.stage_id)
      : entryStage(pipeline)
    if (!stage || pipeline.record_kind !== 'lead') {
      throw invalid(
        'stage_of_other_pipeline',
        '/stage_id',
        'This stage does not belong to the lead’s pipeline.',
        pipeline.stages,
      )
    }
    const id = uuidv7()
    const { values } = fields
    const { extra = {}, warnings = [], ...from } = origin
    const instruction = instructionIn(values)
    const row = {
      ...values,
      organization_id,
      id,
      kind: 'lead',
      name: values['name'] ?? nameOf(values),
      pipeline_id: pipeline.id,
      stage_id: stage.id,
      position: await lastPosition(ctx, stage.id),
      currency: (values['currency'] as string | undefined) ?? settings.currency,
      origin: tx.json(from),
      extra: tx.json(extra as never),
      warnings: tx.json([
        ...warnings,
        ...fields.warnings,
        ...(instruction ? [instructionWarning(instruction)] : []),
      ]),
    }
    sendStatement(ctx, tx`insert into opportunities ${tx(row as never)}`)
    writeKeys(ctx, id, keysOf(values))
    writeOrigins(ctx, { kind: 'lead', id }, Object.keys(values), originOf(ctx, from))
    await recordActivity(ctx, {
      type: 'lead_imported',
      subjects: [{ kind: 'lead', id }],
      record_version: 1,
      data: { ...from, name: nameOf(values), ...(input.source ? { source: input.source } : {}) },
    })
    if (instruction) await recordInstruction(ctx, id, instruction, from.submission_id)
    return getOpportunity(ctx, id)
  })

/**
 * Changes fields of a lead, with before and after on its timeline.
 * @throws {DomainError} stale when `version` is not the current one
 */
export const updateLead = (ctx: Ctx, id: string, input: LeadChange): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const { version, agents_paused, ...fields } = input
    const before = await lockLead(ctx, id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    const settings = await readSettings(ctx)
    const { values } = normalise(
      fields,
      (before.country && countryCode(before.country)) ?? settings.default_country,
    )
    if (agents_paused !== undefined) values['agents_paused'] = agents_paused
    if (values['external_id'] !== before.external_id) await requireFreeExternalId(ctx, values['external_id'])
    // What a card always has is never emptied: it falls back to what it would have had without it.
    if (values['name'] === null) values['name'] = nameOf({ ...before, ...values })
    if (fields.owner_id) await requireMember(ctx, fields.owner_id)
    if (values['currency'] === null) values['currency'] = settings.currency
    if (values['tags'] === null) values['tags'] = []
    return writeFields(ctx, before, values, originOf(ctx, { door: 'api' }))
  })

export const lockLead = async (ctx: TxCtx, id: string): Promise<Opportunity> => {
  await ctx.tx`
    select 1 from opportunities where organization_id = ${ctx.organization_id} and id = ${id} and kind = 'lead' for update`
  return getOpportunity(ctx, id, 'lead')
}

const requireFreeExternalId = async (ctx: TxCtx, external_id: unknown): Promise<void> => {
  const holder = await holderOfExternalId(ctx, external_id)
  if (!holder) return
  throw new DomainError(
    'conflict',
    'external_id_taken',
    `“${holder.name}” has this external id already. Change that lead, or give another id.`,
    {
      errors: [{ pointer: '/external_id', message: `belongs to lead ${holder.id}` }],
      extra: { lead_id: holder.id },
    },
  )
}

export const writeFields = async (
  ctx: TxCtx,
  before: Opportunity,
  values: Record<string, unknown>,
  origin: Origin,
  reason?: string,
): Promise<Opportunity> => {
  const { tx, organization_id } = ctx
  const changes: Change[] = Object.entries(values)
    .map(([field, after]) => ({ field, before: before[field as keyof Opportunity] ?? null, after }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
  if (changes.length > 0) {
    const changed = Object.fromEntries(changes.map(({ field, after }) => [field, after]))
    await tx`
      update opportunities set ${tx(changed as never)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${before.id}`
    writeOrigins(ctx, { kind: 'lead', id: before.id }, Object.keys(changed), origin)
    await recordActivity(ctx, {
      type: 'record_updated',
      subjects: [{ kind: 'lead', id: before.id }],
      reason,
      record_version: before.version + 1,
      data: {
        changes,
        undo: {
          tool: 'update_lead',
          input: Object.fromEntries(changes.map(({ field, before }) => [field, before])),
        },
      },
    })
  }
  const after = await getOpportunity(ctx, before.id)
  writeKeys(ctx, before.id, keysOf(after))
  await recheckApprovals(ctx, { kind: 'lead', id: before.id })
  return after
}

/** Values ready for their columns; a phone that cannot be read becomes a warning, never an error. */
export const normalise = (
  input: object,
  country: string | null,
): { values: Record<string, unknown>; warnings: Warning[] } => {
  const warnings: Warning[] = []
  const values: Record<string, unknown> = {}
  const named = 'country' in input && typeof input.country === 'string' ? input.country : undefined
  const own = named ? countryCode(named) : null
  for (const [field, value] of Object.entries(input)) {
    if (value === undefined || !(field in LeadFields.shape)) continue
    if (field === 'phone') {
      const { warning, ...phone } =
        typeof value === 'string' && value.trim() !== ''
          ? normalisePhone(value, own ?? country)
          : { phone: null, phone_original: null }
      Object.assign(values, phone)
      if (warning) warnings.push(warning)
    } else if (field === 'country' && typeof value === 'string') {
      values[field] = countryCode(value) ?? value
    } else {
      values[field] = value === '' ? null : value
    }
  }
  return { values, warnings }
}

export const requireIdentity = (values: Record<string, unknown>): void => {
  if (values['contact_name'] || values['name'] || values['email'] || values['phone_original']) return
  throw unidentified()
}

/** A lead that nobody could call, write to or ask for. */
export const unidentified = () => {
  const error = invalid(
    'lead_unidentified',
    '/name',
    'A lead needs a name, an e-mail address or a phone number; this one has none of them.',
  )
  error.errors.push(
    { pointer: '/email', message: 'give an e-mail address, or a name, or a phone number' },
    { pointer: '/phone', message: 'give a phone number, or a name, or an e-mail address' },
  )
  return error
}

const nameOf = (values: Record<string, unknown>): string =>
  [
    values['contact_name'],
    values['company_name'],
    values['email'],
    values['phone'],
    values['phone_original'],
  ].find((value): value is string => typeof value === 'string' && value !== '') ?? 'Unnamed lead'

export const originOf = (ctx: Ctx, from: { door: string; submission_id?: string }): Origin =>
  from.submission_id
    ? { kind: 'submission', submission_id: from.submission_id, name: from.door }
    : {
        kind:
          ctx.actor.kind === 'user' ? 'person' : ctx.actor.kind === 'visitor' ? 'submission' : ctx.actor.kind,
        name: ctx.actor.name,
        ...(ctx.run_id ? { run_id: ctx.run_id } : {}),
      }
