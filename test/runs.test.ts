import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inTx, LeaseLost, type Ctx } from '../db/context.ts'
import { agentActor } from '../db/policies.ts'
import { cancelRun, getRun, listRuns, queueRun, retryRun, runLimits } from '../db/runs.ts'
import {
  beginRun,
  claimRun,
  endRun,
  findDueRuns,
  heartbeat,
  postponeRun,
  releaseRun,
  type ClaimedRun,
} from '../db/run-lease.ts'
import { journalStep, listSteps } from '../db/run-journal.ts'
import { makeLead } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
beforeAll(async () => {
  world = await openWorld()
  ctx = world.ctx
})
afterAll(() => world.stop())

const queueOn = (lead_id: string, at: Ctx = ctx) =>
  queueRun(at, { agent: 'lead_worker', subject: { kind: 'lead', id: lead_id }, trigger: { kind: 'request' } })
const queued = async (at: Ctx = ctx): Promise<string> => (await queueOn((await makeLead(at)).id, at)).id
const claim = (id: string, at: Ctx = ctx) => claimRun(world.db, at.organization_id, id, 'test')
const held = async (): Promise<ClaimedRun & { ctx: Ctx }> => {
  const claimed = await claim(await queued())
  return { ...claimed!, ctx: under(claimed!) }
}
const under = ({ run, lease }: ClaimedRun): Ctx => ({
  ...ctx,
  actor: agentActor('lead_worker'),
  run_id: run.id,
  lease,
})
const letLeasePass = (id: string): Promise<unknown> =>
  inTx(
    ctx,
    ({ tx, organization_id }) =>
      tx`update runs set lease_until = now() - interval '1 second' where organization_id = ${organization_id} and id = ${id}`,
  )
const turn = (n: number) => ({
  kind: 'model' as const,
  output: { content: [], n },
  usage: { input_tokens: 10, output_tokens: 2 },
  started_at: new Date(),
})

describe('a run that waits', () => {
  test('is one, however often and by however many it is asked for; another record has its own', async () => {
    const lead = await makeLead(ctx)
    const asked = await Promise.all(Array.from({ length: 20 }, () => queueOn(lead.id)))
    expect(new Set(asked.map(({ id }) => id)).size).toBe(1)
    expect(asked.filter(({ waiting }) => !waiting)).toHaveLength(1)
    expect((await queueOn((await makeLead(ctx)).id)).waiting).toBe(false)
  })

  test('is not the one that has begun: news during a run gets a run of its own', async () => {
    const lead = await makeLead(ctx)
    const first = await queueOn(lead.id)
    await claim(first.id)
    const second = await queueOn(lead.id)
    expect(second).toMatchObject({ waiting: false })
    expect(second.id).not.toBe(first.id)
  })

  test('asking while it is being claimed never fails', async () => {
    for (let round = 0; round < 25; round++) {
      const lead = await makeLead(ctx)
      const { id } = await queueOn(lead.id)
      const [, ...asked] = await Promise.all([
        claim(id),
        queueOn(lead.id),
        queueOn(lead.id),
        queueOn(lead.id),
      ])
      expect(asked.every(({ id }) => id !== '')).toBe(true)
      const { data } = await listRuns(ctx, { subject_id: lead.id, limit: 10 })
      expect(data.filter(({ status }) => status === 'queued').length).toBeLessThanOrEqual(1)
    }
  })

  test('is claimed by one of many workers', async () => {
    const id = await queued()
    const claims = await Promise.all(Array.from({ length: 12 }, () => claim(id)))
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await getRun(ctx, id)).toMatchObject({ status: 'running', attempts: 1 })
  })

  test('of another organization is nobody else’s', async () => {
    const other = await world.other()
    const id = await queued()
    expect(await claim(id, other.ctx)).toBeUndefined()
    await expect(getRun(other.ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
    await expect(cancelRun(other.ctx, id)).rejects.toMatchObject({ kind: 'not_found' })
    expect(await listSteps(other.ctx, id)).toEqual([])
  })
})

describe('the lease', () => {
  test('lasts while it is kept, and is lost once it has passed and somebody else took over', async () => {
    const { lease, run } = await held()
    expect(await claim(run.id)).toBeUndefined()
    await letLeasePass(run.id)
    expect(await heartbeat(world.db, ctx.organization_id, lease)).toBe(true)
    expect(await claim(run.id)).toBeUndefined()
    await letLeasePass(run.id)
    const second = await claim(run.id)
    expect(second?.lease.fence).toBe(lease.fence + 1)
    expect(await heartbeat(world.db, ctx.organization_id, lease)).toBe(false)
    expect(await heartbeat(world.db, ctx.organization_id, second!.lease)).toBe(true)
  })

  test('is what every write stands under: the old worker writes nothing of any kind', async () => {
    const { run, ctx: old } = await held()
    await journalStep(old, 0, turn(0))
    await letLeasePass(run.id)
    const second = under((await claim(run.id))!)
    const before = await getRun(ctx, run.id)
    for (const write of [
      () => journalStep(old, 1, turn(1)),
      () => journalStep(old, 1, { kind: 'tool', tool: 'add_note', call_id: 'c', started_at: new Date() }),
      () => beginRun(old, { model: 'x', prompt_version: 'x', agent_version: 'x', tainted_by: [] }),
      () => endRun(old, run, { status: 'done', stop_reason: 'finished' }),
      () => postponeRun(old, run, { code: 'x', message: 'x' }),
      () => releaseRun(old, run),
    ]) {
      await expect(write()).rejects.toBeInstanceOf(LeaseLost)
    }
    expect(await getRun(ctx, run.id)).toEqual(before)
    await journalStep(second, 1, turn(1))
    await endRun(second, run, { status: 'done', stop_reason: 'finished' })
    expect(await getRun(ctx, run.id)).toMatchObject({
      status: 'done',
      usage: { input_tokens: 20, output_tokens: 4 },
      steps: [{ n: 0 }, { n: 1 }],
    })
  })

  test('does not outlive the run', async () => {
    const { run, lease, ctx: mine } = await held()
    await endRun(mine, run, { status: 'done', stop_reason: 'finished' })
    await expect(journalStep(mine, 0, turn(0))).rejects.toBeInstanceOf(LeaseLost)
    expect(await heartbeat(world.db, ctx.organization_id, lease)).toBe(false)
    expect(await claim(run.id)).toBeUndefined()
  })

  test('two steps cannot have one place, nor two answers one call', async () => {
    const { ctx: mine } = await held()
    const tool = { kind: 'tool' as const, tool: 'add_note', call_id: 'call_1', started_at: new Date() }
    await journalStep(mine, 0, tool)
    await expect(journalStep(mine, 0, { ...tool, call_id: 'call_2' })).rejects.toMatchObject({
      code: '23505',
    })
    await expect(journalStep(mine, 1, tool)).rejects.toMatchObject({ code: '23505' })
    expect(() => journalStep(ctx, 1, tool)).toThrow('lease')
  })
})

describe('a run that is given back', () => {
  test('after a fault waits longer each time, or as long as the provider said', async () => {
    const { run, ctx: mine } = await held()
    await postponeRun(mine, run, { code: 'model_rate_limited', message: 'later' })
    const first = (await getRun(ctx, run.id)).next_attempt_at.getTime() - Date.now()
    expect(first).toBeGreaterThan(runLimits.backoff_ms / 2)
    expect(await claim(run.id)).toBeUndefined()

    const other = await held()
    await postponeRun(other.ctx, { ...other.run, attempts: 3 }, { code: 'x', message: 'x' })
    const third = (await getRun(ctx, other.run.id)).next_attempt_at.getTime() - Date.now()
    expect(third).toBeGreaterThan(first * 2)

    const told = await held()
    await postponeRun(told.ctx, told.run, { code: 'x', message: 'x', retry_after_ms: 90_000 })
    expect((await getRun(ctx, told.run.id)).next_attempt_at.getTime() - Date.now()).toBeGreaterThan(85_000)
  })

  test('because its worker stops goes on at once, does not count as an attempt, and stands in nobody’s way', async () => {
    const lead = await makeLead(ctx)
    const { id } = await queueOn(lead.id)
    for (let n = 0; n < runLimits.max_attempts + 3; n++) {
      const claimed = await claim(id)
      // News arrived meanwhile: the released run and the waiting one live side by side.
      await queueOn(lead.id)
      await releaseRun(under(claimed!), claimed!.run)
    }
    expect(await claim(id)).toMatchObject({ run: { attempts: 2 } })
  })
})

describe('fairness', () => {
  test('who queues two hundred runs does not keep waiting who queues five', async () => {
    const [many, few] = [await world.other(), await world.other()]
    for (let n = 0; n < 200; n++) await queueOn((await makeLead(many.ctx)).id, many.ctx)
    for (let n = 0; n < 5; n++) await queueOn((await makeLead(few.ctx)).id, few.ctx)
    const order: string[] = []
    // A worker with four places: it claims what is due, and each run ends before the next look.
    for (let look = 0; order.length < 40 && look < 100; look++) {
      for (const due of await findDueRuns(world.db, 4)) {
        if (![many, few].some(({ organization }) => organization.id === due.organization_id)) {
          await cancelRun({ ...ctx, organization_id: due.organization_id }, due.id)
          continue
        }
        if (!(await claimRun(world.db, due.organization_id, due.id, 'test'))) continue
        order.push(due.organization_id)
      }
    }
    const places = order.flatMap((organization_id, n) => (organization_id === few.organization.id ? [n] : []))
    expect(places).toHaveLength(5)
    expect(places.at(-1)).toBeLessThan(12)
  }, 60_000)
})

test('lists go page by page, newest first, without repeating or missing one', async () => {
  const { ctx: at } = await world.other()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push(await queued(at))
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const { data, next_cursor } = await listRuns(at, { limit: 2, cursor })
    seen.push(...data.map(({ id }) => id))
    cursor = next_cursor ?? undefined
  } while (cursor)
  expect(seen).toEqual(ids.toReversed())
  expect((await listRuns(at, { status: 'done', limit: 5 })).data).toEqual([])
  expect((await listRuns(at, { agent: 'somebody', limit: 5 })).data).toEqual([])
})

test('only what ended without success is tried again, and only what has not ended is stopped', async () => {
  const { run, ctx: mine } = await held()
  await expect(retryRun(ctx, run.id)).rejects.toMatchObject({ code: 'run_not_ended' })
  await endRun(mine, run, { status: 'done', stop_reason: 'finished' })
  await expect(retryRun(ctx, run.id)).rejects.toMatchObject({
    code: 'run_not_ended',
    extra: { state: 'done' },
  })
  await expect(cancelRun(ctx, run.id)).rejects.toMatchObject({ code: 'run_ended' })
  const id = await queued()
  await cancelRun(ctx, id)
  expect(await claim(id)).toBeUndefined()
  expect(await retryRun(ctx, id)).toMatchObject({ waiting: false })
})
