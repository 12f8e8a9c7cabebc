import { z } from 'zod'
import { getMessage, listMessages, type Message } from '../../db/messages.ts'
import { ById, Paged, route } from '../route.ts'
import { Id, listOf, Subject, Text, Time } from '../shapes.ts'

/** An e-mail of the outbox. */
export const MessageShape = z
  .object({
    id: Id,
    channel: z.literal('email'),
    status: z.enum(['queued', 'sending', 'sent', 'captured', 'failed', 'outcome_unknown', 'cancelled']),
    message_id: z.string(),
    from: z.string(),
    to: z.string(),
    subject: z.string(),
    body: z.string(),
    headers: z.record(z.string(), z.string()),
    approval_id: Id.nullable(),
    run_id: Id.nullable(),
    subject_record: Subject,
    attempts: z.int(),
    provider_response: Text,
    error: Text,
    sent_at: Time.nullable(),
    created_at: Time,
  })
  .meta({ id: 'Message' })

const MessagesQuery = Paged.extend({
  status: z
    .enum(['queued', 'sending', 'sent', 'captured', 'failed', 'outcome_unknown', 'cancelled'])
    .optional(),
  lead_id: z.uuid().optional(),
})

/** `subject` is the e-mail's; the record it is about goes by `subject_record`. */
const present = ({ record, ...message }: Message) => ({ ...message, subject_record: record })

/** The outbox. */
export const messages = [
  route(
    {
      method: 'GET',
      path: '/api/messages',
      permission: 'messages:read',
      summary: 'E-mails of the outbox, newest first',
      query: MessagesQuery,
      response: listOf(MessageShape),
    },
    async ({ ctx, query: { lead_id, ...filter } }) => {
      const { data, next_cursor } = await listMessages(ctx, { ...filter, record_id: lead_id })
      return { data: data.map(present), next_cursor }
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/messages/:id',
      permission: 'messages:read',
      summary: 'One e-mail, as it goes or went out',
      params: ById,
      response: MessageShape,
    },
    async ({ ctx, params }) => present(await getMessage(ctx, params.id)),
  ),
]
