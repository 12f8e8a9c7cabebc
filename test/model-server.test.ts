import { generateText, streamText, tool } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { explainModelError, isTransient, openModel } from '../agents/model.ts'
import { startOpenAI, type OpenAIServer } from './openai.ts'

const rules = new MockLanguageModelV4({ modelId: 'rules' })
const servers: OpenAIServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

const serve = async (...given: Parameters<typeof startOpenAI>): Promise<OpenAIServer> => {
  const server = await startOpenAI(...given)
  servers.push(server)
  return server
}

const open = (openai_base_url: string | undefined, fetch?: typeof globalThis.fetch) =>
  openModel('openai:scripted', { rules, openai_api_key: 'sk-test', openai_base_url, fetch }).model

const urlOf = (input: string | URL | Request): string =>
  input instanceof Request ? input.url : input.toString()

/** Asks both ways and gives the words, or the code of what went wrong. */
const said = async (model: ReturnType<typeof open>, mode: 'generate' | 'stream'): Promise<string> => {
  try {
    const call = { model, prompt: 'Hi', maxRetries: 0 }
    if (mode === 'generate') return (await generateText(call)).text
    const result = streamText({ ...call, onError: () => undefined })
    for await (const part of result.stream) if (part.type === 'error') throw part.error
    return await result.text
  } catch (error) {
    return explainModelError(error).code
  }
}

test.each([404, 405, 501])(
  'a server that answers %i to Responses is asked through chat completions, and it is remembered',
  async (missing_status) => {
    const server = await serve(() => ({ text: 'Hello.' }), { speaks: 'chat', missing_status })
    expect(await said(open(server.url), 'generate')).toBe('Hello.')
    expect(await said(open(server.url), 'stream')).toBe('Hello.')
    expect(server.log).toEqual([
      `POST /v1/responses → ${missing_status}`,
      'POST /v1/chat/completions → 200',
      'POST /v1/chat/completions → 200',
    ])
  },
)

test('a server that does not know Responses is found out by a stream too', async () => {
  const server = await serve(() => ({ text: 'Hello.' }), { speaks: 'chat' })
  expect(await said(open(server.url), 'stream')).toBe('Hello.')
  expect(await said(open(server.url), 'stream')).toBe('Hello.')
  expect(server.log.filter((line) => line.includes('/responses'))).toHaveLength(1)
})

test('a server that speaks both is asked through Responses only, also when it fails', async () => {
  const server = await serve((_, turn) => (turn === 0 ? { fault: 'server_error' } : { text: 'Hello.' }))
  expect(await said(open(server.url), 'stream')).toBe('model_unavailable')
  expect(await said(open(server.url), 'stream')).toBe('Hello.')
  expect(await said(open(server.url), 'generate')).toBe('Hello.')
  expect(server.log).toEqual([
    'POST /v1/responses → 500',
    'POST /v1/responses → 200',
    'POST /v1/responses → 200',
  ])
})

test('what a server speaks is remembered only once it has answered', async () => {
  const server = await serve((_, turn) => (turn === 0 ? { fault: 'rate_limit' } : { text: 'Hello.' }), {
    speaks: 'chat',
  })
  expect(await said(open(server.url), 'generate')).toBe('model_rate_limited')
  expect(await said(open(server.url), 'generate')).toBe('Hello.')
  expect(await said(open(server.url), 'generate')).toBe('Hello.')
  expect(server.log.filter((line) => line.includes('/responses'))).toHaveLength(2)
})

test('a server that has neither is an error about the address, and nothing is remembered', async () => {
  const server = await serve(() => ({ text: 'Hello.' }))
  const elsewhere = server.url.replace('/v1', '/elsewhere')
  expect(await said(open(elsewhere), 'generate')).toBe('model_not_found')
  expect(await said(open(elsewhere), 'stream')).toBe('model_not_found')
  expect(server.log.filter((line) => line.includes('/elsewhere/responses'))).toHaveLength(2)
})

test('OpenAI itself is asked through Responses and never falls back', async () => {
  const urls: string[] = []
  const missing = (input: string | URL | Request) => {
    urls.push(urlOf(input))
    const error = { message: 'The model does not exist.', code: 'model_not_found' }
    return Promise.resolve(Response.json({ error }, { status: 404 }))
  }
  for (const url of [undefined, '', 'https://api.openai.com/v1/', 'https://eu.api.openai.com/v1']) {
    expect(await said(open(url, missing), 'generate')).toBe('model_not_found')
  }
  expect(urls).toEqual([
    'https://api.openai.com/v1/responses',
    'https://api.openai.com/v1/responses',
    'https://api.openai.com/v1/responses',
    'https://eu.api.openai.com/v1/responses',
  ])
})

test('a stream with an unreadable frame carries out no call that comes after it', async () => {
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'find', arguments: '{}' } }
  const frames = [
    JSON.stringify({ choices: [{ index: 0, delta: { role: 'assistant' } }] }),
    '{"choices": [{"index": 0, "delta": {"con',
    JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [call] } }] }),
    JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }),
    '[DONE]',
  ]
  const body = frames.map((frame) => `data: ${frame}\n\n`).join('')
  const model = open('http://127.0.0.1:9/frames', (input) =>
    Promise.resolve(
      urlOf(input).endsWith('/responses')
        ? new Response('', { status: 404 })
        : new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
    ),
  )
  let ran = 0
  const find = tool({ inputSchema: z.object({}), execute: () => ({ ran: ++ran }) })
  const result = streamText({ model, prompt: 'Hi', tools: { find }, maxRetries: 0, onError: () => undefined })
  await expect(result.finishReason).rejects.toMatchObject({ name: 'AI_JSONParseError' })
  expect(ran).toBe(0)
})

test.each(['responses', 'chat'] as const)(
  'a caller that only awaits the text of a cut %s stream is refused too',
  async (speaks) => {
    const server = await serve(() => ({ fault: 'cut_stream', clean: true }), { speaks })
    const result = streamText({
      model: open(server.url),
      prompt: 'Hi',
      maxRetries: 0,
      onError: () => undefined,
    })
    const error = await Promise.resolve(result.text).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(explainModelError(error).code).toBe('model_cut_off')
    expect(isTransient(error)).toBe(true)
  },
)
