import { v7 as uuidv7 } from 'uuid'
import { recordActivity, type Subject } from './activities.ts'
import type { Database } from './client.ts'
import {
  inTx,
  LeaseLost,
  sendStatement,
  systemCtx,
  type Actor,
  type Ctx,
  type Lease,
  type TxCtx,
} from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { page, type Page } from './page.ts'
import { enqueue } from './queue.ts'
import { storableJson } from './text.ts'

export type RunStatus = 'queued' | 'running' | 'paused' | 'done' | 'failed' | 'stopped' | 'cancelled' | 'dead'
export type RunTrigger = {
  kind: 'submission' | 'request' | 'retry'
  submission_id?: string
  ask?: 'enrich' | 'suggest' | 'work'
}
/** Something from outside that a run has read. */
export type TaintSource = { kind: 'record' | 'url'; id?: string; url?: string }

export type Run = {
  id: string
  agent: string
  agent_version: string | null
  subject: Subject
  status: RunStatus
  trigger: RunTrigger
  requested_by: Actor
  model: string | null
  prompt_version: string | null
  usage: { input_tokens: number; output_tokens: number; cost_minor?: number; currency?: string }
  stop_reason: string | null
  error: { code: string; message: string } | null
  tainted_by: TaintSource[]
  attempts: number
  next_attempt_at: Date
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}

export type RunStep = {
  n: number
  kind: 'model' | 'tool'
  tool: string | null
  call_id: string | null
  input: unknown
  verdict: string | null
  rule: string | null
  output: unknown
  usage: { input_tokens: number; output_tokens: number } | null
  started_at: Date
  finished_at: Date
}

/** How long a claim lasts without a heartbeat, and how often a run is tried. */
export const runLimits = {
  lease_ms: 10_000,
  heartbeat_ms: 3_000,
  max_attempts: 4,
  backoff_ms: 2_000,
  backoff_max_ms: 60_000,
}

/** Puts an agent on a record. One that waits for it already is answered instead of a second one. */
export const queueRun = (
  ctx: Ctx,
  input: { agent: string; subject: Subject; trigger: RunTrigger },
): Promise<{ id: string; waiting: boolean }> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // The one that waits may be claimed between the two statements; then there is room for a new one.
    for (let look = 0; look < 3; look++) {
      const id = uuidv7()
      const [added] = await tx`
        insert into runs ${tx({
          organization_id,
          id,
          agent: input.agent,
          subject_kind: input.subject.kind,
          subject_id: input.subject.id,
          trigger: tx.json(input.trigger),
          requested_by: tx.json(ctx.actor),
        })}
        on conflict do nothing returning id`
      if (added) {
        await enqueue(ctx, 'run.queued', { run_id: id })
        return { id, waiting: false }
      }
      const [waiting] = await tx<{ id: string }[]>`
        select id from runs where organization_id = ${organization_id} and agent = ${input.agent}
          and subject_id = ${input.subject.id} and status = 'queued' and attempts = 0`
      if (waiting) return { id: waiting.id, waiting: true }
    }
    throw new DomainError('conflict', 'run_starting', 'A run on this record is just starting. Try again.')
  })

/** A run that this worker now holds. */
export type ClaimedRun = { organization_id: string; run: Run; lease: Lease }

/** Runs that may be claimed now, in turn round the organizations. */
export const findDueRuns = async (
  db: Database,
  at_most: number,
): Promise<{ organization_id: string; id: string }[]> => {
  const rows = await db.sql<
    { organization_id: string; id: string }[]
  >`select * from finder.due_runs(${at_most})`
  return [...rows]
}

/** Takes a run that waits, or whose worker fell silent; nothing when another worker was faster. */
export const claimRun = (
  db: Database,
  organization_id: string,
  id: string,
  worker: string,
): Promise<ClaimedRun | undefined> =>
  inTx(systemCtx(db, organization_id, 'worker'), async ({ tx }) => {
    const [claimed] = await tx<(RunRow & { fence: number })[]>`
      update runs set status = 'running', fence = fence + 1, attempts = attempts + 1, worker = ${worker},
        started_at = coalesce(started_at, now()), lease_until = now() + ${`${runLimits.lease_ms} ms`}::interval
      where organization_id = ${organization_id} and id = ${id}
        and ((status = 'queued' and next_attempt_at <= now()) or (status = 'running' and lease_until < now()))
      returning *`
    return claimed
      ? { organization_id, run: toRun(claimed), lease: { run_id: id, fence: claimed.fence } }
      : undefined
  })

/** Extends a claim; false when another worker has taken over or the run was cancelled. */
export const heartbeat = (db: Database, organization_id: string, lease: Lease): Promise<boolean> =>
  inTx(systemCtx(db, organization_id, 'worker'), async ({ tx }) => {
    const rows = await tx`
      update runs set lease_until = now() + ${`${runLimits.lease_ms} ms`}::interval
      where organization_id = ${organization_id} and id = ${lease.run_id} and fence = ${lease.fence} and status = 'running'
      returning id`
    return rows.length > 0
  })

/** What a finished step adds to the journal; `n` is given here. */
export type NewStep = {
  kind: 'model' | 'tool'
  tool?: string
  call_id?: string
  input?: unknown
  verdict?: string
  rule?: string
  output?: unknown
  usage?: {
    input_tokens: number
    output_tokens: number
    cost_minor?: number | undefined
    currency?: string | undefined
  }
  tainted_by?: TaintSource[]
  /** Whether all that the transaction holds is this step: then it may be done again after a crash of the database. */
  changed_nothing?: boolean
  started_at: Date
}

/**
 * Writes a step of the run that `ctx.lease` holds, in the caller's transaction: with the change it made, or not at all.
 * A model's turn, and a call that changed nothing, outlive every crash of a worker but may be lost with the database's own;
 * the acts after them flush the log before they answer.
 * @throws {LeaseLost} when another worker has the run
 */
export const journalStep = (ctx: Ctx, n: number, step: NewStep): Promise<void> => {
  const { lease } = ctx
  if (!lease) throw new Error('a step is journalled under the lease of its run')
  // A model's turn counts what it used: that update holds the lease by itself, so the whole step is one round trip.
  const holding = step.usage && !ctx.tx ? { ...ctx, lease: undefined } : ctx
  return inTx(holding, async (ctx) => {
    const { tx, organization_id } = ctx
    if (step.kind === 'model' || step.changed_nothing)
      sendStatement(ctx, tx`set local synchronous_commit = off`)
    const columns = tx`organization_id, run_id, n, kind, tool, call_id, input, verdict, rule, output, usage, started_at, finished_at`
    const values = tx`${organization_id}::uuid, ${lease.run_id}::uuid, ${n}::int, ${step.kind}, ${step.tool ?? null}, ${step.call_id ?? null},
      ${json(tx, step.input)}::jsonb, ${step.verdict ?? null}, ${step.rule ?? null}, ${json(tx, step.output)}::jsonb,
      ${json(tx, step.usage)}::jsonb, ${step.started_at}::timestamptz, ${new Date()}::timestamptz`
    if (!step.usage && !step.tainted_by?.length) {
      sendStatement(ctx, tx`insert into run_steps (${columns}) values (${values})`)
      return
    }
    sendStatement(
      ctx,
      tx`
        with held as (
          update runs set input_tokens = input_tokens + ${step.usage?.input_tokens ?? 0},
            output_tokens = output_tokens + ${step.usage?.output_tokens ?? 0},
            cost_minor = case when ${step.usage?.cost_minor ?? null}::int8 is null then cost_minor
              else coalesce(cost_minor, 0) + ${step.usage?.cost_minor ?? null}::int8 end,
            currency = coalesce(${step.usage?.currency ?? null}, currency),
            tainted_by = tainted_by || ${tx.json(step.tainted_by ?? [])}
          where organization_id = ${organization_id} and id = ${lease.run_id} and fence = ${lease.fence} and status = 'running'
          returning id
        )
        insert into run_steps (${columns}) select ${values} from held returning n`,
      (rows) => {
        if (rows === 0) throw new LeaseLost(lease)
      },
    )
  })
}

const json = (tx: TxCtx['tx'], value: unknown) =>
  value === undefined ? null : tx.json(storableJson(value) as never)

/** The journal of a run, in order. */
export const listSteps = (ctx: Ctx, run_id: string): Promise<RunStep[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<RunStep[]>`
      select n, kind, tool, call_id, input, verdict, rule, output, usage, started_at, finished_at
      from run_steps where organization_id = ${organization_id} and run_id = ${run_id} order by n`
    return [...rows]
  })

/** Notes which model and prompt a run is thought with. */
export const beginRun = (
  ctx: Ctx,
  input: { model: string; prompt_version: string; agent_version: string },
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, lease } = ctx
    sendStatement(ctx, tx`set local synchronous_commit = off`)
    sendStatement(
      ctx,
      tx`update runs set ${tx(input)} where organization_id = ${organization_id} and id = ${lease?.run_id ?? null}`,
    )
  })

/**
 * Gives a run back as it stands, because its worker stops: another one goes on at once, and this attempt does not count.
 * It keeps its first attempt: a run that has begun is not the one that waits, and a newcomer gets a run of its own.
 */
export const releaseRun = (ctx: Ctx, run: Run): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await tx`
      update runs set status = 'queued', attempts = greatest(attempts - 1, 1), lease_until = null, next_attempt_at = now()
      where organization_id = ${organization_id} and id = ${run.id}`
    await enqueue(ctx, 'run.queued', { run_id: run.id })
  })

export type RunEnd = {
  status: 'done' | 'failed' | 'stopped' | 'dead' | 'cancelled'
  stop_reason: string
  error?: { code: string; message: string } | undefined
}

/** Ends a run under its lease, with a line on its subject's timeline. */
export const endRun = (ctx: Ctx, run: Run, end: RunEnd): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    // Lost with a crash of the database itself, it is taken up again, finds every step done, and ends the same way.
    sendStatement(ctx, tx`set local synchronous_commit = off`)
    sendStatement(
      ctx,
      tx`
      update runs set status = ${end.status}, stop_reason = ${end.stop_reason}, finished_at = now(), lease_until = null,
        error = ${end.error ? tx.json(end.error) : null}
      where organization_id = ${organization_id} and id = ${run.id}`,
    )
    await recordActivity(ctx, {
      type: 'agent_run',
      subjects: [run.subject, { kind: 'run', id: run.id }],
      ...(end.status === 'done' ? {} : { reason: end.error?.message ?? end.stop_reason }),
      data: {
        run_id: run.id,
        agent: run.agent,
        status: end.status,
        ...(end.error ? { error: end.error } : {}),
      },
    })
  })

/** Gives a run back after a passing fault; it waits longer each time. */
export const postponeRun = (
  ctx: Ctx,
  run: Run,
  fault: { code: string; message: string; retry_after_ms?: number | undefined },
): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const wait_ms = Math.max(fault.retry_after_ms ?? 0, backoff(run.attempts))
    await tx`
      update runs set status = 'queued', lease_until = null, next_attempt_at = now() + ${`${wait_ms} ms`}::interval,
        error = ${tx.json({ code: fault.code, message: fault.message })}
      where organization_id = ${organization_id} and id = ${run.id}`
    await enqueue(ctx, 'run.queued', { run_id: run.id }, Math.ceil(wait_ms / 1_000))
  })

/** One run with its journal. */
export const getRun = (ctx: Ctx, id: string): Promise<Run & { steps: RunStep[] }> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [row] = await tx<
      RunRow[]
    >`select * from runs where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('run', id)
    return { ...toRun(row), steps: await listSteps(ctx, id) }
  })

/** Runs, newest first. */
export const listRuns = (
  ctx: Ctx,
  filter: {
    status?: RunStatus | undefined
    subject_id?: string | undefined
    agent?: string | undefined
    cursor?: string | undefined
    limit: number
  },
): Promise<Page<Run>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<RunRow[]>`
      select * from runs where organization_id = ${organization_id}
        ${filter.status ? tx`and status = ${filter.status}` : tx``}
        ${filter.subject_id ? tx`and subject_id = ${filter.subject_id}` : tx``}
        ${filter.agent ? tx`and agent = ${filter.agent}` : tx``}
        ${filter.cursor ? tx`and id < ${filter.cursor}` : tx``}
      order by id desc limit ${filter.limit + 1}`
    return page(rows.map(toRun), filter.limit, (run) => run.id)
  })

/** Starts a run anew after it failed: a new run on the same subject. */
export const retryRun = (ctx: Ctx, id: string): Promise<{ id: string; waiting: boolean }> =>
  inTx(ctx, async (ctx) => {
    const run = await getRun(ctx, id)
    if (!['failed', 'dead', 'stopped', 'cancelled'].includes(run.status)) {
      throw new DomainError(
        'conflict',
        'run_not_ended',
        `This run is ${run.status}; only one that ended without success can be tried again.`,
        {
          extra: { status: run.status },
        },
      )
    }
    return queueRun(ctx, {
      agent: run.agent,
      subject: run.subject,
      trigger: { ...run.trigger, kind: 'retry' },
    })
  })

/** Stops a run: its worker loses the lease, so nothing more is written; finished steps stay finished. */
export const cancelRun = (ctx: Ctx, id: string): Promise<Run> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const run = await getRun(ctx, id)
    const cancelled = await tx`
      update runs set status = 'cancelled', fence = fence + 1, stop_reason = 'stopped by a person', finished_at = now(),
        lease_until = null, cancel_requested_at = now()
      where organization_id = ${organization_id} and id = ${id} and status in ('queued', 'running', 'paused') returning id`
    if (cancelled.length === 0) {
      throw new DomainError('conflict', 'run_ended', `This run is ${run.status} already.`, {
        extra: { status: run.status },
      })
    }
    await recordActivity(ctx, {
      type: 'agent_run',
      subjects: [run.subject, { kind: 'run', id }],
      data: { run_id: id, agent: run.agent, status: 'cancelled' },
    })
    return getRun(ctx, id)
  })

const backoff = (attempts: number): number =>
  Math.min(runLimits.backoff_max_ms, runLimits.backoff_ms * 2 ** Math.max(0, attempts - 1))

type RunRow = Omit<Run, 'subject' | 'usage'> & {
  subject_kind: string
  subject_id: string
  input_tokens: number
  output_tokens: number
  cost_minor: number | null
  currency: string | null
}

const toRun = (row: RunRow): Run => ({
  id: row.id,
  agent: row.agent,
  agent_version: row.agent_version,
  subject: { kind: row.subject_kind, id: row.subject_id },
  status: row.status,
  trigger: row.trigger,
  requested_by: row.requested_by,
  model: row.model,
  prompt_version: row.prompt_version,
  usage: {
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    ...(row.cost_minor === null ? {} : { cost_minor: row.cost_minor }),
    ...(row.currency ? { currency: row.currency } : {}),
  },
  stop_reason: row.stop_reason,
  error: row.error,
  tainted_by: row.tainted_by,
  attempts: row.attempts,
  next_attempt_at: row.next_attempt_at,
  created_at: row.created_at,
  started_at: row.started_at,
  finished_at: row.finished_at,
})
