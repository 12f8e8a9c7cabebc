import { v7 as uuidv7 } from 'uuid'
import type { Subject } from './activities.ts'
import { type Ctx, inTx, type TxCtx } from './context.ts'
import { notFound } from './errors.ts'
import { page, type Page } from './page.ts'
import { enqueue } from './queue.ts'

export type MessageStatus =
  | 'queued'
  | 'sending'
  | 'sent'
  | 'captured'
  | 'failed'
  | 'outcome_unknown'
  | 'cancelled'

/** One message of the outbox: what somebody outside receives, byte for byte. */
export type Message = {
  id: string
  channel: 'email'
  status: MessageStatus
  message_id: string
  from: string
  to: string
  subject: string
  body: string
  headers: Record<string, string>
  approval_id: string | null
  run_id: string | null
  record: Subject
  attempts: number
  provider_response: string | null
  error: string | null
  sent_at: Date | null
  created_at: Date
}

/** Puts an e-mail into the outbox in the caller's transaction: one per approval, however often this runs. */
export const queueMessage = async (
  ctx: TxCtx,
  message: Pick<Message, 'message_id' | 'from' | 'to' | 'subject' | 'body' | 'headers' | 'record'>,
): Promise<string> => {
  const { tx, organization_id } = ctx
  const id = uuidv7()
  const [row] = await tx<{ id: string }[]>`
    insert into messages ${tx({
      organization_id,
      id,
      message_id: message.message_id,
      sender: message.from,
      recipient: message.to,
      subject: message.subject,
      body: message.body,
      headers: tx.json(message.headers),
      approval_id: ctx.approval_id ?? null,
      run_id: ctx.run_id ?? null,
      record_kind: message.record.kind,
      record_id: message.record.id,
    })}
    on conflict (organization_id, approval_id) do update set approval_id = excluded.approval_id returning id`
  if (!row) throw new Error('a message was not stored')
  await enqueue(ctx, 'message.queued', { message_id: row.id })
  return row.id
}

/** The outbox, newest first. */
export const listMessages = (
  ctx: Ctx,
  filter: {
    status?: MessageStatus | undefined
    record_id?: string | undefined
    cursor?: string | undefined
    limit: number
  },
): Promise<Page<Message>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<MessageRow[]>`
      select * from messages where organization_id = ${organization_id}
        ${filter.status ? tx`and status = ${filter.status}` : tx``}
        ${filter.record_id ? tx`and record_id = ${filter.record_id}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page(rows.map(toMessage), filter.limit, (message) => message.id)
  })

/** One message of the outbox. */
export const getMessage = (ctx: Ctx, id: string): Promise<Message> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<
      MessageRow[]
    >`select * from messages where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('message', id)
    return toMessage(row)
  })

export type MessageRow = Omit<Message, 'from' | 'to' | 'record'> & {
  sender: string
  recipient: string
  record_kind: string
  record_id: string
  next_attempt_at: Date
  lease_until: Date | null
  fence: number
}

export const toMessage = (row: MessageRow): Message => ({
  id: row.id,
  channel: row.channel,
  status: row.status,
  message_id: row.message_id,
  from: row.sender,
  to: row.recipient,
  subject: row.subject,
  body: row.body,
  headers: row.headers,
  approval_id: row.approval_id,
  run_id: row.run_id,
  record: { kind: row.record_kind, id: row.record_id },
  attempts: row.attempts,
  provider_response: row.provider_response,
  error: row.error,
  sent_at: row.sent_at,
  created_at: row.created_at,
})
