import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { conclude, print } from './comparison.ts'
import { openBenchDatabase, SECRET } from './database.ts'
import { startLimit } from './limit.ts'
import { postLeads } from './load.ts'
import { access, startProduct } from './product.ts'

const LEADS = Number(process.env['BENCH_LEADS'] ?? 10_000)
const LOAD = { connections: 8, work_at_most_ms: 30 * 60_000, look_every_ms: 2_000 }

const database = await openBenchDatabase()
const owner = postgres(database.owner_url, { max: 1, onnotice: () => {} })
const limit = startLimit()
const product = await startProduct({
  DATABASE_URL: database.owner_url,
  APP_SECRET: SECRET,
  DATA_DIR: database.folder,
  SEED_DEMO: 'false',
  BOOTSTRAP_ORGANIZATION: 'Northwind',
  BOOTSTRAP_EMAIL: 'mira@northwind.example',
  BOOTSTRAP_INTAKE_TOKEN: access.intake_token,
})

/** Resident memory of a process in MB. */
const memoryOf = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024
}

/** Works until every lead's run has ended; answers the seconds it took and the most memory that was seen. */
const untilWorked = async (): Promise<{ seconds: number; peak: number }> => {
  const started = performance.now()
  let peak = 0
  for (;;) {
    const [row] = await owner<{ ended: number }[]>`
      select count(*)::int as ended from runs where status not in ('queued', 'running')`
    peak = Math.max(peak, await memoryOf(product.pid))
    const ended = row?.ended ?? 0
    const ms = performance.now() - started
    if (ended >= LEADS) return { seconds: ms / 1_000, peak }
    if (ms > LOAD.work_at_most_ms)
      throw new Error(`only ${ended} of ${LEADS} leads were worked in ${Math.round(ms / 60_000)} minutes`)
    console.error(
      `${ended} of ${LEADS} leads worked after ${Math.round(ms / 1_000)} s, ${Math.round(peak)} MB at most`,
    )
    await pause(LOAD.look_every_ms * 5)
  }
}

try {
  const port = await limit.ask({ limit: 'intake', url: database.owner_url })
  await postLeads({ url: `http://127.0.0.1:${port}/`, connections: LOAD.connections, amount: LEADS })
  const bare = await limit.ask({ limit: 'memory' })

  const posted = await postLeads({
    url: `${product.url}/intake/webhook/${access.intake_token}`,
    connections: LOAD.connections,
    amount: LEADS,
  })
  if (posted.accepted < LEADS) throw new Error(`${posted.refused} of ${LEADS} leads were not accepted`)
  const worked = await untilWorked()
  const [failed] = await owner<{ n: number }[]>`select count(*)::int as n from runs where status <> 'done'`
  if (failed?.n !== 0) throw new Error(`${failed?.n} runs did not end well`)
  const settled = await memoryOf(product.pid)
  print(
    conclude(
      {
        name: 'memory',
        unit: 'MB',
        more: false,
        target: { at_most: 300 },
        how: `resident memory of API and worker in one node process after ${LEADS} leads were posted and worked (${Math.round(worked.seconds)} s after the last was accepted; ${Math.round(worked.peak)} MB at most on the way), PostgreSQL apart. Limit: the bare HTTP server after as many deliveries`,
      },
      [{ value: settled, limit: bare }],
    ),
  )
} finally {
  await product.stop()
  await limit.stop()
  await owner.end()
  await database.stop()
}
