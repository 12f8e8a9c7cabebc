import type { ServerResponse } from 'node:http'

/** What the scripted model says, or how it fails. */
export type Reply =
  | {
      text?: string
      calls?: { name: string; input: unknown }[]
      usage?: { input_tokens: number; output_tokens: number }
    }
  /** 429; with `quota` the kind that no waiting cures. */
  | { fault: 'rate_limit'; retry_after_s?: number; quota?: boolean }
  /** No answer until the server stops; with `midway` the headers and the beginning arrive. */
  | { fault: 'hang'; midway?: boolean }
  /** Half an answer, then the socket is destroyed; with `clean` the body ends politely instead. */
  | { fault: 'cut_stream'; clean?: boolean }
  /** A call of the named tool whose arguments are not JSON. */
  | { fault: 'garbage_arguments'; name: string }
  | { fault: 'server_error'; status?: number }
  /** 200 with a body (or a stream frame) that is not JSON. */
  | { fault: 'malformed_json' }

/** Answers with one JSON body. */
export const sendJson = (
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Refuses with OpenAI's error body; once the answer has begun the socket is destroyed instead. */
export const refuse = (
  response: ServerResponse,
  status: number,
  message: string,
  {
    type = 'invalid_request_error',
    code = null,
    headers = {},
  }: { type?: string; code?: string | null; headers?: Record<string, string> } = {},
): void => {
  if (response.headersSent) return void response.destroy()
  sendJson(response, { error: { message, type, param: null, code } }, status, headers)
}

/** Writes one scripted reply in the wire format and the mode that was asked for. */
export const reply = (
  response: ServerResponse,
  asked: { api: 'responses' | 'chat'; model: string; stream: boolean },
  scripted: Reply,
  n: number,
): void => {
  if (!('fault' in scripted)) {
    const calls = (scripted.calls ?? []).map((call) => ({
      name: call.name,
      arguments: JSON.stringify(call.input),
    }))
    return send(response, asked.stream, wire(asked, { n, text: scripted.text, calls, usage: scripted.usage }))
  }
  switch (scripted.fault) {
    case 'rate_limit': {
      const headers: Record<string, string> =
        scripted.retry_after_s === undefined ? {} : { 'retry-after': String(scripted.retry_after_s) }
      return scripted.quota
        ? refuse(response, 429, 'You exceeded your current quota.', {
            type: 'insufficient_quota',
            code: 'insufficient_quota',
            headers,
          })
        : refuse(response, 429, 'Rate limit reached for requests.', {
            type: 'requests',
            code: 'rate_limit_exceeded',
            headers,
          })
    }
    case 'server_error':
      return refuse(
        response,
        scripted.status ?? 500,
        'The server had an error while processing your request.',
        { type: 'server_error' },
      )
    case 'garbage_arguments':
      return send(
        response,
        asked.stream,
        wire(asked, { n, calls: [{ name: scripted.name, arguments: '{"q": "ada", oops' }] }),
      )
    case 'hang':
      if (scripted.midway) begin(response, asked.stream, wire(asked, { n, text: longText, calls: [] }))
      return
    case 'cut_stream':
      begin(response, asked.stream, wire(asked, { n, text: longText, calls: [] }))
      // The bytes must leave before the socket goes, or the client sees a refused connection instead of a cut.
      setTimeout(() => (scripted.clean ? response.end() : response.destroy()), 20)
      return
    case 'malformed_json': {
      const garbage = '{"id": "resp_1", "output": [{"type": "mess'
      response.writeHead(200, { 'content-type': asked.stream ? 'text/event-stream' : 'application/json' })
      response.end(asked.stream ? `data: ${garbage}\n\n` : garbage)
    }
  }
}

const longText = 'The first half of an answer that never gets to its second half.'

/** An answer in both modes: the whole body, or the frames of the stream. */
type Wire = { body: unknown; frames: string[] }

const send = (response: ServerResponse, stream: boolean, { body, frames }: Wire): void => {
  if (!stream) return sendJson(response, body)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(frames.join(''))
}

const begin = (response: ServerResponse, stream: boolean, { body, frames }: Wire): void => {
  const whole = stream ? frames.slice(0, Math.ceil(frames.length / 2)).join('') : JSON.stringify(body)
  response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  response.write(stream ? whole : whole.slice(0, whole.length / 2))
}

type Answer = {
  n: number
  text?: string | undefined
  calls: { name: string; arguments: string }[]
  usage?: { input_tokens: number; output_tokens: number } | undefined
}

const wire = (asked: { api: 'responses' | 'chat'; model: string }, answer: Answer): Wire =>
  asked.api === 'responses' ? responsesWire(asked.model, answer) : chatWire(asked.model, answer)

const createdAt = 1_700_000_000
const pieces = (text: string): string[] => text.match(/.{1,12}/gs) ?? []
const callId = (n: number, index: number): string => `call_${n}_${index}`

const responsesWire = (
  model: string,
  { n, text, calls, usage = { input_tokens: 20, output_tokens: 6 } }: Answer,
): Wire => {
  const output = [
    ...(text === undefined
      ? []
      : [
          {
            type: 'message',
            id: `msg_${n}`,
            role: 'assistant',
            status: 'completed',
            content: [{ type: 'output_text', text, annotations: [] }],
          },
        ]),
    ...calls.map((call, index) => ({
      type: 'function_call',
      id: `fc_${n}_${index}`,
      call_id: callId(n, index),
      status: 'completed',
      ...call,
    })),
  ]
  const response = (status: string, more: object) => ({
    id: `resp_${n}`,
    object: 'response',
    created_at: createdAt,
    model,
    status,
    error: null,
    incomplete_details: null,
    ...more,
  })
  const body = response('completed', {
    output,
    usage: {
      ...usage,
      total_tokens: usage.input_tokens + usage.output_tokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    },
  })
  let sequence = 0
  const frame = (type: string, data: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...data })}\n\n`
  const frames = [
    frame('response.created', { response: response('in_progress', { output: [], usage: null }) }),
  ]
  for (const [index, item] of output.entries()) {
    const where = { item_id: item.id, output_index: index }
    if ('content' in item) {
      frames.push(
        frame('response.output_item.added', {
          output_index: index,
          item: { ...item, status: 'in_progress', content: [] },
        }),
      )
      frames.push(
        frame('response.content_part.added', {
          ...where,
          content_index: 0,
          part: { type: 'output_text', text: '', annotations: [] },
        }),
      )
      frames.push(
        ...pieces(text ?? '').map((delta) =>
          frame('response.output_text.delta', { ...where, content_index: 0, delta }),
        ),
      )
      frames.push(frame('response.output_text.done', { ...where, content_index: 0, text }))
    } else {
      frames.push(
        frame('response.output_item.added', {
          output_index: index,
          item: { ...item, status: 'in_progress', arguments: '' },
        }),
      )
      frames.push(
        ...pieces(item.arguments).map((delta) =>
          frame('response.function_call_arguments.delta', { ...where, delta }),
        ),
      )
      frames.push(frame('response.function_call_arguments.done', { ...where, arguments: item.arguments }))
    }
    frames.push(frame('response.output_item.done', { output_index: index, item }))
  }
  frames.push(frame('response.completed', { response: body }))
  return { body, frames }
}

const chatWire = (
  model: string,
  { n, text, calls, usage = { input_tokens: 20, output_tokens: 6 } }: Answer,
): Wire => {
  const head = { id: `chatcmpl_${n}`, created: createdAt, model }
  const finish_reason = calls.length > 0 ? 'tool_calls' : 'stop'
  const tool_calls = calls.map((call, index) => ({ id: callId(n, index), type: 'function', function: call }))
  const counted = {
    prompt_tokens: usage.input_tokens,
    completion_tokens: usage.output_tokens,
    total_tokens: usage.input_tokens + usage.output_tokens,
  }
  const message = {
    role: 'assistant',
    content: text ?? null,
    ...(tool_calls.length > 0 ? { tool_calls } : {}),
  }
  const chunk = (data: object) =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...data })}\n\n`
  const delta = (part: object, reason: string | null = null) =>
    chunk({ choices: [{ index: 0, delta: part, logprobs: null, finish_reason: reason }] })
  return {
    body: {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason }],
      usage: counted,
    },
    frames: [
      delta({ role: 'assistant', content: null }),
      ...pieces(text ?? '').map((content) => delta({ content })),
      ...tool_calls.flatMap((call, index) => [
        delta({
          tool_calls: [
            { index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } },
          ],
        }),
        ...pieces(call.function.arguments).map((part) =>
          delta({ tool_calls: [{ index, function: { arguments: part } }] }),
        ),
      ]),
      delta({}, finish_reason),
      chunk({ choices: [], usage: counted }),
      'data: [DONE]\n\n',
    ],
  }
}
