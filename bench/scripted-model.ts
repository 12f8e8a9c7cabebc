import type { LanguageModelV4, LanguageModelV4Content } from '@ai-sdk/provider'

/** The call a script makes in its turn, for the lead of the request. */
export type ScriptedCall = (lead_id: string) => { tool: string; input: Record<string, unknown> }

/** A model that takes no time to think: one call after the other, then a closing sentence. */
export const scriptedModel = (script: readonly ScriptedCall[]): LanguageModelV4 => ({
  specificationVersion: 'v4',
  provider: 'scripted',
  modelId: 'scripted',
  supportedUrls: {},
  doGenerate: ({ prompt }) => {
    const turn = prompt.filter(({ role }) => role === 'tool').length
    const request = prompt.find(({ role }) => role === 'user')
    const lead_id = /lead ([0-9a-f-]{36})/.exec(JSON.stringify(request?.content))?.[1]
    if (!lead_id) throw new Error('the request names no lead')
    const call = script[turn]?.(lead_id)
    const content: LanguageModelV4Content[] = call
      ? [
          {
            type: 'tool-call',
            toolCallId: `call_${turn}`,
            toolName: call.tool,
            input: JSON.stringify(call.input),
          },
        ]
      : [{ type: 'text', text: 'Done.' }]
    return Promise.resolve({
      content,
      finishReason: { unified: call ? 'tool-calls' : 'stop', raw: undefined },
      usage: {
        inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
        outputTokens: { total: 1, text: 1, reasoning: 0 },
      },
      warnings: [],
    })
  },
  doStream: () => Promise.reject(new Error('a scripted model does not stream')),
})
