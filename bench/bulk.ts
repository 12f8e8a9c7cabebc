import { startBulk } from '../db/bulk.ts'
import { workBulk } from '../db/bulk-work.ts'
import { inTx } from '../db/context.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { conclude, interleave, print } from './comparison.ts'
import { makeOrganization, openBenchDatabase, openRecord } from './database.ts'
import { startLimit } from './limit.ts'

/** How many one person may choose one by one. */
const RECORDS = 10_000

const database = await openBenchDatabase()
const { db, close } = await openRecord(database, { works: false })
const limit = startLimit()
try {
  const ctx = await makeOrganization(db)
  const { organization_id } = ctx
  const pipeline = await defaultPipeline(ctx, 'lead')
  const stages = pipeline.stages.filter(({ kind }) => kind === 'open').map(({ id }) => id)
  const cards = await inTx(ctx, async ({ tx }) => {
    const rows = await tx<{ id: string }[]>`
      insert into opportunities (organization_id, id, kind, name, contact_name, company_name, email, pipeline_id, stage_id,
        position, currency, origin)
      select ${organization_id}::uuid, uuidv7(), 'lead', 'Lead ' || n, 'Person ' || n, 'Company ' || n,
        'p' || n || '@company' || n || '.example', ${pipeline.id}, ${stages[0] ?? ''}, 'a' || lpad(n::text, 6, '0') || 'V', 'EUR',
        '{"door": "import"}'
      from generate_series(1, ${RECORDS}::int) as n returning id`
    return rows.map(({ id }) => id)
  })
  let turn = 0
  /** The next stage: every round moves all of them on. */
  const next = (): string => {
    turn += 1
    return stages[turn % stages.length] ?? ''
  }
  const ours = async (): Promise<number> => {
    const input = { stage_id: next() }
    const { id } = await startBulk(ctx, { kind: 'lead', ids: cards, act: 'move', input })
    const started = performance.now()
    await workBulk(db, organization_id, id)
    return (performance.now() - started) / 1_000
  }
  const bare = async (): Promise<number> => {
    const { app_url } = database
    const stage_id = next()
    const rate = await limit.ask({ limit: 'moves', app_url, organization_id, stage_id, cards, at_once: 1 })
    return RECORDS / rate
  }
  print(
    conclude(
      {
        name: 'bulk',
        unit: 's',
        more: false,
        target: { at_most: 20 },
        how: `10,000 leads moved as one bulk act by one worker, each with its line, its undo and its result. Limit: the same moves by bare transactions, one after the other`,
      },
      await interleave(ours, bare),
    ),
  )
} finally {
  await limit.stop()
  await close()
  await database.stop()
}
