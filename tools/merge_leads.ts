import { z } from 'zod'
import type { TxCtx } from '../db/context.ts'
import { invalid } from '../db/errors.ts'
import { mergeLeads, planMerge, type MergePlan } from '../db/lead-merging.ts'
import { defineTool } from './tool.ts'

const Input = z.object({
  lead_id: z.uuid().describe('The lead that you work on.'),
  other_id: z.uuid().describe('The lead that is the same: id of one of the duplicates that read_lead lists.'),
  primary_id: z
    .uuid()
    .describe('Which of the two stays: the other one is merged into it. read_lead says which one is best.'),
  fields: z
    .array(z.string().max(150))
    .max(50)
    .optional()
    .describe('Fields that take the value of the one that goes; the others keep that of the one that stays.'),
  reason: z.string().trim().min(1).max(1_000),
})
type Input = z.infer<typeof Input>

/** Both leads, in the order in which they are merged: refused here rather than after a person has said yes. */
const plan = (ctx: TxCtx, { lead_id, other_id, primary_id, fields }: Input): Promise<MergePlan> => {
  if (primary_id !== lead_id && primary_id !== other_id)
    throw invalid('primary_of_neither', '/primary_id', 'The one that stays is one of the two.', [
      lead_id,
      other_id,
    ])
  return planMerge(ctx, primary_id, { duplicate_id: primary_id === lead_id ? other_id : lead_id, fields })
}

/** Merges two leads that are one. An agent asks for it; a person decides. */
export const merge_leads = defineTool({
  name: 'merge_leads',
  title: 'Merge leads',
  effect: 'write',
  description:
    'Merges two leads that are the same person or company: one stays, with everything that hangs on the other. Waits for a person.',
  input: Input,
  output: z.object({
    merge_id: z.string(),
    primary_id: z.string(),
    duplicate_id: z.string(),
    moved: z.array(z.object({ what: z.string(), count: z.number() })),
  }),
  summary: async (input, ctx) => {
    const { primary, duplicate } = await plan(ctx, input)
    const called = ({ name, email }: { name: string; email: string | null }): string =>
      email && email !== name ? `“${name}” (${email})` : `“${name}”`
    return `Merge ${called(duplicate)} into ${called(primary)}`
  },
  consequence: () =>
    'If you approve: one lead stays, with the tasks, notes, files and the timeline of both; the other goes to the archive. It can be taken apart again.',
  needsPerson: async (input, ctx) => {
    await plan(ctx, input)
    return 'Merging two leads needs a person.'
  },
  safe_when_tainted: false,
  risk: 'high',
  reads: ({ lead_id, other_id }) => [
    { name: 'lead_values', argument: lead_id },
    { name: 'lead_values', argument: other_id },
  ],
  preview: async (input, ctx) => {
    const { changes } = await plan(ctx, input)
    const text = (value: unknown): string | null => {
      if (value === null || value === undefined) return null
      if (Array.isArray(value)) return value.join(', ')
      return typeof value === 'string' ? value : JSON.stringify(value)
    }
    return changes.map(({ field, before, after }) => ({
      field,
      label: field.replace(/^custom\./, '').replaceAll('_', ' '),
      before: text(before),
      after: text(after),
    }))
  },
  run: async (ctx, input) => {
    const { primary, duplicate } = await plan(ctx, input)
    const { fields, reason } = input
    const { merge_id, moved } = await mergeLeads(ctx, primary.id, {
      duplicate_id: duplicate.id,
      fields,
      reason,
    })
    return { merge_id, primary_id: primary.id, duplicate_id: duplicate.id, moved }
  },
  undo: 'unmerge_leads',
})
