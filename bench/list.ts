import { connect } from '../db/client.ts'
import { listOpportunities } from '../db/opportunity-list.ts'
import { capture, replay, type Statement } from './captured.ts'
import { conclude, interleave, latencies, p95, print } from './comparison.ts'
import { openLargeDatabase, serveLargeDatabase } from './large-database.ts'
import { startLimit } from './limit.ts'
import { readPage } from './load.ts'
import { access } from './product.ts'

const LOAD = { connections: 16, duration: 5, warm_up: 3, asked: 200 }
/** By a column of the table, and by fields that the organization added. */
const QUERIES = [
  {
    name: 'list',
    how: 'filtered by source, the most valuable first',
    query: { filter: { field: 'source', op: 'eq' as const, value: 'maps' }, sort: '-value_minor', limit: 50 },
  },
  {
    name: 'list-custom-fields',
    how: 'filtered by one custom field, in the order of another one',
    query: {
      filter: { field: 'custom.tier', op: 'eq' as const, value: 'gold' },
      sort: '-custom.team_size',
      limit: 50,
    },
  },
]
const OF_A_MILLION = 'of an organization with 300,000 of 1,000,000 leads'

const database = await openLargeDatabase()
const limit = startLimit()
const product = await serveLargeDatabase(database)
const behind = connect(database.app_url, { max: 1 })
const without = connect(database.owner_url, { max: 1 })
try {
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
  const actor = { kind: 'user' as const, id: database.user_id, name: 'Owner 0' }
  const captured: Statement[][] = []
  for (const { name, how, query } of QUERIES) {
    const statements = await capture(database.app_url, (db) =>
      listOpportunities({ db, organization_id: database.organization_id, actor }, { kind: 'lead', ...query }),
    )
    captured.push(statements)
    const asked = new URLSearchParams({
      filter: JSON.stringify(query.filter),
      sort: query.sort,
      limit: String(query.limit),
    })
    const ours = `${product.url}/api/leads?${asked.toString()}`
    const port = await limit.ask({ limit: 'statements', url: database.app_url, statements })
    const bare = `http://127.0.0.1:${port}/`
    await pagesPerSecond(ours, LOAD.warm_up)
    await pagesPerSecond(bare, LOAD.warm_up)
    print(
      conclude(
        {
          name,
          unit: 'pages/s',
          more: true,
          target: { ratio: 0.4 },
          how: `GET /api/leads, 50 ${OF_A_MILLION}, ${how}, over ${LOAD.connections} connections. Limit: bare node:http and postgres.js sending the same statements`,
        },
        await interleave(
          () => pagesPerSecond(ours),
          () => pagesPerSecond(bare),
        ),
      ),
    )
  }

  const [statements = []] = captured
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
        how: `p95 of the statements of the first list behind row-level security, ${LOAD.asked} one after the other. Limit: the same statements by a superuser, whom no policy holds`,
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
