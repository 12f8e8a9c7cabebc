import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { createSource, openSource } from '../db/intake-sources.ts'
import { storeSubmission } from '../db/submissions.ts'
import { startWorker } from '../worker.ts'
import { conclude, interleave, median, print } from './comparison.ts'
import { makeOrganization, openBenchDatabase, openRecord, SECRET } from './database.ts'
import { nowhere } from './lead-run.ts'
import { startLimit } from './limit.ts'
import { someDelivery } from './load.ts'
import { access, startProduct } from './product.ts'

const DELIVERIES = { warm_up: 20, round: 40, pause_ms: 200, settles_ms: 3_000 }

const database = await openBenchDatabase()
const owner = postgres(database.owner_url, { max: 1, onnotice: () => {} })
const limit = startLimit()

/** Delivers one lead after the other; the median from the delivery to the start of the agent's first tool call, in ms. */
const measure = async (deliveries: number, deliver: () => Promise<string>): Promise<number> => {
  const sent = new Map<string, number>()
  for (let n = 0; n < deliveries; n++) {
    const at = Date.now()
    sent.set(await deliver(), at)
    await pause(DELIVERIES.pause_ms)
  }
  await pause(DELIVERIES.settles_ms)
  const first = await owner<{ submission_id: string; started_at: Date }[]>`
    select r.trigger ->> 'submission_id' as submission_id, min(s.started_at) as started_at
    from runs r join run_steps s on s.organization_id = r.organization_id and s.run_id = r.id
    where s.kind = 'tool' and r.trigger ->> 'submission_id' = any(${[...sent.keys()]}) group by 1`
  if (first.length < deliveries)
    throw new Error(`${deliveries - first.length} of ${deliveries} leads were not worked in time`)
  return median(
    first.map(({ submission_id, started_at }) => started_at.getTime() - (sent.get(submission_id) ?? 0)),
  )
}

const bare = (deliveries = DELIVERIES.round) =>
  limit.ask({ limit: 'relay', url: database.owner_url, deliveries, pause_ms: 50 })

const shown = {
  unit: 'ms',
  more: false,
  target: { at_most: 50 },
}
const relay =
  'median to the started_at of the run’s first tool call, one delivery after the other. Limit: three commits in a row, each by a session that heard of the last one by NOTIFY'

try {
  const { db, close } = await openRecord(database, { works: true })
  const ctx = await makeOrganization(db)
  const source = await createSource(ctx, { name: 'Website' })
  const worker = await startWorker({
    db,
    outside: nowhere,
    model: 'rules',
    heads_file: `${database.folder}/heads.jsonl`,
  })
  try {
    const deliver = async (): Promise<string> => {
      const open = await openSource(db, ctx.organization_id, source.id)
      if (!open) throw new Error('the source is closed')
      const payload = someDelivery()
      const raw = Buffer.from(JSON.stringify(payload))
      return (await storeSubmission(db, open, { content_type: 'application/json', raw, payload }))
        .submission_id
    }
    await measure(DELIVERIES.warm_up, deliver)
    await bare(DELIVERIES.warm_up)
    const rounds = await interleave(() => measure(DELIVERIES.round, deliver), bare)
    print(
      conclude(
        { name: 'first-call', ...shown, how: `storeSubmission in a process with the worker: ${relay}` },
        rounds,
      ),
    )
  } finally {
    await worker.stop()
    await close()
  }

  const product = await startProduct({
    DATABASE_URL: database.owner_url,
    APP_SECRET: SECRET,
    DATA_DIR: database.folder,
    BOOTSTRAP_ORGANIZATION: 'Southwind',
    BOOTSTRAP_INTAKE_TOKEN: access.intake_token,
  })
  try {
    const post = async (): Promise<string> => {
      const answer = await fetch(`${product.url}/intake/webhook/${access.intake_token}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
        body: JSON.stringify(someDelivery()),
      })
      const { submission_id } = (await answer.json()) as { submission_id: string }
      return submission_id
    }
    await measure(DELIVERIES.warm_up, post)
    const rounds = await interleave(() => measure(DELIVERIES.round, post), bare)
    print(
      conclude(
        {
          name: 'first-call-http',
          ...shown,
          how: `POST to the webhook of the product, API and worker in one process: ${relay}`,
        },
        rounds,
      ),
    )
  } finally {
    await product.stop()
  }
} finally {
  await limit.stop()
  await owner.end()
  await database.stop()
}
