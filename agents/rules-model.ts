import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider'
import { decideFileWork } from './rules-file.ts'
import { decideLeadWork } from './rules-lead.ts'
import { decideTaskWork } from './rules-task.ts'

/** What a rule sees of a conversation: the same that a language model sees. */
export type RulesSituation = {
  instructions: string
  request: string
  /** Calls so far, in order, each with its answer. */
  calls: { tool: string; input: Record<string, unknown>; output: Record<string, unknown> }[]
  offered: ReadonlySet<string>
}

/** What a rule says: one tool call, or the closing sentence. */
export type RulesDecision = { call: { tool: string; input: Record<string, unknown> } } | { text: string }

/**
 * The model that needs no key: an AI SDK language model in plain code. It reads the same prompt and calls the same tools
 * through the same gate as any other; the same situation always gets the same decision.
 */
export const rulesModel: LanguageModelV4 = {
  specificationVersion: 'v4',
  provider: 'rules',
  modelId: 'rules',
  supportedUrls: {},
  doGenerate: (options) => Promise.resolve(answer(options)),
  doStream: (options) => {
    const whole = answer(options)
    return Promise.resolve({
      stream: new ReadableStream<LanguageModelV4StreamPart>({
        start: (controller) => {
          for (const part of streamParts(whole)) controller.enqueue(part)
          controller.close()
        },
      }),
    })
  },
}

/** What the rules say next: of the task or the file that the run is for, else of the lead. */
export const decide = (situation: RulesSituation): RulesDecision => {
  // At the beginning, where only we write.
  const [, errand] = /^Work the \w+ \S+ (You were given the task|The file) /.exec(situation.request) ?? []
  if (errand === undefined) return decideLeadWork(situation)
  return errand === 'The file' ? decideFileWork(situation) : decideTaskWork(situation)
}

const answer = (options: LanguageModelV4CallOptions): LanguageModelV4GenerateResult => {
  options.abortSignal?.throwIfAborted()
  const situation = readSituation(options)
  const decision = decide(situation)
  const content: LanguageModelV4Content[] =
    'text' in decision
      ? [{ type: 'text', text: decision.text }]
      : [
          {
            type: 'tool-call',
            // From the place in the conversation, so that a resumed run gives the same call the same id.
            toolCallId: `rules_${situation.calls.length + 1}`,
            toolName: decision.call.tool,
            input: JSON.stringify(decision.call.input),
          },
        ]
  const input = countTokens(options.prompt)
  const output = countTokens(content)
  return {
    content,
    finishReason: { unified: 'text' in decision ? 'stop' : 'tool-calls', raw: undefined },
    usage: {
      inputTokens: { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: output, text: output, reasoning: 0 },
    },
    warnings: [],
  }
}

const readSituation = ({ prompt, tools }: LanguageModelV4CallOptions): RulesSituation => {
  const outputs = new Map<string, Record<string, unknown>>()
  const calls: { id: string; tool: string; input: Record<string, unknown> }[] = []
  const instructions: string[] = []
  const request: string[] = []
  for (const message of prompt) {
    if (message.role === 'system') instructions.push(message.content)
    if (message.role === 'user')
      request.push(...message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])))
    if (message.role === 'assistant') {
      for (const part of message.content) {
        if (part.type === 'tool-call')
          calls.push({ id: part.toolCallId, tool: part.toolName, input: asRecord(part.input) })
      }
    }
    if (message.role === 'tool') {
      for (const part of message.content) {
        if (part.type === 'tool-result') outputs.set(part.toolCallId, outputOf(part.output))
      }
    }
  }
  return {
    instructions: instructions.join('\n'),
    request: request.join('\n'),
    calls: calls.map(({ id, tool, input }) => ({ tool, input, output: outputs.get(id) ?? {} })),
    offered: new Set((tools ?? []).flatMap((tool) => (tool.type === 'function' ? [tool.name] : []))),
  }
}

type ToolOutput = Extract<
  Extract<LanguageModelV4CallOptions['prompt'][number], { role: 'tool' }>['content'][number],
  { type: 'tool-result' }
>['output']

const outputOf = (output: ToolOutput): Record<string, unknown> => {
  if (output.type === 'json') return asRecord(output.value)
  return output.type === 'text' || output.type === 'error-text'
    ? { refused: true, message: output.value }
    : { refused: true }
}

const asRecord = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? { ...value } : {}

/** Four characters a token: the usual estimate, so that caps and figures mean something without a key. */
const countTokens = (value: unknown): number => Math.ceil(JSON.stringify(value).length / 4)

const streamParts = (whole: LanguageModelV4GenerateResult): LanguageModelV4StreamPart[] => [
  { type: 'stream-start', warnings: [] },
  ...whole.content.flatMap((part, n): LanguageModelV4StreamPart[] => {
    if (part.type === 'text') {
      return [
        { type: 'text-start', id: `text_${n}` },
        { type: 'text-delta', id: `text_${n}`, delta: part.text },
        { type: 'text-end', id: `text_${n}` },
      ]
    }
    if (part.type !== 'tool-call') return []
    return [
      { type: 'tool-input-start', id: part.toolCallId, toolName: part.toolName },
      { type: 'tool-input-delta', id: part.toolCallId, delta: part.input },
      { type: 'tool-input-end', id: part.toolCallId },
      part,
    ]
  }),
  { type: 'finish', finishReason: whole.finishReason, usage: whole.usage },
]
