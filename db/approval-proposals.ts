import { v7 as uuidv7 } from 'uuid'
import type { Subject } from './activities.ts'
import { expiryOf } from './approval-expiry.ts'
import { readValues, type Read } from './approval-reads.ts'
import {
  hashArguments,
  record,
  toApproval,
  type Approval,
  type ApprovalRow,
  type Evidence,
  type Risk,
} from './approvals.ts'
import { withdrawPurpose } from './approval-decisions.ts'
import { inTx, sendStatement, type Ctx } from './context.ts'
import { readSettings } from './settings.ts'
import { storableJson } from './text.ts'

/** How long things wait and count. */
const proposalLimits = {
  /** Elapsed hours until an approval expires, moved past closed hours. */
  expiry_hours: 72,
  /** How long the same proposal is refused after a rejection. */
  cool_down_days: 7,
}

export type NewApproval = {
  tool: string
  summary: string
  input: Record<string, unknown>
  reason?: string | undefined
  evidence: Evidence[]
  subject: Subject
  purpose?: string | undefined
  rule: string
  risk: Risk
  reads: Read[]
}

/** What became of a proposal: a new card, the open one that says the same, or a refusal because a person just said no. */
export type Proposed =
  | { outcome: 'parked'; approval: Approval }
  | { outcome: 'known'; approval: Approval }
  | { outcome: 'refused'; approval: Approval }

/**
 * Parks a tool call for a person. The same (tool, subject, arguments) is one card however often it is proposed; a newer
 * call for the same purpose withdraws the older one; what was rejected lately is refused.
 */
export const proposeApproval = (ctx: Ctx, input: NewApproval): Promise<Proposed> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const stored = storableJson(input.input) as Record<string, unknown>
    const arguments_hash = hashArguments(stored)
    const lock = `${organization_id} propose ${input.tool} ${input.subject.id}`
    sendStatement(ctx, tx`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`)
    const [known] = await tx<ApprovalRow[]>`
      select * from approvals where organization_id = ${organization_id} and tool = ${input.tool}
        and subject_id = ${input.subject.id} and arguments_hash = ${arguments_hash}
        and (status in ('pending', 'stale', 'approved', 'executing', 'outcome_unknown') or (status = 'rejected'
          and decided_at > now() - ${`${proposalLimits.cool_down_days} days`}::interval))
      order by status = 'rejected', id desc limit 1`
    if (known)
      return { outcome: known.status === 'rejected' ? 'refused' : 'known', approval: toApproval(known) }
    const [settings, read_set] = await Promise.all([
      readSettings(ctx),
      readValues(ctx, input.subject, input.reads),
      input.purpose &&
        withdrawPurpose(
          ctx,
          { subject: input.subject, purpose: input.purpose, tool: input.tool },
          'a newer draft for the same purpose replaces it',
        ),
    ])
    const now = new Date()
    const [row] = await tx<ApprovalRow[]>`
      insert into approvals ${tx({
        organization_id,
        id: uuidv7(),
        tool: input.tool,
        summary: input.summary,
        input: tx.json(stored as never),
        reason: input.reason ?? null,
        evidence: tx.json(storableJson(input.evidence) as never),
        subject_kind: input.subject.kind,
        subject_id: input.subject.id,
        purpose: input.purpose ?? null,
        proposed_by: tx.json(actor),
        run_id: ctx.run_id ?? null,
        rule: input.rule,
        risk: input.risk,
        arguments_hash,
        read_set: tx.json(read_set),
        expires_at: expiryOf(now, proposalLimits.expiry_hours, settings),
      })} returning *`
    if (!row) throw new Error('an approval was not stored')
    const approval = toApproval(row)
    const undo = { tool: 'withdraw_approval', input: { approval_id: approval.id } }
    await record(ctx, approval, 'approval_requested', { rule: input.rule, undo }, input.reason)
    return { outcome: 'parked', approval }
  })
