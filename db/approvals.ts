import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { recordActivity, type Subject } from './activities.ts'
import {
  changedReads,
  markStale,
  readValues,
  type Read,
  type ReadChange,
  type ReadValue,
} from './approval-reads.ts'
import { inTx, type Actor, type Ctx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { page, type Page } from './page.ts'
import { enqueue } from './queue.ts'
import { storableJson } from './text.ts'

export const approvalStatuses = [
  'pending',
  'approved',
  'executing',
  'executed',
  'failed',
  'outcome_unknown',
  'rejected',
  'expired',
  'withdrawn',
  'stale',
] as const
export type ApprovalStatus = (typeof approvalStatuses)[number]

/** Why a person said no; the free text beside it says what to do differently. */
export const rejectCodes = [
  'wrong_content',
  'wrong_tone',
  'wrong_recipient',
  'wrong_timing',
  'not_needed',
  'factually_wrong',
  'other',
] as const
export type RejectCode = (typeof rejectCodes)[number]

export type Evidence = { label: string; url?: string; snippet?: string }
export type Risk = 'low' | 'medium' | 'high'

/** One parked tool call. `input` is what runs; `proposed_input` is what was proposed, when a person edited it. */
export type Approval = {
  id: string
  status: ApprovalStatus
  tool: string
  summary: string
  input: Record<string, unknown>
  proposed_input: Record<string, unknown> | null
  reason: string | null
  evidence: Evidence[]
  subject: Subject
  purpose: string | null
  proposed_by: Actor
  run_id: string | null
  rule: string
  risk: Risk
  read_set: ReadValue[]
  stale_because: ReadChange[] | null
  expires_at: Date
  decided_by: Actor | null
  decided_at: Date | null
  decision_code: string | null
  decision_reason: string | null
  executed_at: Date | null
  result: Record<string, unknown> | null
  created_at: Date
  version: number
}

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
    if (decision.version !== undefined && decision.version !== approval.version) {
      throw new DomainError(
        'stale',
        'version_mismatch',
        'This approval changed after you read it. Read it again.',
        {
          extra: { current: approval },
        },
      )
    }
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
  decision: { reason_code: RejectCode; reason?: string | undefined },
): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const approval = await lockApproval(ctx, id)
    requireDecidable(actor, approval)
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

/** A person has read a stale approval again: what is true now becomes what it rests on. */
export const rereadApproval = (ctx: Ctx, id: string): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const approval = await lockApproval(ctx, id)
    requirePerson(actor)
    if (approval.status !== 'stale') throw refusal(approval)
    await tx`
      update approvals set status = 'pending', stale_because = null, version = version + 1, updated_at = now(),
        read_set = ${tx.json(await readValues(ctx, approval.subject, approval.read_set))}
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

/** Expires an approval whose time is over; nothing when it was decided meanwhile. */
export const expireApproval = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const approval = await lockApproval(ctx, id)
    if (['pending', 'stale'].includes(approval.status) && approval.expires_at.getTime() <= Date.now())
      await expire(ctx, approval)
  })

/** One approval. */
export const getApproval = (ctx: Ctx, id: string): Promise<Approval> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<
      ApprovalRow[]
    >`select * from approvals where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('approval', id)
    return toApproval(row)
  })

export type ApprovalFilter = {
  status?: ApprovalStatus[] | undefined
  subject_id?: string | undefined
  run_id?: string | undefined
  tool?: string | undefined
  cursor?: string | undefined
  limit: number
}

/** Approvals, newest first. */
export const listApprovals = (ctx: Ctx, filter: ApprovalFilter): Promise<Page<Approval>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<ApprovalRow[]>`
      select * from approvals where organization_id = ${organization_id}
        ${filter.status ? tx`and status in ${tx(filter.status)}` : tx``}
        ${filter.subject_id ? tx`and subject_id = ${filter.subject_id}` : tx``}
        ${filter.run_id ? tx`and run_id = ${filter.run_id}` : tx``}
        ${filter.tool ? tx`and tool = ${filter.tool}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page(rows.map(toApproval), filter.limit, (approval) => approval.id)
  })

/** How many approvals stand in each state that wants a person. */
export const countApprovals = (
  ctx: Ctx,
): Promise<Record<'pending' | 'stale' | 'outcome_unknown' | 'failed', number>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<{ status: ApprovalStatus; n: number }[]>`
      select status, count(*)::int as n from approvals where organization_id = ${organization_id}
        and status in ('pending', 'stale', 'outcome_unknown', 'failed') group by 1`
    const of = (status: ApprovalStatus): number => rows.find((row) => row.status === status)?.n ?? 0
    return {
      pending: of('pending'),
      stale: of('stale'),
      outcome_unknown: of('outcome_unknown'),
      failed: of('failed'),
    }
  })

/** Until when a rejection may be taken back, in ms since the epoch. */
export const restorableUntil = (approval: Approval): number =>
  (approval.decided_at?.getTime() ?? 0) + RESTORE_MS

/** Reads an approval and keeps everybody else from deciding it until the transaction ends. */
export const lockApproval = async (ctx: TxCtx, id: string): Promise<Approval> => {
  const { tx, organization_id } = ctx
  const [row] = await tx<ApprovalRow[]>`
    select * from approvals where organization_id = ${organization_id} and id = ${id} for update`
  if (!row) throw notFound('approval', id)
  return toApproval(row)
}

/** Writes a line about an approval on the timeline of what it is about. */
export const record = (
  ctx: TxCtx,
  approval: Approval,
  type: Parameters<typeof recordActivity>[1]['type'],
  data: Record<string, unknown>,
  reason?: string,
): Promise<string> =>
  recordActivity(
    { ...ctx, approval_id: approval.id },
    {
      type,
      subjects: [approval.subject, { kind: 'approval', id: approval.id }],
      reason,
      data: { tool: approval.tool, summary: approval.summary, approval_id: approval.id, ...data },
    },
  )

const requirePerson = (actor: Actor): void => {
  if (actor.kind === 'user' || actor.kind === 'api_key') return
  throw new DomainError(
    'forbidden',
    'person_needed',
    'Only a person, or a key with approvals:decide, decides approvals.',
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
  const by = approval.decided_by ? ` by ${approval.decided_by.name}` : ''
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

/** What makes two proposals the same one: SHA-256 over the canonical JSON of their arguments, hex. */
export const hashArguments = (input: Record<string, unknown>): string =>
  createHash('sha256')
    .update(canonicalize(storableJson(input)) ?? '')
    .digest('hex')

/** A row of `approvals`, as it is stored. */
export type ApprovalRow = Omit<Approval, 'subject'> & { subject_kind: string; subject_id: string }

/** A row of `approvals` as it is answered. */
export const toApproval = (row: ApprovalRow): Approval => ({
  id: row.id,
  status: row.status,
  tool: row.tool,
  summary: row.summary,
  input: row.input,
  proposed_input: row.proposed_input,
  reason: row.reason,
  evidence: row.evidence,
  subject: { kind: row.subject_kind, id: row.subject_id },
  purpose: row.purpose,
  proposed_by: row.proposed_by,
  run_id: row.run_id,
  rule: row.rule,
  risk: row.risk,
  read_set: row.read_set,
  stale_because: row.stale_because,
  expires_at: row.expires_at,
  decided_by: row.decided_by,
  decided_at: row.decided_at,
  decision_code: row.decision_code,
  decision_reason: row.decision_reason,
  executed_at: row.executed_at,
  result: row.result,
  created_at: row.created_at,
  version: row.version,
})
