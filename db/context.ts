import type { TransactionSql } from 'postgres'
import type { Database } from './client.ts'
import type { Reading } from './reading.ts'
import type { Together } from './together.ts'
import { transact } from './transaction.ts'

/** Who acts. `agent` carries its version, `visitor` is somebody outside. */
export type Actor = {
  kind: 'user' | 'agent' | 'api_key' | 'system' | 'visitor'
  id: string
  name: string
  version?: string
}

/** A worker's claim on a run: writes under it fail once another worker has claimed the run with a higher fence. */
export type Lease = { run_id: string; fence: number }

/** One act that comes to several activities: what each of them carries, and which they were. */
export type Recording = {
  readonly data: Record<string, unknown>
  /** Said where the activity has no reason of its own. */
  readonly reason?: string | undefined
  /** It takes back what was done: what was counted of that is counted no more. */
  readonly takes_back?: boolean | undefined
  readonly recorded: Recorded[]
}

/** An activity that was recorded under a `Recording`. */
export type Recorded = { id: string; type: string; data: Record<string, unknown> }

/** The first argument of every domain function: which organization, who acts, on whose behalf, in which run. */
export type Ctx = {
  readonly db: Database
  readonly organization_id: string
  readonly actor: Actor
  readonly on_behalf_of?: Actor
  readonly run_id?: string
  readonly approval_id?: string
  readonly lease?: Lease
  readonly recording?: Recording
  /** What whoever asks may read; absent: everything. */
  readonly reading?: Reading | undefined
  /** The open transaction, when there is one. */
  readonly tx?: TransactionSql
  readonly unanswered?: Promise<unknown>[]
  readonly closing?: Closing
  /** Set while several acts are done side by side. */
  readonly together?: Together
}

/** What is done once at the end of a transaction, by name. */
type Closing = Map<string, (ctx: TxCtx) => Promise<void>>

/** A `Ctx` inside a transaction that has the organization set: the only place statements run. */
export type TxCtx = Ctx & {
  readonly tx: TransactionSql
  /** What was sent without waiting for its answer. */
  readonly unanswered: Promise<unknown>[]
  readonly closing: Closing
}

/** The worker that held this run's lease was thought dead and another one has taken over: nothing was written. */
export class LeaseLost extends Error {
  constructor(lease: Lease) {
    super(`run ${lease.run_id} was taken over by another worker (fence ${lease.fence} is old)`)
    this.name = 'LeaseLost'
  }
}

/**
 * Runs `work` in one transaction with the organization set for row-level security; joins the open one if there is one.
 * Everything in it commits together, or nothing does.
 * @throws {LeaseLost} when `ctx.lease` is no longer the newest claim on its run.
 */
export const inTx = async <T>(ctx: Ctx, work: (ctx: TxCtx) => Promise<T>): Promise<T> => {
  const { tx, unanswered = [], closing = new Map() } = ctx
  if (tx) return work({ ...ctx, tx, unanswered, closing })
  // Of this transaction alone: an outer context that was left behind must not add to it.
  const sent: Promise<unknown>[] = []
  const result = await transact(ctx.db.sql, async (tx) => {
    // Sent, not awaited: the first statement of `work` follows in the same round trip.
    send(sent, tx`select set_config('app.organization_id', ${ctx.organization_id}, true)`)
    const held = ctx.lease && holdLease(tx, ctx.organization_id, ctx.lease)
    held?.catch(() => {})
    try {
      const own: TxCtx = { ...ctx, tx, unanswered: sent, closing: new Map() }
      const result = await work(own)
      for (const finish of own.closing.values()) await finish(own)
      await held
      return result
    } catch (error) {
      // A lost lease explains whatever else went wrong.
      await held
      throw error
    }
  })
  // One that failed made the commit a rollback: nothing of the transaction stands.
  await Promise.all(sent)
  return result
}

/**
 * Sends a statement whose answer `work` does not need: what follows, or the commit, travels with it. When it fails, the
 * transaction fails.
 */
export const sendStatement = (ctx: TxCtx, statement: Statement, check?: (rows: number) => void): void => {
  send(ctx.unanswered, statement, check)
}

type Statement = { execute: () => PromiseLike<readonly unknown[]> }

const send = (sent: Promise<unknown>[], statement: Statement, check?: (rows: number) => void): void => {
  const answered = Promise.resolve(statement.execute()).then((rows) => check?.(rows.length))
  // Awaited with the commit; until then a failure is nobody's unhandled one.
  answered.catch(() => {})
  sent.push(answered)
}

/** Has `work` done once before the transaction commits, however often it was asked for by this name. */
export const beforeCommit = (ctx: TxCtx, name: string, work: (ctx: TxCtx) => Promise<void>): void => {
  if (!ctx.closing.has(name)) ctx.closing.set(name, work)
}

/** Runs `work` so that it alone is rolled back when it fails: what came before it in the transaction stands. */
export const inSavepoint = async <T>(ctx: TxCtx, work: (ctx: TxCtx) => Promise<T>): Promise<T> => {
  const sent: Promise<unknown>[] = []
  send(sent, ctx.tx`savepoint act`)
  try {
    const result = await work({ ...ctx, unanswered: sent })
    await Promise.all(sent)
    await ctx.tx`release savepoint act`
    return result
  } catch (error) {
    await Promise.allSettled(sent)
    await ctx.tx`rollback to savepoint act`
    await ctx.tx`release savepoint act`
    throw error
  }
}

/** Runs `work` and answers beside its result which activities it recorded; each of them carries `data`. */
export const recordingOf = async <T>(
  ctx: TxCtx,
  marks: Omit<Recording, 'recorded'>,
  work: (ctx: TxCtx) => Promise<T>,
): Promise<{ result: T; recorded: Recorded[] }> => {
  const outer = ctx.recording
  const recording = {
    data: { ...outer?.data, ...marks.data },
    reason: marks.reason ?? outer?.reason,
    takes_back: marks.takes_back ?? outer?.takes_back,
    recorded: [],
  }
  const result = await work({ ...ctx, recording })
  outer?.recorded.push(...recording.recorded)
  return { result, recorded: recording.recorded }
}

/** Runs `work` after `ctx`'s actor was replaced: for acts that are the system's own, not the caller's. */
export const asSystem = <C extends Ctx>(ctx: C, job: string): C => ({
  ...ctx,
  actor: { kind: 'system', id: job, name: job },
  reading: undefined,
})

/** A context of an organization for a job of the system. */
export const systemCtx = (db: Database, organization_id: string, job: string): Ctx => ({
  db,
  organization_id,
  actor: { kind: 'system', id: job, name: job },
})

const holdLease = async (tx: TransactionSql, organization_id: string, lease: Lease): Promise<void> => {
  const held = await tx`
    select 1 from runs
    where organization_id = ${organization_id} and id = ${lease.run_id} and fence = ${lease.fence}
      and status = 'running'
    for share`.execute()
  if (held.length === 0) throw new LeaseLost(lease)
}
