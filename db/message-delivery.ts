import { recordActivity } from './activities.ts'
import { requireUnknown, settleExecuted, settleFailed, settleUnknown } from './approval-execution.ts'
import { getApproval } from './approvals.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, systemCtx, type TxCtx } from './context.ts'
import { type Message, type MessageRow, type MessageStatus, toMessage } from './messages.ts'
import { rescoreAfter } from './lead-scoring.ts'
import { reachMilestone } from './milestones.ts'
import { enqueue } from './queue.ts'

/** How often and how long a delivery is tried, and how long a sending may be silent before its outcome is unknown. */
export const deliveryLimits = { max_attempts: 6, backoff_ms: 5_000, lease_ms: 10_000, heartbeat_ms: 3_000 }

/** A sending that this worker has announced and now must carry out. */
export type Sending = { organization_id: string; message: Message; fence: number }

/**
 * Announces a sending before it happens (the intent): after this, a silence means that nobody knows the outcome.
 * Nothing when the message is not waiting, or must not be sent any more; that is settled here.
 */
export const announceSending = (
  db: Database,
  organization_id: string,
  id: string,
): Promise<Sending | undefined> =>
  inTx(systemCtx(db, organization_id, 'delivery'), async (ctx) => {
    const { tx } = ctx
    const [row] = await tx<MessageRow[]>`
      select * from messages where organization_id = ${organization_id} and id = ${id} for update`
    if (!row) return undefined
    if (row.status === 'sending' && row.lease_until && row.lease_until.getTime() < Date.now()) {
      await settleOutcomeUnknown(
        ctx,
        toMessage(row),
        'the process stopped between handing the e-mail over and hearing the answer',
      )
      return undefined
    }
    if (row.status !== 'queued' || row.next_attempt_at.getTime() > Date.now()) return undefined
    const obstacle = await findObstacle(ctx, row)
    if (obstacle) {
      await settle(ctx, row.id, 'cancelled', { error: obstacle.message })
      if (row.approval_id) await settleFailed(ctx, row.approval_id, obstacle)
      return undefined
    }
    const [claimed] = await tx<MessageRow[]>`
      update messages set status = 'sending', intent_at = now(), fence = fence + 1, attempts = attempts + 1,
        lease_until = now() + ${`${deliveryLimits.lease_ms} ms`}::interval
      where organization_id = ${organization_id} and id = ${id} returning *`
    return claimed ? { organization_id, message: toMessage(claimed), fence: claimed.fence } : undefined
  })

/** Says that a sending is still under way. */
export const keepSending = (db: Database, sending: Sending): Promise<void> =>
  inTx(systemCtx(db, sending.organization_id, 'delivery'), async ({ tx, organization_id }) => {
    await tx`
      update messages set lease_until = now() + ${`${deliveryLimits.lease_ms} ms`}::interval
      where organization_id = ${organization_id} and id = ${sending.message.id} and fence = ${sending.fence} and status = 'sending'`
  })

/** What the provider said. `unknown` is never tried again by itself. */
export type DeliveryOutcome =
  | { outcome: 'sent' | 'captured'; response: string }
  | { outcome: 'refused'; error: string }
  | { outcome: 'retry'; error: string }
  | { outcome: 'unknown'; error: string }

/** Writes down what came of a sending; nothing when another worker has settled it meanwhile. */
export const settleSending = (db: Database, sending: Sending, result: DeliveryOutcome): Promise<void> =>
  inTx(systemCtx(db, sending.organization_id, 'delivery'), async (ctx) => {
    const { tx, organization_id } = ctx
    const { message, fence } = sending
    const [held] = await tx<{ status: MessageStatus }[]>`
      select status from messages where organization_id = ${organization_id} and id = ${message.id}
        and fence = ${fence} and status in ('sending', 'outcome_unknown') for update`
    if (!held) return
    // An answer that came after the outcome was given up on still tells what happened; anything less leaves it to a person.
    if (held.status === 'outcome_unknown' && result.outcome !== 'sent' && result.outcome !== 'refused') return
    switch (result.outcome) {
      case 'sent':
      case 'captured':
        await settle(ctx, message.id, result.outcome, { response: result.response })
        return recordSent(ctx, message, {
          transport: result.outcome === 'sent' ? 'smtp' : 'captured',
          response: result.response,
        })
      case 'unknown':
        return settleOutcomeUnknown(ctx, message, result.error)
      case 'retry':
        if (message.attempts < deliveryLimits.max_attempts) return postpone(ctx, message, result.error)
        return settleRefused(ctx, message, `gave up after ${message.attempts} attempts: ${result.error}`)
      case 'refused':
        return settleRefused(ctx, message, result.error)
    }
  })

/** A person says what happened to an e-mail whose outcome is unknown. Nothing is ever sent again by this. */
export const resolveOutcome = (ctx: Ctx, approval_id: string, outcome: 'sent' | 'not_sent'): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const approval = await requireUnknown(ctx, approval_id)
    const [row] = await tx<MessageRow[]>`
      select * from messages where organization_id = ${organization_id} and approval_id = ${approval_id} for update`
    await recordActivity(
      { ...ctx, approval_id },
      {
        type: 'outcome_resolved',
        subjects: [approval.subject, { kind: 'approval', id: approval_id }],
        data: { outcome, summary: approval.summary },
      },
    )
    const message = row ? toMessage(row) : undefined
    if (message)
      await settle(ctx, message.id, outcome === 'sent' ? 'sent' : 'failed', { response: 'as a person said' })
    if (outcome === 'sent' && message)
      return recordSent(ctx, message, { transport: 'smtp', response: 'as a person said' })
    await settleFailed(ctx, approval_id, { code: 'not_sent', message: 'It was not sent, as a person said.' })
  })

/** Why a message must not go out any more, looked at immediately before it would. */
const findObstacle = async (
  ctx: TxCtx,
  row: MessageRow,
): Promise<{ code: string; message: string } | undefined> => {
  const { tx, organization_id } = ctx
  const [state] = await tx<
    { opted_out: boolean; ai_enabled: boolean; agent_enabled: boolean; paused: boolean }[]
  >`
    select exists (select 1 from opt_outs o where o.organization_id = s.organization_id and o.email = ${row.recipient.toLowerCase()}) as opted_out,
      s.ai_enabled,
      coalesce((select a.enabled from agents a join approvals p on p.organization_id = a.organization_id
        and p.id = ${row.approval_id} and a.name = p.proposed_by ->> 'id'
        where a.organization_id = s.organization_id), true) as agent_enabled,
      coalesce((select o.agents_paused from opportunities o
        where o.organization_id = s.organization_id and o.id = ${row.record_id}), false) as paused
    from settings s where s.organization_id = ${organization_id}`
  if (state?.opted_out) return { code: 'opted_out', message: `${row.recipient} asked not to be written to.` }
  if (!state?.ai_enabled)
    return { code: 'ai_off', message: 'Agents were switched off for this organization before it was sent.' }
  if (!state.agent_enabled)
    return { code: 'agent_off', message: 'The agent that wrote it was paused before it was sent.' }
  if (state.paused)
    return { code: 'record_off', message: 'Agents were paused on this record before it was sent.' }
  return undefined
}

const settle = async (
  { tx, organization_id }: TxCtx,
  id: string,
  status: MessageStatus,
  { response, error }: { response?: string; error?: string },
): Promise<void> => {
  await tx`
    update messages set status = ${status}, lease_until = null, provider_response = ${response ?? null}, error = ${error ?? null},
      sent_at = ${status === 'sent' || status === 'captured' ? new Date() : null}
    where organization_id = ${organization_id} and id = ${id}`
}

/** The e-mail's line has the proposing agent as its author and the approver on whose behalf. */
const recordSent = async (
  ctx: TxCtx,
  message: Message,
  how: { transport: string; response: string },
): Promise<void> => {
  const authored = await authorOf(ctx, message)
  await reachMilestone(authored, message.record.id, 'sent_at')
  await recordActivity(authored, {
    type: 'email_sent',
    subjects: [message.record, { kind: 'message', id: message.id }],
    data: {
      to: message.to,
      subject: message.subject,
      body: message.body,
      message_id: message.message_id,
      ...how,
    },
  })
  await rescoreAfter(ctx, 'email_sent', [message.record])
  if (message.approval_id) {
    await settleExecuted(authored, message.approval_id, {
      message_id: message.message_id,
      id: message.id,
      ...how,
    })
  }
}

const settleOutcomeUnknown = async (ctx: TxCtx, message: Message, error: string): Promise<void> => {
  await settle(ctx, message.id, 'outcome_unknown', { error })
  if (message.approval_id) await settleUnknown(ctx, message.approval_id, error)
  await recordActivity(
    { ...ctx, ...(message.approval_id ? { approval_id: message.approval_id } : {}) },
    {
      type: 'outcome_unknown',
      subjects: [message.record, { kind: 'message', id: message.id }],
      data: { to: message.to, subject: message.subject, error },
    },
  )
}

const settleRefused = async (ctx: TxCtx, message: Message, error: string): Promise<void> => {
  await settle(ctx, message.id, 'failed', { error })
  await recordActivity(await authorOf(ctx, message), {
    type: 'email_failed',
    subjects: [message.record, { kind: 'message', id: message.id }],
    data: { to: message.to, subject: message.subject, error },
  })
  if (message.approval_id)
    await settleFailed(ctx, message.approval_id, { code: 'not_delivered', message: error })
}

const postpone = async (ctx: TxCtx, message: Message, error: string): Promise<void> => {
  const { tx, organization_id } = ctx
  const wait_ms = deliveryLimits.backoff_ms * 2 ** (message.attempts - 1)
  await tx`
    update messages set status = 'queued', lease_until = null, error = ${error},
      next_attempt_at = now() + ${`${wait_ms} ms`}::interval
    where organization_id = ${organization_id} and id = ${message.id}`
  await enqueue(ctx, 'message.queued', { message_id: message.id }, Math.ceil(wait_ms / 1_000))
}

const authorOf = async (ctx: TxCtx, message: Message): Promise<TxCtx> => {
  if (!message.approval_id) return ctx
  const approval = await getApproval(ctx, message.approval_id)
  return {
    ...ctx,
    actor: approval.proposed_by,
    ...(approval.decided_by ? { on_behalf_of: approval.decided_by } : {}),
    approval_id: approval.id,
    ...(approval.run_id ? { run_id: approval.run_id } : {}),
  }
}
