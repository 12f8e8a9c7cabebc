import { conclude, interleave, latencies, p95, print } from './comparison.ts'
import { capture, type Statement } from './captured.ts'
import type { Ctx } from '../db/context.ts'
import { openLargeDatabase, serveLargeDatabase, type LargeDatabase } from './large-database.ts'
import { startLimit } from './limit.ts'
import { access } from './product.ts'

/** A page that people wait for, of the database with a million leads. */
export type Read = {
  name: string
  at_most_ms: number
  how: string
  /** The address of the nth request. */
  path: (database: LargeDatabase, n: number) => string
  /** The same read without HTTP, whose statements are the limit. */
  read: (ctx: Ctx, database: LargeDatabase, n: number) => Promise<unknown>
}

const ASKED = { warm_up: 20, round: 60 }

/** Measures the p95 of a read over HTTP, one after the other, beside a bare server that sends the same statements. */
export const measureRead = async ({ name, at_most_ms, how, path, read }: Read): Promise<void> => {
  const database = await openLargeDatabase()
  const limit = startLimit()
  const product = await serveLargeDatabase(database)
  try {
    const actor = { kind: 'user' as const, id: database.user_id, name: 'Owner 0' }
    const statements = (n: number): Promise<Statement[]> =>
      capture(database.app_url, (db) =>
        read({ db, organization_id: database.organization_id, actor }, database, n),
      )
    const port = await limit.ask({
      limit: 'statements',
      url: database.app_url,
      statements: await statements(0),
    })
    const get = async (url: string): Promise<void> => {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${access.api_key}` } })
      const text = await answer.text()
      if (answer.status !== 200) throw new Error(`${url} was answered with ${answer.status}: ${text}`)
    }
    const ours = async (times = ASKED.round) =>
      p95(await latencies(times, (n) => get(`${product.url}${path(database, n)}`)))
    const bare = async (times = ASKED.round) =>
      p95(await latencies(times, () => get(`http://127.0.0.1:${port}/`)))
    await ours(ASKED.warm_up)
    await bare(ASKED.warm_up)
    print(
      conclude(
        {
          name,
          unit: 'ms',
          more: false,
          target: { at_most: at_most_ms },
          how: `p95 of ${how}, ${ASKED.round} one after the other over HTTP. Limit: bare node:http and postgres.js sending the statements of the first of them`,
        },
        await interleave(ours, bare),
      ),
    )
  } finally {
    await product.stop()
    await limit.stop()
    await database.stop()
  }
}
