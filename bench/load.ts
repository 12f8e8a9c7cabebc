import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { z } from 'zod'

/** Where to, over how many connections, and when it ends: after so many seconds, or so many requests. */
const Order = z.object({
  url: z.string(),
  /** Reads with this key instead of posting leads. */
  read_with: z.string().optional(),
  connections: z.number(),
  duration: z.number().optional(),
  amount: z.number().optional(),
})
type Order = z.infer<typeof Order>

const Load = z.object({
  accepted: z.number(),
  refused: z.number(),
  seconds: z.number(),
  p50_ms: z.number(),
  p99_ms: z.number(),
})
export type Load = z.infer<typeof Load>

/** Posts leads, each another person, from a process of its own. */
export const postLeads = (order: Omit<Order, 'read_with'>): Promise<Load> => load(order)

/** Reads one address again and again, from a process of its own. */
export const readPage = (order: Order & { read_with: string }): Promise<Load> => load(order)

const load = (order: Order): Promise<Load> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.once('message', (message) => resolve(Load.parse(message)))
    child.once('exit', (code) => reject(new Error(`the process that loads ended with ${code}`)))
    child.send(order)
  })

/** A lead as a website's form sends it. */
export const someDelivery = () => {
  const id = randomUUID()
  return {
    name: `Ana Ruiz ${id.slice(0, 8)}`,
    email: `ana.${id}@gmail.com`,
    phone: `+49 30 ${Number.parseInt(id.slice(0, 7), 16)}`,
    company: 'Brightside Coffee Roasters',
    title: 'Head of Operations',
    message: 'What does it cost for 40 seats? We would like to start next month.',
    source: 'website',
    landing_page: 'https://northwind.example/pricing',
    utm_campaign: 'spring',
  }
}

const carryOut = async ({ url, read_with, connections, duration, amount }: Order): Promise<Load> => {
  const outcome = await autocannon({
    url,
    connections,
    ...(amount ? { amount } : { duration: duration ?? 5 }),
    requests: [
      read_with
        ? { method: 'GET', headers: { authorization: `Bearer ${read_with}` } }
        : {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{}',
            setupRequest: (request) => ({ ...request, body: JSON.stringify(someDelivery()) }),
          },
    ],
  })
  const answered = Object.values(outcome.statusCodeStats).reduce((sum, stats) => sum + (stats?.count ?? 0), 0)
  const accepted = outcome.statusCodeStats[read_with ? '200' : '202']?.count ?? 0
  return {
    accepted,
    refused: answered - accepted + outcome.errors + outcome.timeouts,
    seconds: outcome.duration,
    p50_ms: outcome.latency.p50,
    p99_ms: outcome.latency.p99,
  }
}

if (import.meta.main) {
  process.once('message', (message) => {
    carryOut(Order.parse(message)).then(
      (load) => process.send?.(load, () => process.exit(0)),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
}
