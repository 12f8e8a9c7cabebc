import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLead } from '../db/leads.ts'
import { inTx, sendStatement, type Ctx } from '../db/context.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { isPassing } from '../db/transaction.ts'
import { openWorld, type World } from './world.ts'

let world: World
let owner: postgres.Sql

beforeAll(async () => {
  world = await openWorld()
  owner = postgres(world.owner_url, { max: 1 })
})
afterAll(async () => {
  await owner.end()
  await world.stop()
})

const pidOf = async ({ tx }: Parameters<Parameters<typeof inTx>[1]>[0]): Promise<number> => {
  const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
  return row!.pid
}
const namesOf = async (ctx: Ctx) => (await listOpportunities(ctx, { limit: 50 })).data.map(({ name }) => name)

test('a connection that is lost in the middle of a statement ends its transaction and nothing else', async () => {
  const broken = inTx(world.ctx, async (ctx) => {
    const pid = await pidOf(ctx)
    setTimeout(() => void owner`select pg_terminate_backend(${pid})`.execute(), 50)
    await createLead(ctx, { contact_name: 'Lost in a statement' }, { door: 'api' })
    await ctx.tx`select pg_sleep(5)`
  })
  await expect(broken).rejects.toThrow(/CONNECTION_CLOSED/)
  expect(await namesOf(world.ctx)).not.toContain('Lost in a statement')
})

test('a connection that is lost between two statements is not written to again', async () => {
  const second = Promise.withResolvers<unknown>()
  const broken = inTx(world.ctx, async (ctx) => {
    await owner`select pg_terminate_backend(${await pidOf(ctx)})`
    await new Promise((resolve) => setTimeout(resolve, 200))
    await createLead(ctx, { contact_name: 'Lost between statements' }, { door: 'api' }).catch(second.resolve)
  })
  await expect(broken).rejects.toThrow(/CONNECTION_CLOSED/)
  expect(await second.promise).toMatchObject({ message: expect.stringContaining('over') })
  expect(await namesOf(world.ctx)).not.toContain('Lost between statements')
})

test('a statement that nobody waited for fails its transaction whole', async () => {
  const failed = inTx(world.ctx, async (ctx) => {
    await createLead(ctx, { contact_name: 'Half a transaction' }, { door: 'api' })
    sendStatement(ctx, ctx.tx`select 1 / 0`)
  })
  await expect(failed).rejects.toThrow(/division by zero/)
  expect(await namesOf(world.ctx)).not.toContain('Half a transaction')
})

test('what the sender expected of it is checked', async () => {
  const refused = inTx(world.ctx, (ctx) => {
    sendStatement(ctx, ctx.tx`select 1 where false`, (rows) => {
      if (rows === 0) throw new Error('nothing was found')
    })
    return Promise.resolve()
  })
  await expect(refused).rejects.toThrow('nothing was found')
})

test('whoever stands still in a transaction for longer than it may loses it, and may try again', async () => {
  for (const still of [110, 300]) {
    const broken = inTx(world.ctx, async (ctx) => {
      await ctx.tx`select set_config('idle_in_transaction_session_timeout', '100ms', true)`
      const until = performance.now() + still
      while (performance.now() < until);
      await Promise.all([ctx.tx`select 1`, ctx.tx`select 2`])
      await createLead(ctx, { contact_name: 'Stood still' }, { door: 'api' })
    })
    const error: unknown = await broken.then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(isPassing(error), String(error)).toBe(true)
  }
  // Nobody who comes after, on whichever connection, is told of it.
  const after = await Promise.all(Array.from({ length: 40 }, () => namesOf(world.ctx)))
  for (const names of after) expect(names).not.toContain('Stood still')
})
