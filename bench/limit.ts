import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { z } from 'zod'
import { startEmbedded } from '../db/embedded.ts'
import { serveBareIntake } from './bare-intake.ts'
import { openBareLoop } from './bare-loop.ts'
import { openBareMove } from './bare-move.ts'
import { openBareRelay } from './bare-relay.ts'
import { serveStatements, Statement } from './captured.ts'
import { openRecord } from './database.ts'

// What the product is compared with: what the same machine does at best in the same run, with prepared statements
// through postgres.js, a pool of ten, in a process of its own.

/** What a limit is asked to do; it answers with a figure. */
const Order = z.discriminatedUnion('limit', [
  /** Starts the bare HTTP server; answers its port. */
  z.object({ limit: z.literal('intake'), url: z.string() }),
  /** Runs the bare loop over these leads; answers runs per second. */
  z.object({
    limit: z.literal('loop'),
    app_url: z.string(),
    organization_id: z.string(),
    user_id: z.string(),
    leads: z.array(z.string()),
    at_once: z.number(),
  }),
  /** Relays deliveries; answers the median latency in ms. */
  z.object({ limit: z.literal('relay'), url: z.string(), deliveries: z.number(), pause_ms: z.number() }),
  /** Starts PostgreSQL on a folder up to its first answer; answers ms. */
  z.object({ limit: z.literal('postgres'), dir: z.string() }),
  /** Starts a bare HTTP server that sends these statements for each request; answers its port. */
  z.object({ limit: z.literal('statements'), url: z.string(), statements: z.array(Statement) }),
  /** Moves cards with as little as there can be; answers moves per second. */
  z.object({
    limit: z.literal('moves'),
    app_url: z.string(),
    organization_id: z.string(),
    stage_id: z.string(),
    cards: z.array(z.string()),
    at_once: z.number(),
  }),
  /** Answers the resident memory of the limit's process in MB. */
  z.object({ limit: z.literal('memory') }),
])
type Order = z.infer<typeof Order>

const Answer = z.union([z.object({ figure: z.number() }), z.object({ error: z.string() })])

/** The limit's process: does what it is asked, one thing after the other. */
export type Limit = { ask: (order: Order) => Promise<number>; stop: () => Promise<void> }

/** Starts the process. */
export const startLimit = (): Limit => {
  const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    ask: (order) =>
      new Promise((resolve, reject) => {
        const exit = (code: number | null) => reject(new Error(`the limit's process ended with ${code}`))
        child.once('exit', exit)
        child.once('message', (message) => {
          child.off('exit', exit)
          const answer = Answer.parse(message)
          if ('figure' in answer) resolve(answer.figure)
          else reject(new Error(answer.error))
        })
        child.send(order)
      }),
    stop: async () => {
      child.kill()
      await ended
    },
  }
}

/** Works items with so many at once; answers how many were done per second. */
export const ratePerSecond = async <Item>(
  items: readonly Item[],
  at_once: number,
  work: (item: Item) => Promise<unknown>,
): Promise<number> => {
  const left = [...items]
  const started = performance.now()
  await Promise.all(
    Array.from({ length: at_once }, async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item)
    }),
  )
  return (items.length / (performance.now() - started)) * 1_000
}

const carryOut = async (order: Order): Promise<number> => {
  switch (order.limit) {
    case 'intake':
      return serveBareIntake(pool(order.url))
    case 'loop':
      loop ??= await openLoop(order)
      return ratePerSecond(order.leads, order.at_once, loop)
    case 'relay':
      relay ??= await openBareRelay(pool(order.url))
      return relay(order.deliveries, order.pause_ms)
    case 'postgres':
      return startPostgres(order.dir)
    case 'statements':
      return serveStatements(pool(order.url), order.statements)
    case 'moves':
      moves ??= pool(order.app_url)
      return ratePerSecond(order.cards, order.at_once, openBareMove(moves, order))
    case 'memory':
      return process.memoryUsage.rss() / 2 ** 20
  }
}

const pool = (url: string) => postgres(url, { max: 10, onnotice: () => {} })

const openLoop = async (order: Extract<Order, { limit: 'loop' }>) => {
  const { db } = await openRecord(order, { works: false })
  const actor = { kind: 'user' as const, id: order.user_id, name: 'Mira Kern' }
  return openBareLoop({ db, organization_id: order.organization_id, actor })
}

let moves: ReturnType<typeof pool> | undefined
let loop: Awaited<ReturnType<typeof openLoop>> | undefined
let relay: Awaited<ReturnType<typeof openBareRelay>> | undefined

const startPostgres = async (dir: string): Promise<number> => {
  const started = performance.now()
  const embedded = await startEmbedded({ dir })
  const sql = postgres(embedded.url, { max: 1 })
  await sql`select 1`
  const took = performance.now() - started
  await sql.end()
  await embedded.stop()
  return took
}

if (import.meta.main) {
  process.on('message', (message) => {
    carryOut(Order.parse(message)).then(
      (figure) => process.send?.({ figure }),
      (error: unknown) =>
        process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
}
