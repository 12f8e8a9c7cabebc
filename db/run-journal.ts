import { type Ctx, inTx, LeaseLost, sendStatement, type TxCtx } from './context.ts'
import { storableJson } from './text.ts'

/** Something from outside that a run has read. */
export type TaintSource = { kind: 'record' | 'url' | 'file' | 'task'; id?: string; url?: string }

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
