import { z } from 'zod'
import { recordingOf } from '../db/context.ts'
import { receiveLead } from '../db/lead-intake.ts'
import { requireIdentity } from '../db/leads.ts'
import { OpportunityFields } from '../db/opportunity-fields.ts'
import { defineTool } from './tool.ts'

const Fields = OpportunityFields.pick({
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
}).partial()

/** Makes a lead, or fills the blanks of the open one that this person already is. */
export const create_lead = defineTool({
  name: 'create_lead',
  title: 'Create lead',
  effect: 'write',
  description:
    'Makes a lead for a person who is none yet, with where you know of them as the reason. It needs a name, an e-mail address or a phone number; the same person’s open lead is joined instead.',
  input: z.object({
    ...Fields.shape,
    source: z.string().trim().min(1).max(300).optional().describe('Where the lead comes from.'),
    reason: z.string().trim().min(1).max(1_000),
  }),
  output: z.object({ lead_id: z.string(), name: z.string(), joined: z.boolean() }),
  summary: ({ contact_name, company_name, email, phone }) =>
    `Create the lead “${[contact_name ?? email ?? phone, company_name].filter(Boolean).join(', ')}”`,
  consequence: () => 'If you approve: 1 lead, unless this person is one already.',
  // Nobody is asked about a lead that could not be made.
  needsPerson: ({ contact_name, email, phone }) => {
    requireIdentity({ contact_name, email, phone_original: phone })
    return Promise.resolve(undefined)
  },
  safe_when_tainted: false,
  risk: 'medium',
  reads: () => [],
  run: async (ctx, { reason, ...fields }) => {
    const { result } = await recordingOf(ctx, { data: {}, reason }, (ctx) =>
      receiveLead(ctx, fields, { door: 'agent' }),
    )
    const { lead, joined } = result
    return { lead_id: lead.id, name: lead.name, joined }
  },
  undo: 'archive_record',
})
