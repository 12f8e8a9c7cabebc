import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
} from '@ai-sdk/provider'
import { z } from 'zod'
import type { Budget } from '../db/models.ts'
import { journalStep, type NewStep, type RunStep, type TaintSource } from '../db/run-journal.ts'
import type { CallMade } from './agent.ts'
import { costOf, type OpenedModel } from './model.ts'
import type { Run } from '../db/runs.ts'
import type { Ctx } from '../db/context.ts'

/** The model could not be asked, or its answer could not be read; `cause` is what its provider threw. */
export class ModelFault extends Error {
  constructor(cause: unknown) {
    super(`the model failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'ModelFault'
  }
}

/** The model of a run, with the caps it must keep and the context its turns are written in. */
type Model = {
  ctx: Ctx
  model: OpenedModel
  /** Absent: it costs nothing, so that it is neither capped nor counted, and its turns say whose they are. */
  budget?: Budget
  /** Why it is asked, where that is not the run's request: stands beside its first turn. */
  because?: string
}

/** A cap of the run was reached before the next model turn. */
export class BudgetReached extends Error {
  readonly cap: string
  constructor(cap: string) {
    super(`the run reached its cap ${cap}`)
    this.cap = cap
  }
}

const ModelTurn = z.object({
  content: z.array(z.unknown()),
  finishReason: z.unknown(),
  usage: z.unknown(),
  model: z.string().optional(),
})

/** What an earlier worker wrote down, and where the next step goes. */
export class Journal {
  /** Turns that an earlier worker had: of the run's own model, and of one that stood in for it, under its name. */
  readonly #turns: { turn: LanguageModelV4GenerateResult; model: string | undefined }[]
  readonly #answers: Map<string, Record<string, unknown>>
  readonly tainted_by: TaintSource[]
  used: { input_tokens: number; output_tokens: number }
  readonly #call_ids = new Set<string>()
  /** Every call so far, in order, those of an earlier worker included. */
  readonly calls: CallMade[] = []
  #next: number

  constructor({ steps, run }: { steps: RunStep[]; run: Run }) {
    // Our own journal wrote these turns as the SDK gave them; the schema guards the shape that the loop relies on.
    this.#turns = steps
      .filter(({ kind }) => kind === 'model')
      .map(({ output }) => {
        const { model, ...turn } = ModelTurn.parse(output)
        return { turn: { ...turn, warnings: [] } as unknown as LanguageModelV4GenerateResult, model }
      })
    this.#answers = new Map(
      steps.flatMap(({ call_id, output }) =>
        call_id ? [[call_id, Object(output) as Record<string, unknown>]] : [],
      ),
    )
    this.tainted_by = [...run.tainted_by]
    this.used = { input_tokens: run.usage.input_tokens, output_tokens: run.usage.output_tokens }
    this.#next = steps.length
  }

  /** The next turn that is known already, if any: of the run's own model, or of the one that stands in for it. */
  replayTurn(of?: string): LanguageModelV4GenerateResult | undefined {
    const at = this.#turns.findIndex(({ model }) => model === of)
    return at < 0 ? undefined : this.#turns.splice(at, 1)[0]?.turn
  }

  /** Gives every call an id of its own within the run: some servers count from one again with each turn. */
  withOwnIds(turn: LanguageModelV4GenerateResult): LanguageModelV4GenerateResult {
    const content = turn.content.map((part) => {
      if (part.type !== 'tool-call') return part
      let toolCallId = part.toolCallId
      for (let n = 2; this.#call_ids.has(toolCallId); n++) toolCallId = `${part.toolCallId}_${n}`
      this.#call_ids.add(toolCallId)
      return { ...part, toolCallId }
    })
    return { ...turn, content }
  }

  answerOf(call_id: string): Record<string, unknown> | undefined {
    return this.#answers.get(call_id)
  }

  nextStep(): number {
    return this.#next++
  }
}

/** The model, with every turn written down before the loop sees it. */
export const journalled = ({ ctx, model, budget, because }: Model, journal: Journal): LanguageModelV4 => {
  const stands_in = budget ? undefined : model.spec
  let turns = 0
  return {
    ...model.model,
    specificationVersion: 'v4',
    provider: model.model.provider,
    modelId: model.model.modelId,
    supportedUrls: model.model.supportedUrls,
    doStream: (options) => model.model.doStream(options),
    doGenerate: async (options) => {
      turns += 1
      const known = journal.replayTurn(stands_in)
      if (known) return journal.withOwnIds(known)
      const cap = budget && reachedCap(budget, journal.used, model)
      if (cap) throw new BudgetReached(cap)
      const started_at = new Date()
      const turn = journal.withOwnIds(await ask(model.model, options))
      await journalStep(ctx, journal.nextStep(), {
        kind: 'model',
        output: {
          content: turn.content,
          finishReason: turn.finishReason,
          usage: turn.usage,
          ...(stands_in ? { model: stands_in } : {}),
          ...(because && turns === 1 ? { because } : {}),
        },
        ...(budget ? { usage: count(turn, journal, model) } : {}),
        started_at,
      })
      return turn
    },
  }
}

/** Adds a turn to what the run has used, and answers what it was and cost. */
const count = (
  { usage: said }: LanguageModelV4GenerateResult,
  { used }: Journal,
  model: OpenedModel,
): NonNullable<NewStep['usage']> => {
  const usage = { input_tokens: said.inputTokens.total ?? 0, output_tokens: said.outputTokens.total ?? 0 }
  used.input_tokens += usage.input_tokens
  used.output_tokens += usage.output_tokens
  return { ...usage, ...priced(used, usage, model) }
}

const ask = async (
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
): Promise<LanguageModelV4GenerateResult> => {
  const { abortSignal } = options
  // A provider that does not listen to the signal would hold the run for ever.
  const aborted = new Promise<never>((_, reject) => {
    abortSignal?.addEventListener('abort', () => reject(abortSignal.reason as Error), { once: true })
  })
  try {
    abortSignal?.throwIfAborted()
    return await Promise.race([model.doGenerate(options), aborted])
  } catch (error) {
    throw new ModelFault(error)
  }
}

const reachedCap = (budget: Budget, used: Journal['used'], { price }: OpenedModel): string | undefined => {
  if (used.input_tokens >= budget.max_input_tokens) return 'max_input_tokens'
  if (used.output_tokens >= budget.max_output_tokens) return 'max_output_tokens'
  const cost = price ? costOf(used, price) : undefined
  return cost !== undefined && budget.max_cost_minor !== undefined && cost >= budget.max_cost_minor
    ? 'max_cost_minor'
    : undefined
}

/** What this turn added to the run's cost: the total is rounded, so its parts are differences of totals. */
const priced = (
  used: Journal['used'],
  turn: Journal['used'],
  { price }: OpenedModel,
): { cost_minor?: number; currency?: string } => {
  if (!price) return {}
  const after = costOf(used, price)
  const before = costOf(
    {
      input_tokens: used.input_tokens - turn.input_tokens,
      output_tokens: used.output_tokens - turn.output_tokens,
    },
    price,
  )
  return after === undefined || before === undefined
    ? {}
    : { cost_minor: after - before, currency: price.currency }
}
