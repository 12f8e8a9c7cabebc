import { log } from '../log.ts'
import { recheckApprovals } from '../db/approval-reads.ts'
import { claimApproval, countAttempt, settleExecuted, settleFailed } from '../db/approval-execution.ts'
import { getApproval, type Approval } from '../db/approvals.ts'
import { approveApproval, rereadApproval, restorableUntil } from '../db/approval-decisions.ts'
import { readStanding } from '../db/policies.ts'
import type { Database } from '../db/client.ts'
import { inTx, systemCtx, type Ctx } from '../db/context.ts'
import { DomainError } from '../db/errors.ts'
import { labelRecords } from '../db/records.ts'
import { z } from 'zod'
import { tools } from './index.ts'
import { composeHeaders, messageId, senderOf } from './messages.ts'
import { recordsIn, type GateAnswer, type Outside, type Preview, type Tool } from './tool.ts'

/** An approval with everything a person needs to decide it: the exact e-mail, what changes, why it asks. */
export type PresentedApproval = Approval & {
  subject_label: string | null
  tool_title: string
  effect: Tool['effect']
  irreversible: string | null
  rule_text: string
  consequence: string
  before_after: Preview[]
  mail: { from: string; to: string; subject: string; body: string; headers: Record<string, string> } | null
  input_schema: Record<string, unknown>
  changed: { name: string; label: string; before: string | null; after: string | null }[]
  edited: boolean
  restorable_until: Date | null
}

/** Adds to approvals what a person decides them by. */
export const presentApprovals = (
  ctx: Ctx,
  approvals: Approval[],
  outside: Outside,
): Promise<PresentedApproval[]> =>
  inTx(ctx, async (ctx) => {
    const names = await labelRecords(
      ctx,
      approvals.map(({ subject }) => subject),
    )
    const presented: PresentedApproval[] = []
    for (const approval of approvals) {
      // One whose tool was taken out of the product is still shown; it can only be withdrawn.
      const tool = tools[approval.tool]
      const waiting = ['pending', 'stale', 'approved'].includes(approval.status)
      const parsed = tool?.parse(approval.input)
      presented.push({
        ...approval,
        subject_label: names.get(approval.subject.id) ?? null,
        tool_title: tool?.title ?? approval.tool,
        effect: tool?.effect ?? 'write',
        irreversible: tool?.irreversible ?? null,
        rule_text: RULES[approval.rule] ?? approval.rule.replaceAll('_', ' '),
        consequence: tool && parsed?.success ? tool.consequence(parsed.data) : '',
        before_after: tool && waiting && parsed?.success ? await tool.preview(parsed.data, ctx) : [],
        mail:
          tool?.name === 'send_email' && parsed?.success
            ? await previewMail(ctx, approval, parsed.data, outside)
            : null,
        input_schema: tool ? z.toJSONSchema(tool.input, { io: 'input', unrepresentable: 'any' }) : {},
        changed: approval.stale_because ?? [],
        edited: approval.proposed_input !== null,
        restorable_until:
          approval.status === 'rejected' && restorableUntil(approval) > Date.now()
            ? new Date(restorableUntil(approval))
            : null,
      })
    }
    return presented
  })

/**
 * A person says yes, as it stands or with an edit; an edit is checked by the tool's own schema.
 * @throws {DomainError} `invalid_input` naming the fields, and whatever `approveApproval` refuses
 */
export const approveCall = async (
  ctx: Ctx,
  id: string,
  decision: { input?: unknown; reason?: string | undefined; version?: number | undefined },
): Promise<Approval> => {
  const rest = {
    ...(decision.reason ? { reason: decision.reason } : {}),
    ...(decision.version ? { version: decision.version } : {}),
  }
  const approval = await getApproval(ctx, id)
  const tool = toolOf(approval)
  if (approval.status === 'pending') await requireSwitchedOn(ctx, approval, tool)
  if (decision.input === undefined) return approveApproval(ctx, id, rest)
  const parsed = tool.parse(decision.input)
  if (!parsed.success) {
    throw new DomainError('invalid', 'invalid_input', 'The edited arguments do not fit the tool.', {
      errors: parsed.error.issues.map((issue) => ({
        pointer: `/input/${issue.path.join('/')}`,
        message: issue.message,
      })),
    })
  }
  const other = recordsIn(tool, parsed.data).find((record) => record.id !== approval.subject.id)
  if (other) {
    throw new DomainError('invalid', 'other_record', 'An edit cannot point an approval at another record.', {
      errors: [
        { pointer: `/input/${other.name}`, message: 'keep the record', accepted: approval.subject.id },
      ],
    })
  }
  return approveApproval(ctx, id, {
    ...rest,
    input: parsed.data,
    reads: tool.reads(parsed.data),
    summary: await inTx(ctx, (ctx) => tool.summary(parsed.data, ctx)),
  })
}

/**
 * A person has read a stale approval again: its arguments are brought up to date with the record (an e-mail goes to the
 * address the lead has now) and it is pending again, in these words.
 * @throws {DomainError} what the tool says where the act makes no sense any more, such as `lead_closed`
 */
export const rereadCall = (ctx: Ctx, id: string): Promise<Approval> =>
  inTx(ctx, async (ctx) => {
    const approval = await getApproval(ctx, id)
    const tool = toolOf(approval)
    const input =
      approval.status === 'stale' ? await tool.refresh(approval.input, ctx, approval.subject) : approval.input
    return rereadApproval(ctx, id, {
      input,
      reads: tool.reads(input),
      summary: await tool.summary(input, ctx),
    })
  })

/**
 * Carries out what was approved, exactly as it was read, with no model in between. The claim checks again what the
 * person read; the act and its mark are one transaction; running it twice acts once.
 */
export const executeApproval = async (
  db: Database,
  organization_id: string,
  id: string,
  outside: Outside,
): Promise<void> => {
  const system = systemCtx(db, organization_id, 'approvals')
  const approval = await getApproval(system, id)
  if (approval.status !== 'approved') return
  const tool = toolOf(approval)
  const ctx: Ctx = {
    ...system,
    actor: approval.proposed_by,
    ...(approval.decided_by ? { on_behalf_of: approval.decided_by } : {}),
    ...(approval.run_id ? { run_id: approval.run_id } : {}),
    approval_id: id,
  }
  try {
    const prepared = await tool.prepare?.(ctx, approval.input, outside)
    await inTx(ctx, async (ctx) => {
      const claimed = await claimApproval(ctx, id)
      if (!claimed) return
      const output = await tool.run(
        ctx,
        claimed.input,
        {
          subject: claimed.subject,
          outside,
          tools,
          propose: refuseToPropose,
          ...(claimed.proposed_input ? { proposed_input: claimed.proposed_input } : {}),
        },
        prepared,
      )
      // What goes outside is settled by its delivery.
      if (tool.effect !== 'outbound') await settleExecuted(ctx, id, output)
      await recheckApprovals(ctx, claimed.subject)
    })
  } catch (error) {
    if (error instanceof DomainError) {
      return settleFailed(ctx, id, { code: error.code, message: error.message }, ['approved'])
    }
    if ((await countAttempt(ctx, id)) < MAX_ATTEMPTS) throw error
    log.error({ err: error, approval_id: id }, 'an approved act failed every time; it is given up')
    await settleFailed(
      ctx,
      id,
      {
        code: 'act_failed',
        message: `It failed ${MAX_ATTEMPTS} times for a reason of ours; the log says more.`,
      },
      ['approved'],
    )
  }
}

/** How often an approved act that meets a fault of ours is tried before a person is told that it failed. */
const MAX_ATTEMPTS = 5

/** What each rule of the gate means to the person it asks. */
const RULES: Record<string, string> = {
  suggestion: 'A suggestion: it always waits for a person',
  outbound: 'It leaves the company, and an agent wrote it',
  consequential: 'It closes or reopens something',
  policy_suggest: 'Policy: this agent asks before it does this',
  tainted: 'The agent has read text from outside',
}

/** What an agent wrote does not leave while it is switched off: said before the yes, so that the yes is not spent. */
const requireSwitchedOn = async (ctx: Ctx, approval: Approval, tool: Tool): Promise<void> => {
  if (tool.effect !== 'outbound' || approval.proposed_by.kind !== 'agent') return
  const standing = await readStanding(ctx, approval.proposed_by.id, approval.subject)
  const off = !standing.ai_enabled
    ? { code: 'ai_off', message: 'Agents are switched off for this organization' }
    : !standing.agent_enabled
      ? { code: 'agent_off', message: 'The agent that wrote this is paused' }
      : standing.record_paused
        ? { code: 'record_off', message: 'Agents are paused on this record' }
        : undefined
  if (off) {
    throw new DomainError(
      'conflict',
      off.code,
      `${off.message}. Switch it on again before you approve; this keeps waiting.`,
      {
        extra: { status: approval.status, decided_by: null },
      },
    )
  }
}

const toolOf = (approval: Approval): Tool => {
  const tool = tools[approval.tool]
  if (!tool)
    throw new DomainError(
      'conflict',
      'tool_gone',
      `The tool ${approval.tool} does not exist any more; withdraw this approval.`,
    )
  return tool
}

const previewMail = async (
  ctx: Ctx,
  approval: Approval,
  input: Record<string, unknown>,
  outside: Outside,
): Promise<PresentedApproval['mail']> => {
  const from = await senderOf(ctx, outside)
  const to = String(input['to'])
  return {
    from,
    to,
    subject: String(input['subject']),
    body: String(input['body']),
    headers: {
      'Message-ID': messageId({ ...ctx, approval_id: approval.id }, from),
      ...(await composeHeaders(ctx, to, outside)),
    },
  }
}

/** A tool that is carried out for a person proposes nothing new: its approval was for itself alone. */
const refuseToPropose = (): Promise<GateAnswer> =>
  Promise.resolve({
    verdict: 'deny',
    rule: 'no_run',
    output: { refused: true, message: 'Nothing more can be proposed while an approval is carried out.' },
    tainted_by: [],
  })
