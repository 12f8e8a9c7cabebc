import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../api/app.ts'
import { openAuth } from '../api/auth.ts'
import { inTx } from '../db/context.ts'
import { createApiKey } from '../db/identity.ts'
import { enqueue } from '../db/queue.ts'
import { APP_URL, nothingOutside } from './api.ts'
import { eventually } from './eventually.ts'
import { openWorld, type World } from './world.ts'

let world: World
let owner: postgres.Sql
beforeAll(async () => {
  world = await openWorld({ works: true })
  owner = postgres(world.owner_url, { max: 1 })
})
afterAll(async () => {
  await owner.end()
  await world.stop()
})

const ID = '01990000-0000-7000-8000-000000000001'
const PASSER_BY = '01990000-0000-7000-8000-000000000002'

test('a job is there when its transaction commits, and was never there when it does not', async () => {
  const heard: string[] = []
  await world.db.queue.work('message.queued', { concurrency: 1 }, ({ message_id }) => {
    heard.push(message_id)
    return Promise.resolve()
  })
  const rolledBack = inTx(world.ctx, async (ctx) => {
    await enqueue(ctx, 'message.queued', { message_id: PASSER_BY })
    throw new Error('changed my mind')
  })
  await expect(rolledBack).rejects.toThrow('changed my mind')
  await inTx(world.ctx, (ctx) => enqueue(ctx, 'message.queued', { message_id: ID }))
  await eventually(() => heard.length > 0)
  expect(heard).toEqual([ID])
})

test('a job that fails every time is shown with its reason, and is done once a person says so', async () => {
  let mended = false
  let tries = 0
  await world.db.queue.work('submission.received', { concurrency: 1 }, ({ submission_id }) => {
    if (submission_id !== ID) return Promise.resolve()
    tries += 1
    return mended ? Promise.resolve() : Promise.reject(new Error(`the disk is full, try ${tries}`))
  })
  await inTx(world.ctx, (ctx) => enqueue(ctx, 'submission.received', { submission_id: ID }))

  const auth = openAuth({
    database_url: world.app_url,
    app_url: APP_URL,
    secret: world.db.keys.current.sessions,
  })
  const app = createApp({ db: world.db, auth, outside: nothingOutside, app_url: APP_URL, model: 'rules' })
  const other = await world.other()
  const keyOf = async ({ ctx, owner }: Pick<World, 'ctx' | 'owner'>): Promise<string> =>
    (await createApiKey(ctx, { name: 'Everything', scopes: ['*'], user_id: owner.user_id })).key
  const [ours, theirs] = [await keyOf(world), await keyOf(other)]
  const ask = async (key: string, method: string, path: string): Promise<{ status: number; body: any }> => {
    const response = await app.request(path, { method, headers: { authorization: `Bearer ${key}` } })
    return { status: response.status, body: await response.json() }
  }
  const listed = async (key = ours) => (await ask(key, 'GET', '/api/failures')).body.data

  try {
    const [failure] = await eventually(async () => {
      // What waits longer each time is told not to wait, and a passer-by makes the worker look.
      await owner`update pgboss.job set start_after = now() where name = 'submission.received' and state = 'retry'`
      await inTx(world.ctx, (ctx) => enqueue(ctx, 'submission.received', { submission_id: PASSER_BY }))
      const data = await listed()
      return data.length > 0 && data
    }, 25_000)
    expect(tries).toBe(5)
    expect(failure).toMatchObject({
      kind: 'job',
      name: 'submission.received',
      subject: { kind: 'submission', id: ID },
      error: 'the disk is full, try 5',
      attempts: 5,
    })
    expect(await listed(theirs)).toEqual([])
    expect((await ask(theirs, 'POST', `/api/failures/${failure.id}/retry`)).status).toBe(404)

    mended = true
    expect((await ask(ours, 'POST', `/api/failures/${failure.id}/retry`)).status).toBe(202)
    await eventually(() => tries === 6)
    expect(await listed()).toEqual([])
    expect((await ask(ours, 'POST', `/api/failures/${failure.id}/retry`)).status).toBe(404)
  } finally {
    await app.stop()
    await auth.close()
  }
})
