import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import { refuse, reply, sendJson, type Reply } from './openai-replies.ts'

/** One earlier message as the model sees it, the same for both wire formats. */
export type AskedMessage = {
  role: 'user' | 'assistant' | 'tool'
  text: string
  tool_calls: { id: string; name: string; input: unknown }[]
  tool_results: { name: string; output: unknown }[]
}

/** One request to the model, the same for both wire formats; `body` is what was sent, word for word. */
export type Asked = {
  api: 'responses' | 'chat'
  model: string
  instructions: string
  messages: AskedMessage[]
  /** The latest result of each tool, by the tool's name. */
  results: Record<string, unknown>
  tools: { name: string; description: string; parameters: unknown }[]
  stream: boolean
  headers: IncomingMessage['headers']
  body: Record<string, unknown>
}

/** Decides each reply; `turn` counts the well-formed requests this server has had, from 0, retries included. */
export type Script = (asked: Asked, turn: number) => Reply | Promise<Reply>

/** A local server that speaks OpenAI's wire formats, driven by a script. */
export type OpenAIServer = {
  /** The base URL, `/v1` included. */
  url: string
  /** Every well-formed request, in order. */
  requests: Asked[]
  /** Every request as `METHOD /path → status`, refused ones included. */
  log: string[]
  /** Ends every open answer, hanging ones too, and closes the port. */
  stop: () => Promise<void>
}

/**
 * Starts a server on 127.0.0.1 that speaks the Responses API and chat completions, streaming and not.
 * Like the real one it refuses what it cannot follow: no Authorization is 401; a tool result without its call,
 * a call without its result, a reference to a stored item or an unnamed tool is 400; an unspoken API is 404.
 */
export const startOpenAI = async (
  script: Script,
  {
    speaks = 'both',
    missing_status = 404,
  }: { speaks?: 'both' | 'chat' | 'responses'; missing_status?: number } = {},
): Promise<OpenAIServer> => {
  const requests: Asked[] = []
  const log: string[] = []
  const server = createServer((request, response) => {
    response.on('close', () => log.push(`${request.method} ${request.url} → ${response.statusCode}`))
    answer(request, response).catch((error: unknown) =>
      refuse(response, 500, `The script failed: ${String(error)}`),
    )
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const api = { '/v1/responses': 'responses', '/v1/chat/completions': 'chat' }[request.url ?? ''] as
      | Asked['api']
      | undefined
    const body = await readBody(request)
    if (!request.headers.authorization?.startsWith('Bearer '))
      return refuse(response, 401, 'You did not provide an API key.')
    if (request.method === 'GET' && request.url === '/v1/models') {
      return sendJson(response, {
        object: 'list',
        data: [{ id: 'scripted', object: 'model', created: 1, owned_by: 'test' }],
      })
    }
    if (!api || request.method !== 'POST' || (speaks !== 'both' && speaks !== api)) {
      return refuse(response, missing_status, `Unknown request URL: ${request.method} ${request.url}.`)
    }
    const asked = readAsked(api, body, request.headers)
    if (typeof asked === 'string') return refuse(response, 400, asked)
    requests.push(asked)
    return reply(response, asked, await script(asked, requests.length - 1), requests.length)
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    log,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const maxBodyBytes = 8 << 20

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const buffer = Buffer.from(chunk)
    bytes += buffer.length
    if (bytes > maxBodyBytes) throw new Error(`a request body above ${maxBodyBytes} bytes`)
    chunks.push(buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const Content = z.union([
  z.string(),
  z.null(),
  z.undefined(),
  z.array(z.object({ type: z.string(), text: z.string().optional() })),
])
const contentText = (content: z.infer<typeof Content>): string =>
  typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join('\n')

const ResponsesItem = z.union([
  z.strictObject({
    type: z.literal('function_call'),
    id: z.string().optional(),
    call_id: z.string(),
    name: z.string(),
    arguments: z.string(),
  }),
  z.strictObject({ type: z.literal('function_call_output'), call_id: z.string(), output: Content }),
  z.object({ type: z.literal('reasoning') }),
  z.object({
    type: z.literal('message').optional(),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: Content,
  }),
])
const ChatItem = z.union([
  z.object({ role: z.literal('tool'), tool_call_id: z.string(), content: Content }),
  z.object({
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: Content,
    tool_calls: z
      .array(
        z.object({
          id: z.string(),
          type: z.literal('function'),
          function: z.object({ name: z.string(), arguments: z.string() }),
        }),
      )
      .optional(),
  }),
])
const ToolName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/)
const Tool = z.object({
  name: ToolName,
  description: z.string().default(''),
  parameters: z.looseObject({ type: z.literal('object') }),
})
const Shared = z.object({ model: z.string().min(1), stream: z.boolean().default(false) })
const ResponsesBody = Shared.extend({
  instructions: z.string().optional(),
  input: z.array(ResponsesItem).min(1),
  tools: z.array(Tool.extend({ type: z.literal('function') })).default([]),
})
const ChatBody = Shared.extend({
  messages: z.array(ChatItem).min(1),
  tools: z.array(z.object({ type: z.literal('function'), function: Tool })).default([]),
})

/** One thing that was said, before it is grouped into messages. */
type Said =
  | { kind: 'instructions' | 'user' | 'assistant'; text: string }
  | { kind: 'call'; id: string; name: string; arguments: string }
  | { kind: 'result'; id: string; output: string }

const readAsked = (api: Asked['api'], text: string, headers: IncomingMessage['headers']): Asked | string => {
  const raw = z.record(z.string(), z.unknown()).safeParse(parsed(text))
  if (!raw.success) return 'The body is not a JSON object.'
  const body = api === 'responses' ? ResponsesBody.safeParse(raw.data) : ChatBody.safeParse(raw.data)
  if (!body.success) return `Invalid request: ${z.prettifyError(body.error)}`
  const said =
    'input' in body.data ? body.data.input.flatMap(saidInResponses) : body.data.messages.flatMap(saidInChat)
  const messages = messagesOf(said)
  if (typeof messages === 'string') return messages
  const top = 'input' in body.data ? body.data.instructions : undefined
  return {
    api,
    model: body.data.model,
    instructions: [top ?? '', ...said.map((one) => (one.kind === 'instructions' ? one.text : ''))]
      .filter(Boolean)
      .join('\n'),
    messages,
    results: Object.fromEntries(
      messages.flatMap((one) => one.tool_results.map((result) => [result.name, result.output])),
    ),
    tools: body.data.tools.map((tool) =>
      'function' in tool
        ? tool.function
        : { name: tool.name, description: tool.description, parameters: tool.parameters },
    ),
    stream: body.data.stream,
    headers,
    body: raw.data,
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const saidInResponses = (item: z.infer<typeof ResponsesItem>): Said[] => {
  if ('role' in item) return [{ kind: kindOfRole(item.role), text: contentText(item.content) }]
  if (item.type === 'function_call')
    return [{ kind: 'call', id: item.call_id, name: item.name, arguments: item.arguments }]
  if (item.type === 'function_call_output')
    return [{ kind: 'result', id: item.call_id, output: contentText(item.output) }]
  return []
}

const saidInChat = (item: z.infer<typeof ChatItem>): Said[] => {
  if (item.role === 'tool')
    return [{ kind: 'result', id: item.tool_call_id, output: contentText(item.content) }]
  const calls = (item.tool_calls ?? []).map((call): Said => ({ kind: 'call', id: call.id, ...call.function }))
  const text = contentText(item.content)
  return calls.length > 0 && !text ? calls : [{ kind: kindOfRole(item.role), text }, ...calls]
}

const kindOfRole = (role: string): 'instructions' | 'user' | 'assistant' =>
  role === 'user' || role === 'assistant' ? role : 'instructions'

const messagesOf = (said: Said[]): AskedMessage[] | string => {
  const messages: AskedMessage[] = []
  const names = new Map<string, string>()
  const open = new Set<string>()
  const under = (role: AskedMessage['role']): AskedMessage => {
    const last = messages.at(-1)
    if (last && last.role === role && role !== 'user') return last
    const next: AskedMessage = { role, text: '', tool_calls: [], tool_results: [] }
    messages.push(next)
    return next
  }
  for (const one of said) {
    if (one.kind === 'result') {
      if (!open.delete(one.id)) return `No tool call found for function call output with call_id ${one.id}.`
      under('tool').tool_results.push({ name: names.get(one.id) ?? '', output: parsed(one.output) })
      continue
    }
    if (one.kind === 'call') {
      if (names.has(one.id)) return `Tool call ${one.id} appears twice.`
      names.set(one.id, one.name)
      open.add(one.id)
      under('assistant').tool_calls.push({ id: one.id, name: one.name, input: parsed(one.arguments) })
      continue
    }
    if (one.kind === 'instructions') continue
    if (one.kind === 'user' && open.size > 0)
      return `No tool output found for function call ${[...open].join(', ')}.`
    const message = under(one.kind)
    message.text = message.text ? `${message.text}\n${one.text}` : one.text
  }
  return open.size > 0 ? `No tool output found for function call ${[...open].join(', ')}.` : messages
}
