import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import MailComposer from 'nodemailer/lib/mail-composer'
import parseAddresses from 'nodemailer/lib/addressparser'

/** One message as it will be sent: one sender, one recipient, plain text. */
export type OutgoingMail = {
  /** `<local@domain>`, sent verbatim: the same approval always has the same Message-ID. */
  message_id: string
  from: string
  to: string
  subject: string
  text: string
  headers?: Record<string, string>
  reply_to?: string
  in_reply_to?: string
  references?: string[]
  /** One-click unsubscribe by RFC 8058. */
  list_unsubscribe?: { url: string; one_click: true }
}

/** A mailbox: the bare address and the name shown with it. */
export type Mailbox = { address: string; name?: string }

/** A message as bytes with the addresses the mail server is told. */
export type ComposedMail = { envelope: { from: string; to: string }; bytes: Buffer }

/** A message that must not be sent as it is, or a mail configuration that cannot work; nothing has left. */
export class MailError extends Error {
  override readonly name = 'MailError'
  /** The field that was wrong. */
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

/** Reads exactly one mailbox (`ada@example.com`, `Ada Lovelace <ada@example.com>`); throws `MailError` for anything else. */
export const parseAddress = (text: string, field = 'address'): Mailbox => {
  refuseControls(field, text)
  const found = parseAddresses(text, { flatten: true })
  const [mailbox] = found
  if (!mailbox || found.length !== 1)
    throw new MailError(
      field,
      `“${shorten(text)}” is not one e-mail address. Write it as name@example.com or Name <name@example.com>.`,
    )
  const address = mailbox.address.trim()
  if (!isDeliverable(address))
    throw new MailError(
      field,
      `“${shorten(address || text)}” is not an e-mail address that mail can be sent to.`,
    )
  const name = mailbox.name.trim()
  return name ? { address, name } : { address }
}

/** Checks every field and writes the message down as bytes; throws `MailError` where a field could smuggle in a header. */
export const composeMail = async (mail: OutgoingMail): Promise<ComposedMail> => {
  const from = parseAddress(mail.from, 'from')
  const to = parseAddress(mail.to, 'to')
  refuseControls('subject', mail.subject)
  requireMessageId('message_id', mail.message_id)
  if (mail.in_reply_to !== undefined) requireMessageId('in_reply_to', mail.in_reply_to)
  mail.references?.forEach((reference) => requireMessageId('references', reference))
  const node = new MailComposer({
    from: nodemailerMailbox(from),
    to: nodemailerMailbox(to),
    ...(mail.reply_to === undefined
      ? {}
      : { replyTo: nodemailerMailbox(parseAddress(mail.reply_to, 'reply_to')) }),
    ...(mail.in_reply_to === undefined ? {} : { inReplyTo: mail.in_reply_to }),
    ...(mail.references === undefined ? {} : { references: mail.references }),
    messageId: mail.message_id,
    subject: mail.subject,
    text: mail.text,
    headers: { ...checkedHeaders(mail.headers ?? {}), ...unsubscribeHeaders(mail.list_unsubscribe) },
    newline: 'win',
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile()
  return {
    envelope: { from: asciiDomain(from.address), to: asciiDomain(to.address) },
    bytes: await node.build(),
  }
}

const MAX_ADDRESS_LENGTH = 254
const CONTROLS = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,76}$/
const MESSAGE_ID = /^<[^\s<>@]{1,200}@[^\s<>@]{1,200}>$/
/** Headers that have a field of their own here or that the message's encoding owns. */
const OWNED_HEADERS =
  /^(from|sender|to|cc|bcc|reply-to|subject|date|message-id|in-reply-to|references|list-unsubscribe|list-unsubscribe-post|mime-version|content-.*|received|return-path|dkim-signature)$/i

const refuseControls = (field: string, text: string): void => {
  if (CONTROLS.test(text))
    throw new MailError(
      field,
      `The ${field.replaceAll('_', ' ')} contains a line break or another control character and would change the message’s headers.`,
    )
}

const requireMessageId = (field: string, id: string): void => {
  refuseControls(field, id)
  if (!MESSAGE_ID.test(id))
    throw new MailError(field, `“${shorten(id)}” is not a message id: it must look like <id@example.com>.`)
}

const isDeliverable = (address: string): boolean => {
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  const domain = address.slice(at + 1)
  if (at < 1 || address.length > MAX_ADDRESS_LENGTH || local.length > 64) return false
  if (
    !/^[^\s"(),:;<>@[\\\]]+$/.test(local) ||
    local.startsWith('.') ||
    local.endsWith('.') ||
    local.includes('..')
  )
    return false
  const ascii = domainToASCII(domain)
  return (
    isIP(ascii) === 0 &&
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(ascii)
  )
}

const asciiDomain = (address: string): string => {
  const at = address.lastIndexOf('@')
  return `${address.slice(0, at)}@${domainToASCII(address.slice(at + 1))}`
}

const nodemailerMailbox = ({ address, name }: Mailbox) => ({ address, name: name ?? '' })

const checkedHeaders = (
  headers: Record<string, string>,
): Record<string, { prepared: true; value: string }> => {
  const entries = Object.entries(headers).map(([name, value]) => {
    refuseControls(name, value)
    if (!HEADER_NAME.test(name)) throw new MailError('headers', `“${shorten(name)}” is not a header name.`)
    if (OWNED_HEADERS.test(name))
      throw new MailError(
        'headers',
        `The header ${name} has a field of its own or belongs to the message’s encoding.`,
      )
    if (/[^\x20-\x7e]/.test(value) || value.length > 900)
      throw new MailError('headers', `The header ${name} must be at most 900 plain ASCII characters.`)
    return [name, { prepared: true as const, value }] as const
  })
  return Object.fromEntries(entries)
}

const unsubscribeHeaders = (
  unsubscribe: OutgoingMail['list_unsubscribe'],
): Record<string, { prepared: true; value: string }> => {
  if (!unsubscribe) return {}
  if (
    !URL.canParse(unsubscribe.url) ||
    !/^https?:$/.test(new URL(unsubscribe.url).protocol) ||
    /[\s<>,]/.test(unsubscribe.url) ||
    unsubscribe.url.length > 900
  ) {
    throw new MailError(
      'list_unsubscribe',
      'The unsubscribe link must be an http or https address without blanks, commas or angle brackets.',
    )
  }
  return {
    'List-Unsubscribe': { prepared: true, value: `<${new URL(unsubscribe.url).href}>` },
    'List-Unsubscribe-Post': { prepared: true, value: 'List-Unsubscribe=One-Click' },
  }
}

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text)
