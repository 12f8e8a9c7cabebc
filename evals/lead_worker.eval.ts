import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { listApprovals } from '../db/approvals.ts'
import { createLead, NewLead } from '../db/leads.ts'
import { listMessages } from '../db/messages.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { claimRun } from '../db/run-lease.ts'
import { getRun, queueRun, runLimits } from '../db/runs.ts'
import { listTimeline } from '../db/timeline.ts'
import { readEnv } from '../env.ts'
import { eventually } from '../test/eventually.ts'
import { startWebsite, type Website } from '../test/website.ts'
import { nowhere } from '../test/worked-lead.ts'
import { openWorld, type World } from '../test/world.ts'
import { Case, scoreOutcome, type Outcome } from './score.ts'

// Does lead_worker think well? Asked of the model that MODEL names: the built-in rules without one.

/** The part of the criteria that a model has to meet: rules never vary, so they meet all of them. */
const PASS_MARK = { rules: 1, other: 0.9 }

const folder = join(import.meta.dirname, 'cases')
const cases = readdirSync(folder).map((file) => {
  const parsed = Case.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')))
  return { name: file.replace('.json', ''), ...parsed }
})
const env = readEnv(process.env)

let world: World
let website: Website
beforeAll(async () => {
  website = await startWebsite()
  world = await openWorld()
})
afterAll(async () => {
  await website.stop()
  await world.stop()
})

/** Works one case in an organization of its own. */
const work = async ({ lead: given, website: has_website }: Case): Promise<Outcome> => {
  const { ctx } = await world.other()
  const input = NewLead.parse({ ...given, ...(has_website ? { website: website.url } : {}) })
  const { id: lead_id } = await createLead(ctx, input, { door: 'webhook' })
  const subject = { kind: 'lead' as const, id: lead_id }
  const { id } = await queueRun(ctx, { agent: 'lead_worker', subject, trigger: { kind: 'request' } })
  const worker = {
    db: world.db,
    outside: { ...nowhere, fetch_allow: new Set([website.host]) },
    model: env.MODEL,
    openai_api_key: env.OPENAI_API_KEY,
    openai_base_url: env.OPENAI_BASE_URL,
  }
  for (let n = 0; n < runLimits.max_attempts; n++) {
    const claimed = await eventually(() => claimRun(world.db, ctx.organization_id, id, 'eval'), 120_000)
    await workRun(worker, claimed)
    if ((await getRun(ctx, id)).status !== 'queued') break
  }
  return {
    run: await getRun(ctx, id),
    lead: await getOpportunity(ctx, lead_id),
    waiting: (await listApprovals(ctx, { subject_id: lead_id, status: ['pending', 'stale'], limit: 50 }))
      .data,
    timeline: (await listTimeline(ctx, subject, { limit: 100 })).data,
    outbox: (await listMessages(ctx, { limit: 50 })).data,
  }
}

test.each(cases)('$name: $about', async ({ name: _, ...situation }) => {
  const scores = scoreOutcome(situation, await work(situation))
  const failed = scores.filter(({ passed }) => !passed)
  const share = (scores.length - failed.length) / scores.length
  const mark = env.MODEL === 'rules' ? PASS_MARK.rules : PASS_MARK.other
  expect(
    share,
    failed.map(({ criterion, found }) => `✗ ${criterion}: ${found}`).join('\n'),
  ).toBeGreaterThanOrEqual(mark)
})
