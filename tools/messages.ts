import { v7 as uuidv7 } from 'uuid'
import { log } from '../log.ts'
import type { Database } from '../db/client.ts'
import type { Ctx } from '../db/context.ts'
import { ownerOf } from '../db/identity.ts'
import { type Message } from '../db/messages.ts'
import {
  announceSending,
  deliveryLimits,
  keepSending,
  settleSending,
  type DeliveryOutcome,
} from '../db/message-delivery.ts'
import { unsubscribeToken } from '../db/opt-outs.ts'
import { readSettings } from '../db/settings.ts'
import type { Outside } from './tool.ts'
import { parseAddress, MailError } from './vendors/email-message.ts'

/** Who an organization's e-mails come from: `MAIL_FROM`, else its owner, under the organization's sender name. */
export const senderOf = async (ctx: Ctx, outside: Outside): Promise<string> => {
  const settings = await readSettings(ctx)
  const given = outside.mail.from ?? (await ownerOf(ctx.db, ctx.organization_id))?.email
  if (!given) throw new Error('an organization without an owner cannot send e-mail')
  const { address, name } = parseAddress(given, 'MAIL_FROM')
  const shown = name ?? settings.sender_name ?? settings.organization_name
  return `"${shown.replaceAll(/["\\\r\n]/g, ' ')}" <${address}>`
}

/** An e-mail's `Message-ID` from the approval it carries out: the same approval can never make two. */
export const messageId = (ctx: Ctx, from: string): string =>
  `<${ctx.approval_id ?? uuidv7()}@${parseAddress(from).address.split('@')[1] ?? 'localhost'}>`

/**
 * Headers beside sender, recipient and subject: one-click unsubscribe (RFC 8058), and `Auto-Submitted` (RFC 3834), so
 * that vacation responders do not answer an agent.
 */
export const composeHeaders = async (
  ctx: Ctx,
  to: string,
  outside: Outside,
): Promise<Record<string, string>> => ({
  'List-Unsubscribe': `<${outside.app_url}/unsubscribe/${await unsubscribeToken(ctx, to)}>`,
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  'Auto-Submitted': 'auto-generated',
})

/** Delivers one message of the outbox: announced before, settled after; what happened in between is never guessed. */
export const deliverMessage = async (
  db: Database,
  organization_id: string,
  id: string,
  outside: Outside,
): Promise<void> => {
  const sending = await announceSending(db, organization_id, id)
  if (!sending) return
  const heartbeat = setInterval(() => {
    keepSending(db, sending).catch((error: unknown) =>
      log.warn({ err: error, message_id: id }, 'a sending could not be kept alive'),
    )
  }, deliveryLimits.heartbeat_ms)
  try {
    await settleSending(db, sending, await hand(sending.message, outside))
  } finally {
    clearInterval(heartbeat)
  }
}

const hand = async (message: Message, outside: Outside): Promise<DeliveryOutcome> => {
  const { mailer } = outside.mail
  if (!mailer) return { outcome: 'captured', response: 'captured: no mail server is set' }
  try {
    // The mailer writes these two itself, from the address.
    const headers = Object.fromEntries(
      Object.entries(message.headers).filter(([name]) => !name.startsWith('List-Unsubscribe')),
    )
    const unsubscribe = /<([^>]+)>/.exec(message.headers['List-Unsubscribe'] ?? '')?.[1]
    return await mailer.send({
      message_id: message.message_id,
      from: message.from,
      to: message.to,
      subject: message.subject,
      text: message.body,
      headers,
      ...(unsubscribe ? { list_unsubscribe: { url: unsubscribe, one_click: true } } : {}),
    })
  } catch (error) {
    if (error instanceof MailError) return { outcome: 'refused', error: error.message }
    throw error
  }
}
