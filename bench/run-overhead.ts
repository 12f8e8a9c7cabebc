import { workRun, type AgentWorker } from '../agents/jobs.ts'
import { getRun, queueRun } from '../db/runs.ts'
import { claimRun } from '../db/run-lease.ts'
import { conclude, interleave, print } from './comparison.ts'
import { makeOrganization, openBenchDatabase, openRecord } from './database.ts'
import { fiveCalls, makeLeads, nowhere } from './lead-run.ts'
import { ratePerSecond, startLimit } from './limit.ts'
import { scriptedModel } from './scripted-model.ts'

const RUNS = { warm_up: 60, round: 150, at_once: 4 }

const database = await openBenchDatabase()
const { db, close } = await openRecord(database, { works: false })
const limit = startLimit()
try {
  const ctx = await makeOrganization(db)
  const worker: AgentWorker = {
    db,
    outside: nowhere,
    model: 'rules',
    rules: scriptedModel(await fiveCalls(ctx)),
  }

  const ours = async (count: number): Promise<number> => {
    const runs: string[] = []
    for (const id of await makeLeads(ctx, count)) {
      runs.push(
        (
          await queueRun(ctx, {
            agent: 'lead_worker',
            subject: { kind: 'lead', id },
            trigger: { kind: 'request' },
          })
        ).id,
      )
    }
    const rate = await ratePerSecond(runs, RUNS.at_once, async (id) => {
      const claimed = await claimRun(db, ctx.organization_id, id, 'bench')
      if (!claimed) throw new Error(`the run ${id} could not be claimed`)
      await workRun(worker, claimed)
    })
    const run = await getRun(ctx, runs[0] ?? '')
    const calls = run.steps
      .filter(({ kind }) => kind === 'tool')
      .map(({ tool, verdict }) => `${tool} ${verdict}`)
    if (run.status !== 'done' || calls.length !== 5 || !calls.every((call) => call.endsWith(' run'))) {
      throw new Error(`a run ended ${run.status} after ${calls.join(', ')}`)
    }
    return rate
  }
  const bare = async (count: number): Promise<number> =>
    limit.ask({
      limit: 'loop',
      app_url: database.app_url,
      organization_id: ctx.organization_id,
      user_id: ctx.actor.id,
      leads: await makeLeads(ctx, count),
      at_once: RUNS.at_once,
    })

  await ours(RUNS.warm_up)
  await bare(RUNS.warm_up)
  print(
    conclude(
      {
        name: 'run-overhead',
        unit: 'runs/s',
        more: true,
        target: { ratio: 0.4 },
        how: `lead_worker with a model that takes no time: read_lead, enrich_lead (no website), qualify, move_stage, draft_email; claimed, gated, journalled and committed, ${RUNS.at_once} at once. Limit: the AI SDK's loop doing the same tools' statements, a transaction each, without run, gate and journal`,
      },
      await interleave(
        () => ours(RUNS.round),
        () => bare(RUNS.round),
      ),
    ),
  )
} finally {
  await limit.stop()
  await close()
  await database.stop()
}
