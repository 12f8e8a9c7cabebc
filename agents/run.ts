import {
  generateText,
  isStepCount,
  jsonSchema,
  NoSuchToolError,
  type Schema,
  tool as sdkTool,
  type ToolSet,
} from 'ai'
import { z } from 'zod'
import { type Ctx, LeaseLost } from '../db/context.ts'
import type { Budget } from '../db/models.ts'
import type { RunStep } from '../db/run-journal.ts'
import type { RunEnd } from '../db/run-lease.ts'
import type { Run } from '../db/runs.ts'
import { callTool } from '../tools/gate.ts'
import type { Outside, Tool } from '../tools/tool.ts'
import { BudgetReached, Journal, journalled } from './journal.ts'
import type { OpenedModel } from './model.ts'

/** Everything one run needs; `steps` is what an earlier worker journalled of it. */
export type Thinking = {
  ctx: Ctx
  run: Run
  agent: string
  instructions: string
  request: string
  model: OpenedModel
  tools: Readonly<Record<string, Tool>>
  /** Names of the tools that the model is offered. */
  offered: readonly string[]
  budget: Budget
  steps: RunStep[]
  outside: Outside
  signal: AbortSignal
  /** How long one answer of the model may take. */
  turn_timeout_ms: number
}

/**
 * The loop: the model chooses, the gate decides, until the model says that it is done.
 * Each model turn and each tool result is journalled before the next one. What the journal holds already is replayed,
 * not repeated: a run that another worker began goes on where it stood.
 *
 * Stops when the model calls no tool (`done`), at a cap of the budget (`stopped`, with the cap's name), or when the
 * model's answer was cut at its own limit (`stopped`).
 * @throws {LeaseLost} when another worker took over; {ModelFault} when the model failed; {ToolFault} when a tool threw what
 * is no refusal; anything else is a fault of ours, such as a lost connection to the database
 */
export const think = async (thinking: Thinking): Promise<RunEnd> => {
  const journal = new Journal(thinking)
  const fatal = new AbortController()
  const ended = new AbortController()
  const stop = AbortSignal.any([thinking.signal, fatal.signal, ended.signal])
  try {
    const result = await generateText({
      model: journalled(thinking, journal),
      instructions: thinking.instructions,
      messages: [{ role: 'user', content: thinking.request }],
      tools: offer(thinking, journal, fatal),
      stopWhen: isStepCount(thinking.budget.max_steps),
      // Our own runs retry, with backoff and a dead letter; the SDK's retries would hide in between.
      maxRetries: 0,
      // One act after the other, in the order the model wrote them: the journal is a line, not a race.
      toolCallConcurrency: 1,
      repairToolCall: async ({ toolCall, error }) => {
        if (!NoSuchToolError.isInstance(error)) {
          return {
            ...toolCall,
            input: JSON.stringify({ unreadable_arguments: toolCall.input.slice(0, 500) }),
          }
        }
        // The SDK tells the model; the gate refuses it too, so that the attempt stands in the journal.
        await act(thinking, journal, fatal, {
          name: toolCall.toolName,
          id: toolCall.toolCallId,
          input: toolCall.input,
        })
        return null
      },
      abortSignal: stop,
      timeout: { stepMs: thinking.turn_timeout_ms },
    })
    if (fatal.signal.aborted) throw fatal.signal.reason
    if (result.finishReason === 'length') return { status: 'stopped', stop_reason: 'model_output_cut' }
    if (result.finishReason === 'content-filter') return { status: 'stopped', stop_reason: 'model_refused' }
    // Some servers say “stop” beside a call: what was called decides, not what was said.
    if ((result.steps.at(-1)?.toolCalls.length ?? 0) > 0)
      return { status: 'stopped', stop_reason: 'max_steps' }
    return { status: 'done', stop_reason: 'finished', said: visibleLine(result.text) }
  } catch (error) {
    const cause: unknown = fatal.signal.aborted
      ? fatal.signal.reason
      : thinking.signal.aborted
        ? thinking.signal.reason
        : error
    if (cause instanceof BudgetReached) return { status: 'stopped', stop_reason: cause.cap }
    if (cause instanceof SwitchedOff) return { status: 'stopped', stop_reason: cause.rule }
    throw cause
  } finally {
    // Node keeps a combined signal, and the whole conversation with it, for as long as it may still be aborted.
    ended.abort()
  }
}

/** Rules of the gate that say that the agent is off, here or everywhere. */
const SWITCHES: ReadonlySet<string> = new Set(['ai_off', 'agent_off', 'record_off'])

/** A switch was thrown while the run was under way. */
class SwitchedOff extends Error {
  readonly rule: string
  constructor(rule: string) {
    super(`the agent was switched off (${rule})`)
    this.rule = rule
  }
}

/** The tools as the SDK wants them: every call goes to the gate, which parses, decides and writes it down. */
const offer = (thinking: Thinking, journal: Journal, fatal: AbortController): ToolSet =>
  Object.fromEntries(
    thinking.offered.flatMap((name) => {
      const declared = thinking.tools[name]
      if (!declared) return []
      return [
        [
          name,
          sdkTool({
            description: declared.description,
            // Not validated by the SDK: the gate refuses wrong arguments with a sentence, and journals that too.
            inputSchema: schemaOf(declared),
            execute: (input, { toolCallId, abortSignal }) =>
              act(thinking, journal, fatal, { name, declared, id: toolCallId, input, signal: abortSignal }),
          }),
        ],
      ]
    }),
  )

/** A tool's schema, rendered once per process: it costs more than the rest of a turn. */
const schemaOf = (tool: Tool): Schema<Record<string, unknown>> => {
  const known = schemas.get(tool)
  if (known) return known
  const schema = jsonSchema<Record<string, unknown>>(
    z.toJSONSchema(tool.input, { io: 'input', unrepresentable: 'any' }),
  )
  schemas.set(tool, schema)
  return schema
}

const schemas = new WeakMap<Tool, Schema<Record<string, unknown>>>()

type Act = { name: string; declared?: Tool; id: string; input: unknown; signal?: AbortSignal | undefined }

/** One call at the gate, or its answer when an earlier worker had it. */
const act = async (
  { ctx, agent, run, outside, tools, signal: stopping }: Thinking,
  journal: Journal,
  fatal: AbortController,
  { name, declared, id, input, signal }: Act,
): Promise<Record<string, unknown>> => {
  const known = journal.answerOf(id)
  if (known) return known
  // The rest of a turn is not carried out after a fault, a switch, or the end of the worker.
  fatal.signal.throwIfAborted()
  stopping.throwIfAborted()
  try {
    const answer = await callTool(ctx, declared, name, input, {
      agent,
      subject: run.subject,
      tainted_by: journal.tainted_by,
      call_id: id,
      step: journal.nextStep(),
      outside,
      tools,
      ...(signal ? { signal } : {}),
    })
    journal.tainted_by.push(...answer.tainted_by)
    // Whoever switched the agent off wants it to stop, not to be told so call after call.
    if (SWITCHES.has(answer.rule)) fatal.abort(new SwitchedOff(answer.rule))
    return answer.output
  } catch (error) {
    // A fault that is no refusal ends the run here: the model must not talk its way around it.
    fatal.abort(error instanceof LeaseLost ? error : new ToolFault(name, error))
    throw error
  }
}

/** A tool failed in a way it does not know: the run is tried again, the model is not asked about it. */
export class ToolFault extends Error {
  constructor(tool: string, cause: unknown) {
    super(`${tool} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'ToolFault'
  }
}

/** The first 300 characters of what a model said, on one line. */
const visibleLine = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length <= 300 ? line : `${line.slice(0, 299).toWellFormed()}…`
}
