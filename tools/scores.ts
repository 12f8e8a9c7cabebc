import { log } from '../log.ts'
import type { Database } from '../db/client.ts'
import { findOverdueScoreJobs } from '../db/score-jobs.ts'
import { startNightly } from '../db/score-recompute.ts'
import { workScoreJob } from '../db/score-work.ts'
import { startLeasedWork } from './leased-work.ts'

/** Works back-tests and scorings of every lead. */
export const startScoreWork = (db: Database): Promise<{ stop: () => Promise<void> }> =>
  startLeasedWork(db, {
    queue: 'score_job.queued',
    idOf: ({ score_job_id }) => score_job_id,
    organizationOf: ({ organization_id }) => organization_id,
    called: 'work on scores',
    slots: 1,
    work: workScoreJob,
    findOverdue: findOverdueScoreJobs,
  })

/** Begins the nightly scoring where it is night. */
export const lookForNightlyScores = async (db: Database): Promise<void> => {
  const started = await startNightly(db)
  if (started > 0) log.info({ started }, 'leads are scored anew, because points change with time')
}
