import { APICallError, type LanguageModelV4 } from '@ai-sdk/provider'
import { describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { leadAnswer } from '../agents/lead-answer.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { changeAgentSettings } from '../db/models.ts'
import { getRun, runLimits } from '../db/runs.ts'
import type { RunStep } from '../db/run-journal.ts'
import {
  lazy,
  openOwingWorld,
  reasonsOf,
  STOOD_IN,
  timesAsked,
  turnsOf,
  verdictsOf,
  type Worked,
} from './owing-world.ts'
import { callOf, tracesOf, unruly } from './run-world.ts'

// What a run still owes where a cap, a fault or its worker's death stops the model.

const { world, ctx, mailsTo, workedBy } = await openOwingWorld()

describe('caps hold, whoever is asked', () => {
  const forever = (lead_id: () => string) =>
    unruly(() => [callOf('read_lead', JSON.stringify({ lead_id: lead_id() }))])

  test('at the cap of steps the model is not asked again; the rules draft, and the run is still stopped', async () => {
    await changeAgentSettings(ctx, 'lead_worker', { budget: { max_steps: 3 } })
    const lead = await world.sameLead()
    const run = await world.workToTheEnd(
      await world.queue(lead.id),
      forever(() => lead.id),
    )
    const worked = { lead, run, mails: await mailsTo(lead.id) }
    expect(run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
    expect(turnsOf(worked)).toHaveLength(3)
    expect(reasonsOf(worked)).toEqual([STOOD_IN])
    expect(worked.mails).toMatchObject([{ status: 'pending' }])
  })

  test('the same for the rules themselves, where their steps do not reach', async () => {
    await changeAgentSettings(ctx, 'lead_worker', { budget: { max_steps: 2 } })
    const worked = await workedBy(rulesModel)
    expect(worked.run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
    expect(worked.mails).toHaveLength(1)
  })

  test('asked once more, it has the steps that are left, and no more', async () => {
    await changeAgentSettings(ctx, 'lead_worker', { budget: { max_steps: 4 } })
    const lead = await world.sameLead()
    const model = unruly((turn) =>
      turn === 1
        ? [{ type: 'text', text: 'Done.' }]
        : [callOf('read_lead', JSON.stringify({ lead_id: lead.id }))],
    )
    const run = await world.workToTheEnd(await world.queue(lead.id), model)
    const worked = { lead, run, mails: await mailsTo(lead.id) }
    expect(run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
    expect(turnsOf(worked)).toHaveLength(4)
    expect(worked.mails).toHaveLength(1)
  })

  test('one that ended by itself with its last step is not asked again', async () => {
    const own = ownUntilItEnded(await workedBy(lazy()))
    await changeAgentSettings(ctx, 'lead_worker', { budget: { max_steps: own.length } })
    const worked = await workedBy(lazy())
    expect(worked.run).toMatchObject({ status: 'done', stop_reason: 'finished' })
    expect(turnsOf(worked)).toHaveLength(own.length)
    expect(reasonsOf(worked)).toEqual([STOOD_IN])
    expect(worked.mails).toHaveLength(1)
  })

  test.each([
    ['length', 'model_output_cut'],
    ['content-filter', 'model_refused'],
  ] as const)('an answer that ended by %s is no answer to the lead either', async (unified, stop_reason) => {
    const worked = await workedBy({
      ...rulesModel,
      doGenerate: async (options) => ({
        ...(await rulesModel.doGenerate(options)),
        content: [],
        finishReason: { unified, raw: unified },
      }),
    })
    expect(worked.run).toMatchObject({ status: 'stopped', stop_reason })
    expect(turnsOf(worked)).toHaveLength(1)
    expect(worked.mails).toHaveLength(1)
  })

  test.each(['max_input_tokens', 'max_output_tokens'] as const)(
    'a cap %s that meets the model at its work is a stop, and nothing more is done',
    async (cap) => {
      await changeAgentSettings(ctx, 'lead_worker', { budget: { [cap]: 1 } })
      const worked = await workedBy(lazy())
      expect(worked.run).toMatchObject({ status: 'stopped', stop_reason: cap })
      expect(worked.run.steps.map(({ kind, tool }) => tool ?? kind)).toEqual(['model', 'read_lead'])
      expect(worked.mails).toEqual([])
    },
  )

  test('one that ended by itself with nothing left to pay another question with is not asked; the rules cost nothing', async () => {
    const own = ownUntilItEnded(await workedBy(lazy()))
    const max_output_tokens = own.reduce((sum, { usage }) => sum + usage!.output_tokens, 0)
    await changeAgentSettings(ctx, 'lead_worker', { budget: { max_output_tokens } })
    const worked = await workedBy(lazy())
    expect(worked.run).toMatchObject({ status: 'done', stop_reason: 'finished' })
    expect(turnsOf(worked)).toHaveLength(own.length)
    expect(reasonsOf(worked)).toEqual([STOOD_IN])
    expect(worked.mails).toHaveLength(1)
  })

  const ownUntilItEnded = (worked: Worked): RunStep[] => {
    const own = turnsOf(worked)
    const again = own.findIndex(({ output }) => Object(output).because)
    expect(again).toBeGreaterThan(0)
    return own.slice(0, again)
  }
})

describe('the second question fails', () => {
  const answered = (statusCode: number): APICallError =>
    new APICallError({ message: 'no', url: 'http://model.example', requestBodyValues: {}, statusCode })
  const failing = (fault: () => Error | undefined): LanguageModelV4 => {
    const thinker = lazy()
    return {
      ...thinker,
      doGenerate: async (options) => {
        const error = timesAsked(options) === 2 ? fault() : undefined
        if (error) throw error
        return thinker.doGenerate(options)
      },
    }
  }

  test('in passing: it is asked again later, and nothing is done twice', async () => {
    Object.assign(runLimits, { backoff_ms: 5 })
    let faults = 0
    const worked = await workedBy(failing(() => (faults++ === 0 ? answered(503) : undefined)))
    expect(worked.run).toMatchObject({ status: 'done', attempts: 2, error: null })
    const calls = verdictsOf(worked)
    expect(calls.filter((call) => call === 'add_note run')).toHaveLength(1)
    expect(calls.filter((call) => call === 'draft_email run')).toHaveLength(1)
    expect(worked.mails).toHaveLength(1)
  })

  test('for good: the model had ended by itself, and the rules draft', async () => {
    const worked = await workedBy(failing(() => answered(400)))
    expect(worked.run).toMatchObject({ status: 'done', attempts: 1, error: null })
    expect(reasonsOf(worked)).toEqual([STOOD_IN])
    expect(worked.mails).toHaveLength(1)
  })
})

test('a worker that dies anywhere on the way to the answer is replaced, and nothing happens twice', async () => {
  const undisturbed = await workedBy(lazy())
  const wanted = await tracesOf(ctx, undisturbed.lead.id, undisturbed.run.id)
  const turns = turnsOf(undisturbed).length
  const calls = verdictsOf(undisturbed).length
  // Seven turns of work, one more question, and the two calls of the rules.
  expect([turns, calls]).toEqual([8, 8])

  Object.assign(runLimits, { lease_ms: 150, heartbeat_ms: 60_000 })
  const boundaries = [
    ...[turns - 1, turns].map((n) => ['turn', n] as const),
    ...[calls - 2, calls - 1, calls].map((n) => ['call', n] as const),
  ]
  for (const [kind, n] of boundaries) {
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    const claimed = await world.claim(run_id)
    await new Promise<void>((died, survived) => {
      world
        .dieBefore(claimed, { kind, n, died }, { owes: leadAnswer, model: { model: lazy(), spec: 'rules' } })
        .then(() => survived(new Error(`it ended before ${kind} ${n}`)), survived)
    })
    await workRun(world.worker(lazy()), await world.claim(run_id, 'second'))
    expect(await getRun(ctx, run_id)).toMatchObject({ status: 'done', attempts: 2 })
    expect([kind, n, await tracesOf(ctx, lead.id, run_id)]).toEqual([kind, n, wanted])
  }
})

test('turns of the rules are replayed to the rules, also where another cap ends the model’s own sooner', async () => {
  Object.assign(runLimits, { lease_ms: 150, heartbeat_ms: 60_000 })
  const lead = await world.sameLead()
  const run_id = await world.queue(lead.id)
  const claimed = await world.claim(run_id)
  await new Promise<void>((died, survived) => {
    world
      .dieBefore(
        claimed,
        { kind: 'call', n: 8, died },
        { owes: leadAnswer, model: { model: lazy(), spec: 'rules' } },
      )
      .then(() => survived(new Error('it ended before the rules drafted')), survived)
  })
  await changeAgentSettings(ctx, 'lead_worker', { budget: { max_steps: 3 } })
  await workRun(world.worker(lazy()), await world.claim(run_id, 'second'))
  const run = await getRun(ctx, run_id)
  expect(run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
  expect(run.steps.filter(({ tool }) => tool === 'read_lead')).toHaveLength(2)
  expect(await mailsTo(lead.id)).toHaveLength(1)
})
