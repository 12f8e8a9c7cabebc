import { v7 as uuidv7 } from 'uuid'
import { recordActivity, type Subject } from './activities.ts'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { page, type Page } from './page.ts'
import { enqueue } from './queue.ts'
import { listSteps, type RunStep, type TaintSource } from './run-journal.ts'

export type RunStatus = 'queued' | 'running' | 'paused' | 'done' | 'failed' | 'stopped' | 'cancelled' | 'dead'

/** What wakes an agent only where its organization wants that. */
export const agentTriggers = ['stage.stuck'] as const
export type AgentTrigger = (typeof agentTriggers)[number]

export type RunTrigger = {
  kind: 'submission' | 'request' | 'retry' | 'task' | 'file' | AgentTrigger
  submission_id?: string
  /** What it was given to do; nothing else is done in such a run. */
  task_id?: string
  file_id?: string
  /** The line of the timeline that woke it. */
  activity_id?: string | undefined
  ask?: 'enrich' | 'suggest' | 'work'
}

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

/** How long a claim lasts without a heartbeat, and how often a run is tried. */
export const runLimits = {
  lease_ms: 10_000,
  heartbeat_ms: 3_000,
  max_attempts: 4,
  backoff_ms: 2_000,
  backoff_max_ms: 60_000,
}

/** What a run is for beside the whole of the work, as the index of waiting runs says it: one task, or one file. */
const errandOf = (tx: TxCtx['tx'], alias: 'runs' | 'r' | 'newer') =>
  tx`coalesce(${tx(alias)}.trigger ->> 'task_id', ${tx(alias)}.trigger ->> 'file_id', '')`

/** Puts an agent on a record. One that waits for the same already is answered instead of a second one. */
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
          and subject_id = ${input.subject.id} and status = 'queued' and attempts = 0
          and ${errandOf(tx, 'runs')} = ${input.trigger.task_id ?? input.trigger.file_id ?? ''}`
      if (waiting) return { id: waiting.id, waiting: true }
    }
    throw new DomainError('conflict', 'run_starting', 'A run on this record is just starting. Try again.')
  })

/** Puts agents on many records at once; on one where the agent waits already it stays as it is. Answers how many were put. */
export const queueRuns = async (
  { db, tx, organization_id }: TxCtx,
  wanted: readonly { agent: string; subject: Subject; trigger: RunTrigger; requested_by: Actor }[],
): Promise<number> => {
  if (wanted.length === 0) return 0
  const rows = wanted.map(({ subject, ...run }) => ({
    ...run,
    id: uuidv7(),
    subject_kind: subject.kind,
    subject_id: subject.id,
  }))
  const added = await tx<{ id: string }[]>`
    insert into runs (organization_id, id, agent, subject_kind, subject_id, trigger, requested_by)
    select ${organization_id}::uuid, a.* from json_to_recordset(${JSON.stringify(rows)}::text::json) as a (
      id uuid, agent text, subject_kind text, subject_id uuid, trigger jsonb, requested_by jsonb)
    on conflict do nothing returning id`
  await db.queue.sendMany(
    tx,
    'run.queued',
    added.map(({ id }) => ({ organization_id, run_id: id })),
  )
  return added.length
}

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
          extra: { state: run.status },
        },
      )
    }
    return queueRun(ctx, {
      agent: run.agent,
      subject: run.subject,
      trigger: { ...run.trigger, kind: 'retry' },
    })
  })

/** Why a run ends when agents, or the one that works it, are switched off. */
const SWITCHED_OFF = ['ai_off', 'agent_off']

/**
 * Starts anew what an off switch of the organization or of an agent stopped, as far as nothing stops it any more: the
 * leads that came in meanwhile, and those that were being worked. Not where somebody asked again since, where a member
 * has taken the record up, or where it is closed or archived. Answers how many.
 */
export const resumeStoppedRuns = (ctx: Ctx): Promise<number> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const stopped = await tx<
      Pick<RunRow, 'agent' | 'subject_kind' | 'subject_id' | 'trigger' | 'requested_by'>[]
    >`
      select r.agent, r.subject_kind, r.subject_id, r.trigger, r.requested_by from runs r
      left join opportunities o on o.organization_id = r.organization_id and o.id = r.subject_id
      left join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
      where r.organization_id = ${organization_id} and r.status = 'stopped' and r.stop_reason = any(${SWITCHED_OFF})
        and (o.id is null or (o.archived_at is null and not o.agents_paused and s.kind = 'open'))
        and (select ai_enabled from settings where organization_id = ${organization_id})
        and not exists (select 1 from agents a
          where a.organization_id = r.organization_id and a.name = r.agent and not a.enabled)
        and not exists (select 1 from runs newer where newer.organization_id = r.organization_id
          and newer.subject_kind = r.subject_kind and newer.subject_id = r.subject_id
          and newer.agent = r.agent and newer.id > r.id and ${errandOf(tx, 'newer')} = ${errandOf(tx, 'r')})
        and not exists (select 1 from activity_subjects su
          join activities a on a.organization_id = su.organization_id and a.id = su.activity_id
          where su.organization_id = r.organization_id and su.kind = r.subject_kind and su.subject_id = r.subject_id
            and a.actor_kind = 'user' and a.occurred_at > r.finished_at)
      order by r.id`
    return queueRuns(
      ctx,
      stopped.map(({ subject_kind, subject_id, trigger, ...run }) => ({
        ...run,
        subject: { kind: subject_kind, id: subject_id },
        trigger: { ...trigger, kind: 'retry' },
      })),
    )
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
        extra: { state: run.status },
      })
    }
    await recordActivity(ctx, {
      type: 'agent_run',
      subjects: [run.subject, { kind: 'run', id }],
      data: { run_id: id, agent: run.agent, status: 'cancelled' },
    })
    return getRun(ctx, id)
  })

export type RunRow = Omit<Run, 'subject' | 'usage'> & {
  subject_kind: string
  subject_id: string
  input_tokens: number
  output_tokens: number
  cost_minor: number | null
  currency: string | null
}

export const toRun = (row: RunRow): Run => ({
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
