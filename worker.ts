import { startAgentJobs, type AgentWorker } from './agents/jobs.ts'
import { startSequencer } from './db/audit.ts'
import { startBulkWork } from './tools/bulk.ts'
import { startImportWork } from './tools/imports.ts'
import { startToolJobs } from './tools/jobs.ts'
import { startScoreWork } from './tools/scores.ts'

/** What a worker is made of: the thinking part's needs, and where sealed heads are kept outside the database. */
export type WorkerOptions = AgentWorker & { heads_file: string }

/** A running worker. `stop` finishes what is under way or gives it back, within ten seconds. */
export type Worker = {
  stop: () => Promise<void>
  /** When both halves last looked for work: the older of the two. */
  lastBeat: () => Date
}

/** Composes the worker: what is carried out without thinking, the agents, and the sealing of the timeline. */
export const startWorker = async (options: WorkerOptions): Promise<Worker> => {
  const sequencer = startSequencer(options.db, options.heads_file)
  const carrying = await startToolJobs(options.db, options.outside)
  const bulk = await startBulkWork(options.db)
  const imports = await startImportWork(options.db)
  const scores = await startScoreWork(options.db)
  const thinking = await startAgentJobs(options)
  return {
    lastBeat: () => new Date(Math.min(carrying.lastBeat().getTime(), thinking.lastBeat().getTime())),
    stop: async () => {
      await Promise.all([carrying.stop(), bulk.stop(), imports.stop(), scores.stop(), thinking.stop()])
      await sequencer.stop()
    },
  }
}
