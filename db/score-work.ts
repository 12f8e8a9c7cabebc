import type { Database } from './client.ts'
import { endJob, workLeased } from './leased-jobs.ts'
import { backTest } from './score-backtest.ts'
import { scoreLeases, type ScoreJobRow } from './score-jobs.ts'
import { recomputeScores } from './score-recompute.ts'

/** Works a back-test or a scoring of every lead to its end, or gives it back when `stopping`. */
export const workScoreJob = (
  db: Database,
  organization_id: string,
  id: string,
  stopping?: AbortSignal,
): Promise<void> =>
  workLeased<ScoreJobRow>(
    scoreLeases,
    db,
    organization_id,
    id,
    (ctx, job) =>
      job.kind === 'backtest' ? backTest(ctx, job, stopping) : recomputeScores(ctx, job, stopping),
    (ctx, job, error) => endJob(scoreLeases, ctx, job, { status: 'failed', error }),
  )
