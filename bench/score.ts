import type { Database } from '../db/client.ts'
import { systemCtx } from '../db/context.ts'
import { startRecompute } from '../db/score-recompute.ts'
import { getScoreJob } from '../db/score-jobs.ts'
import { workScoreJob } from '../db/score-work.ts'
import { conclude, interleave, print } from './comparison.ts'
import { openRecord } from './database.ts'
import { openLargeDatabase } from './large-database.ts'
import postgres from 'postgres'

/** What the issue of scores asks for. */
const AT_MOST_S = 180
const LEADS = 1_000_000

/** Every organization with leads, the biggest first. */
const organizationsOf = async (owner: postgres.Sql): Promise<{ id: string; leads: number }[]> => [
  ...(await owner<{ id: string; leads: number }[]>`
    select organization_id as id, count(*)::int as leads from opportunities where kind = 'lead' group by 1 order by 2 desc`),
]

/** Scores every lead of an organization anew, as the worker does. */
const recompute = async (db: Database, organization_id: string): Promise<void> => {
  const ctx = systemCtx(db, organization_id, 'bench')
  const { id } = await startRecompute(ctx, 'asked')
  await workScoreJob(db, organization_id, id)
  const { status, error } = await getScoreJob(ctx, id)
  if (status !== 'done') throw new Error(`the recomputation is ${status}: ${error}`)
}

/** Writes the same rows by one statement, with nothing read, scored or compared. */
const rewrite = (db: Database, organization_id: string): Promise<unknown> =>
  db.sql.begin(async (tx) => {
    await tx`select set_config('app.organization_id', ${organization_id}, true)`
    await tx`
      update opportunity_scores set score = (score + 1) % 101, reasons = reasons || '[]', formula = 'bare', scored_at = now()
      where organization_id = ${organization_id}`
  })

const database = await openLargeDatabase()
const { db, close } = await openRecord(database, { works: false })
const owner = postgres(database.owner_url, { max: 1 })
try {
  const organizations = await organizationsOf(owner)
  const leads = organizations.reduce((sum, one) => sum + one.leads, 0)
  /** In seconds, for a million leads. */
  const over = async (work: (organization_id: string) => Promise<unknown>): Promise<number> => {
    const started = performance.now()
    for (const { id } of organizations) await work(id)
    const took_s = (performance.now() - started) / 1_000
    console.error(`${Math.round(leads / took_s)} leads/s over ${leads} leads`)
    return (took_s / leads) * LEADS
  }
  print(
    conclude(
      {
        name: 'score',
        unit: 's',
        more: false,
        target: { at_most: AT_MOST_S },
        how: `scoring ${leads.toLocaleString('en')} leads anew by their jobs, of which ${organizations[0]?.leads.toLocaleString('en') ?? 0} in one organization: every score changes; as for a million. Limit: one UPDATE of the same rows per organization`,
      },
      // Once: what was scored is not written again.
      await interleave(
        () => over((id) => recompute(db, id)),
        () => over((id) => rewrite(db, id)),
        1,
      ),
    ),
  )
} finally {
  await owner.end()
  await close()
  await database.stop()
}
