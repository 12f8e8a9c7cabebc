import { type Ctx, inTx, type TxCtx } from './context.ts'
import { notFound } from './errors.ts'
import { formulaOf, scoreValues, type Verdict } from './lead-score.ts'
import { activeFormula, leadsNamed } from './lead-scoring.ts'
import type { ScoreReason } from './opportunities.ts'
import { packCursor, type Page, page, unpackCursor } from './page.ts'
import { labelRecords } from './records.ts'
import type { BackTestResult } from './score-backtest.ts'
import { FormulaDefinition } from './score-definition.ts'
import { getScoreFormula } from './score-formulas.ts'
import { latestScoreJob, queueScoreJob, type ScoreJob, type ScoreJobRow, toScoreJob } from './score-jobs.ts'
import { mergedNeeds } from './score-needs.ts'
import { readScorable } from './score-reading.ts'

/** A back-test of a version, and what it found once it is done. */
export type BackTest = ScoreJob & {
  /** Whether the version still is as it was tested. */
  current: boolean
  result: BackTestResult | null
  /** The open leads that would change most. */
  changes: ScoreChange[]
}

/** What would become of one open lead. */
export type ScoreChange = {
  lead: { id: string; name: string | null }
  score_before: number
  score_after: number
  verdict_before: Verdict
  verdict_after: Verdict
  /** As things are now, which may be a little later than the back-test. */
  reasons_before: ScoreReason[]
  reasons_after: ScoreReason[]
}

/** Queues the back-test of a version as it is now. */
export const startBackTest = (ctx: Ctx, formula_id: string): Promise<BackTest> =>
  inTx(ctx, async (ctx) => {
    const { definition, definition_hash } = await getScoreFormula(ctx, formula_id)
    const job = await queueScoreJob(ctx, { kind: 'backtest', formula_id, definition_hash, definition })
    return { ...toScoreJob(job), current: true, result: null, changes: [] }
  })

/** How many of the biggest changes come with the back-test itself. */
const BIGGEST = 200

/** The newest back-test of a version. @throws {DomainError} `back_test_not_found` */
export const getBackTest = (ctx: Ctx, formula_id: string): Promise<BackTest> =>
  inTx(ctx, async (ctx) => {
    const { definition_hash } = await getScoreFormula(ctx, formula_id)
    const job = await backTestOf(ctx, formula_id)
    const done = job.status === 'done'
    return {
      ...toScoreJob(job),
      current: job.definition_hash === definition_hash,
      // Written by `backTest` alone; until it is done, what stands there is its working.
      result: done ? (job.result as BackTestResult) : null,
      changes: done ? (await changesOf(ctx, job, { limit: BIGGEST })).data : [],
    }
  })

/** Every open lead that would change, the biggest change first. */
export const listScoreChanges = (
  ctx: Ctx,
  formula_id: string,
  filter: { cursor?: string | undefined; limit: number },
): Promise<Page<ScoreChange>> =>
  inTx(ctx, async (ctx) => changesOf(ctx, await backTestOf(ctx, formula_id), filter))

const backTestOf = async (ctx: TxCtx, formula_id: string): Promise<ScoreJobRow> => {
  const job = await latestScoreJob(ctx, 'backtest', formula_id)
  if (!job) throw notFound('back_test')
  return job
}

const ORDER = [
  { name: 'magnitude', type: 'integer', descending: true },
  { name: 'id', type: 'uuid', descending: true },
]

const changesOf = async (
  ctx: TxCtx,
  job: ScoreJobRow,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Page<ScoreChange>> => {
  const { tx, organization_id } = ctx
  const after = cursor === undefined ? undefined : unpackCursor(cursor, ORDER)
  const rows = await tx<
    (Omit<ScoreChange, 'lead' | 'reasons_before' | 'reasons_after'> & {
      opportunity_id: string
      magnitude: number
    })[]
  >`
    select * from score_changes where organization_id = ${organization_id} and job_id = ${job.id}
      ${after ? tx`and (magnitude, opportunity_id) < (${after[0] ?? null}::int, ${after[1] ?? null}::uuid)` : tx``}
    order by magnitude desc, opportunity_id desc limit ${limit + 1}`
  const listed = page(rows, limit, ({ magnitude, opportunity_id }) =>
    packCursor([magnitude, opportunity_id], ORDER),
  )
  const ids = listed.data.map(({ opportunity_id }) => opportunity_id)
  const [names, reasons] = [
    await labelRecords(
      ctx,
      ids.map((id) => ({ kind: 'lead' as const, id })),
    ),
    await reasonsOf(ctx, job, ids),
  ]
  return {
    data: listed.data.map((row) => ({
      lead: { id: row.opportunity_id, name: names.get(row.opportunity_id) ?? null },
      score_before: row.score_before,
      score_after: row.score_after,
      verdict_before: row.verdict_before,
      verdict_after: row.verdict_after,
      reasons_before: reasons.get(row.opportunity_id)?.before ?? [],
      reasons_after: reasons.get(row.opportunity_id)?.after ?? [],
    })),
    next_cursor: listed.next_cursor,
  }
}

/** Reasons are computed for those that are looked at: kept for every lead, they would be most of the database. */
const reasonsOf = async (
  ctx: TxCtx,
  job: ScoreJobRow,
  ids: string[],
): Promise<Map<string, { before: ScoreReason[]; after: ScoreReason[] }>> => {
  if (ids.length === 0) return new Map()
  const active = await activeFormula(ctx)
  const draft = formulaOf(job.formula_id, 'draft', FormulaDefinition.parse(job.definition))
  const now = new Date()
  const leads = await readScorable(ctx, mergedNeeds(active.needs, draft.needs), leadsNamed(ctx, ids), now)
  return new Map(
    leads.map(({ id, lead }) => [
      id,
      {
        before: scoreValues(active, lead, now).reasons,
        after: scoreValues(draft, lead, now).reasons,
      },
    ]),
  )
}
