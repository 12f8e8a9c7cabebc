import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { isStepCount, tool, ToolLoopAgent } from 'ai'
import { APICallError } from '@ai-sdk/provider'
import { MockLanguageModelV4 } from 'ai/test'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { costOf, explainModelError, isTransient, openModel, type ModelSettings } from '../agents/model.ts'
import { startOpenAI, type OpenAIServer, type Script } from './openai.ts'

const rules = new MockLanguageModelV4({ modelId: 'rules' })
const key = 'sk-test-0123456789abcdef'
const apis = ['responses', 'chat'] as const
const modes = ['generate', 'stream'] as const
const every = apis.flatMap((api) => modes.map((mode) => ({ api, mode })))

const servers: OpenAIServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

const serve = async (script: Script, options?: Parameters<typeof startOpenAI>[1]): Promise<OpenAIServer> => {
  const server = await startOpenAI(script, options)
  servers.push(server)
  return server
}

const open = (url: string, more: Partial<ModelSettings> = {}) =>
  openModel('openai:scripted', { rules, openai_api_key: key, openai_base_url: url, ...more }).model

const found: string[] = []
const find_company = tool({
  description: 'Finds a company by name.',
  inputSchema: z.object({ q: z.string() }),
  execute: ({ q }) => {
    found.push(q)
    return { company: `${q} Ltd` }
  },
})

type Ask = {
  model: ReturnType<typeof open>
  mode: (typeof modes)[number]
  maxRetries?: number
  timeout?: number
  abortSignal?: AbortSignal
  steps?: number
}

/** Runs the SDK's own loop either way and rejects with the real error, as a caller that listens would see it. */
const ask = async ({ model, mode, maxRetries = 0, steps = 5, ...limits }: Ask) => {
  found.length = 0
  const agent = new ToolLoopAgent({
    model,
    instructions: 'You work leads.',
    tools: { find_company },
    maxRetries,
    stopWhen: isStepCount(steps),
    onError: () => undefined,
  })
  const call = { prompt: 'Who is ada?', ...limits }
  if (mode === 'generate') {
    const result = await agent.generate(call)
    return { text: result.text, finishReason: result.finishReason, steps: result.steps, usage: result.usage }
  }
  const result = await agent.stream(call)
  for await (const part of result.stream) if (part.type === 'error') throw part.error
  return {
    text: await result.text,
    finishReason: await result.finishReason,
    steps: await result.steps,
    usage: await result.usage,
  }
}

const failure = async (asked: Ask): Promise<unknown> => {
  const outcome = await ask(asked).then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  )
  if ('answer' in outcome) throw new Error(`expected a failure, got ${JSON.stringify(outcome.answer.text)}`)
  return outcome.error
}

describe.each(every)('a model that speaks $api, asked to $mode', ({ api, mode }) => {
  test('calls a tool, reads its result and answers', async () => {
    const server = await serve(
      (asked) =>
        asked.results['find_company']
          ? {
              text: `It is ${JSON.stringify(asked.results['find_company'])}`,
              usage: { input_tokens: 30, output_tokens: 5 },
            }
          : {
              text: 'Let me look.',
              calls: [{ name: 'find_company', input: { q: 'ada' } }],
              usage: { input_tokens: 20, output_tokens: 7 },
            },
      { speaks: api },
    )
    const answer = await ask({ model: open(server.url), mode })
    expect(answer.text).toBe('It is {"company":"ada Ltd"}')
    expect(answer.finishReason).toBe('stop')
    expect(answer.usage).toMatchObject({ inputTokens: 50, outputTokens: 12 })
    expect(found).toEqual(['ada'])
    const [first, second] = server.requests
    expect(first).toMatchObject({
      api,
      model: 'scripted',
      instructions: 'You work leads.',
      stream: mode === 'stream',
    })
    expect(first?.headers.authorization).toBe(`Bearer ${key}`)
    expect(first?.tools).toMatchObject([{ name: 'find_company', description: 'Finds a company by name.' }])
    expect(second?.messages).toMatchObject([
      { role: 'user', text: 'Who is ada?' },
      {
        role: 'assistant',
        text: 'Let me look.',
        tool_calls: [{ name: 'find_company', input: { q: 'ada' } }],
      },
      { role: 'tool', tool_results: [{ name: 'find_company', output: { company: 'ada Ltd' } }] },
    ])
    if (api === 'responses') expect(first?.body['store']).toBe(false)
  })

  test('is asked again after a 429 and succeeds', async () => {
    const server = await serve(
      (_, turn) => (turn === 0 ? { fault: 'rate_limit', retry_after_s: 0 } : { text: 'Here.' }),
      { speaks: api },
    )
    expect((await ask({ model: open(server.url), mode, maxRetries: 1 })).text).toBe('Here.')
    expect(server.requests).toHaveLength(2)
  })

  test('that stays at its rate limit is a transient error that says how long to wait', async () => {
    const server = await serve(() => ({ fault: 'rate_limit', retry_after_s: 7 }), { speaks: api })
    const error = await failure({ model: open(server.url), mode })
    expect(isTransient(error)).toBe(true)
    expect(explainModelError(error)).toMatchObject({ code: 'model_rate_limited', retry_after_ms: 7000 })
  })

  test('whose retries run out is explained by its last error', async () => {
    const server = await serve(() => ({ fault: 'rate_limit', retry_after_s: 0 }), { speaks: api })
    const error = await failure({ model: open(server.url), mode, maxRetries: 1 })
    expect(error).toMatchObject({ name: 'AI_RetryError' })
    expect(isTransient(error)).toBe(true)
    expect(explainModelError(error)).toMatchObject({ code: 'model_rate_limited', retry_after_ms: 0 })
  })

  test('whose account is used up is not asked again', async () => {
    const server = await serve(() => ({ fault: 'rate_limit', quota: true }), { speaks: api })
    const error = await failure({ model: open(server.url), mode })
    expect(isTransient(error)).toBe(false)
    expect(explainModelError(error).code).toBe('model_quota_exhausted')
  })

  test.each([
    ['before it answers', false],
    ['in the middle of an answer', true],
  ])('that hangs %s is ended by our timeout', async (_, midway) => {
    const server = await serve(() => ({ fault: 'hang', midway }), { speaks: api })
    const started = performance.now()
    const error = await failure({ model: open(server.url), mode, timeout: 150 })
    expect(performance.now() - started).toBeLessThan(2000)
    expect(isTransient(error)).toBe(true)
    expect(explainModelError(error).code).toBe('model_timeout')
  })

  test('that hangs can be cancelled, which is no reason to try again', async () => {
    const controller = new AbortController()
    const hang = () => {
      setTimeout(() => controller.abort(), 20)
      return { fault: 'hang' as const }
    }
    const server = await serve(hang, { speaks: api })
    const error = await failure({ model: open(server.url), mode, abortSignal: controller.signal })
    expect(isTransient(error)).toBe(false)
    expect(explainModelError(error).code).toBe('model_call_cancelled')
  })

  test.each([
    ['torn', false],
    ['politely ended', true],
  ])('whose %s answer is half there is a transient error, never a short success', async (_, clean) => {
    const server = await serve(() => ({ fault: 'cut_stream', clean }), { speaks: api })
    const error = await failure({ model: open(server.url), mode })
    expect(isTransient(error)).toBe(true)
    // A whole body that is not whole JSON cannot be told from a garbled one; a stream says where it ends.
    const code = clean && mode === 'generate' ? 'model_answer_unreadable' : 'model_cut_off'
    expect(explainModelError(error).code).toBe(code)
  })

  test('that calls a tool with garbage is told so, and the tool does not run', async () => {
    const server = await serve(
      (_, turn) => (turn === 0 ? { fault: 'garbage_arguments', name: 'find_company' } : { text: 'Sorry.' }),
      { speaks: api },
    )
    const answer = await ask({ model: open(server.url), mode })
    expect(found).toEqual([])
    expect(answer.steps[0]?.toolCalls).toMatchObject([
      { toolName: 'find_company', invalid: true, input: '{"q": "ada", oops' },
    ])
    expect(server.requests[1]?.results['find_company']).toMatchObject({
      error: expect.stringContaining('Invalid input for tool find_company'),
    })
    expect(answer.text).toBe('Sorry.')
  })

  test('that never stops calling is stopped by the number of steps', async () => {
    const server = await serve(
      (_, turn) => ({ calls: [{ name: 'find_company', input: { q: `n${turn}` } }] }),
      { speaks: api },
    )
    const answer = await ask({ model: open(server.url), mode, steps: 3 })
    expect(server.requests).toHaveLength(3)
    expect(answer.steps).toHaveLength(3)
    expect(answer.finishReason).toBe('tool-calls')
    expect(found).toEqual(['n0', 'n1', 'n2'])
  })

  test('that answers with something other than JSON is a named error that repeats none of it', async () => {
    const server = await serve(() => ({ fault: 'malformed_json' }), { speaks: api })
    const error = await failure({ model: open(server.url), mode })
    expect(isTransient(error)).toBe(true)
    expect(explainModelError(error)).toEqual({
      code: 'model_answer_unreadable',
      message: 'The model server’s answer cannot be read.',
    })
  })

  test.each([
    [500, 'model_unavailable', true],
    [503, 'model_unavailable', true],
    [504, 'model_timeout', true],
    [422, 'model_request_refused', false],
  ])('that answers %i is %s', async (status, code, again) => {
    const server = await serve(() => ({ fault: 'server_error', status }), { speaks: api })
    const error = await failure({ model: open(server.url), mode })
    expect(explainModelError(error).code).toBe(code)
    expect(isTransient(error)).toBe(again)
  })

  test('that nobody serves is unreachable, which may pass', async () => {
    const error = await failure({ model: open(`http://127.0.0.1:${await freePort()}/v1`), mode })
    expect(explainModelError(error).code).toBe('model_unreachable')
    expect(isTransient(error)).toBe(true)
  })
})

test('a refused key is explained without the key, whatever the server repeats', async () => {
  const secret = 'my-company-token-42'
  const repeats = () =>
    Promise.resolve(
      Response.json(
        {
          error: {
            message: `Incorrect API key provided: ${secret} (also sk-proj-abc*****wxyz, Bearer ${key}).`,
          },
        },
        { status: 401 },
      ),
    )
  const model = open('http://127.0.0.1:9/refused', { openai_api_key: secret, fetch: repeats })
  const error = await failure({ model, mode: 'generate' })
  const { code, message } = explainModelError(error)
  expect(code).toBe('model_key_refused')
  expect(isTransient(error)).toBe(false)
  expect(message).toContain('OPENAI_API_KEY')
  for (const part of [secret, 'sk-proj', key]) expect(message).not.toContain(part)
})

test('a server that needs no key is sent no Authorization at all', async () => {
  const sent: Headers[] = []
  const model = open('http://127.0.0.1:9/open', {
    openai_api_key: undefined,
    fetch: (_, init) => {
      sent.push(new Headers(init?.headers))
      return Promise.resolve(new Response('no', { status: 400 }))
    },
  })
  await failure({ model, mode: 'generate' })
  expect(sent).toHaveLength(1)
  expect(sent[0]?.has('authorization')).toBe(false)
})

test('a spec opens a model or says what would be accepted', () => {
  expect(openModel('rules', { rules })).toEqual({ model: rules, spec: 'rules' })
  const price = { input_minor_per_million: 25, output_minor_per_million: 200, currency: 'USD' }
  const opened = openModel('openai:org/llama3.1:8b', {
    rules,
    openai_base_url: 'http://127.0.0.1:11434/v1',
    price,
  })
  expect(opened).toMatchObject({
    spec: 'openai:org/llama3.1:8b',
    price,
    model: { modelId: 'org/llama3.1:8b' },
  })
  for (const spec of ['gpt-5', 'openai:', 'openai: gpt', 'anthropic:x', '']) {
    expect(() => openModel(spec, { rules, openai_api_key: key })).toThrow('Accepted: rules, or openai:<name>')
  }
  expect(() => openModel('openai:gpt-5-mini', { rules })).toThrow('needs OPENAI_API_KEY')
  expect(() =>
    openModel('openai:x', { rules, openai_api_key: key, openai_base_url: 'localhost:11434' }),
  ).toThrow('OPENAI_BASE_URL')
})

test('a cost is whole minor units, rounded up, and absent when it cannot be known', () => {
  const price = { input_minor_per_million: 25, output_minor_per_million: 200, currency: 'USD' }
  expect(costOf({ input_tokens: 1_000_000, output_tokens: 500_000 }, price)).toBe(125)
  expect(costOf({ input_tokens: 10, output_tokens: 1 }, price)).toBe(1)
  expect(costOf({ input_tokens: 0, output_tokens: 0 }, price)).toBe(0)
  expect(costOf({ input_tokens: 10, output_tokens: 1 }, undefined)).toBeUndefined()
  expect(costOf({ input_tokens: 10 }, price)).toBeUndefined()
})

test('Retry-After is read in seconds, as a date and in milliseconds, and an error of ours is no model error to retry', () => {
  const at = (headers: Record<string, string>) => explainModelError(rateLimited(headers)).retry_after_ms
  expect(at({ 'retry-after': '2.5' })).toBe(2500)
  expect(at({ 'retry-after': '2', 'retry-after-ms': '120' })).toBe(120)
  const inTen = at({ 'retry-after': new Date(Date.now() + 10_000).toUTCString() })
  expect(inTen).toBeGreaterThan(8000)
  expect(inTen).toBeLessThanOrEqual(10_000)
  expect(at({ 'retry-after': 'soon' })).toBeUndefined()
  expect(at({})).toBeUndefined()
  expect(explainModelError(new Error('a bug'))).toEqual({
    code: 'model_failed',
    message: 'The model call failed. a bug',
  })
  expect(isTransient(new Error('a bug'))).toBe(false)
  expect(isTransient(undefined)).toBe(false)
  expect(explainModelError(undefined).message).toBe('The model call failed.')
})

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

const rateLimited = (headers: Record<string, string>): Error =>
  new APICallError({
    message: 'slow down',
    url: '',
    requestBodyValues: {},
    statusCode: 429,
    responseHeaders: headers,
  })
