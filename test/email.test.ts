import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { MailError, parseAddress, type OutgoingMail } from '../tools/vendors/email-message.ts'
import { openMailer } from '../tools/vendors/email.ts'
import { startScriptedSmtp, startSmtp, type SmtpBehaviour, type SmtpScript } from './smtp.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const smtp = async (behaviour: SmtpBehaviour = {}) => {
  const server = await startSmtp(behaviour)
  stops.push(server.stop)
  return server
}

const scripted = async (script: SmtpScript) => {
  const server = await startScriptedSmtp(script)
  stops.push(server.stop)
  return server
}

const quick = { connect_ms: 400, silence_ms: 600, total_ms: 3000 }

const mail = (changes: Partial<OutgoingMail> = {}): OutgoingMail => ({
  message_id: '<approval-0197.1@crm.example>',
  from: 'Ada Lovelace <ada@crm.example>',
  to: 'maya@brightside.example',
  subject: 'Your question about wholesale coffee',
  text: 'Hello Maya,\n\n.a line that begins with a dot\nand a lonely\n.\n\nGrüße ☕\nAda',
  ...changes,
})

describe('a message that is accepted', () => {
  test('arrives as it was written, once, over a connection of its own', async () => {
    const server = await smtp()
    const mailer = openMailer(server.url)
    const delivery = await mailer.send(
      mail({
        from: 'Jürgen Müller <juergen@crm.example>',
        to: '"Ortiz, Maya" <maya@brightside.example>',
        subject: 'Grüße aus Köln: „Kaffee“ ☕ für das ganze Team, jede Woche frisch geröstet und geliefert',
        reply_to: 'team@crm.example',
        in_reply_to: '<question@brightside.example>',
        references: ['<first@brightside.example>', '<question@brightside.example>'],
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Approval': '0197' },
        list_unsubscribe: {
          url: `https://crm.example/unsubscribe/${'x'.repeat(120)}?a=1&b=2`,
          one_click: true,
        },
      }),
    )
    expect(delivery).toEqual({ outcome: 'sent', response: '250 OK queued as 1' })
    expect(server.received).toHaveLength(1)
    expect(server.connections()).toBe(1)
    const [received] = server.received
    expect(received).toMatchObject({
      from: 'juergen@crm.example',
      to: ['maya@brightside.example'],
      subject: 'Grüße aus Köln: „Kaffee“ ☕ für das ganze Team, jede Woche frisch geröstet und geliefert',
      message_id: '<approval-0197.1@crm.example>',
    })
    expect(received?.text.replaceAll('\r\n', '\n').trimEnd()).toBe(mail().text)
    expect(received?.headers).toMatchObject({
      'auto-submitted': 'auto-generated',
      'x-approval': '0197',
      'list-unsubscribe': `<https://crm.example/unsubscribe/${'x'.repeat(120)}?a=1&b=2>`,
      'list-unsubscribe-post': 'List-Unsubscribe=One-Click',
      'in-reply-to': '<question@brightside.example>',
      references: '<first@brightside.example> <question@brightside.example>',
      'reply-to': 'team@crm.example',
    })
    expect(received?.headers.from).toMatch(/^=\?UTF-8\?.+\?= <juergen@crm\.example>$/i)
  })

  test('carries Auto-Submitted and List-Unsubscribe only when they were given', async () => {
    const server = await smtp()
    await openMailer(server.url).send(mail())
    const names = Object.keys(server.received[0]?.headers ?? {})
    expect(names).not.toContain('auto-submitted')
    expect(names).not.toContain('list-unsubscribe')
    expect(names.toSorted()).toEqual([
      'content-transfer-encoding',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'subject',
      'to',
    ])
  })

  test('logs in when the address names a user', async () => {
    const server = await smtp({ login: { user: 'ada@crm', pass: 'p@ss/word' } })
    const url = server.url.replace('smtp://', 'smtp://ada%40crm:p%40ss%2Fword@')
    expect(await openMailer(url).send(mail())).toMatchObject({ outcome: 'sent' })
    expect(await openMailer(server.url.replace('smtp://', 'smtp://ada:wrong@')).send(mail())).toMatchObject({
      outcome: 'refused',
      error: expect.stringContaining('user name or password'),
    })
  })

  test('a hook between the message and its answer sees it before it counts as received', async () => {
    const server = await smtp()
    let seen = 0
    server.behave({ onMessage: () => void (seen = server.received.length + server.arrived.length * 10) })
    await openMailer(server.url).send(mail())
    expect(seen).toBe(10)
  })
})

describe('what became of a message', () => {
  const large = 'A line of a long message that fills the buffers between here and there.\n'.repeat(250_000)

  const scenarios: {
    story: string
    behaviour: SmtpBehaviour
    outcome: string
    text?: string
    arrives?: boolean
  }[] = [
    {
      story: 'the sender is refused for now',
      behaviour: { refuse: { at: 'mail', code: 451 } },
      outcome: 'retry',
    },
    {
      story: 'the sender is refused for good',
      behaviour: { refuse: { at: 'mail', code: 550 } },
      outcome: 'refused',
    },
    {
      story: 'the recipient is refused for now',
      behaviour: { refuse: { at: 'rcpt', code: 450 } },
      outcome: 'retry',
    },
    {
      story: 'the recipient is refused for good',
      behaviour: { refuse: { at: 'rcpt', code: 550 } },
      outcome: 'refused',
    },
    {
      story: 'the message is refused for now after it was read',
      behaviour: { refuse: { at: 'message', code: 452 } },
      outcome: 'retry',
      arrives: true,
    },
    {
      story: 'the message is refused for good after it was read',
      behaviour: { refuse: { at: 'message', code: 554 } },
      outcome: 'refused',
      arrives: true,
    },
    {
      story: 'the login is refused for now',
      behaviour: { login: { user: 'ada', pass: 'x' }, refuse: { at: 'auth', code: 454 } },
      outcome: 'retry',
    },
    {
      story: 'the message is larger than the server takes',
      behaviour: { size: 500 },
      outcome: 'refused',
      text: large,
    },
    {
      story: 'the connection is cut before the greeting',
      behaviour: { drop: 'connection' },
      outcome: 'retry',
    },
    {
      story: 'the connection is cut in the middle of a short message',
      behaviour: { drop: 'mid_message' },
      outcome: 'retry',
    },
    {
      story: 'the connection is cut in the middle of a long message',
      behaviour: { drop: 'mid_message' },
      outcome: 'retry',
      text: large,
    },
    {
      story: 'the message arrives and the connection is cut before the answer',
      behaviour: { drop: 'before_reply' },
      outcome: 'unknown',
      arrives: true,
    },
    {
      story: 'a long message arrives and the connection is cut before the answer',
      behaviour: { drop: 'before_reply' },
      outcome: 'unknown',
      text: large,
      arrives: true,
    },
    {
      story: 'the message arrives and no answer ever comes',
      behaviour: { hang: true },
      outcome: 'unknown',
      arrives: true,
    },
  ]

  test.each(scenarios)(
    '$story: $outcome',
    async ({ behaviour, outcome, text, arrives = false }) => {
      const server = await smtp(behaviour)
      const url = behaviour.login ? server.url.replace('smtp://', 'smtp://ada:x@') : server.url
      const delivery = await openMailer(url, quick).send(mail(text === undefined ? {} : { text }))
      expect(delivery.outcome).toBe(outcome)
      expect(server.arrived).toHaveLength(arrives ? 1 : 0)
      expect(server.received).toHaveLength(0)
      if ('error' in delivery) expect(delivery.error).toMatch(/^The .+\.|It said: .+$/)
    },
    15_000,
  )

  const scripts: { story: string; script: SmtpScript; outcome: string }[] = [
    { story: 'the greeting never comes', script: { connect: 'hang' }, outcome: 'retry' },
    { story: 'the greeting is a temporary no', script: { connect: '421 too busy' }, outcome: 'retry' },
    { story: 'the greeting is a final no', script: { connect: '554 no service here' }, outcome: 'refused' },
    {
      story: 'the server speaks another protocol',
      script: { connect: 'HTTP/1.1 400 Bad Request' },
      outcome: 'retry',
    },
    { story: 'DATA is refused for now', script: { DATA: '451 later' }, outcome: 'retry' },
    { story: 'DATA is refused for good', script: { DATA: '554 never' }, outcome: 'refused' },
    { story: 'DATA is never answered', script: { DATA: 'hang' }, outcome: 'retry' },
    { story: 'the connection is cut at DATA', script: { DATA: 'drop' }, outcome: 'retry' },
    {
      story: 'the server closes with 421 instead of taking the message',
      script: { '.': '421 shutting down' },
      outcome: 'retry',
    },
    { story: 'the answer to the message is cut off', script: { '.': '25…' }, outcome: 'unknown' },
    { story: 'a refusal of the message is cut off', script: { '.': '550 not wan…' }, outcome: 'unknown' },
    { story: 'the answer to the message is gibberish', script: { '.': 'mumble' }, outcome: 'unknown' },
    {
      story: 'the answer to the message asks for more',
      script: { '.': '354 more please' },
      outcome: 'unknown',
    },
    {
      story: 'a pipelining server refuses sender, recipient and DATA',
      script: { EHLO: '250-hello\r\n250 PIPELINING', MAIL: '451 no', RCPT: '503 no', DATA: '503 no' },
      outcome: 'retry',
    },
    {
      story: 'the server takes the message and is gone before QUIT',
      script: { QUIT: 'drop' },
      outcome: 'sent',
    },
    {
      story: 'the server takes the message and never answers QUIT',
      script: { QUIT: 'hang' },
      outcome: 'sent',
    },
    { story: 'TLS is required and not offered', script: {}, outcome: 'refused' },
  ]

  test.each(scripts)('$story: $outcome', async ({ story, script, outcome }) => {
    const server = await scripted(script)
    const delivery = await openMailer(
      server.url + (story.startsWith('TLS') ? '?requireTLS=true' : ''),
      quick,
    ).send(mail())
    expect(delivery, JSON.stringify(delivery)).toMatchObject({ outcome })
    if (outcome === 'refused') expect(delivery).toHaveProperty('permanent', true)
    expect(server.messages.length).toBe('.' in script || 'QUIT' in script ? 1 : 0)
  })

  test('nobody listens, or the name does not exist: retry', async () => {
    const free = createServer()
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    expect(await openMailer(`smtp://127.0.0.1:${port}`, quick).send(mail())).toMatchObject({
      outcome: 'retry',
    })
    expect(await openMailer('smtp://no-such-host.invalid:25', quick).send(mail())).toMatchObject({
      outcome: 'retry',
    })
  })

  test('a server that trickles words for ever is left when the time is up', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      const trickle = setInterval(() => socket.write('220-still here\r\n'), 50)
      socket.on('close', () => clearInterval(trickle))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    stops.push(() => new Promise((resolve) => server.close(() => resolve())))
    const started = Date.now()
    expect(
      await openMailer(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, {
        connect_ms: 5000,
        silence_ms: 5000,
        total_ms: 500,
      }).send(mail()),
    ).toMatchObject({ outcome: 'retry' })
    expect(Date.now() - started).toBeLessThan(1500)
  })
})

describe('what is never sent', () => {
  const smuggled: [string, Partial<OutgoingMail>][] = [
    ['subject', { subject: 'Hi\r\nBcc: thief@evil.example' }],
    ['subject', { subject: 'Hi\nBcc: thief@evil.example' }],
    ['subject', { subject: 'Hi\u0000' }],
    ['subject', { subject: 'Hi\u2028Bcc: thief@evil.example' }],
    ['to', { to: 'maya@brightside.example\r\nRCPT TO:<thief@evil.example>' }],
    ['to', { to: 'maya@brightside.example, thief@evil.example' }],
    ['to', { to: 'Team: maya@brightside.example, thief@evil.example;' }],
    ['to', { to: '' }],
    ['to', { to: 'maya' }],
    ['to', { to: 'maya@' }],
    ['to', { to: 'maya@[127.0.0.1]' }],
    ['to', { to: 'maya@127.0.0.1' }],
    ['to', { to: 'maya@@brightside.example' }],
    ['to', { to: `${'m'.repeat(65)}@brightside.example` }],
    ['from', { from: 'Ada\r\nBcc: thief@evil.example <ada@crm.example>' }],
    ['reply_to', { reply_to: 'ada@crm.example\nBcc: x@evil.example' }],
    ['message_id', { message_id: '<a@b>\r\nBcc: thief@evil.example' }],
    ['message_id', { message_id: 'not-an-id' }],
    ['in_reply_to', { in_reply_to: '<a@b> <c@d>' }],
    ['references', { references: ['<a@b>', 'x\r\ny'] }],
    ['X-Note', { headers: { 'X-Note': 'a\r\nBcc: thief@evil.example' } }],
    ['headers', { headers: { 'X-Note: a\r\nBcc': 'thief@evil.example' } }],
    ['headers', { headers: { Bcc: 'thief@evil.example' } }],
    ['headers', { headers: { 'content-type': 'text/html' } }],
    ['headers', { headers: { 'X-Note': 'ü' } }],
    [
      'list_unsubscribe',
      { list_unsubscribe: { url: 'https://crm.example/>, <mailto:thief@evil.example', one_click: true } },
    ],
    ['list_unsubscribe', { list_unsubscribe: { url: 'javascript:alert(1)', one_click: true } }],
  ]

  test.each(smuggled)(
    'a %s that would become something else is refused before anything is opened: %j',
    async (field, change) => {
      const server = await smtp()
      const error = await openMailer(server.url)
        .send(mail(change))
        .catch((error: unknown) => error)
      expect(error).toBeInstanceOf(MailError)
      expect(error).toMatchObject({ field })
      expect(server.connections()).toBe(0)
    },
  )

  test('a dot on a line of its own does not end the message early', async () => {
    const server = await scripted({})
    await openMailer(server.url).send(
      mail({ text: 'one\r\n.\r\nMAIL FROM:<thief@evil.example>\r\n.\rtwo\n.\nthree' }),
    )
    expect(server.messages).toHaveLength(1)
    expect(server.messages[0]).toContain('three')
  })

  test('an SMTP_URL that cannot work is named at once', () => {
    for (const url of [
      '',
      'mail.example.com',
      'http://mail.example.com',
      'smtp://',
      'smtp://h?pool=true',
      'smtp://h?debug=true',
      'smtp://h?requireTLS=maybe',
      'smtp://h?tls.minVersion=SSLv3',
    ]) {
      expect(() => openMailer(url), url).toThrow(MailError)
    }
    for (const url of [
      'smtp://h',
      'smtps://u:p@h:465?tls.rejectUnauthorized=false',
      'smtp://[::1]:2525?ignoreTLS=1&name=crm.example',
    ])
      expect(() => openMailer(url), url).not.toThrow()
  })

  test('an address is read with or without its name', () => {
    expect(parseAddress('ada@crm.example')).toEqual({ address: 'ada@crm.example' })
    expect(parseAddress(' "Lovelace, Ada" <ada+crm@crm.example> ')).toEqual({
      address: 'ada+crm@crm.example',
      name: 'Lovelace, Ada',
    })
    expect(parseAddress('Jörg <joerg@käse.example>')).toEqual({ address: 'joerg@käse.example', name: 'Jörg' })
  })
})
