import { connect } from '../db/client.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { capture, replay } from './captured.ts'
import { conclude, interleave, latencies, p95, print } from './comparison.ts'
import { openLargeDatabase, serveLargeDatabase } from './large-database.ts'
import { startLimit } from './limit.ts'
import { readPage } from './load.ts'
import { access } from './product.ts'

const LOAD = { connections: 16, duration: 5, warm_up: 3, asked: 200 }
const QUERY = {
  filter: { field: 'source', op: 'eq' as const, value: 'maps' },
  sort: '-value_minor',
  limit: 50,
}
const OF_A_MILLION = 'of an organization with 300,000 of 1,000,000 leads'

const database = await openLargeDatabase()
const limit = startLimit()
const product = await serveLargeDatabase(database)
const behind = connect(database.app_url, { max: 1 })
const without = connect(database.owner_url, { max: 1 })
try {
  const statements = await capture(database.app_url, (db) =>
    listOpportunities(
      {
        db,
        organization_id: database.organization_id,
        actor: { kind: 'user', id: database.user_id, name: 'Owner 0' },
      },
      { kind: 'lead', ...QUERY },
    ),
  )
  const search = new URLSearchParams({
    filter: JSON.stringify(QUERY.filter),
    sort: QUERY.sort,
    limit: String(QUERY.limit),
  })
  const ours = `${product.url}/api/leads?${search.toString()}`
  const port = await limit.ask({ limit: 'statements', url: database.app_url, statements })
  const bare = `http://127.0.0.1:${port}/`

  const pagesPerSecond = async (url: string, duration = LOAD.duration): Promise<number> => {
    const load = await readPage({
      url,
      read_with: access.api_key,
      connections: LOAD.connections,
      duration,
    })
    if (load.refused > 0) throw new Error(`${load.refused} pages of ${url} were not answered with 200`)
    return load.accepted / load.seconds
  }
  await pagesPerSecond(ours, LOAD.warm_up)
  await pagesPerSecond(bare, LOAD.warm_up)
  print(
    conclude(
      {
        name: 'list',
        unit: 'pages/s',
        more: true,
        target: { ratio: 0.4 },
        how: `GET /api/leads, 50 ${OF_A_MILLION}, filtered by source, the most valuable first, over ${LOAD.connections} connections. Limit: bare node:http and postgres.js sending the same statements`,
      },
      await interleave(
        () => pagesPerSecond(ours),
        () => pagesPerSecond(bare),
      ),
    ),
  )

  const latency = async (sql: typeof behind): Promise<number> =>
    p95(await latencies(LOAD.asked, () => replay(sql, statements)))
  await latency(behind)
  await latency(without)
  print(
    conclude(
      {
        name: 'list-row-level-security',
        unit: 'ms',
        more: false,
        target: { ratio: 1 / 1.5 },
        how: `p95 of the statements of the same list behind row-level security, ${LOAD.asked} one after the other. Limit: the same statements by a superuser, whom no policy holds`,
      },
      await interleave(
        () => latency(behind),
        () => latency(without),
      ),
    ),
  )
} finally {
  await behind.end()
  await without.end()
  await product.stop()
  await limit.stop()
  await database.stop()
}
