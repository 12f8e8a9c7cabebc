import { z } from 'zod'
import { DomainError } from '../db/errors.ts'
import type { Ctx } from '../db/context.ts'
import { Email } from '../db/lead-fields.ts'
import { queueMessage } from '../db/messages.ts'
import { findOptOut } from '../db/opt-outs.ts'
import { getOpportunity, requireOpen } from '../db/opportunities.ts'
import { composeHeaders, messageId, senderOf } from './messages.ts'
import { defineTool } from './tool.ts'

/** Sends one e-mail, exactly as it stands in the input. The outbox carries it; nothing is sent in the transaction. */
export const send_email = defineTool({
  name: 'send_email',
  title: 'Send e-mail',
  effect: 'outbound',
  description: 'Sends one e-mail exactly as written. Always waits for a person when an agent wrote it.',
  input: z.strictObject({
    to: Email,
    subject: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .refine((text) => !/[\r\n]/.test(text), 'one line'),
    body: z.string().min(1).max(20_000),
  }),
  output: z.object({ id: z.string(), message_id: z.string() }),
  summary: ({ to, subject }) => `Send 1 e-mail to ${to}: “${subject}”`,
  consequence: ({ to }) => `If you approve: 1 e-mail to ${to}.`,
  safe_when_tainted: false,
  risk: 'high',
  reads: ({ to }) => [
    { name: 'recipient' },
    { name: 'opt_out', argument: to },
    { name: 'latest_inbound' },
    { name: 'stage_kind' },
    { name: 'archived' },
  ],
  refresh: async (input, ctx, { id }) => {
    const lead = await getOpportunity(ctx, id)
    requireOpen(lead)
    if (!lead.email)
      throw new DomainError('conflict', 'no_address', 'The lead has no e-mail address any more.')
    await requireNoOptOut(ctx, lead.email)
    return { ...input, to: lead.email }
  },
  run: async (ctx, { to, subject, body }, { subject: record, outside }) => {
    await requireNoOptOut(ctx, to)
    const from = await senderOf(ctx, outside)
    const message_id = messageId(ctx, from)
    const id = await queueMessage(ctx, {
      message_id,
      from,
      to,
      subject,
      body,
      headers: await composeHeaders(ctx, to, outside),
      record,
    })
    return { id, message_id }
  },
  irreversible: 'E-mail cannot be unsent.',
})

const requireNoOptOut = async (ctx: Ctx, email: string): Promise<void> => {
  const reason = await findOptOut(ctx, email)
  if (reason)
    throw new DomainError('conflict', 'opted_out', `${email} asked not to be written to (${reason}).`)
}
