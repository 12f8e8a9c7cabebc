import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { recordActivity, type Subject } from './activities.ts'
import type { ReadChange, ReadValue } from './approval-reads.ts'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { notFound } from './errors.ts'
import { page, type Page } from './page.ts'
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

export type Evidence = {
  label: string
  url?: string
  snippet?: string
  /** The file that the words stand in, and on which page. */
  file?: { id: string; name: string; page?: number | undefined }
}

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
