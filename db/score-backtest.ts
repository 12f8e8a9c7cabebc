import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { tellPassing } from './audit.ts'
import { type Ctx, inTx, type TxCtx } from './context.ts'
import { beginPiece, endJob, holdJob, persistently } from './leased-jobs.ts'
import { type Formula, formulaOf, scoreValues, type Verdict, verdicts } from './lead-score.ts'
import { activeFormula } from './lead-scoring.ts'
import { insertRows } from './row-sets.ts'
import { FormulaDefinition } from './score-definition.ts'
import { readHistory } from './score-history.ts'
import { releaseScoreJob, scoreLeases, type ScoreJobRow, scoreWork } from './score-jobs.ts'
import { mergedNeeds } from './score-needs.ts'
import { readScorable } from './score-reading.ts'
import { emptyHistogram, ENOUGH, type Fit, fitOf } from './score-statistics.ts'

const Counts = z.array(z.number()).length(101)
const Histogram = z.object({ won: Counts, lost: Counts })

/** What is gathered on the way; whoever takes the job up goes on with it. */
const Gathered = z.object({
  phase: z.enum(['history', 'open']),
  draft: Histogram,
  active: Histogram,
  open: z.number(),
  changed: z.number(),
  /** `nurture qualified` → how many open leads would go from the one to the other. */
  moves: z.record(z.string(), z.number()),
  higher: z.number(),
  lower: z.number(),
})
type Gathered = z.infer<typeof Gathered>

/** What a back-test found. */
export type BackTestResult = {
  /** Closed leads, of which there were so many won and lost. */
  history: { n: number; won: number; lost: number }
  /** Whether that is enough for the figures to say something, in words. */
  enough: boolean
  note: string
  /** How the draft tells won from lost, and how the formula in force does. */
  draft: Fit
  active: Fit & { label: string }
  open: {
    n: number
    changed: number
    higher: number
    lower: number
    by_verdict: { before: Verdict; after: Verdict; n: number }[]
  }
  /** As of when values were read: a back-test cannot know what nobody wrote down. */
  caveats: string[]
}

const CAVEATS = [
  'Fields, tags and custom fields are read as they are today, not as they were before the lead was closed.',
  'The stage is the one that the lead was closed from; days and what happened are counted as of its closing.',
  'A lead counts as won when it was won itself or a deal that came of it was; as lost when one of them was lost and none won.',
]

/**
 * Back-tests a formula: scores every closed lead and compares with what came of it, then every open lead and writes down
 * which would change. In batches along the ids of leads; whoever takes it up goes on behind the last batch.
 */
export const backTest = async (ctx: Ctx, job: ScoreJobRow, stopping?: AbortSignal): Promise<void> => {
  const draft = formulaOf(job.formula_id, 'draft', FormulaDefinition.parse(job.definition))
  let at: Standing = { cursor: job.cursor, done: job.done, gathered: await begin(ctx, job), ended: false }
  let told = 0
  while (!at.ended) {
    if (stopping?.aborted) return releaseScoreJob(ctx, job)
    const tells = Date.now() - told >= scoreWork.tell_ms
    if (tells) told = Date.now()
    const standing = at
    at = await persistently(scoreLeases, () => workBatch(ctx, job, draft, standing, tells))
  }
}

type Standing = { cursor: string | null; done: number; gathered: Gathered; ended: boolean }

const begin = (ctx: Ctx, job: ScoreJobRow): Promise<Gathered> =>
  inTx(ctx, async (ctx) => {
    const known = Gathered.safeParse(job.result)
    if (known.success) return known.data
    const { tx, organization_id } = ctx
    const [row] = await tx<{ closed: number; open: number }[]>`
      select (select count(distinct coalesce(o.source_lead_id, o.id))::int from closings c
          join opportunities o on o.organization_id = c.organization_id and o.id = c.opportunity_id
          where c.organization_id = ${organization_id} and c.reopened_at is null
            and (o.kind = 'lead' or o.source_lead_id is not null)) as closed,
        (select count(*)::int from opportunities o
          join stages s on s.organization_id = o.organization_id and s.id = o.stage_id
          where o.organization_id = ${organization_id} and o.kind = 'lead' and o.archived_at is null and s.kind = 'open') as open`
    const { closed = 0, open = 0 } = row ?? {}
    const gathered: Gathered = {
      phase: 'history',
      draft: emptyHistogram(),
      active: emptyHistogram(),
      open: 0,
      changed: 0,
      moves: {},
      higher: 0,
      lower: 0,
    }
    await holdJob(scoreLeases, ctx, job, { total: closed + open, result: tx.json(gathered) })
    return gathered
  })

const workBatch = (
  ctx: Ctx,
  job: ScoreJobRow,
  draft: Formula,
  at: Standing,
  tells: boolean,
): Promise<Standing> =>
  inTx(ctx, async (ctx) => {
    const { cancelled } = await beginPiece(scoreLeases, ctx, job)
    if (cancelled) {
      await endJob(scoreLeases, ctx, job, { status: 'cancelled', result: null })
      return { ...at, ended: true }
    }
    const active = await activeFormula(ctx)
    const gathered = structuredClone(at.gathered)
    const worked =
      gathered.phase === 'history'
        ? await addHistory(ctx, draft, active, at.cursor, gathered)
        : await addOpen(ctx, job, draft, active, at.cursor, gathered)
    const done = at.done + worked.n
    if (worked.last !== null)
      return hold(ctx, job, { cursor: worked.last, done, gathered, ended: false }, tells)
    if (gathered.phase === 'history')
      return hold(
        ctx,
        job,
        { cursor: null, done, gathered: { ...gathered, phase: 'open' }, ended: false },
        tells,
      )
    await end(ctx, job, draft, active, done, gathered)
    return { cursor: null, done, gathered, ended: true }
  })

const hold = async (ctx: TxCtx, job: ScoreJobRow, at: Standing, tells: boolean): Promise<Standing> => {
  const { cursor, done, gathered } = at
  await holdJob(scoreLeases, ctx, job, { cursor, done, result: ctx.tx.json(gathered) })
  if (tells) tellPassing(ctx, { kind: 'score_job', id: job.id })
  return at
}

/** How many were worked, and the last of them where there may be more. */
type Worked = { n: number; last: string | null }

const addHistory = async (
  ctx: TxCtx,
  draft: Formula,
  active: Formula,
  after: string | null,
  gathered: Gathered,
): Promise<Worked> => {
  const closed = await readHistory(ctx, mergedNeeds(draft.needs, active.needs), after, scoreWork.batch)
  for (const { lead, won, closed_at } of closed) {
    for (const [formula, { won: wins, lost }] of [
      [draft, gathered.draft],
      [active, gathered.active],
    ] as const) {
      const { score } = scoreValues(formula, lead, closed_at)
      const bars = won ? wins : lost
      bars[score] = (bars[score] ?? 0) + 1
    }
  }
  return worked(closed)
}

const worked = (batch: { id: string }[]): Worked => ({
  n: batch.length,
  last: batch.length < scoreWork.batch ? null : (batch.at(-1)?.id ?? null),
})

const addOpen = async (
  ctx: TxCtx,
  job: ScoreJobRow,
  draft: Formula,
  active: Formula,
  after: string | null,
  gathered: Gathered,
): Promise<Worked> => {
  const { tx, organization_id } = ctx
  const now = new Date()
  const leads = await readScorable(
    ctx,
    mergedNeeds(draft.needs, active.needs),
    tx`o.organization_id = ${organization_id} and o.kind = 'lead' and o.archived_at is null
      and exists (select from stages open where open.organization_id = o.organization_id and open.id = o.stage_id and open.kind = 'open')
      ${after === null ? tx`` : tx`and o.id > ${after}`} order by o.id limit ${scoreWork.batch}`,
    now,
  )
  const changes = leads.flatMap(({ id, lead }) => {
    const [before, then] = [scoreValues(active, lead, now), scoreValues(draft, lead, now)]
    const move = `${before.verdict} ${then.verdict}`
    if (before.verdict !== then.verdict) gathered.moves[move] = (gathered.moves[move] ?? 0) + 1
    if (before.score === then.score && before.verdict === then.verdict) return []
    if (then.score > before.score) gathered.higher += 1
    if (then.score < before.score) gathered.lower += 1
    return [
      {
        job_id: job.id,
        opportunity_id: id,
        score_before: before.score,
        score_after: then.score,
        verdict_before: before.verdict,
        verdict_after: then.verdict,
        magnitude: Math.abs(then.score - before.score),
      },
    ]
  })
  insertRows(ctx, 'score_changes', changes)
  gathered.open += leads.length
  gathered.changed += changes.length
  return worked(leads)
}

const end = async (
  ctx: TxCtx,
  job: ScoreJobRow,
  draft: Formula,
  active: Formula,
  done: number,
  gathered: Gathered,
): Promise<void> => {
  const result = resultOf(draft, active, gathered)
  await endJob(scoreLeases, ctx, job, {
    status: 'done',
    done,
    total: done,
    result: ctx.tx.json(result),
  })
  await recordActivity(ctx, {
    type: 'score_backtested',
    subjects: [
      { kind: 'score_formula', id: job.formula_id ?? '' },
      { kind: 'organization', id: ctx.organization_id },
    ],
    reason: result.note,
    data: {
      score_job_id: job.id,
      definition_hash: job.definition_hash,
      history: result.history,
      auc: result.draft.auc,
      changed: result.open.changed,
    },
  })
}

const resultOf = (draft: Formula, active: Formula, gathered: Gathered): BackTestResult => {
  const total = (bars: number[]): number => bars.reduce((sum, n) => sum + n, 0)
  const [won, lost] = [total(gathered.draft.won), total(gathered.draft.lost)]
  const enough = won >= ENOUGH && lost >= ENOUGH
  const counted = `${won + lost} closed leads, of which ${won} were won and ${lost} lost`
  return {
    history: { n: won + lost, won, lost },
    enough,
    note: enough
      ? `Over ${counted}.`
      : `Too few to tell: ${counted}. At least ${ENOUGH} of each are needed before the figures say something.`,
    draft: fitOf(gathered.draft, draft.definition.thresholds),
    active: { label: active.label, ...fitOf(gathered.active, active.definition.thresholds) },
    open: {
      n: gathered.open,
      changed: gathered.changed,
      higher: gathered.higher,
      lower: gathered.lower,
      by_verdict: verdicts.flatMap((before) =>
        verdicts.flatMap((after) => {
          const n = gathered.moves[`${before} ${after}`] ?? 0
          return n > 0 ? [{ before, after, n }] : []
        }),
      ),
    },
    caveats: CAVEATS,
  }
}
