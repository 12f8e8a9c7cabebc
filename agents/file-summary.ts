import { generateText, Output, type LanguageModelUsage } from 'ai'
import { z } from 'zod'
import { log } from '../log.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { readAgentSettings, readModelPrice, type Budget } from '../db/models.ts'
import { agentActor, readStanding } from '../db/policies.ts'
import type { Payload } from '../db/queue.ts'
import { loadPrompt } from '../prompts/load.ts'
import {
  factKeys,
  noteSummaryError,
  readToSummarise,
  saveFileSummary,
  type FileToSummarise,
} from '../tools/files.ts'
import { fenced } from './fence.ts'
import { ModelFault } from './journal.ts'
import { lead_worker } from './lead_worker.ts'
import { costOf, explainModelError, type ModelPrice, type OpenedModel } from './model.ts'

/** What writing summaries needs of a worker. */
export type Summariser = {
  db: Ctx['db']
  /** The model where the organization chose none. */
  model: string
  /** @throws {ModelFault} when there is no such model, or no key for it */
  open: (spec: string, price: ModelPrice | undefined) => OpenedModel
  timeout_ms: number
}

const limits = { characters: 24_000, output_tokens: 4_000 }

/** Shown to the model, so without bounds that some servers refuse: what is kept of an answer is bounded where it is kept. */
const Answer = z.object({
  text: z.string().refine((text) => /[\p{L}\p{N}]/u.test(text), 'no words'),
  facts: z.array(z.object({ key: z.enum(factKeys), value: z.string(), quote: z.string() })),
})

/**
 * Has the organization's model say what a file is about, in one call without tools, as the lead worker: its switches, its model
 * and its caps count. With the built-in rules there is nothing to ask. May run twice: the first answer counts.
 * @throws Error when the model failed, so that the queue asks again; the reason stands on the file by then
 */
export const summariseFile = async (
  summariser: Summariser,
  { organization_id, file_id }: Payload<'file.read'>,
  signal: AbortSignal,
): Promise<void> => {
  const ctx: Ctx = { db: summariser.db, organization_id, actor: agentActor(lead_worker.name) }
  const task = await readTask(ctx, file_id, summariser.model)
  if (!task) return
  const { file, spec, price, budget } = task
  const prompt = loadPrompt('file_summary')
  const asked = {
    instructions: prompt.render({}),
    prompt: fenced('file', `Name: ${file.name}\n\n${file.text}`),
  }
  const reserved = reserve(budget, asked.instructions + asked.prompt, price)
  if ('cap' in reserved)
    return noteSummaryError(ctx, file_id, { by: spec, code: reserved.cap, message: OVER_CAP })
  try {
    const { output, usage } = await ask(summariser, task, {
      ...asked,
      maxOutputTokens: reserved.output_tokens,
      abortSignal: signal,
    })
    await inTx(ctx, async (ctx) => {
      // Whoever threw a switch meanwhile gets nothing written any more.
      if (!(await isOn(ctx, file))) return
      const cost = { usage: priced(usage, price), prompt_version: prompt.version, by: spec }
      await saveFileSummary(ctx, file_id, { ...output, ...cost })
    })
  } catch (error) {
    if (!(error instanceof ModelFault) || signal.aborted) throw error
    const { code, message } = explainModelError(error.cause)
    log.warn({ organization_id, file_id, code, message }, 'a model could not summarise a file')
    await noteSummaryError(ctx, file_id, { by: spec, code, message })
    // oxlint-disable-next-line preserve-caught-error -- it holds the file's text, and this one goes to the dead letters
    throw new Error(message)
  }
}

const ask = async (
  { open, timeout_ms }: Summariser,
  { spec, price }: Task,
  asked: { instructions: string; prompt: string; maxOutputTokens: number; abortSignal: AbortSignal },
): Promise<{ output: z.infer<typeof Answer>; usage: LanguageModelUsage }> => {
  const { model } = open(spec, price)
  try {
    const { output, usage } = await generateText({
      ...asked,
      model,
      output: Output.object({ schema: Answer }),
      // The queue asks again, with backoff; the SDK's retries would hide in between.
      maxRetries: 0,
      timeout: { stepMs: timeout_ms },
    })
    return { output, usage }
  } catch (error) {
    throw new ModelFault(error)
  }
}

type Task = { file: FileToSummarise; spec: string; price: ModelPrice | undefined; budget: Budget }

/** What there is to do, unless the rules are the model, a switch is off, or it is done. */
const readTask = (ctx: Ctx, file_id: string, default_model: string): Promise<Task | undefined> =>
  inTx(ctx, async (ctx) => {
    const settings = await readAgentSettings(ctx, lead_worker.name)
    const spec = settings.model ?? default_model
    if (spec === 'rules') return undefined
    const file = await readToSummarise(ctx, file_id, limits.characters)
    if (!file || !(await isOn(ctx, file))) return undefined
    const price = await readModelPrice(ctx, spec)
    return { file, spec, price, budget: { ...lead_worker.budget, ...settings.budget } }
  })

const isOn = async (ctx: Ctx, { subject }: FileToSummarise): Promise<boolean> => {
  const { ai_enabled, agent_enabled, record_paused } = await readStanding(ctx, lead_worker.name, subject)
  return ai_enabled && agent_enabled && !record_paused
}

const OVER_CAP =
  'It could take more than one run of the lead worker may: raise the cap, or leave it to the rules.'

const priced = (
  { inputTokens, outputTokens }: LanguageModelUsage,
  price: ModelPrice | undefined,
): { input_tokens: number; output_tokens: number; cost_minor?: number; currency?: string } => {
  const usage = { input_tokens: inputTokens ?? 0, output_tokens: outputTokens ?? 0 }
  const cost_minor = costOf(usage, price)
  return price && cost_minor !== undefined ? { ...usage, cost_minor, currency: price.currency } : usage
}

/** What the call may take at most, kept free before it is made: no text has more tokens than bytes. */
const reserve = (
  { max_input_tokens, max_output_tokens, max_cost_minor }: Budget,
  asked: string,
  price: ModelPrice | undefined,
): { cap: keyof Budget } | { output_tokens: number } => {
  const input_tokens = Buffer.byteLength(asked)
  const output_tokens = Math.min(limits.output_tokens, max_output_tokens)
  if (input_tokens > max_input_tokens) return { cap: 'max_input_tokens' }
  const cost = costOf({ input_tokens, output_tokens }, price)
  return cost !== undefined && max_cost_minor !== undefined && cost > max_cost_minor
    ? { cap: 'max_cost_minor' }
    : { output_tokens }
}
