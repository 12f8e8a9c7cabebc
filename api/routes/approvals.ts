import { z } from 'zod'
import {
  type Approval,
  approvalStatuses,
  countApprovals,
  getApproval,
  listApprovals,
  rejectCodes,
} from '../../db/approvals.ts'
import { rejectApproval, restoreApproval, withdrawApproval } from '../../db/approval-decisions.ts'
import type { Ctx } from '../../db/context.ts'
import { Lines } from '../../db/lead-fields.ts'
import { resolveOutcome } from '../../db/message-delivery.ts'
import { approveCall, presentApprovals, rereadCall } from '../../tools/approvals.ts'
import { ById, Paged, route, type Parts } from '../route.ts'
import { Actor, Anything, Id, listOf, Subject, Text, Time } from '../shapes.ts'

/** A tool call that waits for, or had, a person's decision. */
export const ApprovalShape = z
  .looseObject({
    id: Id,
    status: z.enum(approvalStatuses),
    tool: z.string(),
    tool_title: z.string(),
    effect: z.enum(['read', 'write', 'outbound']),
    irreversible: Text.describe('Why it cannot be taken back; null where it can.'),
    summary: z.string(),
    input: Anything.describe('What runs, exactly.'),
    input_schema: Anything.describe('JSON Schema of `input`, for a form to edit it.'),
    reason: Text,
    evidence: z.array(
      z.object({
        label: z.string(),
        url: z.string().optional(),
        snippet: z.string().optional(),
        file: z.object({ id: Id, name: z.string(), page: z.int().optional() }).optional(),
      }),
    ),
    subject: Subject,
    subject_label: Text,
    purpose: Text,
    proposed_by: Actor,
    run_id: Id.nullable(),
    rule: z.string(),
    rule_text: Text,
    risk: z.enum(['low', 'medium', 'high']),
    before_after: z.array(
      z.object({ field: z.string(), label: z.string(), before: z.unknown(), after: z.unknown() }),
    ),
    mail: z
      .looseObject({ from: z.string(), to: z.string(), subject: z.string(), body: z.string() })
      .nullable()
      .describe('The e-mail as it will be sent.'),
    consequence: Text,
    changed: z
      .array(z.object({ name: z.string(), label: z.string(), before: Text, after: Text }))
      .describe('What changed after it was proposed, when it is stale.'),
    edited: z.boolean(),
    expires_at: Time,
    created_at: Time,
    decided_by: Actor.nullable(),
    decided_at: Time.nullable(),
    result: z.unknown(),
    restorable_until: Time.nullable(),
    version: z.int(),
  })
  .meta({ id: 'Approval' })

/** How many approvals stand in each state that wants a person. */
export const ApprovalCounts = z.object({
  pending: z.int(),
  stale: z.int(),
  outcome_unknown: z.int(),
  failed: z.int(),
})

const Statuses = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(approvalStatuses)).min(1))

const ApprovalsQuery = Paged.extend({
  status: Statuses.optional(),
  lead_id: z.uuid().optional(),
  subject_id: z.uuid().optional(),
  run_id: z.uuid().optional(),
  tool: z.string().max(100).optional(),
})

const Reason = Lines(2_000).pipe(z.string().min(1))

const present = async (ctx: Ctx, { outside }: Parts, approval: Approval) =>
  (await presentApprovals(ctx, [approval], outside))[0]

const decision = (
  name: 'restore' | 'reread',
  summary: string,
  decide: (ctx: Ctx, id: string) => Promise<Approval>,
) =>
  route(
    {
      method: 'POST',
      path: `/api/approvals/:id/${name}`,
      permission: 'approvals:decide',
      summary,
      params: ById,
      response: ApprovalShape,
    },
    async (call) => present(call.ctx, call, await decide(call.ctx, call.params.id)),
  )

/** What waits for a person, and the decisions about it. */
export const approvals = [
  route(
    {
      method: 'GET',
      path: '/api/approvals',
      permission: 'approvals:read',
      summary: 'Approvals, newest first',
      description: '`status` takes several, separated by commas.',
      query: ApprovalsQuery,
      response: listOf(ApprovalShape),
    },
    async ({ ctx, query, outside }) => {
      const { lead_id, subject_id = lead_id, ...filter } = query
      const { data, next_cursor } = await listApprovals(ctx, { ...filter, subject_id })
      return { data: await presentApprovals(ctx, data, outside), next_cursor }
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/approvals/counts',
      permission: 'approvals:read',
      summary: 'How many approvals want a person',
      response: ApprovalCounts,
    },
    ({ ctx }) => countApprovals(ctx),
  ),
  route(
    {
      method: 'GET',
      path: '/api/approvals/:id',
      permission: 'approvals:read',
      summary: 'One approval',
      params: ById,
      response: ApprovalShape,
    },
    async (call) => present(call.ctx, call, await getApproval(call.ctx, call.params.id)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/approvals/:id/approve',
      permission: 'approvals:decide',
      summary: 'Say yes: what was read is what runs',
      description:
        '`input` is the edited call, checked by the tool’s schema. Answers 409 with `status` and `decided_by` when somebody was faster, with `changed` when what it rests on is another now.',
      params: ById,
      body: z.object({
        input: z.record(z.string(), z.unknown()).optional(),
        reason: Reason.optional(),
        version: z.int().positive().optional(),
      }),
      example: { version: 1 },
      response: ApprovalShape,
      keeps: ['approval_stale', 'approval_expired'],
    },
    async (call) => present(call.ctx, call, await approveCall(call.ctx, call.params.id, call.body)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/approvals/:id/reject',
      permission: 'approvals:decide',
      summary: 'Say no, and why',
      params: ById,
      body: z.object({
        reason_code: z.enum(rejectCodes),
        reason: Reason.optional(),
        version: z.int().positive().optional(),
      }),
      example: { reason_code: 'wrong_tone', reason: 'Less formal, please' },
      response: ApprovalShape,
    },
    async (call) => present(call.ctx, call, await rejectApproval(call.ctx, call.params.id, call.body)),
  ),
  decision('restore', 'Take a rejection back, within five minutes', restoreApproval),
  decision('reread', 'Say that you have read a stale approval again', rereadCall),
  route(
    {
      method: 'POST',
      path: '/api/approvals/:id/withdraw',
      permission: 'approvals:decide',
      summary: 'Take a proposal off the queue without a verdict',
      params: ById,
      body: z.object({ reason: Reason.optional() }),
      example: {},
      response: ApprovalShape,
    },
    async (call) =>
      present(call.ctx, call, await withdrawApproval(call.ctx, call.params.id, call.body.reason)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/approvals/:id/resolve',
      permission: 'approvals:decide',
      summary: 'Say what happened to an act whose outcome is unknown',
      description: 'Nothing is ever sent again by this.',
      params: ById,
      body: z.object({ outcome: z.enum(['sent', 'not_sent']) }),
      example: { outcome: 'sent' },
      response: ApprovalShape,
    },
    async (call) => {
      await resolveOutcome(call.ctx, call.params.id, call.body.outcome)
      return present(call.ctx, call, await getApproval(call.ctx, call.params.id))
    },
  ),
]
