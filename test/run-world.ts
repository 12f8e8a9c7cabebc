import type { LanguageModelV4, LanguageModelV4Content } from '@ai-sdk/provider'
import { afterAll, afterEach } from 'vitest'
import { workRun, type AgentWorker } from '../agents/jobs.ts'
import { lead_worker } from '../agents/lead_worker.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { think, type Thinking } from '../agents/run.ts'
import { NO_TASK } from '../agents/task-orders.ts'
import { listApprovals } from '../db/approvals.ts'
import { inTx, type Ctx } from '../db/context.ts'
import type { NewLead } from '../db/leads.ts'
import { listNotes } from '../db/notes.ts'
import { getOpportunity, type Opportunity } from '../db/opportunities.ts'
import { agentActor } from '../db/policies.ts'
import { getRun, queueRun, runLimits, type Run, type RunTrigger } from '../db/runs.ts'
import { claimRun, type ClaimedRun } from '../db/run-lease.ts'
import { listSteps, type RunStep } from '../db/run-journal.ts'
import { listTasks } from '../db/tasks.ts'
import { listTimeline } from '../db/timeline.ts'
import { loadPrompt } from '../prompts/load.ts'
import { tools } from '../tools/index.ts'
import type { Tool } from '../tools/tool.ts'
import { eventually } from './eventually.ts'
import { startWebsite } from './website.ts'
import { makeLead, nowhere } from './worked-lead.ts'
import { openWorld, type World } from './world.ts'

/** A world in which runs are worked by hand, one claim at a time, with any model in the place of the rules. */
type RunWorld = Omit<World, 'stop'> & {
  worker: (rules?: LanguageModelV4) => AgentWorker
  /** The same lead, as often as it is asked for. */
  sameLead: (fields?: Partial<NewLead>) => Promise<Opportunity>
  queue: (lead_id: string, ask?: RunTrigger['ask']) => Promise<string>
  claim: (run_id: string, worker?: string) => Promise<ClaimedRun>
  /** Works a run as often as it takes to end. */
  workToTheEnd: (run_id: string, rules?: LanguageModelV4) => Promise<Run & { steps: RunStep[] }>
  /** Works a claimed run until just before its nth model turn or tool call, and dies there. */
  dieBefore: (claimed: ClaimedRun, death: Death, options?: Partial<Thinking>) => Promise<unknown>
}

/** Where a worker dies, what it says then, and how it hangs; by default for ever. */
type Death = { kind: 'turn' | 'call'; n: number; died: () => void; hang?: () => Promise<never> }

/** Opens a fresh world with a website of its own for a test file; both end with it, and limits with each test. */
export const openRunWorld = async (): Promise<RunWorld> => {
  const world = await openWorld({ works: true })
  const { ctx } = world
  const website = await startWebsite()
  const outside = { ...nowhere, fetch_allow: new Set([website.host]) }
  const worker: RunWorld['worker'] = (rules = rulesModel) => ({
    db: world.db,
    outside,
    model: 'rules',
    rules,
  })
  const claim: RunWorld['claim'] = (run_id, name = 'first') =>
    eventually(() => claimRun(world.db, ctx.organization_id, run_id, name), 3_000)
  const initial = { ...runLimits }
  afterEach(() => void Object.assign(runLimits, initial))
  afterAll(async () => {
    await website.stop()
    await world.stop()
  })
  return {
    ...world,
    worker,
    claim,
    sameLead: async (fields) => {
      const lead = await makeLead(ctx, {
        contact_name: 'Ana Ruiz',
        email: 'ana@brightside.example',
        phone: '+49 30 901820',
        title: 'Head of Operations',
        website: website.url,
        ...fields,
      })
      // Each stands for itself: nobody proposes to merge them.
      await inTx(
        ctx,
        ({ tx }) => tx`update duplicate_pairs set dismissed_at = now(), dismissed_by = ${tx.json(ctx.actor)}`,
      )
      return lead
    },
    queue: async (lead_id, ask) =>
      (
        await queueRun(ctx, {
          agent: 'lead_worker',
          subject: { kind: 'lead', id: lead_id },
          trigger: { kind: 'request', ...(ask ? { ask } : {}) },
        })
      ).id,
    workToTheEnd: async (run_id, rules) => {
      for (let n = 0; n < 12; n++) {
        await workRun(worker(rules), await claim(run_id))
        const run = await getRun(ctx, run_id)
        if (!['queued', 'running'].includes(run.status)) return run
      }
      throw new Error('it never ended')
    },
    dieBefore: (claimed, death, options) => {
      const { run, lease, organization_id } = claimed
      const mortal = mortalParts(death, options?.model?.model ?? rulesModel)
      return think({
        ctx: { db: world.db, organization_id, actor: agentActor('lead_worker'), run_id: run.id, lease },
        run,
        agent: 'lead_worker',
        instructions: loadPrompt('lead_worker').render({ agent: 'lead_worker', task: NO_TASK }),
        request: `Work the lead ${run.subject.id}.`,
        offered: lead_worker.tools,
        budget: lead_worker.budget,
        steps: [],
        outside,
        signal: new AbortController().signal,
        turn_timeout_ms: 60_000,
        ...options,
        model: { model: mortal.model, spec: 'rules' },
        tools: mortal.tools,
      })
    },
  }
}

/** A model and tools that count, and hang at the chosen one. */
const mortalParts = (
  { kind, n, died, hang = silence }: Death,
  thinker: LanguageModelV4,
): { model: LanguageModelV4; tools: Record<string, Tool> } => {
  const reached = { turn: 0, call: 0 }
  const pass = async (what: Death['kind']): Promise<void> => {
    reached[what] += 1
    if (kind !== what || reached[what] !== n) return
    died()
    await hang()
  }
  return {
    model: {
      ...thinker,
      doGenerate: async (options) => {
        await pass('turn')
        return thinker.doGenerate(options)
      },
    },
    tools: Object.fromEntries(
      Object.entries(tools).map(([name, tool]): [string, Tool] => [
        name,
        {
          ...tool,
          prepare: async (...given) => {
            await pass('call')
            return tool.prepare?.(...given)
          },
        },
      ]),
    ),
  }
}

/** Never answers, and does not listen to anybody: a worker that hangs, or is dead. */
export const silence = (): Promise<never> => new Promise(() => {})

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Everything that a run left behind, without ids and times: what two runs of the same lead have in common. */
export const tracesOf = async (ctx: Ctx, lead_id: string, run_id: string): Promise<string> => {
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
  return JSON.stringify(traces, null, 1)
    .replaceAll(UUID, '#')
    .replaceAll(/("seconds_in_stage": )\d+/g, '$1#')
}

/** What a model may do instead of what the rules say. */
type Odd = LanguageModelV4Content[] | Error | 'hang' | 'deaf' | undefined

/** A model that does something else on some turns; `asked` is how often it was asked for the run's work so far. */
export const unruly = (on: (turn: number, asked: number) => Odd): LanguageModelV4 => {
  let turn = 0
  return {
    ...rulesModel,
    doGenerate: async (options) => {
      const odd = on(turn++, options.prompt.filter(({ role }) => role === 'user').length)
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

/** A tool call in a model's turn. */
export const callOf = (toolName: string, input: string): LanguageModelV4Content => ({
  type: 'tool-call',
  toolCallId: 'same id every time',
  toolName,
  input,
})
