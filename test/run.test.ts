import { APICallError, type LanguageModelV4, type LanguageModelV4Content } from '@ai-sdk/provider'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { workRun } from '../agents/jobs.ts'
import { lead_worker } from '../agents/lead_worker.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { think } from '../agents/run.ts'
import { listTimeline } from '../db/activities.ts'
import { listApprovals } from '../db/approvals.ts'
import { LeaseLost, type Ctx } from '../db/context.ts'
import { listFailures, retryFailure } from '../db/failures.ts'
import { updateLead } from '../db/leads.ts'
import { changeAgentSettings } from '../db/models.ts'
import { listNotes } from '../db/notes.ts'
import { getOpportunity } from '../db/opportunities.ts'
import { agentActor } from '../db/policies.ts'
import { cancelRun, getRun, listRuns, queueRun, runLimits, type Run } from '../db/runs.ts'
import { claimRun, type ClaimedRun } from '../db/run-lease.ts'
import { listSteps } from '../db/run-journal.ts'
import { changeSettings, readSettings } from '../db/settings.ts'
import { listTasks } from '../db/tasks.ts'
import { loadPrompt } from '../prompts/load.ts'
import { tools } from '../tools/index.ts'
import type { Tool } from '../tools/tool.ts'
import { startWorker } from '../worker.ts'
import { eventually } from './eventually.ts'
import { startWebsite, type Website } from './website.ts'
import { makeLead, nowhere } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

let world: World
let ctx: Ctx
let website: Website
const initial = { ...runLimits }

beforeAll(async () => {
  world = await openWorld({ works: true })
  ctx = world.ctx
  website = await startWebsite()
})
afterEach(() => void Object.assign(runLimits, initial))
afterAll(async () => {
  await website.stop()
  await world.stop()
})

const outside = () => ({ ...nowhere, fetch_allow: new Set([website.host]) })
const worker = (rules: LanguageModelV4 = rulesModel) => ({
  db: world.db,
  outside: outside(),
  model: 'rules',
  rules,
})

/** The same lead, as often as it is asked for. */
const sameLead = () =>
  makeLead(ctx, {
    contact_name: 'Ana Ruiz',
    email: 'ana@brightside.example',
    phone: '+49 30 901820',
    title: 'Head of Operations',
    website: website.url,
  })

const queue = async (lead_id: string): Promise<string> =>
  (
    await queueRun(ctx, {
      agent: 'lead_worker',
      subject: { kind: 'lead', id: lead_id },
      trigger: { kind: 'request' },
    })
  ).id
const claim = (id: string, name = 'first'): Promise<ClaimedRun> =>
  eventually(() => claimRun(world.db, ctx.organization_id, id, name), 3_000)
const ended = (run: Run): boolean => !['queued', 'running'].includes(run.status)

/** Works a run as often as it takes to end. */
const workToTheEnd = async (id: string, rules?: LanguageModelV4): Promise<Run> => {
  for (let n = 0; n < 12; n++) {
    await workRun(worker(rules), await claim(id))
    const run = await getRun(ctx, id)
    if (ended(run)) return run
  }
  throw new Error('it never ended')
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Everything that a run left behind, without ids and times: what two runs of the same lead have in common. */
const tracesOf = async (lead_id: string, run_id: string): Promise<string> => {
  const { data: lines } = await listTimeline(ctx, { kind: 'lead', id: lead_id }, { limit: 100 })
  const { data: approvals } = await listApprovals(ctx, { subject_id: lead_id, limit: 50 })
  const { data: tasks } = await listTasks(ctx, { subject_id: lead_id, limit: 50 })
  const { data: notes } = await listNotes(ctx, { subject_id: lead_id, limit: 50 })
  const steps = await listSteps(ctx, run_id)
  const { stage, score, version, verdict } = await getOpportunity(ctx, lead_id)
  const traces = {
    lines: lines.map(({ type, actor, summary, reason, data }) => ({ type, actor, summary, reason, data })),
    approvals: approvals.map(({ tool, status, input, summary }) => ({ tool, status, input, summary })),
    tasks: tasks.map(({ title }) => title),
    notes: notes.map(({ body }) => body),
    steps: steps.map(({ n, kind, tool, verdict, call_id }) => ({ n, kind, tool, verdict, call_id })),
    lead: { stage: stage.label, score, version, verdict },
  }
  return JSON.stringify(traces, null, 1).replaceAll(UUID, '#')
}

/** Never answers, and does not listen to anybody: a worker that hangs, or is dead. */
const silence = (): Promise<never> => new Promise(() => {})

describe('a worker that dies at any step boundary is replaced, and nothing happens twice or not at all', () => {
  /** Works a claimed run until just before its nth model turn or tool call, and dies there. */
  const dieBefore = (
    claimed: ClaimedRun,
    kind: 'turn' | 'call',
    n: number,
    died: () => void,
    hang = silence,
  ): Promise<unknown> => {
    let turns = 0
    let calls = 0
    const die = () => {
      died()
      return hang()
    }
    const model: LanguageModelV4 = {
      ...rulesModel,
      doGenerate: async (options) => {
        turns += 1
        if (kind === 'turn' && turns === n) await die()
        return rulesModel.doGenerate(options)
      },
    }
    const mortal = Object.fromEntries(
      Object.entries(tools).map(([name, tool]): [string, Tool] => [
        name,
        {
          ...tool,
          prepare: async (...given) => {
            calls += 1
            if (kind === 'call' && calls === n) await die()
            return tool.prepare?.(...given)
          },
        },
      ]),
    )
    const { run, lease, organization_id } = claimed
    return think({
      ctx: { db: world.db, organization_id, actor: agentActor('lead_worker'), run_id: run.id, lease },
      run,
      agent: 'lead_worker',
      instructions: loadPrompt('lead_worker').render({ agent: 'lead_worker' }),
      request: `Work the lead ${run.subject.id}.`,
      model: { model, spec: 'rules' },
      tools: mortal,
      offered: lead_worker.tools,
      budget: lead_worker.budget,
      steps: [],
      outside: outside(),
      signal: new AbortController().signal,
      turn_timeout_ms: 60_000,
    })
  }

  test('one after the other, at all fifteen of them', async () => {
    const undisturbed = await sameLead()
    const id = await queue(undisturbed.id)
    await workToTheEnd(id)
    const wanted = await tracesOf(undisturbed.id, id)
    expect(wanted).toContain('draft_email')

    Object.assign(runLimits, { lease_ms: 150, heartbeat_ms: 60_000 })
    const boundaries = [
      ...Array.from({ length: 8 }, (_, n) => ['turn', n + 1] as const),
      ...Array.from({ length: 7 }, (_, n) => ['call', n + 1] as const),
    ]
    for (const [kind, n] of boundaries) {
      const lead = await sameLead()
      const run_id = await queue(lead.id)
      const claimed = await claim(run_id)
      await new Promise<void>((died, survived) => {
        dieBefore(claimed, kind, n, died).then(
          () => survived(new Error(`it ended before ${kind} ${n}`)),
          survived,
        )
      })
      const before = await listSteps(ctx, run_id)
      expect(before).toHaveLength(kind === 'turn' ? (n - 1) * 2 : n * 2 - 1)
      await workRun(worker(), await claim(run_id, 'second'))
      expect(await getRun(ctx, run_id)).toMatchObject({ status: 'done', attempts: 2 })
      expect([kind, n, await tracesOf(lead.id, run_id)]).toEqual([kind, n, wanted])
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
      const lead = await sameLead()
      const run_id = await queue(lead.id)
      const claimed = await claim(run_id)
      let wake: () => void = () => {}
      const sleep = new Promise<void>((resolve) => {
        wake = resolve
      })
      let sleeper: Promise<unknown> = Promise.resolve()
      await new Promise<void>((slept) => {
        sleeper = dieBefore(claimed, kind, n, slept, () => sleep as Promise<never>)
        sleeper.catch(() => {})
      })
      await workRun(worker(), await claim(run_id, 'second'))
      const settled = await tracesOf(lead.id, run_id)
      wake()
      await expect(sleeper).rejects.toBeInstanceOf(LeaseLost)
      expect(await tracesOf(lead.id, run_id)).toBe(settled)
    }
  })

  test('within seconds, by a worker that looks around', async () => {
    const lead = await sameLead()
    const run_id = await queue(lead.id)
    Object.assign(runLimits, { lease_ms: 1_000, heartbeat_ms: 300 })
    await claim(run_id, 'dead')
    const started = performance.now()
    const running = await startWorker({ ...worker(), heads_file: `${world.folder}/heads.jsonl` })
    try {
      await eventually(async () => (await getRun(ctx, run_id)).status === 'done')
    } finally {
      await running.stop()
    }
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('but one whose workers die every time is given up on, visibly', async () => {
    Object.assign(runLimits, { lease_ms: 1 })
    const lead = await sameLead()
    const run_id = await queue(lead.id)
    for (let n = 0; n < runLimits.max_attempts; n++) await claim(run_id, `dead ${n}`)
    await workRun(worker(), await claim(run_id, 'last'))
    expect(await getRun(ctx, run_id)).toMatchObject({ status: 'dead', error: { code: 'worker_died' } })
  })

  test('a worker at work keeps its lease for as long as it takes', async () => {
    Object.assign(runLimits, { lease_ms: 300, heartbeat_ms: 50 })
    const lead = await sameLead()
    const run_id = await queue(lead.id)
    const slow: LanguageModelV4 = {
      ...rulesModel,
      doGenerate: async (options) => {
        await new Promise((resolve) => setTimeout(resolve, 120))
        return rulesModel.doGenerate(options)
      },
    }
    const working = workRun(worker(slow), await claim(run_id))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await claimRun(world.db, ctx.organization_id, run_id, 'thief')).toBeUndefined()
    await working
    expect(await getRun(ctx, run_id)).toMatchObject({ status: 'done', attempts: 1 })
  })
})

/** A model that does something else on some turns. */
const unruly = (
  on: (turn: number) => LanguageModelV4Content[] | Error | 'hang' | 'deaf' | undefined,
): LanguageModelV4 => {
  let turn = 0
  return {
    ...rulesModel,
    doGenerate: async (options) => {
      const odd = on(turn++)
      if (odd === undefined) return rulesModel.doGenerate(options)
      if (odd === 'deaf') return silence()
      if (odd === 'hang') {
        return new Promise((_, reject) => {
          options.abortSignal?.addEventListener('abort', () => reject(options.abortSignal?.reason as Error))
        })
      }
      if (odd instanceof Error) throw odd
      const { usage, warnings } = await rulesModel.doGenerate(options)
      const unified = odd.some(({ type }) => type === 'tool-call')
        ? ('tool-calls' as const)
        : ('stop' as const)
      return { content: odd, finishReason: { unified, raw: undefined }, usage, warnings }
    },
  }
}
const callOf = (toolName: string, input: string): LanguageModelV4Content => ({
  type: 'tool-call',
  toolCallId: 'same id every time',
  toolName,
  input,
})
const answered = (statusCode: number): APICallError =>
  new APICallError({ message: 'no', url: 'http://model.example', requestBodyValues: {}, statusCode })

describe('a model that fails', () => {
  test('in passing is asked again, later and later, and the run ends well with every step once', async () => {
    Object.assign(runLimits, { backoff_ms: 40 })
    const lead = await sameLead()
    const run_id = await queue(lead.id)
    const model = unruly(
      (turn) =>
        ({
          2: answered(429),
          3: answered(503),
          6: new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } }),
        })[turn],
    )
    await workRun(worker(model), await claim(run_id))
    const waiting = await getRun(ctx, run_id)
    expect(waiting).toMatchObject({ status: 'queued', attempts: 1, error: { code: 'model_rate_limited' } })
    expect(waiting.next_attempt_at.getTime()).toBeGreaterThan(Date.now() - 40)
    expect(waiting.steps).toHaveLength(4)
    expect(await workToTheEnd(run_id, model)).toMatchObject({ status: 'done', error: null, attempts: 4 })
    const { steps } = await getRun(ctx, run_id)
    expect(steps.map(({ n }) => n)).toEqual(steps.map((_, n) => n))
    expect(steps.filter(({ tool }) => tool === 'draft_email')).toHaveLength(1)
  })

  test('for good fails the run at once, with words for a person', async () => {
    const lead = await sameLead()
    const run_id = await queue(lead.id)
    await workRun(worker(unruly(() => answered(401))), await claim(run_id))
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
    const lead = await sameLead()
    const run_id = await queue(lead.id)
    expect(
      await workToTheEnd(
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
    expect(await workToTheEnd(again!)).toMatchObject({ status: 'done', trigger: { kind: 'retry' } })
    expect((await listFailures(ctx, 50)).map(({ id }) => id)).not.toContain(run_id)
  })

  test.each(['hang', 'deaf'] as const)(
    'to answer in time (%s) is a timeout, and the run goes on later',
    async (how) => {
      Object.assign(runLimits, { backoff_ms: 5 })
      const lead = await sameLead()
      const run_id = await queue(lead.id)
      const model = unruly((turn) => (turn === 1 ? how : undefined))
      await workRun({ ...worker(model), turn_timeout_ms: 200 }, await claim(run_id))
      expect(await getRun(ctx, run_id)).toMatchObject({ status: 'queued', error: { code: 'model_timeout' } })
      expect(await workToTheEnd(run_id, model)).toMatchObject({ status: 'done' })
    },
  )
})

test('a fault of our own is no verdict about the model: the run is tried again', async () => {
  Object.assign(runLimits, { backoff_ms: 5 })
  const lead = await sameLead()
  const run_id = await queue(lead.id)
  const claimed = await claim(run_id)
  const begin = world.db.sql.begin.bind(world.db.sql)
  let broken = 0
  const sql = new Proxy(world.db.sql, {
    get: (target, key) =>
      key === 'begin'
        ? async (work: never) => {
            if (broken++ === 3)
              throw Object.assign(new Error('terminating connection due to administrator command'), {
                name: 'PostgresError',
                code: '57P01',
              })
            return begin(work)
          }
        : Reflect.get(target, key, target),
  })
  await workRun({ ...worker(), db: { ...world.db, sql } }, claimed)
  const run = await getRun(ctx, run_id)
  expect(run.status).toBe('queued')
  expect(run.error?.code).toMatch(/internal_fault|tool_failed/)
  expect(await workToTheEnd(run_id)).toMatchObject({ status: 'done', error: null })
})

describe('a run stops with a reason', () => {
  const forever = () => unruly(() => [callOf('read_lead', '{"lead_id":"' + current + '"}')])
  let current = ''
  const capped = async (
    budget: Parameters<typeof changeAgentSettings>[2]['budget'],
    model: LanguageModelV4 = forever(),
  ) => {
    const lead = await sameLead()
    current = lead.id
    await changeAgentSettings(ctx, 'lead_worker', { budget })
    const run_id = await queue(lead.id)
    try {
      await workRun(worker(model), await claim(run_id))
    } finally {
      await changeAgentSettings(ctx, 'lead_worker', { budget: { ...lead_worker.budget } })
    }
    return getRun(ctx, run_id)
  }

  test('at its cap of steps', async () => {
    const run = await capped({ max_steps: 3 })
    expect(run).toMatchObject({ status: 'stopped', stop_reason: 'max_steps' })
    expect(run.steps.filter(({ kind }) => kind === 'model')).toHaveLength(3)
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
  const lead = await sameLead()
  const run_id = await queue(lead.id)
  const model = unruly(
    (turn) =>
      ({
        0: [callOf('add_note', '{"body": "cut of')],
        1: [callOf('add_note', '[1, 2]'), callOf('add_note', '{}'), callOf('no_such_tool', '{"a": 1}')],
        2: [callOf('qualify', '{"lead_id": 7}')],
      })[turn],
  )
  await workRun(worker(model), await claim(run_id))
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
    const lead = await sameLead()
    const run_id = await queue(lead.id)
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
      await workRun(worker(model), await claim(run_id))
    } finally {
      await on()
    }
    const run = await getRun(ctx, run_id)
    expect(run).toMatchObject({ status: 'stopped', stop_reason: rule })
    expect(turns).toBe(3)
    expect(run.steps.at(-1)).toMatchObject({ tool: 'qualify', verdict: 'deny', rule })
    expect((await getOpportunity(ctx, lead.id)).score).toBeNull()
    expect((await listApprovals(ctx, { subject_id: lead.id, limit: 5 })).data).toEqual([])
  })

  test('before it began, not even the model is asked', async () => {
    const lead = await sameLead()
    await updateLead(ctx, lead.id, { agents_paused: true })
    const run_id = await queue(lead.id)
    await workRun(worker(unruly(() => new Error('it was asked'))), await claim(run_id))
    expect(await getRun(ctx, run_id)).toMatchObject({
      status: 'stopped',
      stop_reason: 'record_off',
      steps: [],
    })
  })
})

test('a run that a person stops writes nothing more, and is what the person made of it', async () => {
  Object.assign(runLimits, { heartbeat_ms: 30 })
  const lead = await sameLead()
  const run_id = await queue(lead.id)
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
  await workRun(worker(model), await claim(run_id))
  const run = await getRun(ctx, run_id)
  expect(run).toMatchObject({ status: 'cancelled', stop_reason: 'stopped by a person' })
  expect(run.steps).toHaveLength(4)
  const { data } = await listTimeline(ctx, { kind: 'lead', id: lead.id }, { limit: 50 })
  expect(data.filter(({ type }) => type === 'agent_run')).toMatchObject([{ actor: { kind: 'user' } }])
})

test('several calls in one turn are carried out in the order in which they were written', async () => {
  const lead = await sameLead()
  const run_id = await queue(lead.id)
  const note = (body: string) => callOf('add_note', JSON.stringify({ lead_id: lead.id, body }))
  const model = unruly((turn) =>
    turn === 0 ? ['one', 'two', 'three', 'four'].map(note) : [{ type: 'text', text: 'Done.' }],
  )
  await workRun(worker(model), await claim(run_id))
  const { data } = await listNotes(ctx, { subject_id: lead.id, limit: 10 })
  expect(data.map(({ body }) => body)).toEqual(['four', 'three', 'two', 'one'])
  expect((await listSteps(ctx, run_id)).map(({ kind }) => kind)).toEqual([
    'model',
    'tool',
    'tool',
    'tool',
    'tool',
    'model',
  ])
})

test('a run says which words, which model and which version it was thought with', async () => {
  const lead = await sameLead()
  const run_id = await queue(lead.id)
  const run = await workToTheEnd(run_id)
  expect(run).toMatchObject({
    model: 'rules',
    agent_version: lead_worker.version,
    prompt_version: loadPrompt('lead_worker').version,
    requested_by: { kind: 'user' },
  })
  expect(run.finished_at!.getTime()).toBeGreaterThanOrEqual(run.started_at!.getTime())
})
