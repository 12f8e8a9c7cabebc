import { decide } from '../agents/rules-model.ts'
import type { Asked } from './openai.ts'
import type { Reply } from './openai-replies.ts'

/** What a sensible model would answer over the wire: the built-in rules, told the conversation as the server heard it. */
export const thinkByRules = (asked: Asked): Reply => {
  const calls: { tool: string; input: Record<string, unknown>; output: Record<string, unknown> }[] = []
  const results: unknown[] = asked.messages.flatMap(({ tool_results }) =>
    tool_results.map(({ output }) => output),
  )
  for (const { name, input } of asked.messages.flatMap(({ tool_calls }) => tool_calls)) {
    calls.push({ tool: name, input: Object(input), output: Object(results[calls.length]) })
  }
  const decision = decide({
    instructions: asked.instructions,
    request: asked.messages
      .filter(({ role }) => role === 'user')
      .map(({ text }) => text)
      .join('\n'),
    calls,
    offered: new Set(asked.tools.map(({ name }) => name)),
  })
  return 'text' in decision
    ? { text: decision.text, usage: { input_tokens: 100, output_tokens: 20 } }
    : {
        calls: [{ name: decision.call.tool, input: decision.call.input }],
        usage: { input_tokens: 100, output_tokens: 20 },
      }
}
