import { z } from 'zod'
import { faultsOf, logActivity, LoggedData } from '../db/activity-logging.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { requireRecordInUse } from '../db/records.ts'
import { defineTool } from './tool.ts'

/** What an agent can learn of afterwards. What goes outside is sent by a tool, which writes its own line. */
const types = [
  'call_logged',
  'meeting_logged',
  'email_received',
  'sms_received',
  'whatsapp_received',
] as const

const WORDS: Record<(typeof types)[number], string> = {
  call_logged: 'a call',
  meeting_logged: 'a meeting',
  email_received: 'an e-mail that came in',
  sms_received: 'a text message that came in',
  whatsapp_received: 'a WhatsApp message that came in',
}

/** Writes on the timeline what the record was not there to see. */
export const log_activity = defineTool({
  name: 'log_activity',
  title: 'Log activity',
  effect: 'write',
  description:
    'Writes on the timeline that a call or a meeting took place, or that a message came in, with what it was about and where you know it from as the reason. Not for what you did yourself: that is written down already.',
  input: z
    .object({
      opportunity_id: z.uuid(),
      type: z.enum(types),
      data: LoggedData,
      reason: z.string().trim().min(1).max(1_000),
    })
    .superRefine(({ type, data }, issues) => {
      for (const { path, message } of faultsOf(type, data))
        issues.addIssue({ code: 'custom', path: ['data', path], message })
    }),
  output: z.object({ activity_id: z.string() }),
  summary: ({ type, data }) => `Log ${WORDS[type]}${data.subject ? `: ${data.subject}` : ''}`,
  consequence: () => 'If you approve: 1 line on the timeline.',
  needsPerson: async ({ opportunity_id }, ctx) => {
    requireRecordInUse(await getOpportunity(ctx, opportunity_id))
    return undefined
  },
  // A stranger who says that a meeting is agreed makes no milestone of it.
  safe_when_tainted: false,
  risk: 'low',
  reads: () => [{ name: 'archived' }],
  run: async (ctx, { opportunity_id, ...entry }) => {
    const { kind } = await getOpportunity(ctx, opportunity_id)
    const { id } = await logActivity(ctx, { ...entry, subjects: [{ kind, id: opportunity_id }] })
    return { activity_id: id }
  },
  undo: 'delete_activity',
})
