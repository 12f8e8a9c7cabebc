import { z } from 'zod'
import type { TxCtx } from '../db/context.ts'
import { invalid } from '../db/errors.ts'
import { convertLead } from '../db/lead-conversion.ts'
import { ConversionTerms, planConversion, type ConversionPlan } from '../db/lead-conversion-plan.ts'
import { defineTool, type Preview } from './tool.ts'

const Choice = ConversionTerms.shape.account.unwrap()

const Input = z.object({
  lead_id: z.uuid(),
  account: Choice.describe('The account of the deal: the id of one that is there, `create`, or `none`.'),
  contact: Choice.describe('The contact of the deal: the id of one that is there, `create`, or `none`.'),
  deal_name: z
    .string()
    .trim()
    .min(1)
    .max(300)
    .describe('What the deal is about, such as “Machines for 12 cafés”.'),
  reason: z.string().trim().min(1).max(1_000),
})
type Input = z.infer<typeof Input>

const plan = (ctx: TxCtx, { lead_id, account, contact, deal_name }: Input): Promise<ConversionPlan> =>
  planConversion(ctx, lead_id, { account, contact, deal: { name: deal_name } })

/** Makes an account, a contact and a deal of a lead. An agent asks for it; a person decides. */
export const convert_lead = defineTool({
  name: 'convert_lead',
  title: 'Convert lead',
  effect: 'write',
  description:
    'Converts a lead whose opportunity is real into an account, a contact and a deal. Look for an account and a contact that are there first, with `search_records`. Waits for a person.',
  input: Input,
  output: z.object({
    account_id: z.string().nullable(),
    contact_id: z.string().nullable(),
    deal_id: z.string().nullable(),
    created: z.array(z.string()),
  }),
  summary: async (input, ctx) => {
    const { lead, account } = await plan(ctx, input)
    const company = account?.act === 'create' ? account.values.name : account?.name
    return `Convert “${lead.name}” into the deal “${input.deal_name}”${company ? ` with ${company}` : ''}`
  },
  consequence: () =>
    'If you approve: the deal, and the account and contact that are not there yet, are made; the lead leaves the board as converted.',
  // Nobody is asked to make a second record of what is there: the agent is told which one it is.
  needsPerson: async (input, ctx) => {
    const [asked, found] = await Promise.all([plan(ctx, input), planConversion(ctx, input.lead_id)])
    for (const kind of ['account', 'contact'] as const) {
      const there = found[kind]
      if (asked[kind]?.act !== 'create' || there?.act !== 'link') continue
      throw invalid(`${kind}_exists`, `/${kind}`, `“${there.name}” is there already: link it.`, [there.id])
    }
    return 'Converting a lead needs a person.'
  },
  safe_when_tainted: false,
  risk: 'high',
  reads: () => [
    { name: 'stage' },
    { name: 'archived' },
    ...[
      'contact_name',
      'company_name',
      'email',
      'phone',
      'website',
      'value_minor',
      'currency',
      'owner_id',
    ].map((argument) => ({ name: 'field' as const, argument })),
  ],
  preview: async (input, ctx) => {
    const { account, contact, deal } = await plan(ctx, input)
    const rows: Preview[] = []
    for (const [field, label, part] of [
      ['account', 'Account', account],
      ['contact', 'Contact', contact],
      ['deal', 'Deal', deal],
    ] as const) {
      const after = part?.act === 'link' ? `${part.name} (there already)` : (part?.values.name ?? null)
      rows.push({ field, label, before: null, after })
    }
    if (deal)
      rows.push({
        field: 'stage',
        label: 'Stage',
        before: null,
        after: `${deal.stage.label} in ${deal.pipeline.name}`,
      })
    return rows
  },
  run: async (ctx, { lead_id, account, contact, deal_name, reason }) => {
    const terms = { account, contact, deal: { name: deal_name }, reason }
    const { account_id, contact_id, deal_id, created } = await convertLead(ctx, lead_id, terms)
    return { account_id, contact_id, deal_id, created }
  },
  undo: 'reverse_conversion',
})
