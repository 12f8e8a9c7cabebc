import { conclude, interleave, print } from './comparison.ts'
import { openBenchDatabase, SECRET } from './database.ts'
import { startLimit } from './limit.ts'
import { postLeads } from './load.ts'
import { access, startProduct } from './product.ts'

const LOAD = { connections: 32, duration: 5, warm_up: 3 }

const database = await openBenchDatabase()
const limit = startLimit()
const product = await startProduct(
  {
    DATABASE_URL: database.owner_url,
    APP_SECRET: SECRET,
    DATA_DIR: database.folder,
    BOOTSTRAP_ORGANIZATION: 'Northwind',
    BOOTSTRAP_EMAIL: 'mira@northwind.example',
    BOOTSTRAP_INTAKE_TOKEN: access.intake_token,
  },
  ['--only', 'api'],
)
try {
  const ours = `${product.url}/intake/webhook/${access.intake_token}`
  const bare = `http://127.0.0.1:${await limit.ask({ limit: 'intake', url: database.owner_url })}/`

  const acceptedPerSecond = async (url: string, duration: number): Promise<number> => {
    const load = await postLeads({ url, connections: LOAD.connections, duration })
    if (load.refused > 0)
      throw new Error(`${load.refused} deliveries to ${new URL(url).host} were not answered with 202`)
    console.error(
      `${url === ours ? 'ours ' : 'limit'} ${Math.round(load.accepted / load.seconds)}/s, p50 ${load.p50_ms} ms, p99 ${load.p99_ms} ms`,
    )
    return load.accepted / load.seconds
  }

  await acceptedPerSecond(ours, LOAD.warm_up)
  await acceptedPerSecond(bare, LOAD.warm_up)
  print(
    conclude(
      {
        name: 'intake',
        unit: '202s/s',
        more: true,
        target: { ratio: 0.4 },
        how: `POST /intake/webhook/:token of the API process, each delivery another person, ${LOAD.connections} connections, ${LOAD.duration} s a round. Limit: bare node:http and one INSERT of the payload through postgres.js, as durable`,
      },
      await interleave(
        () => acceptedPerSecond(ours, LOAD.duration),
        () => acceptedPerSecond(bare, LOAD.duration),
      ),
    ),
  )
} finally {
  await product.stop()
  await limit.stop()
  await database.stop()
}
