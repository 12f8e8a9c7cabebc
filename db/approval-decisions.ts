import type { Subject } from './activities.ts'
import { changedReads, markStale, type Read, type ReadChange, readValues } from './approval-reads.ts'
import {
  type Approval,
  type ApprovalRow,
  getApproval,
  hashArguments,
  lockApproval,
  record,
  type RejectCode,
  toApproval,
} from './approvals.ts'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { enqueue } from './queue.ts'
import { storableJson } from './text.ts'

/** How long the person who rejected may take it back. */
const RESTORE_MS = 5 * 60_000

/** What a person says to an approval. */
export type Approve = {
  input?: Record<string, unknown>
  reads?: Read[]
  reason?: string
  version?: number
  summary?: string
}

/**
 * A person says yes: the call will run exactly as it stands, or as the person edited it.
 * @throws {DomainError} `approval_not_pending` with the state and who decided, `approval_stale` with what changed,
 * `approval_expired`, `own_proposal`, stale on a version mismatch
 */
export const approveApproval = async (ctx: Ctx, id: string, decision: Approve): Promise<Approval> => {
  let approved = false
  const decided = await inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const approval = await lockApproval(ctx, id)
    requireDecidable(actor, approval)
    if (approval.status !== 'pending') return approval
    requireVersion(approval, decision.version)
    if (approval.expires_at.getTime() <= Date.now()) return expire(ctx, approval)
    const changes = await changedReads(ctx, approval.subject, approval.read_set)
    if (changes.length > 0) {
      await markStale(ctx, approval, changes)
      return getApproval(ctx, id)
    }
    const edited =
      decision.input !== undefined && hashArguments(decision.input) !== hashArguments(approval.input)
    const [row] = await tx<ApprovalRow[]>`
      update approvals set status = 'approved', decided_by = ${tx.json(actor)}, decided_at = now(),
        decision_reason = ${decision.reason ?? null}, version = version + 1, updated_at = now()
        ${
          edited
            ? tx`, proposed_input = input, input = ${tx.json(storableJson(decision.input) as never)},
                summary = ${decision.summary ?? approval.summary},
                read_set = ${tx.json(await readValues(ctx, approval.subject, decision.reads ?? approval.read_set))}`
            : tx``
        }
      where organization_id = ${organization_id} and id = ${id} and status = 'pending' returning *`
    if (!row) return getApproval(ctx, id)
    await record(ctx, toApproval(row), 'approved', { edited }, decision.reason)
    await enqueue(ctx, 'approval.approved', { approval_id: id })
    approved = true
    return toApproval(row)
  })
  // Thrown after the commit, so that an expiry or a staleness that was found on the way stays.
  if (!approved) throw refusal(decided)
  return decided
}

/** A person says no, and why. */
export const rejectApproval = async (
  ctx: Ctx,
  id: string,
  decision: { reason_code: RejectCode; reason?: string | undefined; version?: number | undefined },
): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const approval = await lockApproval(ctx, id)
    requireDecidable(actor, approval)
    if (['pending', 'stale'].includes(approval.status)) requireVersion(approval, decision.version)
    const [row] = await tx<ApprovalRow[]>`
      update approvals set status = 'rejected', decided_by = ${tx.json(actor)}, decided_at = now(),
        decision_code = ${decision.reason_code}, decision_reason = ${decision.reason ?? null},
        version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id} and status in ('pending', 'stale') returning *`
    if (!row) throw refusal(approval)
    const rejected = toApproval(row)
    await record(ctx, rejected, 'rejected', { reason_code: decision.reason_code }, decision.reason)
    return rejected
  })

/** Takes a rejection back: by the same person, within five minutes, while what it rests on is as it was. */
export const restoreApproval = (ctx: Ctx, id: string): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const approval = await lockApproval(ctx, id)
    if (approval.status !== 'rejected') throw refusal(approval)
    if (!sameActor(approval.decided_by, actor)) {
      throw new DomainError(
        'forbidden',
        'not_your_decision',
        `Only ${approval.decided_by?.name ?? 'who rejected it'} can take this back.`,
      )
    }
    if (Date.now() > restorableUntil(approval)) {
      throw new DomainError(
        'conflict',
        'restore_too_late',
        'A rejection can be taken back within five minutes.',
        {
          extra: { status: approval.status, decided_by: approval.decided_by },
        },
      )
    }
    const changes = await changedReads(ctx, approval.subject, approval.read_set)
    if (changes.length > 0) {
      throw new DomainError(
        'conflict',
        'approval_stale',
        `It can no longer be restored: ${sentence(changes)}.`,
        {
          extra: { status: approval.status, changed: changes },
        },
      )
    }
    if (await isReplaced(ctx, approval)) {
      throw new DomainError(
        'conflict',
        'approval_replaced',
        'A newer proposal for the same purpose is open already.',
        {
          extra: { status: approval.status },
        },
      )
    }
    await tx`
      update approvals set status = 'pending', decided_by = null, decided_at = null, decision_code = null,
        decision_reason = null, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await record(ctx, approval, 'restored', {})
    return getApproval(ctx, id)
  })

/** A person has read a stale approval again: what is true now becomes what it rests on, and `input` what it says. */
export const rereadApproval = (
  ctx: Ctx,
  id: string,
  now: { input: Record<string, unknown>; reads: Read[]; summary: string },
): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const approval = await lockApproval(ctx, id)
    requirePerson(actor)
    if (approval.status !== 'stale') throw refusal(approval)
    await tx`
      update approvals set status = 'pending', stale_because = null, version = version + 1, updated_at = now(),
        input = ${tx.json(storableJson(now.input) as never)}, summary = ${now.summary},
        arguments_hash = ${hashArguments(now.input)},
        read_set = ${tx.json(await readValues(ctx, approval.subject, now.reads))}
      where organization_id = ${organization_id} and id = ${id}`
    await record(ctx, approval, 'approval_reread', { changed: approval.stale_because ?? [] })
    return getApproval(ctx, id)
  })

/** Takes a proposal off the queue without a verdict. */
export const withdrawApproval = (ctx: Ctx, id: string, reason?: string): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const approval = await lockApproval(ctx, id)
    const rows = await tx`
      update approvals set status = 'withdrawn', version = version + 1, updated_at = now(), decision_reason = ${reason ?? null}
      where organization_id = ${organization_id} and id = ${id} and status in ('pending', 'stale') returning id`
    if (rows.length === 0) throw refusal(approval)
    await record(ctx, approval, 'withdrawn', {}, reason)
    return getApproval(ctx, id)
  })

/** Takes what waits for a purpose off the queue: by one tool, or by any. */
export const withdrawPurpose = async (
  ctx: TxCtx,
  { subject, purpose, tool }: { subject: Subject; purpose: string; tool?: string },
  reason: string,
): Promise<void> => {
  const { tx, organization_id } = ctx
  const open = await tx<{ id: string }[]>`
    select id from approvals where organization_id = ${organization_id} and subject_kind = ${subject.kind}
      and subject_id = ${subject.id} and purpose = ${purpose} and status in ('pending', 'stale')
      ${tool === undefined ? tx`` : tx`and tool = ${tool}`}`
  // One after the other: each has its line on the timeline.
  for (const { id } of open) await withdrawApproval(ctx, id, reason)
}

/** Expires an approval whose time is over; nothing when it was decided meanwhile. */
export const expireApproval = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const approval = await lockApproval(ctx, id)
    if (['pending', 'stale'].includes(approval.status) && approval.expires_at.getTime() <= Date.now())
      await expire(ctx, approval)
  })

/** Until when a rejection may be taken back, in ms since the epoch. */
export const restorableUntil = (approval: Approval): number =>
  (approval.decided_at?.getTime() ?? 0) + RESTORE_MS

const requirePerson = (actor: Actor): void => {
  if (actor.kind === 'user' || actor.kind === 'api_key') return
  throw new DomainError(
    'forbidden',
    'person_needed',
    'Only a person, or a key with approvals:decide, decides approvals.',
  )
}

const requireVersion = (approval: Approval, version: number | undefined): void => {
  if (version === undefined || version === approval.version) return
  throw new DomainError(
    'stale',
    'version_mismatch',
    'This approval changed after you read it. Read it again.',
    {
      extra: { current: approval },
    },
  )
}

const requireDecidable = (actor: Actor, approval: Approval): void => {
  requirePerson(actor)
  if (sameActor(approval.proposed_by, actor)) {
    throw new DomainError(
      'forbidden',
      'own_proposal',
      'Who proposed something cannot decide it. Ask somebody else.',
    )
  }
}

const sameActor = (a: Actor | null, b: Actor): boolean => a?.kind === b.kind && a.id === b.id

const refusal = (approval: Approval): DomainError => {
  const extra = { status: approval.status, decided_by: approval.decided_by }
  if (approval.status === 'stale') {
    const changed = approval.stale_because ?? []
    return new DomainError(
      'conflict',
      'approval_stale',
      `${sentence(changed)} after this was proposed. Read it again before you decide.`,
      {
        extra: { ...extra, changed },
      },
    )
  }
  if (approval.status === 'expired') {
    return new DomainError('conflict', 'approval_expired', 'This approval has expired; nothing was done.', {
      extra,
    })
  }
  const by = approval.decided_by ? `; ${approval.decided_by.name} decided it` : ''
  return new DomainError(
    'conflict',
    'approval_not_pending',
    `This approval is ${approval.status.replaceAll('_', ' ')} already${by}.`,
    { extra },
  )
}

const sentence = (changes: ReadChange[]): string => {
  const words = changes.map(({ label }) => label).join(' and ')
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} changed`
}

const expire = async (ctx: TxCtx, approval: Approval): Promise<Approval> => {
  const { tx, organization_id } = ctx
  const rows = await tx`
    update approvals set status = 'expired', version = version + 1, updated_at = now()
    where organization_id = ${organization_id} and id = ${approval.id} and status in ('pending', 'stale') returning id`
  const system: Actor = { kind: 'system', id: 'expiry', name: 'expiry' }
  if (rows.length > 0) await record({ ...ctx, actor: system }, approval, 'expired', {})
  return getApproval(ctx, approval.id)
}

/** Whether a newer proposal says the same, or is for the same purpose, and is open. */
export const isReplaced = async ({ tx, organization_id }: TxCtx, approval: Approval): Promise<boolean> => {
  const rows = await tx`
    select 1 from approvals where organization_id = ${organization_id} and tool = ${approval.tool}
      and subject_id = ${approval.subject.id} and status in ('pending', 'stale')
      and id <> ${approval.id} and (arguments_hash = ${hashArguments(approval.proposed_input ?? approval.input)} or (purpose is not null and purpose = ${approval.purpose}))
    limit 1`
  return rows.length > 0
}
