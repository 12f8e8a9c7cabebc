import { z } from 'zod'
import type { TxCtx } from '../db/context.ts'
import { invalid } from '../db/errors.ts'
import { findCitation, isAskedByPerson } from '../db/lead-citations.ts'
import { lockLead, updateLead } from '../db/leads.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { OpportunityFields } from '../db/opportunity-fields.ts'
import { writeOrigins } from '../db/origins.ts'
import { requireRecordInUse } from '../db/records.ts'
import { defineTool } from './tool.ts'

const Values = OpportunityFields.pick({
  contact_name: true,
  company_name: true,
  title: true,
  email: true,
  phone: true,
  website: true,
  city: true,
  state: true,
  country: true,
  industry: true,
  value_minor: true,
  expected_close_on: true,
})
  .partial()
  .extend({ custom: z.record(z.string().max(100), z.unknown()).optional() })
  .strict()

const Input = z.object({
  lead_id: z.uuid(),
  values: Values.refine((values) => namesIn(values).length > 0, 'at least one field'),
  cites: z
    .array(z.object({ field: z.string().max(110), snippet: z.string().trim().min(3).max(500) }))
    .max(40)
    .default([])
    .describe(
      'For each field where its value stands, word for word, in the lead’s message or a fact of its website. Custom fields as custom.<key>.',
    ),
  reason: z.string().trim().min(1).max(1_000),
})
type Input = z.infer<typeof Input>

/** Fills blank fields of a lead with what it said or its website says. Writes over a value only when a person asked. */
export const update_lead = defineTool({
  name: 'update_lead',
  title: 'Update lead',
  effect: 'write',
  description:
    'Fills blank fields of the lead, each with the words that it is taken from. A value that is there already is changed only when a person asked for it.',
  input: Input,
  output: z.object({ changed: z.array(z.string()) }),
  summary: ({ values }) => `Change ${namesIn(values).map(inWords).join(', ')}`,
  consequence: ({ values }) => `If you approve: ${namesIn(values).map(inWords).join(', ')} will be changed.`,
  needsPerson: async (input, ctx, { tainted, suggestion }) => {
    const lead = await getOpportunity(ctx, input.lead_id, 'lead')
    requireRecordInUse(lead)
    // A person decides; what there is to say for it stands in the reason.
    if (suggestion) return undefined
    await requireMayWrite(ctx, lead, input)
    if (!tainted) return undefined
    const filled = filledIn(lead, input)
    if (filled.length > 0)
      return `It would replace ${filled.map(inWords).join(', ')}, and the agent has read text from outside.`
    return uncitedIn(ctx, lead, input) === undefined
      ? undefined
      : 'Nothing that the lead wrote, or its website says, holds this, and the agent has read text from outside.'
  },
  safe_when_tainted: true,
  risk: 'medium',
  reads: ({ values }) => [
    ...namesIn(values)
      .filter((field) => !field.startsWith(CUSTOM))
      .map((argument) => ({ name: 'field' as const, argument })),
    { name: 'archived' },
  ],
  preview: async ({ lead_id, values }, ctx) => {
    const lead = await getOpportunity(ctx, lead_id, 'lead')
    return namesIn(values).map((field) => ({
      field,
      label: sentence(inWords(field)),
      before: shown(valueOf(lead, field)),
      after: shown(valueOf(values, field)),
    }))
  },
  run: async (ctx, input) => {
    const { lead_id, values, reason, cites } = input
    const before = await lockLead(ctx, lead_id)
    await requireMayWrite(ctx, before, input)
    await updateLead(ctx, lead_id, { ...values, reason })
    const after = await getOpportunity(ctx, lead_id, 'lead')
    for (const { field, snippet } of cites) {
      const origin = findCitation(ctx, before, snippet)
      if (origin && namesIn(values).includes(field))
        writeOrigins(ctx, { kind: 'lead', id: lead_id }, [field], origin)
    }
    return {
      changed: namesIn(values).filter(
        (field) => shown(valueOf(before, field)) !== shown(valueOf(after, field)),
      ),
    }
  },
  undo: 'update_record',
})

/**
 * Without a person’s word only blanks are filled, and only with what stands somewhere.
 * @throws {DomainError} `not_blank`, `not_cited`, naming the fields
 */
const requireMayWrite = async (ctx: TxCtx, lead: Opportunity, input: Input): Promise<void> => {
  if (ctx.approval_id !== undefined || (await isAskedByPerson(ctx))) return
  const filled = filledIn(lead, input)
  const [first] = filled
  if (first !== undefined) {
    throw invalid(
      'not_blank',
      `/values/${first.replace('.', '/')}`,
      `${sentence(filled.map(inWords).join(', '))} ${filled.length === 1 ? 'has' : 'have'} a value already, and nobody asked to change it. Fill blanks only, or propose the change with suggest_next_actions.`,
    )
  }
  const uncited = uncitedIn(ctx, lead, input)
  if (uncited !== undefined) {
    throw invalid(
      'not_cited',
      '/cites',
      `Say where ${inWords(uncited)} stands: words of the lead’s message, or of a fact of its website, as they are there.`,
    )
  }
}

/** Fields that have a value already. */
const filledIn = (lead: Opportunity, { values }: Input): string[] =>
  namesIn(values).filter((field) => !isBlank(valueOf(lead, field)))

/** The first field whose value stands nowhere. */
const uncitedIn = (ctx: TxCtx, lead: Opportunity, { values, cites }: Input): string | undefined =>
  namesIn(values).find(
    (name) => !cites.some(({ field, snippet }) => field === name && findCitation(ctx, lead, snippet)),
  )

const CUSTOM = 'custom.'

const namesIn = ({ custom, ...values }: z.infer<typeof Values>): string[] => [
  ...Object.keys(values),
  ...Object.keys(custom ?? {}).map((key) => `${CUSTOM}${key}`),
]

const valueOf = (record: { custom?: Record<string, unknown> | undefined }, field: string): unknown =>
  field.startsWith(CUSTOM)
    ? record.custom?.[field.slice(CUSTOM.length)]
    : Object.entries(record).find(([name]) => name === field)?.[1]

const isBlank = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)

const shown = (value: unknown): string | null =>
  isBlank(value) ? null : typeof value === 'string' ? value : JSON.stringify(value)

const inWords = (field: string): string => field.replace(CUSTOM, '').replaceAll('_', ' ')

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`
