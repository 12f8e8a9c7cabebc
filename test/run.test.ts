import { APICallError, type LanguageModelV4 } from '@ai-sdk/provider'
import { describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { lead_worker } from '../agents/lead_worker.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { listApprovals } from '../db/approvals.ts'
import { listFailures, retryFailure } from '../db/failures.ts'
import { updateLead } from '../db/leads.ts'
import { changeAgentSettings } from '../db/models.ts'
import { listNotes } from '../db/notes.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { cancelRun, getRun, listRuns, runLimits } from '../db/runs.ts'
import { listSteps, type RunStep } from '../db/run-journal.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { listTimeline } from '../db/timeline.ts'
import { loadPrompt } from '../prompts/load.ts'
import { callOf, openRunWorld, silence, unruly } from './run-world.ts'

const world = await openRunWorld()
const { ctx } = world

const answered = (statusCode: number): APICallError =>
  new APICallError({ message: 'no', url: 'http://model.example', requestBodyValues: {}, statusCode })

describe('a model that fails', () => {
  test('in passing is asked again, later and later, and the run ends well with every step once', async () => {
    Object.assign(runLimits, { backoff_ms: 40 })
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    const model = unruly(
      (turn) =>
        ({
          2: answered(429),
          3: answered(503),
          6: new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } }),
        })[turn],
    )
    await workRun(world.worker(model), await world.claim(run_id))
    const waiting = await getRun(ctx, run_id)
    expect(waiting).toMatchObject({ status: 'queued', attempts: 1, error: { code: 'model_rate_limited' } })
    expect(waiting.next_attempt_at.getTime()).toBeGreaterThan(Date.now() - 40)
    expect(waiting.steps).toHaveLength(4)
    expect(await world.workToTheEnd(run_id, model)).toMatchObject({
      status: 'done',
      error: null,
      attempts: 4,
    })
    const { steps } = await getRun(ctx, run_id)
    expect(steps.map(({ n }) => n)).toEqual(steps.map((_, n) => n))
    expect(steps.filter(({ tool }) => tool === 'draft_email')).toHaveLength(1)
  })

  test('for good fails the run at once, with words for a person', async () => {
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    await workRun(world.worker(unruly(() => answered(401))), await world.claim(run_id))
    expect(await getRun(ctx, run_id)).toMatchObject({
      status: 'failed',
      stop_reason: 'model_key_refused',
      error: { message: expect.stringContaining('OPENAI_API_KEY') },
    })
    const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 1 })
    expect(data).toMatchObject([
      { type: 'agent_run', actor: { kind: 'agent' }, summary: 'failed to work it' },
    ])
  })

  test('every time is given up on: dead, listed, on the timeline, and can be started anew', async () => {
    Object.assign(runLimits, { backoff_ms: 5 })
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    expect(
      await world.workToTheEnd(
        run_id,
        unruly(() => answered(500)),
      ),
    ).toMatchObject({
      status: 'dead',
      attempts: runLimits.max_attempts,
      stop_reason: expect.stringContaining('gave up after'),
      error: { code: 'model_unavailable' },
    })
    const { data } = await listRuns(ctx, { status: 'dead', subject_id: lead.id, limit: 5 })
    expect(data.map(({ id }) => id)).toEqual([run_id])
    expect(await listFailures(ctx, 50)).toContainEqual(
      expect.objectContaining({ id: run_id, kind: 'run', subject: { kind: 'lead', id: lead.id } }),
    )
    const { run_id: again } = await retryFailure(ctx, run_id)
    expect(await world.workToTheEnd(again!)).toMatchObject({ status: 'done', trigger: { kind: 'retry' } })
    expect((await listFailures(ctx, 50)).map(({ id }) => id)).not.toContain(run_id)
  })

  test.each(['hang', 'deaf'] as const)(
    'to answer in time (%s) is a timeout, and the run goes on later',
    async (how) => {
      Object.assign(runLimits, { backoff_ms: 5 })
      const lead = await world.sameLead()
      const run_id = await world.queue(lead.id)
      const model = unruly((turn) => (turn === 1 ? how : undefined))
      await workRun({ ...world.worker(model), turn_timeout_ms: 200 }, await world.claim(run_id))
      expect(await getRun(ctx, run_id)).toMatchObject({ status: 'queued', error: { code: 'model_timeout' } })
      expect(await world.workToTheEnd(run_id, model)).toMatchObject({ status: 'done' })
    },
  )
})

test('a fault of our own is no verdict about the model: the run is tried again', async () => {
  Object.assign(runLimits, { backoff_ms: 5 })
  const lead = await world.sameLead()
  const run_id = await world.queue(lead.id)
  const claimed = await world.claim(run_id)
  const begin = world.db.sql.begin.bind(world.db.sql)
  let broken = 0
  const sql = new Proxy(world.db.sql, {
    get: (target, key) =>
      key === 'begin'
        ? async (work: never) => {
            if (broken++ === 3)
              throw Object.assign(new Error('sorry, too many clients already'), {
                name: 'PostgresError',
                code: '53300',
              })
            return begin(work)
          }
        : Reflect.get(target, key, target),
  })
  await workRun({ ...world.worker(), db: { ...world.db, sql } }, claimed)
  const run = await getRun(ctx, run_id)
  expect(run.status).toBe('queued')
  expect(run.error?.code).toMatch(/internal_fault|tool_failed/)
  expect(await world.workToTheEnd(run_id)).toMatchObject({ status: 'done', error: null })
})

/** Turns of the run's own model, without those of the rules that stood in for it. */
const ownTurns = (steps: RunStep[]): RunStep[] =>
  steps.filter(({ kind, output }) => kind === 'model' && Object(output).model === undefined)

describe('a run stops with a reason', () => {
  const forever = () => unruly(() => [callOf('read_lead', '{"lead_id":"' + current + '"}')])
  let current = ''
  const capped = async (
    budget: Parameters<typeof changeAgentSettings>[2]['budget'],
    model: LanguageModelV4 = forever(),
  ) => {
    const lead = await world.sameLead()
    current = lead.id
    await changeAgentSettings(ctx, 'lead_worker', { budget })
    const run_id = await world.queue(lead.id)
    try {
      await workRun(world.worker(model), await world.claim(run_id))
    } finally {
      await changeAgentSettings(ctx, 'lead_worker', { budget: { ...lead_worker.budget } })
    }
    return getRun(ctx, run_id)
  }

  test('at its cap of steps', async () => {
    const run = await capped({ max_steps: 3 })
    expect(run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
    expect(ownTurns(run.steps)).toHaveLength(3)
  })

  test('at its cap of steps, also when the server says “stop” beside the call', async () => {
    const model = forever()
    const run = await capped(
      { max_steps: 2 },
      {
        ...model,
        doGenerate: async (options) => ({
          ...(await model.doGenerate(options)),
          finishReason: { unified: 'stop', raw: 'stop' },
        }),
      },
    )
    expect(run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
  })

  test.each(['max_input_tokens', 'max_output_tokens'] as const)(
    'at its cap %s, and says what it used',
    async (cap) => {
      const run = await capped({ [cap]: 1 })
      expect(run).toMatchObject({ status: 'stopped', stop_reason: cap })
      expect(run.usage.input_tokens).toBeGreaterThan(0)
      expect(run.usage.output_tokens).toBeGreaterThan(0)
      expect(run.steps.filter(({ kind }) => kind === 'model')).toHaveLength(1)
    },
  )

  test('when the model’s answer was cut or refused by its provider', async () => {
    for (const [unified, stop_reason] of [
      ['length', 'model_output_cut'],
      ['content-filter', 'model_refused'],
    ] as const) {
      const run = await capped(
        {},
        {
          ...rulesModel,
          doGenerate: async (options) => ({
            ...(await rulesModel.doGenerate(options)),
            content: [],
            finishReason: { unified, raw: unified },
          }),
        },
      )
      expect(run).toMatchObject({ status: 'stopped', stop_reason })
    }
  })
})

test('a model that talks nonsense is told so in the journal, and the run goes on', async () => {
  const lead = await world.sameLead()
  const run_id = await world.queue(lead.id)
  const model = unruly(
    (turn) =>
      ({
        0: [callOf('add_note', '{"body": "cut of')],
        1: [callOf('add_note', '[1, 2]'), callOf('add_note', '{}'), callOf('no_such_tool', '{"a": 1}')],
        2: [callOf('qualify', '{"lead_id": 7}')],
      })[turn],
  )
  await workRun(world.worker(model), await world.claim(run_id))
  const run = await getRun(ctx, run_id)
  const nonsense = run.steps.filter(({ kind }) => kind === 'tool').slice(0, 5)
  expect(nonsense.map(({ tool, verdict }) => `${tool} ${verdict}`).toSorted()).toEqual([
    'add_note invalid',
    'add_note invalid',
    'add_note invalid',
    'no_such_tool deny',
    'qualify invalid',
  ])
  expect(new Set(run.steps.map(({ n }) => n)).size).toBe(run.steps.length)
  // The rules call each tool once, and see that add_note and qualify were called: what is left of their work was done.
  expect(run).toMatchObject({ status: 'done' })
})

describe('an off switch that is thrown during a run stops it before its next act', () => {
  const setAi = async (ai_enabled: boolean) =>
    changeSettings(ctx, { version: (await readSettings(ctx)).version, changes: { ai_enabled } })

  test.each<[rule: string, off: (lead_id: string) => Promise<unknown>, on: () => Promise<unknown>]>([
    ['ai_off', () => setAi(false), () => setAi(true)],
    [
      'agent_off',
      () => changeAgentSettings(ctx, 'lead_worker', { enabled: false }),
      () => changeAgentSettings(ctx, 'lead_worker', { enabled: true }),
    ],
    ['record_off', (id) => updateLead(ctx, id, { agents_paused: true }), async () => {}],
  ])('%s', async (rule, off, on) => {
    const lead = await world.sameLead()
    const run_id = await world.queue(lead.id)
    let turns = 0
    const model: LanguageModelV4 = {
      ...rulesModel,
      doGenerate: async (options) => {
        turns += 1
        if (turns === 3) await off(lead.id)
        return rulesModel.doGenerate(options)
      },
    }
    try {
      await workRun(world.worker(model), await world.claim(run_id))
    } finally {
      await on()
    }
    const run = await getRun(ctx, run_id)
    expect(run).toMatchObject({ status: 'stopped', stop_reason: rule })
    expect(turns).toBe(3)
    expect(run.steps.at(-1)).toMatchObject({ tool: 'qualify', verdict: 'deny', rule })
    expect((await getOpportunity(ctx, lead.id)).verdict).toBeNull()
    expect((await listApprovals(ctx, { subject_id: lead.id, limit: 5 })).data).toEqual([])
  })

  test('before it began, not even the model is asked', async () => {
    const lead = await world.sameLead()
    await updateLead(ctx, lead.id, { agents_paused: true })
    const run_id = await world.queue(lead.id)
    await workRun(world.worker(unruly(() => new Error('it was asked'))), await world.claim(run_id))
    expect(await getRun(ctx, run_id)).toMatchObject({
      status: 'stopped',
      stop_reason: 'record_off',
      steps: [],
    })
  })
})

test('a run that a person stops writes nothing more, and is what the person made of it', async () => {
  Object.assign(runLimits, { heartbeat_ms: 30 })
  const lead = await world.sameLead()
  const run_id = await world.queue(lead.id)
  let turns = 0
  const model: LanguageModelV4 = {
    ...rulesModel,
    doGenerate: async (options) => {
      turns += 1
      if (turns === 3) {
        await cancelRun(ctx, run_id)
        return silence()
      }
      return rulesModel.doGenerate(options)
    },
  }
  await workRun(world.worker(model), await world.claim(run_id))
  const run = await getRun(ctx, run_id)
  expect(run).toMatchObject({ status: 'cancelled', stop_reason: 'stopped by a person' })
  expect(run.steps).toHaveLength(4)
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 50 })
  expect(data.filter(({ type }) => type === 'agent_run')).toMatchObject([{ actor: { kind: 'user' } }])
})

test('several calls in one turn are carried out in the order in which they were written', async () => {
  const lead = await world.sameLead()
  const run_id = await world.queue(lead.id)
  const note = (body: string) => callOf('add_note', JSON.stringify({ lead_id: lead.id, body }))
  const model = unruly((turn) =>
    turn === 0 ? ['one', 'two', 'three', 'four'].map(note) : [{ type: 'text', text: 'Done.' }],
  )
  await workRun(world.worker(model), await world.claim(run_id))
  const { data } = await listNotes(ctx, { subject_id: lead.id, limit: 10 })
  expect(data.map(({ body }) => body)).toEqual(['four', 'three', 'two', 'one'])
  const kinds = (await listSteps(ctx, run_id)).map(({ kind }) => kind)
  // What follows is the answer that it left out.
  expect(kinds.slice(0, 6)).toEqual(['model', 'tool', 'tool', 'tool', 'tool', 'model'])
})

test('a run says which words, which model and which version it was thought with', async () => {
  const lead = await world.sameLead()
  const run_id = await world.queue(lead.id)
  const run = await world.workToTheEnd(run_id)
  expect(run).toMatchObject({
    model: 'rules',
    agent_version: lead_worker.version,
    prompt_version: loadPrompt('lead_worker').version,
    requested_by: { kind: 'user' },
  })
  expect(run.finished_at!.getTime()).toBeGreaterThanOrEqual(run.started_at!.getTime())
})
