import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { getApproval, type Approval } from '../db/approvals.ts'
import { approveApproval } from '../db/approval-decisions.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { updateLead } from '../db/leads.ts'
import { getMessage, listMessages, queueMessage, type Message } from '../db/messages.ts'
import {
  announceSending,
  deliveryLimits,
  keepSending,
  resolveOutcome,
  settleSending,
  type Sending,
} from '../db/message-delivery.ts'
import { changeAgentSettings } from '../db/models.ts'
import { findOptOut, optOut, unsubscribeToken } from '../db/opt-outs.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { resolveToken } from '../db/identity.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { listTimeline } from '../db/timeline.ts'
import { executeApproval } from '../tools/approvals.ts'
import { sweep } from '../tools/jobs.ts'
import { deliverMessage } from '../tools/messages.ts'
import type { Outside } from '../tools/tool.ts'
import { openMailer } from '../tools/vendors/email.ts'
import { startSmtp, type Smtp } from './smtp.ts'
import { makeLead, nowhere, parkEmail } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
let smtp: Smtp
let outside: Outside
const initial = { ...deliveryLimits }

beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
  smtp = await startSmtp()
  outside = { ...nowhere, mail: { ...nowhere.mail, mailer: openMailer(smtp.url) } }
})
afterAll(async () => {
  Object.assign(deliveryLimits, initial)
  await smtp.stop()
  await world.stop()
})

type Outgoing = { lead: Opportunity; approval: Approval; message: Message }

/** An e-mail that a person approved and that stands in the outbox. */
const outgoing = async (): Promise<Outgoing> => {
  const lead = await makeLead(ctx)
  const { id } = await parkEmail(world, lead)
  await approveApproval(ctx, id, {})
  await executeApproval(world.db, ctx.organization_id, id, outside)
  const { data } = await listMessages(ctx, { record_id: lead.id, limit: 10 })
  expect(data).toHaveLength(1)
  return { lead, approval: await getApproval(ctx, id), message: data[0]! }
}
const deliver = (id: string): Promise<void> => deliverMessage(world.db, ctx.organization_id, id, outside)
const announce = (id: string): Promise<Sending | undefined> =>
  announceSending(world.db, ctx.organization_id, id)
const arrivedFor = (lead: Opportunity) => smtp.arrived.filter(({ to }) => to.includes(lead.email!))
const linesOf = async (lead: Opportunity, type: string) =>
  (await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 100 })).data.filter(
    (line) => line.type === type,
  )
/** The worker that announced it died: its lease passes. */
const letLeasePass = (id: string): Promise<unknown> =>
  inTx(
    ctx,
    ({ tx, organization_id }) =>
      tx`update messages set lease_until = now() - interval '1 second' where organization_id = ${organization_id} and id = ${id}`,
  )
const makeDue = (id: string): Promise<unknown> =>
  inTx(
    ctx,
    ({ tx, organization_id }) =>
      tx`update messages set next_attempt_at = now() where organization_id = ${organization_id} and id = ${id}`,
  )

test('an approved e-mail is sent once, however often and by however many it is delivered', async () => {
  const { lead, approval, message } = await outgoing()
  expect(message).toMatchObject({ status: 'queued', message_id: `<${approval.id}@northwind.example>` })
  expect(await getApproval(ctx, approval.id)).toMatchObject({ status: 'executing' })
  await Promise.all(Array.from({ length: 8 }, () => deliver(message.id)))
  await deliver(message.id)
  expect(arrivedFor(lead)).toMatchObject([{ message_id: `<${approval.id}@northwind.example>` }])
  expect(await getApproval(ctx, approval.id)).toMatchObject({
    status: 'executed',
    result: { transport: 'smtp' },
  })
  expect((await getOpportunity(ctx, lead.id)).sent_at).not.toBeNull()
  expect(await linesOf(lead, 'email_sent')).toMatchObject([
    { actor: { kind: 'agent', id: 'lead_worker' }, on_behalf_of: { kind: 'user' }, approval_id: approval.id },
  ])
})

test('carrying an approval out twice puts one message into the outbox', async () => {
  const { lead, approval } = await outgoing()
  await executeApproval(world.db, ctx.organization_id, approval.id, outside)
  const again = await inTx({ ...ctx, approval_id: approval.id }, (ctx) =>
    queueMessage(ctx, {
      message_id: '<other@northwind.example>',
      from: 'a@northwind.example',
      to: lead.email!,
      subject: 'Again',
      body: 'Again',
      headers: {},
      record: { kind: 'lead', id: lead.id },
    }),
  )
  const { data } = await listMessages(ctx, { record_id: lead.id, limit: 10 })
  expect(data.map(({ id }) => id)).toEqual([again])
  expect(data[0]).toMatchObject({ subject: 'Your question' })
})

describe('Q9 killed between “the provider has it” and “we wrote it down”', () => {
  const killed = async (): Promise<Outgoing> => {
    const out = await outgoing()
    const sending = await announce(out.message.id)
    await outside.mail.mailer!.send({
      message_id: sending!.message.message_id,
      from: sending!.message.from,
      to: sending!.message.to,
      subject: sending!.message.subject,
      text: sending!.message.body,
    })
    // Here the process is killed: nothing settles the sending.
    return out
  }

  test('while its lease lasts, nobody else sends it', async () => {
    const { lead, message } = await killed()
    await Promise.all([deliver(message.id), deliver(message.id), sweep(world.db, outside)])
    expect(arrivedFor(lead)).toHaveLength(1)
    expect(await getMessage(ctx, message.id)).toMatchObject({ status: 'sending' })
  })

  test('after it, the outcome is unknown, a person is asked, and it is never sent again', async () => {
    const { lead, approval, message } = await killed()
    await letLeasePass(message.id)
    await sweep(world.db, outside)
    for (let n = 0; n < 3; n++) await deliver(message.id)
    await sweep(world.db, outside)
    expect(arrivedFor(lead)).toHaveLength(1)
    expect(await getMessage(ctx, message.id)).toMatchObject({ status: 'outcome_unknown' })
    expect(await getApproval(ctx, approval.id)).toMatchObject({ status: 'outcome_unknown' })
    expect(await linesOf(lead, 'outcome_unknown')).toHaveLength(1)
    expect(await linesOf(lead, 'email_sent')).toHaveLength(0)
  })

  test.each(['sent', 'not_sent'] as const)(
    'a person says “%s”, and nothing is sent by that',
    async (outcome) => {
      const { lead, approval, message } = await killed()
      await letLeasePass(message.id)
      await deliver(message.id)
      await resolveOutcome(ctx, approval.id, outcome)
      await deliver(message.id)
      await sweep(world.db, outside)
      expect(arrivedFor(lead)).toHaveLength(1)
      expect(await getApproval(ctx, approval.id)).toMatchObject({
        status: outcome === 'sent' ? 'executed' : 'failed',
      })
      expect(await getMessage(ctx, message.id)).toMatchObject({
        status: outcome === 'sent' ? 'sent' : 'failed',
      })
      expect(await linesOf(lead, 'email_sent')).toHaveLength(outcome === 'sent' ? 1 : 0)
      expect(await linesOf(lead, 'outcome_resolved')).toMatchObject([{ actor: { kind: 'user' } }])
      await expect(resolveOutcome(ctx, approval.id, 'not_sent')).rejects.toMatchObject({
        kind: 'conflict',
        code: 'outcome_known',
      })
    },
  )

  test.each([
    ['sent', { outcome: 'sent', response: '250 OK' }, 'sent', 'executed'],
    ['refused', { outcome: 'refused', error: '550 no such user' }, 'failed', 'failed'],
    ['unknown', { outcome: 'unknown', error: 'cut off' }, 'outcome_unknown', 'outcome_unknown'],
    ['retry', { outcome: 'retry', error: '451 later' }, 'outcome_unknown', 'outcome_unknown'],
  ] as const)(
    'a late answer of a worker that was thought dead counts when it tells what happened: %s',
    async (_, late, message_status, approval_status) => {
      const { message, approval } = await outgoing()
      const slow = await announce(message.id)
      await letLeasePass(message.id)
      await deliver(message.id)
      expect(await getApproval(ctx, approval.id)).toMatchObject({ status: 'outcome_unknown' })
      await settleSending(world.db, slow!, late)
      expect(await getMessage(ctx, message.id)).toMatchObject({ status: message_status })
      expect(await getApproval(ctx, approval.id)).toMatchObject({ status: approval_status })
    },
  )

  test('a worker that says that it is still at it keeps its lease', async () => {
    const { message } = await outgoing()
    const slow = await announce(message.id)
    await letLeasePass(message.id)
    await keepSending(world.db, slow!)
    await deliver(message.id)
    expect(await getMessage(ctx, message.id)).toMatchObject({ status: 'sending' })
    await settleSending(world.db, slow!, { outcome: 'sent', response: '250 OK' })
    expect(await getMessage(ctx, message.id)).toMatchObject({ status: 'sent', provider_response: '250 OK' })
  })

  test('a server that takes the message and hangs up before its answer leaves the outcome unknown', async () => {
    const { lead, approval, message } = await outgoing()
    smtp.behave({ drop: 'before_reply' })
    await deliver(message.id)
    smtp.behave({})
    await deliver(message.id)
    expect(arrivedFor(lead)).toHaveLength(1)
    expect(await getApproval(ctx, approval.id)).toMatchObject({ status: 'outcome_unknown' })
  })
})

describe('what happens between the outbox and the send is looked at once more', () => {
  const switches: [
    what: string,
    code: string,
    off: (out: Outgoing) => Promise<unknown>,
    on: () => Promise<unknown>,
  ][] = [
    [
      'the address opted out',
      'opted_out',
      ({ lead }) => optOut(ctx, ` ${lead.email!.toUpperCase()} `, 'one click'),
      async () => {},
    ],
    ['agents were switched off', 'ai_off', () => setAi(false), () => setAi(true)],
    [
      'the agent was paused',
      'agent_off',
      () => changeAgentSettings(ctx, 'lead_worker', { enabled: false }),
      () => changeAgentSettings(ctx, 'lead_worker', { enabled: true }),
    ],
    [
      'agents were paused on the record',
      'record_off',
      ({ lead }) => updateLead(ctx, lead.id, { agents_paused: true }),
      async () => {},
    ],
  ]
  const setAi = async (ai_enabled: boolean) =>
    changeSettings(ctx, { version: (await readSettings(ctx)).version, changes: { ai_enabled } })

  test.each(switches)('%s: it is not sent, and the approval says why', async (_, code, off, on) => {
    const out = await outgoing()
    await off(out)
    try {
      await deliver(out.message.id)
    } finally {
      await on()
    }
    await deliver(out.message.id)
    expect(arrivedFor(out.lead)).toEqual([])
    expect(await getMessage(ctx, out.message.id)).toMatchObject({ status: 'cancelled' })
    expect(await getApproval(ctx, out.approval.id)).toMatchObject({
      status: 'failed',
      result: { error: { code } },
    })
  })
})

test('a passing refusal is tried again later, each time waiting longer, until it is given up on', async () => {
  const { lead, approval, message } = await outgoing()
  smtp.behave({ refuse: { at: 'rcpt', code: 451 } })
  const waits: number[] = []
  for (let n = 0; n < deliveryLimits.max_attempts; n++) {
    await makeDue(message.id)
    await deliver(message.id)
    const [row] = await inTx(
      ctx,
      ({ tx, organization_id }) => tx<{ wait_ms: number }[]>`
        select extract(epoch from next_attempt_at - now())::float8 * 1000 as wait_ms from messages
        where organization_id = ${organization_id} and id = ${message.id}`,
    )
    waits.push(row!.wait_ms)
    await deliver(message.id)
    expect(await getMessage(ctx, message.id)).toMatchObject({ attempts: n + 1 })
  }
  smtp.behave({})
  const rising = waits.slice(0, -1)
  expect(rising).toEqual(rising.toSorted((a, b) => a - b))
  expect(rising[0]).toBeGreaterThan(deliveryLimits.backoff_ms / 2)
  expect(await getMessage(ctx, message.id)).toMatchObject({ status: 'failed' })
  expect(await getApproval(ctx, approval.id)).toMatchObject({
    status: 'failed',
    result: { error: { code: 'not_delivered' } },
  })
  expect(await linesOf(lead, 'email_failed')).toHaveLength(1)
  expect(arrivedFor(lead)).toEqual([])
})

test('a refusal for good fails at once, with the server’s words', async () => {
  const { lead, approval, message } = await outgoing()
  smtp.behave({ refuse: { at: 'rcpt', code: 550 } })
  await deliver(message.id)
  smtp.behave({})
  await deliver(message.id)
  expect(await getMessage(ctx, message.id)).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: expect.stringContaining('550'),
  })
  expect(await getApproval(ctx, approval.id)).toMatchObject({ status: 'failed' })
  expect(arrivedFor(lead)).toEqual([])
})

test('without a mail server the e-mail is captured and shown, and the timeline says so', async () => {
  const { lead, approval, message } = await outgoing()
  await deliverMessage(world.db, ctx.organization_id, message.id, nowhere)
  expect(await getMessage(ctx, message.id)).toMatchObject({ status: 'captured', to: lead.email })
  expect(await getApproval(ctx, approval.id)).toMatchObject({
    status: 'executed',
    result: { transport: 'captured' },
  })
  expect(await linesOf(lead, 'email_sent')).toMatchObject([{ summary: expect.stringContaining('captured') }])
})

test('a message whose job was lost is delivered by the sweep', async () => {
  const { lead, message } = await outgoing()
  await inTx(
    ctx,
    ({ tx, organization_id }) =>
      tx`update messages set next_attempt_at = now() - interval '1 minute' where organization_id = ${organization_id} and id = ${message.id}`,
  )
  await sweep(world.db, outside)
  expect(arrivedFor(lead)).toHaveLength(1)
})

test('an address’ link to opt out is always the same one, and opens only its own organization', async () => {
  const token = await unsubscribeToken(ctx, 'ana@brightside.example')
  expect(await unsubscribeToken(ctx, 'ana@brightside.example')).toBe(token)
  const other = await world.other()
  expect(await unsubscribeToken(other.ctx, 'ana@brightside.example')).not.toBe(token)
  expect(await resolveToken(world.db, 'unsubscribe', token)).toEqual({
    organization_id: ctx.organization_id,
    principal: 'ana@brightside.example',
  })
  expect(await resolveToken(world.db, 'intake', token)).toBeUndefined()
  await optOut(ctx, 'Ana@Brightside.Example', 'one click')
  await optOut(ctx, 'ana@brightside.example', 'again')
  expect(await findOptOut(ctx, 'ANA@brightside.example')).toBe('one click')
  expect(await findOptOut(other.ctx, 'ana@brightside.example')).toBeUndefined()
})
