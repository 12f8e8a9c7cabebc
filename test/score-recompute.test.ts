import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openFeed } from '../api/event-feed.ts'
import { eventBounds, type Event } from '../db/activity-events.ts'
import { inTx, type Ctx } from '../db/context.ts'
import { qualifyLead } from '../db/lead-qualification.ts'
import { rescoreLead } from '../db/lead-scoring.ts'
import { updateLead } from '../db/leads.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import { builtInFormula } from '../db/score-built-in.ts'
import type { FormulaDefinition } from '../db/score-definition.ts'
import { findOverdueScoreJobs, scoreWork, type ScoreJob } from '../db/score-jobs.ts'
import { startNightly } from '../db/score-recompute.ts'
import { workScoreJob } from '../db/score-work.ts'
import { changeSettings } from '../db/settings.ts'
import { listTimeline } from '../db/timeline.ts'
import { startScoreWork } from '../tools/scores.ts'
import { openApi, type ApiWorld } from './api.ts'
import { testSecret } from './database.ts'
import { eventually } from './eventually.ts'
import { makeLead } from './worked-lead.ts'

let api: ApiWorld
let ctx: Ctx
beforeAll(async () => {
  api = await openApi()
  ctx = api.ctx
})
afterAll(() => api.stop())
const usual = { ...scoreWork }
afterEach(() => Object.assign(scoreWork, usual))

const work = (id: string, signal?: AbortSignal) => workScoreJob(api.db, ctx.organization_id, id, signal)
const read = async (id: string) => (await api.json('GET', `/api/score-formulas/${id}`)).body
const plus = (points: number): FormulaDefinition => ({
  ...builtInFormula,
  base: builtInFormula.base + points,
})

/** Puts a formula in force; answers it with the job that scores every lead by it, which nobody works yet. */
const activate = async (
  definition: FormulaDefinition,
): Promise<{ id: string; label: string; recompute: ScoreJob }> => {
  const { body } = await api.json('POST', '/api/score-formulas', { definition })
  const { body: job } = await api.json('POST', `/api/score-formulas/${body.id}/back-test`)
  await work(job.id)
  const activated = await api.json('POST', `/api/score-formulas/${body.id}/activate`, {})
  expect(activated.status).toBe(200)
  return activated.body
}

/** Many leads at once, as an import would leave them; without a score. */
const fill = (count: number, source: string): Promise<unknown> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const pipeline = await defaultPipeline(ctx, 'lead')
    await tx`
      insert into opportunities (organization_id, id, kind, name, pipeline_id, stage_id, position, currency, origin, source, message)
      select ${organization_id}::uuid, gen_random_uuid(), 'lead', 'Lead ' || n, ${pipeline.id}, ${pipeline.stages[0]!.id},
        'a' || lpad(n::text, 6, '0'), 'EUR', '{"door": "import"}', ${source}, case when n % 2 = 0 then 'What does it cost?' end
      from generate_series(1, ${count}::int) as n`
  })

const scoresBy = async (label: string, source: string): Promise<{ n: number; sum: number }> => {
  const [row] = await inTx(
    ctx,
    ({ tx }) => tx<{ n: number; sum: number }[]>`
      select count(*)::int as n, coalesce(sum(s.score), 0)::int as sum from opportunity_scores s
      join opportunities o on o.organization_id = s.organization_id and o.id = s.opportunity_id
      where s.formula = ${label} and o.source = ${source}`,
  )
  return row!
}

describe('F34: every lead is scored anew', () => {
  test('F34: after an activation, without a line on any lead, and with verdicts only where one was said', async () => {
    const [plain, qualified] = [await makeLead(ctx), await makeLead(ctx)]
    await qualifyLead(ctx, qualified.id)
    const { id, label, recompute } = await activate({
      ...plus(5),
      thresholds: { qualified: 99, nurture: 98 },
    })
    expect(recompute).toMatchObject({ trigger: 'activated', status: 'queued' })
    await work(recompute.id)
    expect((await read(id)).recompute).toMatchObject({
      status: 'done',
      progress: { done: 2, total: 2 },
      counts: { changed: 2, unchanged: 0 },
    })
    expect(await getOpportunity(ctx, plain.id)).toMatchObject({
      score: plain.score! + 5,
      score_formula: label,
      verdict: null,
      version: 1,
    })
    expect(await getOpportunity(ctx, qualified.id)).toMatchObject({
      verdict: 'unqualified',
      score_formula: label,
    })
    const { data } = await listTimeline(ctx, { kind: 'lead', id: plain.id }, { limit: 5 })
    expect(data.map(({ type }) => type)).toEqual(['lead_imported'])
    const { body: lines } = await api.json('GET', '/api/activities?type=scores_recomputed&limit=1')
    expect(lines.data[0]).toMatchObject({
      reason: 'Another formula is in force.',
      data: { counts: { changed: 2 } },
      summary: 'scored every lead anew: 2 changed, 0 stayed',
    })
  })

  test('F34: what did not change is not written', async () => {
    const { body: active } = await api.json('GET', '/api/score-formulas/active')
    const lead = await makeLead(ctx)
    const before = (await getOpportunity(ctx, lead.id)).scored_at
    const asked = await api.json('POST', `/api/score-formulas/${active.id}/recompute`)
    expect([asked.status, asked.body.trigger]).toEqual([202, 'asked'])
    await work(asked.body.id)
    const { recompute } = await read(active.id)
    expect(recompute).toMatchObject({ status: 'done', counts: { changed: 0, unchanged: 3 } })
    expect((await getOpportunity(ctx, lead.id)).scored_at).toEqual(before)
    const ended = await api.json('POST', `/api/score-formulas/${active.id}/recompute/cancel`)
    expect([ended.status, ended.body.code, ended.body.state]).toEqual([409, 'score_job_ended', 'done'])
    const { body: draft } = await api.json('POST', '/api/score-formulas', {})
    expect((await api.json('POST', `/api/score-formulas/${draft.id}/recompute`)).body).toMatchObject({
      code: 'formula_not_active',
      active_id: active.id,
    })
  })

  test('F34: a lead that changes while it is scored keeps the score of what it is', async () => {
    await fill(300, 'changing')
    const [{ id: lead_id } = { id: '' }] = await inTx(
      ctx,
      ({ tx }) =>
        tx<{ id: string }[]>`select id from opportunities where source = 'changing' order by id limit 1`,
    )
    const { recompute } = await activate(plus(6))
    // Between the reading of its batch and the writing, somebody sets a title.
    const slow = new Proxy(api.db.sql, {
      get: (sql, name, self) =>
        name === 'begin'
          ? async (...given: unknown[]) => {
              const result = await Reflect.apply(Reflect.get(sql, 'begin'), sql, given)
              const [rows] = [result as { leads?: { id: string }[] }]
              if (rows?.leads?.some(({ id }) => id === lead_id))
                await updateLead(ctx, lead_id, { title: 'CEO' })
              return result
            }
          : Reflect.get(sql, name, self),
    })
    await workScoreJob({ ...api.db, sql: slow }, ctx.organization_id, recompute.id)
    const lead = await getOpportunity(ctx, lead_id)
    expect(lead.title).toBe('CEO')
    expect(lead.score_reasons).toContainEqual(expect.objectContaining({ factor: 'title', points: 14 }))
    await inTx(ctx, (ctx) => rescoreLead(ctx, lead_id))
    expect((await getOpportunity(ctx, lead_id)).score).toBe(lead.score)
  })

  test('F34: another activation takes over from the one under way; cancelling stops it', async () => {
    await fill(200, 'superseded')
    Object.assign(scoreWork, { batch: 20 })
    const first = await activate(plus(7))
    const second = await activate(plus(8))
    await work(first.recompute.id)
    expect((await read(first.id)).recompute).toMatchObject({ status: 'cancelled', progress: { done: 0 } })
    expect((await api.json('POST', `/api/score-formulas/${second.id}/recompute/cancel`)).status).toBe(200)
    await work(second.recompute.id)
    expect((await read(second.id)).recompute.status).toBe('cancelled')
    const { body: job } = await api.json('POST', `/api/score-formulas/${second.id}/recompute`)
    await work(job.id)
    expect((await scoresBy(second.label, 'superseded')).n).toBe(200)
  })
})

describe('F34: a worker that dies', () => {
  test('F34: killed again and again, every lead is scored once in the end, as if nobody had died', async () => {
    await fill(6_000, 'killed')
    const { id, label, recompute } = await activate(plus(9))
    let kills = 0
    for (let n = 0; n < 5; n++) {
      const child = fork(fileURLToPath(new URL('./score-worker.ts', import.meta.url)), [], {
        env: {
          ...process.env,
          WORK: JSON.stringify({
            url: api.app_url,
            secret: testSecret,
            organization_id: ctx.organization_id,
            id: recompute.id,
          }),
        },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)))
      await new Promise((resolve) => child.once('message', resolve))
      const before: number = (await read(id)).recompute.progress.done
      await eventually(async () => (await read(id)).recompute.progress.done > before, 20_000)
      child.kill('SIGKILL')
      if ((await ended) === 'SIGKILL') kills += 1
      await inTx(
        ctx,
        ({ tx }) =>
          tx`update score_jobs set lease_until = now() - interval '1 second' where id = ${recompute.id} and status = 'running'`,
      )
      if ((await read(id)).recompute.status === 'done') break
    }
    expect(kills).toBeGreaterThan(1)
    await work(recompute.id)
    const { recompute: done } = await read(id)
    expect(done).toMatchObject({ status: 'done', error: null })
    expect(done.progress.done).toBe(done.progress.total)
    expect(done.counts.changed + done.counts.unchanged).toBe(done.progress.total)
    const found = await scoresBy(label, 'killed')
    // 19 without an address minus 10; those that ask for a price get 18 and 2 for the message.
    expect(found).toEqual({ n: 6_000, sum: 3_000 * 9 + 3_000 * 29 })
    const { body } = await api.json('GET', '/api/activities?type=scores_recomputed&limit=200')
    expect(
      body.data.filter(({ subjects }: any) => subjects.some((one: any) => one.id === recompute.id)),
    ).toHaveLength(1)
  }, 120_000)

  test('F34: one that was thought dead writes nothing any more', async () => {
    await fill(400, 'fenced')
    Object.assign(scoreWork, { batch: 50 })
    const { id, label, recompute } = await activate(plus(10))
    let taken = false
    // After its second batch, another worker claims the job.
    const silent = new Proxy(api.db.sql, {
      get: (sql, name, self) =>
        name === 'begin'
          ? async (...given: unknown[]) => {
              const due = !taken && (await read(id)).recompute.progress.done >= 100
              // Two begin side by side: one of them takes it.
              if (due && !taken) {
                taken = true
                await inTx(
                  ctx,
                  ({ tx }) => tx`update score_jobs set fence = fence + 1 where id = ${recompute.id}`,
                )
              }
              return Reflect.apply(Reflect.get(sql, 'begin'), sql, given)
            }
          : Reflect.get(sql, name, self),
    })
    await workScoreJob({ ...api.db, sql: silent }, ctx.organization_id, recompute.id)
    const stopped = (await read(id)).recompute
    expect(stopped.status).toBe('running')
    expect(taken).toBe(true)
    await inTx(
      ctx,
      ({ tx }) =>
        tx`update score_jobs set lease_until = now() - interval '1 second' where id = ${recompute.id}`,
    )
    expect((await findOverdueScoreJobs(api.db)).map((job) => job.id)).toContain(recompute.id)
    await work(recompute.id)
    const { total } = stopped.progress
    expect((await read(id)).recompute).toMatchObject({ status: 'done', progress: { done: total, total } })
    expect((await scoresBy(label, 'fenced')).n).toBe(400)
  })
})

test('F34: progress is told on the events while it runs, and a worker finds the job by itself', async () => {
  Object.assign(scoreWork, { batch: 100, tell_ms: 5 })
  const heard: Event[] = []
  const feed = openFeed(api.db)
  const { newest } = await eventBounds(ctx)
  const following = feed.follow(
    ctx,
    newest,
    (events) => heard.push(...events),
    () => {},
  )
  const worker = await startScoreWork(api.db)
  try {
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { id, recompute } = await activate(plus(11))
    await eventually(async () => (await read(id)).recompute.status === 'done', 30_000)
    expect(heard).toContainEqual(
      expect.objectContaining({
        type: 'score_job_progress',
        subject: { kind: 'score_job', id: recompute.id },
      }),
    )
  } finally {
    await worker.stop()
    following.stop()
    await feed.close()
  }
})

test('F34: points that change with time are computed again at night, where the organization is, once a night', async () => {
  const { id, recompute } = await activate({
    ...plus(0),
    factors: [
      ...builtInFormula.factors,
      { factor: 'fresh', looks_at: 'created_at', cases: [{ below: 7, points: 10 }] },
    ],
  })
  await work(recompute.id)
  const lead = await makeLead(ctx)
  expect((await read(id)).time_dependent).toBe(true)
  await inTx(
    ctx,
    ({ tx }) => tx`update opportunities set created_at = now() - interval '8 days' where id = ${lead.id}`,
  )
  // Just scored: not again within half a day.
  expect(await startNightly(api.db)).toBe(0)
  await inTx(ctx, ({ tx }) => tx`update score_jobs set created_at = now() - interval '1 day'`)
  const zoneAt = (hour: number) =>
    Intl.supportedValuesOf('timeZone').find(
      (timeZone) =>
        Number(new Intl.DateTimeFormat('en-GB', { timeZone, hour: 'numeric' }).format(new Date())) === hour,
    )!
  await changeSettings(ctx, { changes: { timezone: zoneAt(14) } })
  expect(await startNightly(api.db)).toBe(0)
  await changeSettings(ctx, { changes: { timezone: zoneAt(3) } })
  expect(await startNightly(api.db)).toBe(1)
  expect(await startNightly(api.db)).toBe(0)
  const { recompute: nightly } = await read(id)
  expect(nightly).toMatchObject({ trigger: 'nightly', requested_by: { kind: 'system' } })
  await work(nightly.id)
  expect((await read(id)).recompute.counts.changed).toBe(1)
  expect((await getOpportunity(ctx, lead.id)).score).toBe(lead.score! - 10)
})
