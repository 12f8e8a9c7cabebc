import { createServer, type AddressInfo, type Socket } from 'node:net'
import PostalMime from 'postal-mime'
import { SMTPServer, type SMTPServerSession } from 'smtp-server'

/** A message the server accepted, as a mail program would show it. */
export type ReceivedMail = {
  from: string
  to: string[]
  subject: string
  text: string
  /** Lower-case header names; the last one wins where a header repeats. */
  headers: Record<string, string>
  message_id: string
  raw: string
}

/** How the server misbehaves; nothing means it accepts everything. */
export type SmtpBehaviour = {
  refuse?: { at: 'mail' | 'rcpt' | 'auth' | 'message'; code: number }
  /** Cut the connection: when it opens, in the middle of the message, or after the whole message but before the answer. */
  drop?: 'connection' | 'mid_message' | 'before_reply'
  /** Read the whole message and never answer. */
  hang?: boolean
  login?: { user: string; pass: string }
  /** Largest message announced in the greeting. */
  size?: number
  /** Runs after a message arrived whole and before `250` is answered; throwing drops the connection. */
  onMessage?: (mail: ReceivedMail) => void | Promise<void>
}

/** A running SMTP server. */
export type Smtp = {
  /** `smtp://127.0.0.1:port` */
  url: string
  /** Messages that were answered with 250, in order. */
  received: ReceivedMail[]
  /** Messages that arrived whole, whatever was answered. */
  arrived: ReceivedMail[]
  connections: () => number
  /** Changes how it behaves from the next command on. */
  behave: (behaviour: SmtpBehaviour) => void
  stop: () => Promise<void>
}

/** Starts a real SMTP server on loopback. */
export const startSmtp = async (initial: SmtpBehaviour = {}): Promise<Smtp> => {
  let behaviour = initial
  let connections = 0
  const received: ReceivedMail[] = []
  const arrived: ReceivedMail[] = []
  const sockets = new Map<number, Socket>()
  const hangUp = (session: SMTPServerSession) => sockets.get(session.remotePort)?.destroy()

  const server = new SMTPServer({
    disabledCommands: initial.login ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
    authOptional: !initial.login,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    ...(initial.size === undefined ? {} : { size: initial.size }),
    onConnect: (session, callback) => (behaviour.drop === 'connection' ? void hangUp(session) : callback()),
    onAuth: ({ username, password }, _session, callback) => {
      if (behaviour.refuse?.at === 'auth') return callback(reply(behaviour.refuse.code))
      return username === behaviour.login?.user && password === behaviour.login?.pass
        ? callback(null, { user: username })
        : callback(reply(535))
    },
    onMailFrom: (_address, _session, callback) =>
      callback(behaviour.refuse?.at === 'mail' ? reply(behaviour.refuse.code) : null),
    onRcptTo: (_address, _session, callback) =>
      callback(behaviour.refuse?.at === 'rcpt' ? reply(behaviour.refuse.code) : null),
    onData: (stream, session, callback) => {
      if (behaviour.drop === 'mid_message') return void stream.once('data', () => hangUp(session))
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        void parse(Buffer.concat(chunks), session)
          .then(async (mail) => {
            arrived.push(mail)
            if (behaviour.refuse?.at === 'message') return callback(reply(behaviour.refuse.code))
            if (behaviour.drop === 'before_reply') return hangUp(session)
            if (behaviour.hang) return undefined
            await behaviour.onMessage?.(mail)
            received.push(mail)
            return callback(null, `OK queued as ${received.length}`)
          })
          .catch(() => hangUp(session))
      })
    },
  })
  server.on('error', () => undefined) // a client that hangs up is part of the tests
  server.server.on('connection', (socket: Socket) => {
    connections += 1
    sockets.set(socket.remotePort ?? 0, socket)
    socket.on('close', () => sockets.delete(socket.remotePort ?? 0))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    arrived,
    connections: () => connections,
    behave: (next) => {
      behaviour = next
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        sockets.forEach((socket) => socket.destroy())
      }),
  }
}

/** Answers of a scripted server, by command verb (`connect`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `.`, `QUIT`); `drop` hangs up, `hang` says nothing. */
export type SmtpScript = Record<string, string>

/** A bare server that answers each command with exactly what the script says, for answers that no real server library gives. */
export const startScriptedSmtp = async (
  script: SmtpScript,
): Promise<{ url: string; messages: string[]; stop: () => Promise<void> }> => {
  const messages: string[] = []
  const sockets = new Set<Socket>()
  const answers: SmtpScript = {
    connect: '220 ready',
    EHLO: '250 hello',
    MAIL: '250 ok',
    RCPT: '250 ok',
    DATA: '354 go on',
    '.': '250 taken',
    QUIT: '221 bye',
    ...script,
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    let rest = ''
    let message: string[] | undefined
    const act = (verb: string) => {
      const answer = answers[verb] ?? '502 what'
      if (answer === 'drop') return void socket.destroy()
      if (answer === 'hang') return undefined
      // A trailing `…` sends the text without a line end and hangs up: a reply that was cut off.
      if (answer.endsWith('…')) return void socket.end(answer.slice(0, -1))
      if (verb === 'DATA' && answer.startsWith('3')) message = []
      return void socket.write(`${answer}\r\n`)
    }
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (!message) act(line.split(' ', 1)[0]?.toUpperCase() ?? '')
        else if (line === '.') {
          messages.push(message.join('\r\n'))
          message = undefined
          act('.')
        } else message.push(line)
      }
    })
    act('connect')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messages,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        sockets.forEach((socket) => socket.destroy())
      }),
  }
}

const reply = (code: number): Error =>
  Object.assign(new Error(code < 500 ? 'try again later' : 'not wanted here'), { responseCode: code })

const parse = async (raw: Buffer, session: SMTPServerSession): Promise<ReceivedMail> => {
  const mail = await PostalMime.parse(raw)
  return {
    from: mail.from?.address ?? (session.envelope.mailFrom ? session.envelope.mailFrom.address : ''),
    to: session.envelope.rcptTo.map(({ address }) => address),
    subject: mail.subject ?? '',
    text: mail.text ?? '',
    headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key, value])),
    message_id: mail.messageId ?? '',
    raw: raw.toString('utf8'),
  }
}
