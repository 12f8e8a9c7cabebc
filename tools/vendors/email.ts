import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection'
import { composeMail, MailError, type ComposedMail, type OutgoingMail } from './email-message.ts'

/** Sends mail through one SMTP server. */
export type Mailer = {
  /** Sends one message over a connection of its own. Throws `MailError` for a message that must not be sent; every answer of the network is a `Delivery`. */
  send: (mail: OutgoingMail) => Promise<Delivery>
}

/**
 * What became of a message.
 * - `sent`: the server took responsibility for it.
 * - `refused`: the server said no for good (5xx); sending it again changes nothing.
 * - `retry`: it certainly was not accepted; the same message may be sent again.
 * - `unknown`: it was handed over and no answer came back; it may have been sent, so only a person decides.
 */
export type Delivery =
  | { outcome: 'sent'; response: string }
  | { outcome: 'refused'; permanent: true; error: string }
  | { outcome: 'retry'; error: string }
  | { outcome: 'unknown'; error: string }

/** How long each step may take, in milliseconds. */
export type MailTimeouts = {
  /** Name, connection, TLS and greeting together. */
  connect_ms: number
  /** Silence of the server at any later step; RFC 5321 asks for minutes after the message. */
  silence_ms: number
  /** The whole conversation. */
  total_ms: number
}

/** The defaults of every conversation with a mail server. */
export const MAIL_TIMEOUTS: MailTimeouts = { connect_ms: 15_000, silence_ms: 120_000, total_ms: 300_000 }

/**
 * Prepares a mailer from `smtp://user:password@host:587` or `smtps://…:465`; options: `requireTLS`, `ignoreTLS`, `name`,
 * `authMethod`, `tls.rejectUnauthorized`, `tls.servername`, `tls.minVersion`. Throws `MailError` for any other form; opens nothing yet.
 */
export const openMailer = (smtp_url: string, timeouts: Partial<MailTimeouts> = {}): Mailer => {
  const server = parseSmtpUrl(smtp_url)
  const limits = { ...MAIL_TIMEOUTS, ...timeouts }
  return { send: async (mail) => converse(server, await composeMail(mail), limits) }
}

type SmtpServer = {
  connection: SMTPConnectionOptions
  login: { user: string; pass: string; method: string | false } | undefined
}

const ACCEPTED_OPTIONS = [
  'requireTLS',
  'ignoreTLS',
  'name',
  'authMethod',
  'tls.rejectUnauthorized',
  'tls.servername',
  'tls.minVersion',
]

const parseSmtpUrl = (smtp_url: string): SmtpServer => {
  const url = URL.canParse(smtp_url) ? new URL(smtp_url) : undefined
  if (!url || !/^smtps?:$/.test(url.protocol) || !url.hostname) {
    throw new MailError(
      'SMTP_URL',
      'SMTP_URL must look like smtp://user:password@mail.example.com:587 or smtps://user:password@mail.example.com:465.',
    )
  }
  const unknown = [...url.searchParams.keys()].find((key) => !ACCEPTED_OPTIONS.includes(key))
  if (unknown !== undefined)
    throw new MailError(
      'SMTP_URL',
      `SMTP_URL has the unknown option “${unknown}”; accepted are ${ACCEPTED_OPTIONS.join(', ')}.`,
    )
  const option = (key: string) => url.searchParams.get(key) ?? undefined
  const minVersion = option('tls.minVersion')
  if (minVersion !== undefined && minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3')
    throw new MailError('SMTP_URL', 'SMTP_URL: tls.minVersion must be TLSv1.2 or TLSv1.3.')
  const servername = option('tls.servername')
  const name = option('name')
  return {
    connection: {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      ...(url.port ? { port: Number(url.port) } : {}),
      secure: url.protocol === 'smtps:',
      requireTLS: isOn(option('requireTLS'), 'requireTLS', false),
      ignoreTLS: isOn(option('ignoreTLS'), 'ignoreTLS', false),
      ...(name === undefined ? {} : { name }),
      tls: {
        rejectUnauthorized: isOn(option('tls.rejectUnauthorized'), 'tls.rejectUnauthorized', true),
        ...(servername === undefined ? {} : { servername }),
        ...(minVersion === undefined ? {} : { minVersion }),
      },
    },
    login: url.username
      ? {
          user: decodeURIComponent(url.username),
          pass: decodeURIComponent(url.password),
          method: option('authMethod') ?? false,
        }
      : undefined,
  }
}

const isOn = (text: string | undefined, option: string, initial: boolean): boolean => {
  if (text === undefined) return initial
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new MailError('SMTP_URL', `SMTP_URL: ${option} must be true or false.`)
}

/**
 * One conversation from greeting to QUIT. Whether the message may have been accepted depends on one fact only:
 * was the final dot released. It is released by `releaseLast`, so `handed_over` is set before it can reach the socket.
 */
const converse = (server: SmtpServer, mail: ComposedMail, limits: MailTimeouts): Promise<Delivery> =>
  new Promise((resolve) => {
    const connection = new SMTPConnection({
      ...server.connection,
      connectionTimeout: limits.connect_ms,
      greetingTimeout: limits.connect_ms,
      dnsTimeout: limits.connect_ms,
      socketTimeout: limits.silence_ms,
    })
    const progress = { handed_over: false }
    let settled = false
    const settle = (delivery: Delivery): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      if (delivery.outcome === 'sent') connection.quit()
      connection.close()
      resolve(delivery)
    }
    const fail = (error: SmtpFailure): void => settle(classify(error, progress.handed_over))
    const timer = setTimeout(
      () => fail(Object.assign(new Error('The conversation took too long'), { code: 'ETIMEDOUT' })),
      limits.total_ms,
    )
    connection.on('error', fail)
    connection.once('end', () => fail(new Error('The connection was closed')))

    const handOver = (): void => {
      const started_at = performance.now()
      const roundTrip = () => Math.min(Math.max(performance.now() - started_at, PAUSE_MS.min), PAUSE_MS.max)
      const body = Readable.from(releaseLast(mail.bytes, progress, roundTrip), {
        objectMode: false,
        highWaterMark: 1,
      })
      connection.send({ ...mail.envelope, size: mail.bytes.byteLength }, body, (error, info) =>
        error ? fail(error) : settle({ outcome: 'sent', response: info?.response ?? '' }),
      )
    }
    connection.connect((error) => {
      if (error) return fail(error)
      if (!server.login || !connection.allowsAuth) return handOver()
      const { user, pass, method } = server.login
      connection.login({ user, pass, method, credentials: { user, pass } }, (refused) =>
        refused ? fail(refused) : handOver(),
      )
    })
  })

const CHUNK_BYTES = 16 * 1024
const PAUSE_MS = { min: 25, max: 250 }

/**
 * Yields the message and ends, which releases the final dot, only a round trip after the last byte was taken:
 * a server that hung up in the middle is noticed while the message still certainly was not accepted.
 */
async function* releaseLast(
  bytes: Buffer,
  progress: { handed_over: boolean },
  roundTrip: () => number,
): AsyncGenerator<Buffer> {
  const pause_ms = roundTrip()
  for (let from = 0; from < bytes.byteLength; from += CHUNK_BYTES)
    yield bytes.subarray(from, from + CHUNK_BYTES)
  await delay(pause_ms)
  progress.handed_over = true
}

type SmtpFailure = Error & {
  code?: string | undefined
  command?: string | undefined
  response?: string | undefined
  responseCode?: number | undefined
}

/** A complete reply of the server decides by its class (RFC 5321 4.2.1); without one it depends on whether the message was handed over. */
const classify = (error: SmtpFailure, handed_over: boolean): Delivery => {
  const sentence = explain(error)
  // A reply to a command of ours; `CONN` marks what came unasked or was cut off by the closing connection.
  const reply = error.command === 'CONN' ? undefined : error.responseCode
  if (reply !== undefined && reply >= 500 && reply < 600)
    return { outcome: 'refused', permanent: true, error: sentence }
  if (reply !== undefined && reply >= 400 && reply < 500) return { outcome: 'retry', error: sentence }
  if (handed_over)
    return {
      outcome: 'unknown',
      error: `The message was handed over, but the mail server never said whether it took it. ${sentence}`,
    }
  // Refused before a word was sent: the greeting was a no, or the message is larger than the server announced to take.
  const turned_away =
    error.responseCode === undefined
      ? error.code === 'EMESSAGE' || error.code === 'EENVELOPE'
      : error.responseCode >= 500 && error.responseCode < 600
  if (turned_away) return { outcome: 'refused', permanent: true, error: sentence }
  return { outcome: 'retry', error: sentence }
}

const explain = (error: SmtpFailure): string => {
  const said = error.response ? ` It said: ${error.response.replace(/\s+/g, ' ').slice(0, 300)}` : ''
  const sentences: Record<string, string> = {
    EDNS: 'The mail server’s name could not be found.',
    ETIMEDOUT: 'The mail server did not answer in time.',
    EAUTH: `The mail server refused the user name or password in SMTP_URL.${said}`,
    ETLS: `No secure connection to the mail server could be made (${error.message.slice(0, 200)}).`,
    EENVELOPE: `The mail server refused the ${REFUSED_PART[error.command ?? ''] ?? 'message'}.${said}`,
    EMESSAGE: error.response
      ? `The mail server refused the message.${said}`
      : 'The message is larger than the mail server takes.',
  }
  return (
    sentences[error.code ?? ''] ??
    `The connection to the mail server failed (${error.message.replace(/\s+/g, ' ').slice(0, 200)}).`
  )
}

const REFUSED_PART: Record<string, string> = { 'MAIL FROM': 'sender', 'RCPT TO': 'recipient' }
