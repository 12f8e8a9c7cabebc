import { randomUUID } from 'node:crypto'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import { log } from '../log.ts'
import type { Ctx, Lease } from '../db/context.ts'
import { inTx, LeaseLost } from '../db/context.ts'
import { readAgentSettings, readModelPrice } from '../db/models.ts'
import { agentActor, readStanding } from '../db/policies.ts'
import { runLimits, type Run } from '../db/runs.ts'
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
import { listSteps } from '../db/run-journal.ts'
import { tools } from '../tools/index.ts'
import type { Outside } from '../tools/tool.ts'
import type { Agent } from './agent.ts'
import { takeUpFile } from './file-reading.ts'
import { lead_worker } from './lead_worker.ts'
import { explainModelError, isTransient, openModel, type ModelPrice, type OpenedModel } from './model.ts'
import { owedBy, readOrders } from './orders.ts'
import { rulesModel } from './rules-model.ts'
import { ModelFault } from './journal.ts'
import { think } from './run.ts'
import { ToolFault } from './run-acts.ts'

/** Who can be woken. */
const agents: Readonly<Record<string, Agent>> = { lead_worker }

/** What the thinking part of a worker needs. */
export type AgentWorker = {
  db: Ctx['db']
  outside: Outside
  /** Default model, and how to reach one that needs a key. */
  model: string
  openai_api_key?: string | undefined
  openai_base_url?: string | undefined
  /** Another model in the place of the built-in rules. */
  rules?: LanguageModelV4
  /** Runs at once. */
  concurrency?: number
  /** How long one answer of the model may take. */
  turn_timeout_ms?: number
}

const workerLimits = {
  concurrency: 4,
  poll_ms: 1_000,
  found_for_ms: 250,
  drain_ms: 8_000,
  turn_timeout_ms: 60_000,
  summaries: 2,
}

/**
 * Starts working runs: woken by `run.queued`, and by a look around each second for runs whose worker fell silent. Beside them,
 * files that were read.
 */
export const startAgentJobs = async (
  worker: AgentWorker,
): Promise<{ stop: () => Promise<void>; lastBeat: () => Date }> => {
  const { db } = worker
  const name = `${process.pid}-${randomUUID().slice(0, 8)}`
  const slots = worker.concurrency ?? workerLimits.concurrency
  const stopping = new AbortController()
  const active = new Set<Promise<void>>()
  let looking: Promise<void> | undefined
  let again = false
  let closed = false
  let beat = new Date()

  let found: Awaited<ReturnType<typeof findDueRuns>> = []
  let found_at = 0
  /** Behind a long queue a look costs more than a claim, so some more are found and kept for a moment. */
  const due = async (): Promise<{ runs: typeof found; fresh: boolean }> => {
    const fresh = found.length === 0 || Date.now() - found_at > workerLimits.found_for_ms
    if (fresh) {
      found = await findDueRuns(db, slots * 4)
      found_at = Date.now()
    }
    return { runs: [...found], fresh }
  }

  const fill = async (): Promise<void> => {
    while (!closed && active.size < slots) {
      let claimed = 0
      const { runs, fresh } = await due()
      for (const { organization_id, id } of runs) {
        if (closed || active.size >= slots) break
        found.shift()
        const run = await claimRun(db, organization_id, id, name)
        if (!run) continue
        claimed += 1
        const working = workRun(worker, run, stopping.signal)
          .catch((error: unknown) =>
            log.error(
              { err: error, run_id: id },
              'a run could not be settled; it is taken up again when its lease ends',
            ),
          )
          .finally(() => {
            active.delete(working)
            look()
          })
        active.add(working)
      }
      if (claimed === 0 && fresh) break
    }
    beat = new Date()
  }
  /** One look at a time; a wake-up during one leads to another. */
  const look = (): void => {
    if (looking) {
      again = true
      return
    }
    looking = fill()
      .catch((error: unknown) => log.error({ err: error }, 'looking for runs failed; it is tried again'))
      .finally(() => {
        looking = undefined
        if (again && !closed) {
          again = false
          look()
        }
      })
  }

  await db.queue.work('run.queued', { concurrency: 1, batch: 100 }, () => {
    look()
    return Promise.resolve()
  })
  const summariser = {
    db,
    model: worker.model,
    open: (spec: string, price: ModelPrice | undefined) => openModelOf(worker, spec, price),
    timeout_ms: worker.turn_timeout_ms ?? workerLimits.turn_timeout_ms,
  }
  await db.queue.work('file.read', { concurrency: workerLimits.summaries }, (read, signal) =>
    takeUpFile(summariser, read, signal),
  )
  const timer = setInterval(look, workerLimits.poll_ms)
  return {
    lastBeat: () => beat,
    stop: async () => {
      clearInterval(timer)
      // Nothing new is claimed from here on; what is under way ends, or is given back when it takes too long.
      closed = true
      const late = setTimeout(() => stopping.abort(new Stopping()), workerLimits.drain_ms)
      await looking
      await Promise.allSettled(active)
      clearTimeout(late)
    },
  }
}

/** The process stops: the run is given back as it stands. */
class Stopping extends Error {}

/** Works one claimed run to an end that is visible: done, stopped, failed, dead, or postponed for another attempt. */
export const workRun = async (
  worker: AgentWorker,
  claimed: ClaimedRun,
  stopping?: AbortSignal,
): Promise<void> => {
  const { run, lease, organization_id } = claimed
  const ctx: Ctx = {
    db: worker.db,
    organization_id,
    actor: agentActor(run.agent),
    ...(run.requested_by.kind === 'user' ? { on_behalf_of: run.requested_by } : {}),
    run_id: run.id,
    lease,
  }
  const lost = new AbortController()
  const beat = keepLease(ctx, lease, lost)
  try {
    const agent = agents[run.agent]
    if (!agent) return await endRun(ctx, run, { status: 'failed', stop_reason: 'unknown_agent' })
    if (run.attempts > runLimits.max_attempts) return await endRun(ctx, run, givenUp(run))
    const signal = stopping ? AbortSignal.any([lost.signal, stopping]) : lost.signal
    await endRun(ctx, run, await thinkAs(worker, ctx, agent, run, signal))
  } catch (error) {
    await settleFault(ctx, run, error)
  } finally {
    clearInterval(beat)
  }
}

const thinkAs = async (
  worker: AgentWorker,
  ctx: Ctx,
  agent: Agent,
  run: Run,
  signal: AbortSignal,
): Promise<Parameters<typeof endRun>[2]> => {
  const { standing, settings, steps, told, tainted_by, spec, price } = await inTx(ctx, async (ctx) => {
    const [standing, settings, steps, told] = await Promise.all([
      readStanding(ctx, agent.name, run.subject),
      readAgentSettings(ctx, agent.name),
      listSteps(ctx, run.id),
      readOrders(ctx, agent, run),
    ])
    const spec = told.orders.by_rules ? 'rules' : (settings.model ?? worker.model)
    // Told by an earlier worker, it stands there already.
    const tainted_by = run.tainted_by.length > 0 ? run.tainted_by : told.tainted_by
    const { prompt_version } = told
    await beginRun(ctx, { model: spec, prompt_version, agent_version: agent.version, tainted_by })
    return { standing, settings, steps, told, tainted_by, spec, price: await readModelPrice(ctx, spec) }
  })
  if (!standing.ai_enabled) return { status: 'stopped', stop_reason: 'ai_off' }
  if (!standing.agent_enabled) return { status: 'stopped', stop_reason: 'agent_off' }
  if (standing.record_paused) return { status: 'stopped', stop_reason: 'record_off' }
  if (told.gone !== undefined) return { status: 'done', stop_reason: 'nothing_to_do', said: told.gone }
  const model = openModelOf(worker, spec, price)
  const { orders, instructions, request } = told
  return think({
    ctx,
    run: { ...run, tainted_by },
    agent: agent.name,
    instructions,
    request,
    model,
    tools,
    // A tool that was switched off does not exist for the model.
    offered: orders.tools.filter((name) => (standing.levels[name] ?? 'off') !== 'off'),
    budget: { ...agent.budget, ...settings.budget },
    steps,
    outside: worker.outside,
    signal,
    owes: owedBy(orders, run, standing.levels),
    turn_timeout_ms: worker.turn_timeout_ms ?? workerLimits.turn_timeout_ms,
  })
}

const openModelOf = (worker: AgentWorker, spec: string, price: ModelPrice | undefined): OpenedModel => {
  try {
    return openModel(spec, {
      rules: worker.rules ?? rulesModel,
      openai_api_key: worker.openai_api_key,
      openai_base_url: worker.openai_base_url,
      price,
    })
  } catch (error) {
    throw new ModelFault(error)
  }
}

const keepLease = (ctx: Ctx, lease: Lease, lost: AbortController): NodeJS.Timeout =>
  setInterval(() => {
    heartbeat(ctx.db, ctx.organization_id, lease)
      .then((held) => {
        if (!held) lost.abort(new LeaseLost(lease))
      })
      .catch((error: unknown) => log.warn({ err: error, run_id: lease.run_id }, 'a heartbeat failed'))
  }, runLimits.heartbeat_ms)

const settleFault = async (ctx: Ctx, run: Run, error: unknown): Promise<void> => {
  if (error instanceof LeaseLost) return log.info({ run_id: run.id }, 'another worker has this run')
  if (error instanceof Stopping) return releaseRun(ctx, run)
  const fault = explainFault(error)
  log.warn({ err: error, run_id: run.id, attempt: run.attempts }, 'a run met a fault')
  try {
    // Only the model's own refusals are final: a fault of ours may pass, and is given up on in the end.
    if (error instanceof ModelFault && !isTransient(error.cause)) {
      return await endRun(ctx, run, { status: 'failed', stop_reason: fault.code, error: fault })
    }
    if (run.attempts >= runLimits.max_attempts)
      return await endRun(ctx, run, { ...givenUp(run), error: fault })
    await postponeRun(ctx, run, fault)
  } catch (settling) {
    if (!(settling instanceof LeaseLost)) throw settling
  }
}

const explainFault = (error: unknown): { code: string; message: string; retry_after_ms?: number } => {
  if (error instanceof ModelFault) return explainModelError(error.cause)
  if (error instanceof ToolFault) return { code: 'tool_failed', message: error.message }
  return {
    code: 'internal_fault',
    message: 'Something failed inside Leadhand itself; the log has the details.',
  }
}

const givenUp = (run: Run) => ({
  status: 'dead' as const,
  stop_reason: `gave up after ${runLimits.max_attempts} attempts`,
  error: run.error ?? { code: 'worker_died', message: 'Its workers stopped before they could finish it.' },
})
