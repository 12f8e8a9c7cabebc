import { generateText, isStepCount, type ModelMessage, NoSuchToolError } from 'ai'
import type { Ctx } from '../db/context.ts'
import type { Budget } from '../db/models.ts'
import type { RunStep } from '../db/run-journal.ts'
import type { RunEnd } from '../db/run-lease.ts'
import type { Run } from '../db/runs.ts'
import { loadPrompt } from '../prompts/load.ts'
import type { Outside, Tool } from '../tools/tool.ts'
import type { Owed } from './agent.ts'
import { BudgetReached, Journal, journalled, ModelFault } from './journal.ts'
import { isTransient, type OpenedModel } from './model.ts'
import { rulesModel } from './rules-model.ts'
import { act, offer, SwitchedOff, type UnderWay } from './run-acts.ts'

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
  /** What it must not end without. */
  owes?: Owed | undefined
  /** How long one answer of the model may take. */
  turn_timeout_ms: number
}

/**
 * The loop: the model chooses, the gate decides, until the model says that it is done and owes nothing.
 * Each model turn and each tool result is journalled before the next one. What the journal holds already is replayed,
 * not repeated: a run that another worker began goes on where it stood.
 *
 * Stops when the model calls no tool (`done`), at a cap of the budget (`stopped`, with the cap's name), or when the
 * model's answer was cut at its own limit (`stopped`).
 * @throws {LeaseLost} when another worker took over; {ModelFault} when the model failed; {ToolFault} when a tool threw what
 * is no refusal; anything else is a fault of ours, such as a lost connection to the database
 */
export const think = async (thinking: Thinking): Promise<RunEnd> => {
  const fatal = new AbortController()
  const ended = new AbortController()
  const stop = AbortSignal.any([thinking.signal, fatal.signal, ended.signal])
  const under_way: UnderWay = { thinking, journal: new Journal(thinking), fatal, stop }
  try {
    return await settle(under_way, await converse(under_way, ownConversation(thinking)))
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

/** One conversation with a model, until it calls no tool or had its turns. */
type Conversation = {
  model: Omit<Parameters<typeof journalled>[0], 'ctx'>
  messages: ModelMessage[]
  offered: readonly string[]
  max_steps: number
}

const ownConversation = ({ model, budget, request, offered }: Thinking): Conversation => ({
  model: { model, budget },
  messages: [{ role: 'user', content: request }],
  offered,
  max_steps: budget.max_steps,
})

/**
 * What the run owes is asked for once more, in the same conversation; what is missing then still, the built-in rules do
 * through the same gate, in turns that say so.
 * Only a model that ended by itself is asked again, within what is left of its caps. After the cap of steps, and where
 * its answer was cut or refused, it is not: the cap holds, the rules cost nothing, and the run still ends as stopped.
 * A cap of tokens or money that meets the model at its work, an off switch and a lost lease end the run as they are.
 */
const settle = async (under_way: UnderWay, first: Said): Promise<RunEnd> => {
  const { thinking, journal } = under_way
  const { owes } = thinking
  let end = endOf(first)
  if (!owes?.isMissing(journal.calls)) return end
  if (end.status === 'done') {
    end = await askAgain(under_way, owes, first)
    if (!owes.isMissing(journal.calls)) return end
  }
  const because = `${owes.missing}: the built-in rules stood in for the model.`
  await converse(under_way, {
    model: { model: { model: rulesModel, spec: 'rules' }, because },
    // From the start, so that they see the lead as it is now, and no draft of another's as their own.
    messages: [{ role: 'user', content: thinking.request }],
    offered: owes.tools.filter((name) => thinking.offered.includes(name)),
    max_steps: STAND_IN_STEPS,
  })
  return saying(
    end,
    owes.isMissing(journal.calls)
      ? `${owes.missing}, and the built-in rules could not see to it either.`
      : because,
  )
}

/** Turns in which the rules read, draft, mend what was refused, and say that they are done. */
const STAND_IN_STEPS = 4

const askAgain = async (under_way: UnderWay, owes: Owed, first: Said): Promise<RunEnd> => {
  const own = ownConversation(under_way.thinking)
  const end = endOf(first)
  const max_steps = own.max_steps - first.steps.length
  if (max_steps < 1) return end
  try {
    const again = await converse(under_way, {
      ...own,
      model: { ...own.model, because: `${owes.missing}: the model was asked once more.` },
      messages: [
        ...own.messages,
        ...first.responseMessages,
        { role: 'user', content: loadPrompt(owes.prompt).render({}) },
      ],
      max_steps,
    })
    const ended = endOf(again)
    return ended.status === 'done' ? saying(end, ended.said ?? '') : ended
  } catch (error) {
    if (under_way.stop.aborted) throw error
    // It had ended by itself: a question that its budget does not pay, or its provider refuses, changes nothing of that.
    const refused = error instanceof ModelFault && !isTransient(error.cause)
    if (refused || error instanceof BudgetReached) return end
    throw error
  }
}

const converse = async (
  under_way: UnderWay,
  { model, messages, offered, max_steps }: Conversation,
): Promise<Said> => {
  const { thinking, journal, fatal, stop } = under_way
  const result = await generateText({
    model: journalled({ ctx: thinking.ctx, ...model }, journal),
    instructions: thinking.instructions,
    messages,
    tools: offer(under_way, offered),
    stopWhen: isStepCount(max_steps),
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
      await act(under_way, { name: toolCall.toolName, id: toolCall.toolCallId, input: toolCall.input })
      return null
    },
    abortSignal: stop,
    timeout: { stepMs: thinking.turn_timeout_ms },
  })
  if (fatal.signal.aborted) throw fatal.signal.reason
  return result
}

type Said = Pick<
  Awaited<ReturnType<typeof generateText>>,
  'finishReason' | 'steps' | 'text' | 'responseMessages'
>

const endOf = ({ finishReason, steps, text }: Said): RunEnd => {
  if (finishReason === 'length') return { status: 'stopped', stop_reason: 'model_output_cut' }
  if (finishReason === 'content-filter') return { status: 'stopped', stop_reason: 'model_refused' }
  // Some servers say “stop” beside a call: what was called decides, not what was said.
  if ((steps.at(-1)?.toolCalls.length ?? 0) > 0) return { status: 'stopped', stop_reason: 'max_steps' }
  return { status: 'done', stop_reason: 'finished', said: visibleLine(text) }
}

/** An end with a sentence more; it is never the one that is cut off. */
const saying = (end: RunEnd, words: string): RunEnd => {
  const before = end.said ?? `Ended at ${end.stop_reason.replaceAll('_', ' ')}.`
  return { ...end, said: visibleLine(`${clip(before, 160)} ${words}`) }
}

/** The first 300 characters of what a model said, on one line. */
const visibleLine = (text: string): string => clip(text.replaceAll(/\s+/g, ' ').trim(), 300)

const clip = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`
