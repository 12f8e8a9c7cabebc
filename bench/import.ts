import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import postgres from 'postgres'
import { leadFile } from '../test/csv-files.ts'
import { conclude, print, type Round } from './comparison.ts'
import { openBenchDatabase, SECRET } from './database.ts'
import { access, startProduct } from './product.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? 100_000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
/** What the issue of imports asks for. */
const TARGET = { times_copy: 10, growth_mb: 200 }
const LOOK_EVERY_MS = 100

const database = await openBenchDatabase()
const owner = postgres(database.owner_url, { max: 1, onnotice: () => {} })
const product = await startProduct({
  DATABASE_URL: database.owner_url,
  APP_SECRET: SECRET,
  DATA_DIR: database.folder,
  SEED_DEMO: 'false',
  BOOTSTRAP_ORGANIZATION: 'Northwind',
  BOOTSTRAP_EMAIL: 'mira@northwind.example',
  BOOTSTRAP_PASSWORD: 'a password of the benchmarks',
  BOOTSTRAP_API_KEY: access.api_key,
})

/** Resident memory of the product in MB. */
const memory = async (): Promise<number> => {
  const status = await readFile(`/proc/${product.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024
}

const Answer = z.object({
  id: z.string(),
  status: z.string().optional(),
  suggested_mapping: z.record(z.string(), z.string().nullable()).optional(),
  counts: z
    .object({ create: z.number(), update: z.number(), skip: z.number(), error: z.number() })
    .optional(),
  error: z.string().nullable().optional(),
})

const ask = async (method: string, path: string, body?: unknown): Promise<z.infer<typeof Answer>> => {
  const form = body instanceof FormData
  const response = await fetch(`${product.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${access.api_key}`,
      ...(form ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
  return Answer.parse(await response.json())
}

/** The list of one round, in which nobody is of an earlier one. */
const listOf = async (seed: number): Promise<FormData> => {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  for await (const piece of leadFile({ rows: ROWS, seed })) pieces.push(Uint8Array.from(piece))
  const form = new FormData()
  form.set('kind', 'lead')
  form.set('file', new Blob(pieces, { type: 'text/csv' }), 'leads.csv')
  return form
}

/** New leads are dealt to a pool of three in turn. */
const dealLeads = async (): Promise<void> => {
  const [organization] = await owner<{ id: string }[]>`select id from identity.organizations`
  const people = await Promise.all(
    ['Ana', 'Bo', 'Cleo'].map(async (name) => {
      const [user] = await owner<{ id: string }[]>`
        insert into identity.users (id, name, email, email_verified)
        values (gen_random_uuid(), ${name}, ${`${name.toLowerCase()}@northwind.example`}, true) returning id`
      await owner`
        insert into identity.members (id, organization_id, user_id, role)
        values (gen_random_uuid(), ${organization?.id ?? ''}, ${user?.id ?? ''}, 'rep')`
      return { user_id: user?.id, weight: 1 }
    }),
  )
  const pool = await ask('POST', '/api/routing-pools', { name: 'Inbound', members: people })
  await ask('POST', '/api/routing-rules', {
    name: 'Everybody in turn',
    target: { kind: 'pool', pool_id: pool.id },
  })
}

let growth = 0

/** Seconds from the order to import to the end of it, with a look at the memory on the way. */
const ours = async (seed: number): Promise<{ seconds: number; id: string }> => {
  const { id, suggested_mapping: mapping } = await ask('POST', '/api/imports', await listOf(seed))
  const before = await memory()
  const started = performance.now()
  await ask('POST', `/api/imports/${id}/run`, { mapping, mode: 'skip' })
  for (;;) {
    await pause(LOOK_EVERY_MS)
    growth = Math.max(growth, (await memory()) - before)
    const { status, counts, error } = await ask('GET', `/api/imports/${id}`)
    if (status === 'failed' || status === 'cancelled') throw new Error(`the import is ${status}: ${error}`)
    if (status !== 'done') continue
    const seconds = (performance.now() - started) / 1_000
    console.error(
      `${ROWS} rows in ${seconds.toFixed(1)} s: ${JSON.stringify(counts)}, memory grew by ${Math.round(growth)} MB`,
    )
    return { seconds, id }
  }
}

/** Seconds that COPY takes for the rows that were just imported, under other ids, into the same table. */
const copy = async (import_id: string, seed: number): Promise<number> => {
  const file = `${database.folder}/copied-${seed}`
  const columns = await owner<{ name: string }[]>`
    select quote_ident(column_name) as name from information_schema.columns
    where table_schema = 'public' and table_name = 'opportunities' and is_generated = 'NEVER' order by ordinal_position`
  const names = columns.map(({ name }) => name)
  const made = names.map((name) =>
    name === 'id' ? 'uuidv7() as id' : name === 'external_id' ? 'null as external_id' : name,
  )
  await owner.unsafe(
    `copy (select ${made.join(', ')} from opportunities where origin ->> 'import_id' = '${import_id}') to '${file}'`,
  )
  const started = performance.now()
  await owner.unsafe(`copy opportunities (${names.join(', ')}) from '${file}'`)
  const seconds = (performance.now() - started) / 1_000
  console.error(`COPY of the same rows: ${seconds.toFixed(1)} s`)
  return seconds
}

try {
  await dealLeads()
  const rounds: Round[] = []
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const { seconds, id } = await ours(seed)
    rounds.push({ value: seconds, limit: await copy(id, seed) })
  }
  print(
    conclude(
      {
        name: 'import',
        unit: 's',
        more: false,
        target: { ratio: 1 / TARGET.times_copy },
        how: `an import of ${ROWS.toLocaleString('en')} rows of leads with dedupe, scores, routing to a pool of three, origins and a line on each timeline, from the order to its end. Limit: COPY of the same rows into the same table, with its indexes and triggers, by the owner of the database`,
      },
      rounds,
    ),
  )
  print(
    conclude(
      {
        name: 'import-memory',
        unit: 'MB',
        more: false,
        target: { at_most: TARGET.growth_mb },
        how: 'by how much the resident memory of API and worker in one process grew at most in these imports, over what it was when the file was there. Limit: none is measured beside it',
      },
      [{ value: growth, limit: growth }],
    ),
  )
} finally {
  await product.stop()
  await owner.end()
  await database.stop()
}
