import type { z } from 'zod'
import { recordActivity, type Subject } from '../db/activities.ts'
import { proposeApproval } from '../db/approval-proposals.ts'
import { inTx, type Ctx, type TxCtx } from '../db/context.ts'
import { DomainError } from '../db/errors.ts'
import { decide, readStanding, type Verdict } from '../db/policies.ts'
import { journalStep, type TaintSource } from '../db/run-journal.ts'
import { clip } from '../db/text.ts'
import { recordsIn, type GateAnswer, type Outside, type Proposal, type Tool } from './tool.ts'

/** The one call an agent wants to make, and in which run. */
export type Call = {
  agent: string
  /** What the run works on: a call about another record is refused. */
  subject: Subject
  /** What from outside the run has read so far. */
  tainted_by: TaintSource[]
  /** The model's id of the call and its place in the journal. */
  call_id: string
  step: number
  outside: Outside
  tools: Readonly<Record<string, Tool>>
  signal?: AbortSignal
}

/**
 * The only way an agent acts: parsed, decided by policy, then run, parked or refused; and journalled in the transaction
 * of what it did, so that a killed worker neither repeats nor forgets it.
 * @throws {LeaseLost} when another worker has taken the run over; nothing was written
 */
export const callTool = async (
  ctx: Ctx,
  tool: Tool | undefined,
  name: string,
  input: unknown,
  call: Call,
): Promise<GateAnswer> => {
  const started_at = new Date()
  const journal = async (ctx: Ctx, answer: GateAnswer): Promise<GateAnswer> => {
    await journalStep(ctx, call.step, {
      kind: 'tool',
      tool: name,
      call_id: call.call_id,
      input,
      verdict: answer.verdict,
      rule: answer.rule,
      output: answer.output,
      tainted_by: answer.tainted_by,
      changed_nothing: tool?.effect === 'read' && answer.verdict === 'run',
      started_at,
    })
    return answer
  }
  if (!tool) return journal(ctx, refuse('not_granted', `There is no tool ${name}.`))
  const parsed = tool.parse(input)
  if (!parsed.success)
    return journal(ctx, { ...refuse('invalid_input', explainFaults(tool, parsed.error)), verdict: 'invalid' })

  try {
    const { prepare } = tool
    if (!prepare)
      return await inTx(ctx, async (ctx) => journal(ctx, await act(ctx, tool, parsed.data, call, {})))
    const first = await inTx(ctx, (ctx) => judge(ctx, tool, parsed.data, call, {}))
    if (first.verdict !== 'run')
      return await inTx(ctx, async (ctx) =>
        journal(ctx, await settle(ctx, tool, parsed.data, call, {}, first)),
      )
    const prepared = await prepare(ctx, parsed.data, call.outside, call.signal)
    // Decided again in the transaction of the act: a switch may have been thrown while it looked outside.
    return await inTx(ctx, async (ctx) => journal(ctx, await act(ctx, tool, parsed.data, call, {}, prepared)))
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    return journal(ctx, { ...refuse(error.code, explainRefusal(error)), verdict: 'failed' })
  }
}

const act = async (
  ctx: TxCtx,
  tool: Tool,
  input: Record<string, unknown>,
  call: Call,
  why: Proposal,
  prepared?: unknown,
): Promise<GateAnswer> =>
  settle(ctx, tool, input, call, why, await judge(ctx, tool, input, call, why), prepared)

/** Does what was decided. */
const settle = async (
  ctx: TxCtx,
  tool: Tool,
  input: Record<string, unknown>,
  call: Call,
  why: Proposal,
  verdict: Verdict,
  prepared?: unknown,
): Promise<GateAnswer> => {
  if (verdict.verdict === 'deny') {
    await recordActivity(ctx, {
      type: 'agent_refused',
      subjects: [call.subject],
      data: { tool: tool.name, rule: verdict.rule, message: verdict.text },
    })
    return refuse(verdict.rule, verdict.text)
  }
  if (verdict.verdict === 'park') return park(ctx, tool, input, call, why, verdict)
  const output = await tool.run(
    ctx,
    input,
    {
      subject: call.subject,
      outside: call.outside,
      tools: call.tools,
      propose: (ctx, other, otherInput, why) => propose(ctx, other, otherInput, call, why),
    },
    prepared,
  )
  return { verdict: 'run', rule: verdict.rule, output, tainted_by: tool.taints(output) }
}

/** Another tool's call, made by a running one: decided like any other, but never run here. */
const propose = async (
  ctx: TxCtx,
  tool: Tool,
  input: unknown,
  call: Call,
  why: Proposal,
): Promise<GateAnswer> => {
  const parsed = tool.parse(input)
  if (!parsed.success)
    return { ...refuse('invalid_input', explainFaults(tool, parsed.error)), verdict: 'invalid' }
  const verdict = await judge(ctx, tool, parsed.data, call, why)
  if (verdict.verdict === 'deny') return refuse(verdict.rule, verdict.text)
  return park(ctx, tool, parsed.data, call, why, verdict)
}

const judge = async (
  ctx: TxCtx,
  tool: Tool,
  input: Record<string, unknown>,
  call: Call,
  why: Proposal,
): Promise<Verdict> => {
  if (recordsIn(tool, input).some(({ id }) => id !== call.subject.id)) {
    return {
      verdict: 'deny',
      rule: 'other_record',
      text: 'This run works on one record; it may not act on another one.',
    }
  }
  const asking = { tainted: call.tainted_by.length > 0, suggestion: why.suggestion ?? false }
  const [{ levels, ...switches }, consequence] = await Promise.all([
    readStanding(ctx, call.agent, call.subject),
    tool.needsPerson(input, ctx, { ...asking, subject: call.subject }),
  ])
  return decide({
    tool: tool.name,
    effect: tool.effect,
    level: levels[tool.name],
    ...switches,
    ...asking,
    safe_when_tainted: tool.safe_when_tainted,
    consequence,
  })
}

const park = async (
  ctx: TxCtx,
  tool: Tool,
  input: Record<string, unknown>,
  call: Call,
  why: Proposal,
  verdict: Verdict,
): Promise<GateAnswer> => {
  const reason = why.reason ?? (typeof input['reason'] === 'string' ? input['reason'] : undefined)
  const { outcome, approval } = await proposeApproval(ctx, {
    tool: tool.name,
    summary: await tool.summary(input, ctx),
    input,
    ...(reason ? { reason } : {}),
    evidence: why.evidence ?? [],
    subject: call.subject,
    ...(why.purpose ? { purpose: why.purpose } : {}),
    rule: verdict.rule,
    risk: tool.risk,
    reads: tool.reads(input),
  })
  if (outcome === 'refused') {
    const said = [approval.decision_code?.replaceAll('_', ' '), approval.decision_reason]
      .filter(Boolean)
      .join(': ')
    return refuse(
      'rejected_lately',
      `A person rejected exactly this lately (${said}). Do not propose it again.`,
    )
  }
  return {
    verdict: 'park',
    rule: verdict.rule,
    output: {
      parked: true,
      approval_id: approval.id,
      message:
        outcome === 'known' ? 'This waits for a person already.' : `It waits for a person: ${verdict.text}`,
    },
    tainted_by: [],
  }
}

const refuse = (rule: string, message: string): GateAnswer => ({
  verdict: 'deny',
  rule,
  output: { refused: true, rule, message },
  tainted_by: [],
})

const explainRefusal = (error: DomainError): string =>
  [
    error.message,
    ...error.errors.map(({ pointer, message, accepted }) =>
      accepted === undefined
        ? `${pointer}: ${message}`
        : `${pointer}: ${message} Accepted: ${clip(JSON.stringify(accepted), MAX_ACCEPTED)}`,
    ),
  ].join(' ')

/** How much a model is told of what would have been accepted. */
const MAX_ACCEPTED = 2_000

const explainFaults = (tool: Tool, error: z.ZodError): string =>
  `${tool.name} cannot be called like this: ${error.issues
    .slice(0, 5)
    .map((issue) => `/${issue.path.join('/')}: ${issue.message}`)
    .join('; ')}`
