import { z } from 'zod'
import type { CallMade, Owed } from './agent.ts'

/** The lead as `read_lead` showed it. */
export const LeadRead = z.object({
  lead: z.object({
    id: z.string(),
    name: z.string().nullable(),
    company: z.string().nullable(),
    email: z.string().nullable(),
    phone: z.string().nullable(),
    website: z.string().nullable(),
    stage: z.object({ id: z.string(), label: z.string(), kind: z.string() }),
    verdict: z.string().nullish(),
    verdict_reason: z.string().nullish(),
  }),
  message: z.string().nullable(),
  // A run that an older version began has no such lines in its journal.
  wish: z.enum(['answer', 'nothing', 'left_alone']).default('answer'),
  opted_out: z.string().nullable().default(null),
  email_proposed: z.boolean().default(false),
  facts: z.array(z.object({ key: z.string(), value: z.string(), source_url: z.string() })),
  stages: z.array(z.object({ id: z.string(), label: z.string(), kind: z.string() })),
  discard_reasons: z.array(z.object({ id: z.string(), label: z.string() })).default([]),
  duplicates: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        near: z.boolean(),
        points: z.number(),
        reason: z.string(),
        primary_id: z.string(),
      }),
    )
    .default([]),
  waiting: z.array(z.object({ tool: z.string(), summary: z.string() })),
  activities: z.array(z.string()).default([]),
  sender: z.object({ name: z.string(), organization: z.string() }),
})
export type LeadRead = z.infer<typeof LeadRead>

/** Whether a lead may be written to at all: open, with an address, which nobody took back. */
export const mayBeWrittenTo = ({ lead, wish, opted_out }: LeadRead): boolean =>
  lead.email !== null && lead.stage.kind === 'open' && opted_out === null && wish !== 'left_alone'

/**
 * Every open lead that asked for something and can be written to ends its first run with an e-mail that waits for a
 * person. A lead that was never read may be one.
 */
export const leadAnswer: Owed = {
  missing: 'No answer to the lead waited for a person',
  prompt: 'lead_answer',
  tools: ['read_lead', 'draft_email', 'send_email'],
  isMissing: (calls) => {
    const outputs = (name: string): CallMade['output'][] =>
      calls.filter(({ tool }) => tool === name).map(({ output }) => output)
    const reads = outputs('read_lead')
    const read = reads.flatMap((output) => LeadRead.safeParse(output).data ?? []).at(-1)
    // A lead that cannot be read cannot be answered either.
    if (!read) return reads.every(({ rule }) => !FINAL.has(String(rule)))
    if (!mayBeWrittenTo(read) || read.wish !== 'answer') return false
    if (read.email_proposed || read.waiting.some(({ tool }) => tool === 'draft_email')) return false
    return !outputs('draft_email').some(
      ({ rule, parked, approval_id }) =>
        parked === true || typeof approval_id === 'string' || FINAL.has(String(rule)),
    )
  },
}

/** Refusals that no better words would change. */
const FINAL = new Set([
  'policy_deny',
  'not_granted',
  'lead_not_found',
  'opportunity_closed',
  'no_address',
  'opted_out',
  'left_alone',
])
