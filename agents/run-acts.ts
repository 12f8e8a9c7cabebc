import { jsonSchema, type Schema, tool as sdkTool, type ToolSet } from 'ai'
import { z } from 'zod'
import { LeaseLost } from '../db/context.ts'
import { callTool } from '../tools/gate.ts'
import type { Tool } from '../tools/tool.ts'
import type { Journal } from './journal.ts'
import type { Thinking } from './run.ts'

/** A run that is being thought. */
export type UnderWay = {
  thinking: Thinking
  journal: Journal
  /** Ends the run here, with the reason. */
  fatal: AbortController
  stop: AbortSignal
}

/** Rules of the gate that say that the agent is off, here or everywhere. */
const SWITCHES: ReadonlySet<string> = new Set(['ai_off', 'agent_off', 'record_off'])

/** A switch was thrown while the run was under way. */
export class SwitchedOff extends Error {
  readonly rule: string
  constructor(rule: string) {
    super(`the agent was switched off (${rule})`)
    this.rule = rule
  }
}

/** The tools as the SDK wants them: every call goes to the gate, which parses, decides and writes it down. */
export const offer = (under_way: UnderWay, offered: readonly string[]): ToolSet =>
  Object.fromEntries(
    offered.flatMap((name) => {
      const declared = under_way.thinking.tools[name]
      if (!declared) return []
      return [
        [
          name,
          sdkTool({
            description: declared.description,
            // Not validated by the SDK: the gate refuses wrong arguments with a sentence, and journals that too.
            inputSchema: schemaOf(declared),
            execute: (input, { toolCallId, abortSignal }) =>
              act(under_way, { name, declared, id: toolCallId, input, signal: abortSignal }),
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
export const act = async (
  { thinking, journal, fatal }: UnderWay,
  { name, declared, id, input, signal }: Act,
): Promise<Record<string, unknown>> => {
  const { ctx, agent, run, outside, tools, signal: stopping } = thinking
  const known = journal.answerOf(id)
  if (known) {
    journal.calls.push({ tool: name, output: known })
    return known
  }
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
    journal.calls.push({ tool: name, output: answer.output })
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
