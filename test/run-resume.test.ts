import type { LanguageModelV4 } from '@ai-sdk/provider'
import { describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { LeaseLost } from '../db/context.ts'
import { getRun, runLimits } from '../db/runs.ts'
import { claimRun } from '../db/run-lease.ts'
import { listSteps } from '../db/run-journal.ts'
import { startWorker } from '../worker.ts'
import { eventually } from './eventually.ts'
import { openRunWorld, tracesOf } from './run-world.ts'

const world = await openRunWorld()
const { ctx } = world

describe('a worker that dies at any step boundary is replaced, and nothing happens twice or not at all', () => {
  test('one after the other, at all fifteen of them', async () => {
    const undisturbed = await world.sameLead()
    const id = await world.queue(undisturbed.id)
    await world.workToTheEnd(id)
    const wanted = await tracesOf(ctx, undisturbed.id, id)
    expect(wanted).toContain('draft_email')

    Object.assign(runLimits, { lease_ms: 150, heartbeat_ms: 60_000 })
    const boundaries = [
      ...Array.from({ length: 8 }, (_, n) => ['turn', n + 1] as const),
      ...Array.from({ length: 7 }, (_, n) => ['call', n + 1] as const),
    ]
    for (const [kind, n] of boundaries) {
      const lead = await world.sameLead()
      const run_id = await world.queue(lead.id)
      const claimed = await world.claim(run_id)
      await new Promise<void>((died, survived) => {
        world
          .dieBefore(claimed, { kind, n, died })
          .then(() => survived(new Error(`it ended before ${kind} ${n}`)), survived)
      })
      const before = await listSteps(ctx, run_id)
      expect(before).toHaveLength(kind === 'turn' ? (n - 1) * 2 : n * 2 - 1)
      await workRun(world.worker(), await world.claim(run_id, 'second'))
      expect(await getRun(ctx, run_id)).toMatchObject({ status: 'done', attempts: 2 })
      expect([kind, n, await tracesOf(ctx, lead.id, run_id)]).toEqual([kind, n, wanted])
    }
  }, 120_000)

  test('and when the dead one wakes up, it writes nothing', async () => {
    Object.assign(runLimits, { lease_ms: 150, heartbeat_ms: 60_000 })
    for (const [kind, n] of [
      ['turn', 3],
      ['call', 3],
      ['call', 6],
      ['turn', 8],
    ] as const) {
      const lead = await world.sameLead()
      const run_id = await world.queue(lead.id)
      const claimed = await world.claim(run_id)
      let wake: () => void = () => {}
      const sleep = new Promise<void>((resolve) => {
        wake = resolve
      })
      let sleeper: Promise<unknown> = Promise.resolve()
      await new Promise<void>((slept) => {
        sleeper = world.dieBefore(claimed, { kind, n, died: slept, hang: () => sleep as Promise<never> })
        sleeper.catch(() => {})
      })
      await workRun(world.worker(), await world.claim(run_id, 'second'))
      const settled = await tracesOf(ctx, lead.id, run_id)
      wake()
      await expect(sleeper).rejects.toBeInstanceOf(LeaseLost)
      expect(await tracesOf(ctx, lead.id, run_id)).toBe(settled)
    }
  })

  test('within seconds, by a worker that looks around', async () => {
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    Object.assign(runLimits, { lease_ms: 1_000, heartbeat_ms: 300 })
    await world.claim(run_id, 'dead')
    const started = performance.now()
    const running = await startWorker({ ...world.worker(), heads_file: `${world.folder}/heads.jsonl` })
    try {
      await eventually(async () => (await getRun(ctx, run_id)).status === 'done')
    } finally {
      await running.stop()
    }
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('but one whose workers die every time is given up on, visibly', async () => {
    Object.assign(runLimits, { lease_ms: 1 })
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    for (let n = 0; n < runLimits.max_attempts; n++) await world.claim(run_id, `dead ${n}`)
    await workRun(world.worker(), await world.claim(run_id, 'last'))
    expect(await getRun(ctx, run_id)).toMatchObject({ status: 'dead', error: { code: 'worker_died' } })
  })

  test('a worker at work keeps its lease for as long as it takes', async () => {
    Object.assign(runLimits, { lease_ms: 300, heartbeat_ms: 50 })
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    const slow: LanguageModelV4 = {
      ...rulesModel,
      doGenerate: async (options) => {
        await new Promise((resolve) => setTimeout(resolve, 120))
        return rulesModel.doGenerate(options)
      },
    }
    const working = workRun(world.worker(slow), await world.claim(run_id))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await claimRun(world.db, ctx.organization_id, run_id, 'thief')).toBeUndefined()
    await working
    expect(await getRun(ctx, run_id)).toMatchObject({ status: 'done', attempts: 1 })
  })
})
