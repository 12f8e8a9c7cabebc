import { connect } from '../db/client.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { listDuplicates, listNearDuplicates } from '../db/duplicates.ts'
import { findMatches, type Sought } from '../db/lead-matching.ts'
import { capture, replay } from './captured.ts'
import { conclude, interleave, latencies, p95, print } from './comparison.ts'
import { openRecord } from './database.ts'
import { openLargeDatabase } from './large-database.ts'
import { measureRead } from './reads.ts'

await measureRead({
  name: 'duplicates',
  at_most_ms: 60,
  how: 'GET /api/leads/duplicates, the first page of groups and of near ones, of an organization with 300,000 of 1,000,000 leads',
  path: () => '/api/leads/duplicates?limit=50',
  read: async (ctx) => [
    await listDuplicates(ctx, { limit: 50 }),
    await listNearDuplicates(ctx, { limit: 50 }),
  ],
})

const ASKED = { warm_up: 50, round: 200 }

/** Newcomers that resemble leads that are there: by a nickname, a slip, another address, and strangers. */
const newcomer = (n: number): Sought => {
  const company = `${['Brightside', 'Harbour', 'Finch', 'Northwind'][n % 4]} ${n * 7}`
  const person = ['Ana Ruiz', 'Carla Moreau', 'Greta Okafor', 'Jonas Weiss', 'Zoltan Quandt'][n % 5] ?? ''
  return {
    contact_name: `${person} ${n * 13}`,
    company_name: `${company} GmbH`,
    email: `${person.toLowerCase().replace(' ', '.')}${n}@gmail.com`,
    phone: `+4930${1_000_000 + n * 31}`,
    city: 'Berlin',
    country: 'DE',
  }
}

const database = await openLargeDatabase()
const { db, close } = await openRecord(database, { works: false })
const bare = connect(database.app_url, { max: 1 })
try {
  const ctx: Ctx = {
    db,
    organization_id: database.organization_id,
    actor: { kind: 'user', id: database.user_id, name: 'Owner 0' },
  }
  const look = (at: Ctx, n: number) => inTx(at, (ctx) => findMatches(ctx, [newcomer(n)]))
  const statements = await capture(database.app_url, (db) => look({ ...ctx, db }, 1))
  const ours = async (times = ASKED.round) => p95(await latencies(times, (n) => look(ctx, n)))
  const limit = async (times = ASKED.round) => p95(await latencies(times, () => replay(bare, statements)))
  await ours(ASKED.warm_up)
  await limit(ASKED.warm_up)
  print(
    conclude(
      {
        name: 'near matches',
        unit: 'ms',
        more: false,
        target: { at_most: 10 },
        how: `p95 of the look for near matches of a newcomer among 300,000 of 1,000,000 leads, ${ASKED.round} one after the other. Limit: postgres.js sending the statements of one of them`,
      },
      await interleave(ours, limit),
    ),
  )
} finally {
  await bare.end()
  await close()
  await database.stop()
}
