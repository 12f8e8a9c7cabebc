import type { z } from 'zod'
import type { Subject } from '../db/activities.ts'
import type { Read } from '../db/approval-reads.ts'
import type { Evidence, Risk } from '../db/approvals.ts'
import type { Ctx, TxCtx } from '../db/context.ts'
import type { InverseName } from '../db/inverses.ts'
import type { Effect } from '../db/policies.ts'
import type { TaintSource } from '../db/run-journal.ts'
import type { Mailer } from './vendors/email.ts'

/** What this process may reach outside, and as whom. */
export type Outside = {
  /** `host:port` pairs that the safe fetcher may read although private. */
  fetch_allow: ReadonlySet<string>
  mail: {
    /** Absent: mail is captured in the outbox and never sent. */
    mailer?: Mailer | undefined
    /** `MAIL_FROM`; absent: the address of the organization's owner. */
    from?: string | undefined
  }
  /** Where people open Leadhand: the base of links in e-mails. */
  app_url: string
}

/** What a running tool is told beside its input. */
export type Running = {
  subject: Subject
  outside: Outside
  /** The list of every tool, for the one that proposes others. */
  tools: Readonly<Record<string, Tool>>
  /** Takes another tool's call to the gate within this one's transaction: the way a draft asks for its sending. */
  propose: (ctx: TxCtx, tool: Tool, input: unknown, why: Proposal) => Promise<GateAnswer>
  /** What was proposed, where a person edited it before it runs. */
  proposed_input?: Record<string, unknown> | undefined
}

/** Why a call is proposed to a person. */
export type Proposal = { reason?: string; evidence?: Evidence[]; purpose?: string; suggestion?: boolean }

/** What the gate made of a call: what the model is told, and the rule that decided. */
export type GateAnswer = {
  verdict: 'run' | 'park' | 'deny' | 'invalid' | 'failed'
  rule: string
  output: Record<string, unknown>
  tainted_by: TaintSource[]
}

/** What a call is made upon: the run's record, whether the run has read anything from outside, whether a person will decide anyway. */
export type Asking = { subject: Subject; tainted: boolean; suggestion: boolean }

/** A field before and after an act, as an approval shows it. */
export type Preview = { field: string; label: string; before: string | null; after: string | null }

/** Everything there is to say about an act, in one place; approval form, API, documentation and MCP are made from it. */
export type ToolDeclaration<Input extends z.ZodType, Output extends z.ZodType, Prepared> = {
  /** The file's name. */
  name: string
  title: string
  effect: Effect
  /** What a model is told of it. */
  description: string
  input: Input
  output: Output
  /** One line that a person can say yes to. */
  summary: (input: z.infer<Input>, ctx: TxCtx) => string | Promise<string>
  /** What changes outside and inside if a person approves. */
  consequence: (input: z.infer<Input>) => string
  /** Why these arguments always need a person; absent where they do not. */
  needsPerson?: (input: z.infer<Input>, ctx: TxCtx, asking: Asking) => Promise<string | undefined>
  /** Harmless enough to run by itself after something from outside was read. */
  safe_when_tainted: boolean
  risk: Risk
  /** What a person's approval rests on. */
  reads: (input: z.infer<Input>) => Read[]
  /** The arguments as they must be after the record changed; throws where the act makes no sense any more. */
  refresh?: (input: z.infer<Input>, ctx: TxCtx, subject: Subject) => Promise<z.infer<Input>>
  /** Fields before and after. */
  preview?: (input: z.infer<Input>, ctx: TxCtx) => Promise<Preview[]>
  /** Looks outside before the transaction, when it must. */
  prepare?: (ctx: Ctx, input: z.infer<Input>, outside: Outside, signal?: AbortSignal) => Promise<Prepared>
  run: (ctx: TxCtx, input: z.infer<Input>, running: Running, prepared: Prepared) => Promise<z.infer<Output>>
  /** What from outside the output holds. */
  taints?: (output: z.infer<Output>) => TaintSource[]
} &
  /** The verb that takes it back: an activity that it records carries it as `data.undo`. */
  (
    | { undo: InverseName; irreversible?: undefined }
    /** Why it cannot be taken back. */
    | { irreversible: string; undo?: undefined }
  )

/** A declared tool whose functions take what has not been checked yet and check it first. */
export type Tool = {
  name: string
  title: string
  effect: Effect
  description: string
  input: z.ZodType
  output: z.ZodType
  safe_when_tainted: boolean
  risk: Risk
  irreversible: string | undefined
  parse: (input: unknown) => z.ZodSafeParseResult<Record<string, unknown>>
  summary: (input: unknown, ctx: TxCtx) => Promise<string>
  consequence: (input: unknown) => string
  needsPerson: (input: unknown, ctx: TxCtx, asking: Asking) => Promise<string | undefined>
  reads: (input: unknown) => Read[]
  refresh: (input: unknown, ctx: TxCtx, subject: Subject) => Promise<Record<string, unknown>>
  preview: (input: unknown, ctx: TxCtx) => Promise<Preview[]>
  /** Absent: it does not look outside. */
  prepare:
    | ((ctx: Ctx, input: unknown, outside: Outside, signal?: AbortSignal) => Promise<unknown>)
    | undefined
  run: (ctx: TxCtx, input: unknown, running: Running, prepared: unknown) => Promise<Record<string, unknown>>
  taints: (output: Record<string, unknown>) => TaintSource[]
  undo: InverseName | undefined
}

/** The arguments that name the record which a call is about. */
const RECORD_ARGUMENTS = ['lead_id', 'opportunity_id']

/** Which records a call's arguments say it is about; looking at any `record_id` changes none. */
export const recordsIn = (
  { effect }: Pick<Tool, 'effect'>,
  input: Record<string, unknown>,
): { name: string; id: unknown }[] =>
  [...RECORD_ARGUMENTS, ...(effect === 'read' ? [] : ['record_id'])]
    .filter((name) => input[name] !== undefined)
    .map((name) => ({ name, id: input[name] }))

/** Declares a tool. Input is parsed before, output after everything it does. */
export const defineTool = <
  Input extends z.ZodType<Record<string, unknown>>,
  Output extends z.ZodType<Record<string, unknown>>,
  Prepared = undefined,
>(
  declared: ToolDeclaration<Input, Output, Prepared>,
): Tool => {
  const given = (input: unknown): z.infer<Input> => declared.input.parse(input)
  const { prepare } = declared
  return {
    name: declared.name,
    title: declared.title,
    effect: declared.effect,
    description: declared.description,
    input: declared.input,
    output: declared.output,
    safe_when_tainted: declared.safe_when_tainted,
    risk: declared.risk,
    irreversible: declared.irreversible,
    parse: (input) => declared.input.safeParse(input),
    summary: async (input, ctx) => declared.summary(given(input), ctx),
    consequence: (input) => declared.consequence(given(input)),
    needsPerson: async (input, ctx, asking) => declared.needsPerson?.(given(input), ctx, asking),
    reads: (input) => declared.reads(given(input)),
    refresh: async (input, ctx, subject) =>
      declared.refresh ? declared.refresh(given(input), ctx, subject) : given(input),
    preview: async (input, ctx) => (await declared.preview?.(given(input), ctx)) ?? [],
    prepare: prepare
      ? (ctx, input, outside, signal) => prepare(ctx, given(input), outside, signal)
      : undefined,
    // `prepared` is what this same declaration's `prepare` returned.
    run: async (ctx, input, running, prepared) =>
      declared.output.parse(await declared.run(ctx, given(input), running, prepared as Prepared)),
    taints: (output) => declared.taints?.(declared.output.parse(output)) ?? [],
    undo: declared.undo,
  }
}
