import { z } from 'zod'
import { leadForPrompt } from '../db/lead-prompt.ts'
import { wishes } from '../db/lead-wish.ts'
import { defineTool } from './tool.ts'

const Stage = z.object({ id: z.string(), label: z.string(), kind: z.enum(['open', 'won', 'lost']) })

/** Shows an agent a lead as it stands. What came from outside is in it: reading taints the run. */
export const read_lead = defineTool({
  name: 'read_lead',
  title: 'Read lead',
  effect: 'read',
  description:
    'Reads the lead: its fields, message, what the message wants, whether its address opted out, score, what its website said, the stages it can move to, the reasons it may be lost for, open leads that are or may be the same, what waits for a person, and its latest activities.',
  input: z.object({ lead_id: z.uuid() }),
  output: z.object({
    lead: z.record(z.string(), z.unknown()),
    message: z.string().nullable(),
    wish: z.enum(wishes),
    opted_out: z.string().nullable(),
    email_proposed: z.boolean(),
    facts: z.array(z.object({ key: z.string(), value: z.string(), source_url: z.string() })),
    stages: z.array(Stage),
    discard_reasons: z.array(z.object({ id: z.string(), label: z.string() })),
    duplicates: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        company: z.string().nullable(),
        near: z.boolean(),
        points: z.number(),
        reason: z.string(),
        primary_id: z.string(),
      }),
    ),
    waiting: z.array(z.object({ tool: z.string(), summary: z.string() })),
    activities: z.array(z.string()),
    sender: z.object({ name: z.string(), organization: z.string() }),
  }),
  summary: () => 'Read the lead',
  consequence: () => 'Nothing changes.',
  safe_when_tainted: true,
  risk: 'low',
  reads: () => [],
  run: (ctx, { lead_id }) => leadForPrompt(ctx, lead_id),
  taints: ({ lead }) => [{ kind: 'record', id: String(lead['id']) }],
  irreversible: 'Looking changes nothing.',
})
