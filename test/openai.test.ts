import { afterEach, describe, expect, test } from 'vitest'
import { startOpenAI, type OpenAIServer, type Script } from './openai.ts'

const servers: OpenAIServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

const serve = async (script: Script): Promise<OpenAIServer> => {
  const server = await startOpenAI(script)
  servers.push(server)
  return server
}

describe('the scripted server refuses what OpenAI would refuse', () => {
  const call = { type: 'function_call', call_id: 'c1', name: 'find_company', arguments: '{}' }
  const output = { type: 'function_call_output', call_id: 'c1', output: 'ok' }
  const user = { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }
  const toolCalls = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
  }
  test.each([
    ['a whole conversation', 'responses', { input: [user, call, output] }, 200],
    ['a result without its call', 'responses', { input: [user, output] }, 400],
    ['a result before its call', 'responses', { input: [user, output, call] }, 400],
    ['a call without its result', 'responses', { input: [user, call] }, 400],
    ['a result that comes twice', 'responses', { input: [user, call, output, output] }, 400],
    [
      'a reference to a stored item',
      'responses',
      { input: [user, { type: 'item_reference', id: 'msg_1' }] },
      400,
    ],
    ['nothing to answer', 'responses', { input: [] }, 400],
    [
      'a tool without a usable name',
      'responses',
      { input: [user], tools: [{ type: 'function', name: 'a b', parameters: { type: 'object' } }] },
      400,
    ],
    [
      'a chat result without its call',
      'chat/completions',
      { messages: [{ role: 'tool', tool_call_id: 'c1', content: 'ok' }] },
      400,
    ],
    [
      'a chat call without its result',
      'chat/completions',
      { messages: [toolCalls, { role: 'user', content: 'And?' }] },
      400,
    ],
    [
      'a whole chat',
      'chat/completions',
      { messages: [toolCalls, { role: 'tool', tool_call_id: 'c1', content: 'ok' }] },
      200,
    ],
  ])('%s', async (_, path, body, status) => {
    const server = await serve(() => ({ text: 'Hello.' }))
    const post = (headers: Record<string, string>) =>
      fetch(`${server.url}/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ model: 'scripted', ...body }),
      })
    expect((await post({ authorization: 'Bearer x' })).status).toBe(status)
    expect((await post({})).status).toBe(401)
    expect(server.requests).toHaveLength(status === 200 ? 1 : 0)
  })

  test('it lists its models, reports a script that throws, and stops while an answer hangs', async () => {
    const server = await serve((asked) => {
      if (asked.model === 'broken') throw new Error('no such case')
      return { fault: 'hang' }
    })
    const headers = { authorization: 'Bearer x' }
    expect(await (await fetch(`${server.url}/models`, { headers })).json()).toMatchObject({
      data: [{ id: 'scripted' }],
    })
    const broken = await fetch(`${server.url}/responses`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: 'broken', input: [user] }),
    })
    expect([broken.status, await broken.text()]).toEqual([500, expect.stringContaining('no such case')])
    const hanging = fetch(`${server.url}/responses`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: 'm', input: [user] }),
    })
    const ended = hanging.then(
      () => 'answered',
      () => 'ended',
    )
    await expect.poll(() => server.requests.length).toBe(2)
    await server.stop()
    expect(await ended).toBe('ended')
  })
})
