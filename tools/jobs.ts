import { setTimeout } from 'node:timers/promises'
import { log } from '../log.ts'
import { expireApproval } from '../db/approval-decisions.ts'
import { linkEverythingNamed } from '../db/campaign-names.ts'
import type { Database } from '../db/client.ts'
import { systemCtx } from '../db/context.ts'
import { assessTouched } from '../db/deal-risk.ts'
import { assessAllDeals, beginRiskDays } from '../db/deal-risk-days.ts'
import { pairWritten } from '../db/duplicate-pairs.ts'
import { findOverdueWork, type Overdue } from '../db/overdue.ts'
import { findStuckStages, tellOfStuck } from '../db/stage-stuck.ts'
import { foldLongLedgers } from '../db/stage-totals.ts'
import { processSubmission } from '../db/submissions.ts'
import { remindOfTask } from '../db/task-reminders.ts'
import { executeApproval } from './approvals.ts'
import { readFileText } from './files.ts'
import { deliverMessage } from './messages.ts'
import { lookForNightlyScores } from './scores.ts'
import type { Outside } from './tool.ts'

/** How much of each kind one worker does at once, and how often it looks for what no job woke. */
const workLimits = {
  submissions: 2,
  approvals: 2,
  messages: 2,
  files: 1,
  sweep_ms: 2_000,
  mail_patience_ms: 5_000,
  file_patience_ms: 5_000,
}

/** What the worker carries out without thinking: reads submissions, executes approvals, delivers mail, expires. */
export const startToolJobs = async (
  db: Database,
  outside: Outside,
): Promise<{ stop: () => Promise<void>; lastBeat: () => Date }> => {
  const { queue } = db
  await queue.work(
    'submission.received',
    { concurrency: workLimits.submissions },
    ({ organization_id, submission_id }) => processSubmission(db, organization_id, submission_id),
  )
  await queue.work(
    'approval.approved',
    { concurrency: workLimits.approvals },
    ({ organization_id, approval_id }) => executeApproval(db, organization_id, approval_id, outside),
  )
  await queue.work(
    'message.queued',
    { concurrency: workLimits.messages },
    ({ organization_id, message_id }) => deliverMessage(db, organization_id, message_id, outside),
  )
  await queue.work('file.added', { concurrency: workLimits.files }, ({ organization_id, file_id }) =>
    readFileText(db, organization_id, file_id),
  )
  await queue.work('campaign.named', { concurrency: 1 }, ({ organization_id, campaign_id }) =>
    linkEverythingNamed(db, organization_id, campaign_id),
  )
  await queue.work('deals.touched', { concurrency: 1 }, ({ organization_id, deal_ids }) =>
    assessTouched(systemCtx(db, organization_id, 'deal_risk'), deal_ids),
  )
  await queue.work('deal_risk.day_begun', { concurrency: 1 }, async ({ organization_id }) => {
    await assessAllDeals(db, organization_id)
  })
  await queue.work('leads.written', { concurrency: 1 }, ({ organization_id, lead_ids }) =>
    pairWritten(db, organization_id, lead_ids),
  )
  await queue.work('minute.passed', { concurrency: 1 }, async () => {
    await sweep(db, outside)
    await lookForStuck(db)
    await foldLongLedgers(db)
    await lookForNightlyScores(db)
    await beginRiskDays(db)
  })
  return startSweeping(db, outside)
}

/** Looks after what was promised and whose job was lost: a job is a wake-up, the record knows what there is to do. */
export const sweep = async (db: Database, outside: Outside): Promise<void> => {
  const overdue = await findOverdueWork(db)
  await each(overdue.submissions, ({ organization_id, id }) => processSubmission(db, organization_id, id))
  // A mail server may take minutes to answer: whoever waits for it must not keep the rest waiting.
  await Promise.race([
    each(overdue.messages, ({ organization_id, id }) => deliverMessage(db, organization_id, id, outside)),
    setTimeout(workLimits.mail_patience_ms, undefined, { ref: false }),
  ])
  await each(overdue.approved, ({ organization_id, id }) => executeApproval(db, organization_id, id, outside))
  await each(overdue.expiring, ({ organization_id, id }) =>
    expireApproval(systemCtx(db, organization_id, 'expiry'), id),
  )
  await each(overdue.reminders, ({ organization_id, id }) =>
    remindOfTask(systemCtx(db, organization_id, 'reminders'), id),
  )
  // One at a time, and the rest does not wait for it: a document may take long to read.
  await Promise.race([
    each(overdue.files.slice(0, 1), ({ organization_id, id }) => readFileText(db, organization_id, id)),
    setTimeout(workLimits.file_patience_ms, undefined, { ref: false }),
  ])
}

/** One look for cards that have been in their stage too long; the rest of very many comes with the next looks. */
export const lookForStuck = async (db: Database): Promise<void> => {
  const stages = await findStuckStages(db)
  await each(stages, ({ organization_id, id, at_most }) =>
    tellOfStuck(systemCtx(db, organization_id, 'stage_stuck'), id, at_most),
  )
}

/** One that fails every time must not keep the others from being looked after. */
const each = async <Work extends Overdue>(
  overdue: Work[],
  look: (work: Work) => Promise<unknown>,
): Promise<void> => {
  for (const work of overdue) {
    try {
      await look(work)
    } catch (error) {
      const { organization_id, id } = work
      log.error({ err: error, organization_id, id }, 'overdue work failed; it is tried again')
    }
  }
}

const startSweeping = (
  db: Database,
  outside: Outside,
): { stop: () => Promise<void>; lastBeat: () => Date } => {
  let beat = new Date()
  const stopping = new AbortController()
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await sweep(db, outside)
        beat = new Date()
      } catch (error) {
        log.error({ err: error }, 'sweep failed; it is tried again')
      }
      // Ended early by the stop, which is no fault.
      await setTimeout(workLimits.sweep_ms, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const running = loop()
  return {
    lastBeat: () => beat,
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}
