import { recordActivity } from './activities.ts'
import { tellPassing } from './audit.ts'
import type { Database } from './client.ts'
import { type Ctx, inTx, systemCtx, type TxCtx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import { beginPiece, endJob, holdJob, persistently } from './leased-jobs.ts'
import type { Formula } from './lead-score.ts'
import { activeFormula, saveScores, scoreRead } from './lead-scoring.ts'
import { formulaInForce, getScoreFormula } from './score-formulas.ts'
import {
  cancelScoreJob,
  latestScoreJob,
  queueScoreJob,
  releaseScoreJob,
  type ScoreJob,
  scoreLeases,
  type ScoreJobRow,
  scoreWork,
  toScoreJob,
} from './score-jobs.ts'
import { readScorable, type Scorable } from './score-reading.ts'
import { readSettings } from './settings.ts'

/**
 * Queues the scoring of every lead by the formula in force; what is under way for an older one is stopped.
 * @throws {DomainError} `score_formula_not_found`, `formula_not_active` when another formula is meant than the one in force
 */
export const startRecompute = (
  ctx: Ctx,
  trigger: NonNullable<ScoreJob['trigger']>,
  wanted?: string,
): Promise<ScoreJob> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    if (wanted !== undefined) await getScoreFormula(ctx, wanted)
    const { id, name, definition_hash } = await formulaInForce(ctx)
    if (wanted !== undefined && wanted !== id) {
      throw new DomainError(
        'conflict',
        'formula_not_active',
        `Leads are scored by “${name}”: activate this version to score them by it.`,
        { extra: { active_id: id } },
      )
    }
    await tx`
      update score_jobs set cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now()
      where organization_id = ${organization_id} and kind = 'recompute' and status in ('queued', 'running')`
    return toScoreJob(
      await queueScoreJob(ctx, { kind: 'recompute', formula_id: id, definition_hash, trigger }),
    )
  })

/** The newest scoring of every lead, whichever formula it was by. */
export const latestRecompute = (ctx: Ctx, formula_id?: string): Promise<ScoreJob | null> =>
  inTx(ctx, async (ctx) => {
    const row = await latestScoreJob(ctx, 'recompute', formula_id)
    return row ? toScoreJob(row) : null
  })

/**
 * Stops the newest scoring of every lead by a version; what was scored stays.
 * @throws {DomainError} `recompute_not_found`, `score_job_ended` with the state
 */
export const cancelRecompute = (ctx: Ctx, formula_id: string): Promise<ScoreJob> =>
  inTx(ctx, async (ctx) => {
    const row = await latestScoreJob(ctx, 'recompute', formula_id)
    if (!row) throw notFound('recompute')
    return toScoreJob(await cancelScoreJob(ctx, row))
  })

/**
 * Scores every lead by the formula in force, batch by batch along their ids. While a batch is scored and written, the next
 * one is read; a score that somebody wrote meanwhile stays. Whoever takes it up goes on behind the last batch.
 */
export const recomputeScores = async (ctx: Ctx, job: ScoreJobRow, stopping?: AbortSignal): Promise<void> => {
  let at = await begin(ctx, job)
  let told = 0
  let next = readBatch(ctx, at.cursor)
  for (;;) {
    if (stopping?.aborted) {
      await next.catch(() => undefined)
      return releaseScoreJob(ctx, job)
    }
    const batch = await next
    const last = batch.leads.at(-1)?.id
    // Read while this one is written; what goes wrong with it is heard of when it is waited for.
    next = last === undefined ? Promise.resolve(batch) : readBatch(ctx, last)
    next.catch(() => undefined)
    const tells = Date.now() - told >= scoreWork.tell_ms
    if (tells) told = Date.now()
    const standing = at
    at = await persistently(scoreLeases, () => writeBatch(ctx, job, standing, batch, tells))
    if (at.ended) return
  }
}

type Batch = { formula: Formula; leads: Scorable[]; now: Date }

/** How far it has come. */
type Standing = {
  cursor: string | null
  done: number
  counts: ScoreJob['counts']
  ended: boolean
}

const begin = (ctx: Ctx, job: ScoreJobRow): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const { counts } = toScoreJob(job)
    if (job.total === 0) {
      const [row] = await tx<{ total: number }[]>`
        select count(*)::int as total from opportunities where organization_id = ${organization_id} and kind = 'lead'`
      await holdJob(scoreLeases, ctx, job, { total: row?.total ?? 0 })
    }
    return { cursor: job.cursor, done: job.done, counts, ended: false }
  })

const readBatch = (ctx: Ctx, after: string | null): Promise<Batch> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const formula = await activeFormula(ctx)
    const now = new Date()
    const leads = await readScorable(
      ctx,
      formula.needs,
      tx`o.organization_id = ${organization_id} and o.kind = 'lead' ${after === null ? tx`` : tx`and o.id > ${after}`}
        order by o.id limit ${scoreWork.batch}`,
      now,
    )
    return { formula, leads, now }
  })

const writeBatch = (
  ctx: Ctx,
  job: ScoreJobRow,
  at: Standing,
  { formula, leads, now }: Batch,
  tells: boolean,
): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    const { cancelled } = await beginPiece(scoreLeases, ctx, job)
    // Another formula is in force by now: the job that was queued with it does the rest.
    const superseded = formula.id !== job.formula_id
    const stops = cancelled || superseded
    const rows = stops ? [] : scoreRead(formula, leads, now)
    saveScores(ctx, formula.label, rows)
    const changed = rows.filter(({ moved }) => moved).length
    const worked = stops ? 0 : leads.length
    const next: Standing = {
      cursor: stops ? at.cursor : (leads.at(-1)?.id ?? at.cursor),
      done: at.done + worked,
      counts: {
        changed: at.counts.changed + changed,
        unchanged: at.counts.unchanged + worked - changed,
      },
      ended: stops || leads.length < scoreWork.batch,
    }
    const columns = { cursor: next.cursor, done: next.done, counts: ctx.tx.json(next.counts) }
    if (next.ended) await end(ctx, job, stops ? 'cancelled' : 'done', columns, next.counts)
    else await holdJob(scoreLeases, ctx, job, columns)
    if (tells && !next.ended) tellPassing(ctx, { kind: 'score_job', id: job.id })
    return next
  })

const end = async (
  ctx: TxCtx,
  job: ScoreJobRow,
  status: 'done' | 'cancelled',
  columns: Record<string, unknown>,
  counts: ScoreJob['counts'],
): Promise<void> => {
  await endJob(scoreLeases, ctx, job, { ...columns, status })
  // A night in which nothing moved is not told of.
  if (job.trigger === 'nightly' && counts.changed === 0)
    return tellPassing(ctx, { kind: 'score_job', id: job.id })
  await recordActivity(ctx, {
    type: 'scores_recomputed',
    subjects: [
      ...(job.formula_id === null ? [] : [{ kind: 'score_formula', id: job.formula_id }]),
      { kind: 'organization', id: ctx.organization_id },
      { kind: 'score_job', id: job.id },
    ],
    reason: WHY[job.trigger ?? 'asked'],
    data: { status, counts, trigger: job.trigger },
  })
}

const WHY: Record<NonNullable<ScoreJob['trigger']>, string> = {
  activated: 'Another formula is in force.',
  asked: 'Somebody asked for it.',
  nightly: 'Its points change with time.',
  field_changed: 'A field that the formula looks at was archived or restored.',
}

/** When at the organization's own place it is night. */
const NIGHT = { from: 1, before: 5 }

/** Queues the nightly scoring where the formula's points change with time and it is night now. Answers how many there are. */
export const startNightly = async (db: Database): Promise<number> => {
  const due = await db.sql<{ organization_id: string }[]>`
    select organization_id from finder.timed_score_formulas(200)`
  let started = 0
  for (const { organization_id } of due) {
    const ctx = systemCtx(db, organization_id, 'nightly_scores')
    const hour = hourAt(new Date(), (await readSettings(ctx)).timezone)
    if (hour < NIGHT.from || hour >= NIGHT.before) continue
    await startRecompute(ctx, 'nightly')
    started += 1
  }
  return started
}

const hourAt = (now: Date, timezone: string): number =>
  Number(new Intl.DateTimeFormat('en-GB', { timeZone: timezone, hour: 'numeric' }).format(now))
