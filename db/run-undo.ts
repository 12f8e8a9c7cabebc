import { type Activity, type ActivityRow, toActivity } from './activities.ts'
import { withdrawApproval } from './approval-decisions.ts'
import { type Ctx, inSavepoint, inTx } from './context.ts'
import { DomainError, notFound } from './errors.ts'
import type { RunStatus } from './runs.ts'
import { changedNothing, goesWithAnother, takeBack, type Undo } from './undo.ts'

/** What became of taking a whole run back. */
export type UndoneRun = {
  run_id: string
  undone: { activity_id: string; summary: string; undone_by: string }[]
  /** What stays, and why: sent, changed since, or too old. */
  kept: {
    activity_id: string
    summary: string
    code: string
    detail: string
    extra: Record<string, unknown>
  }[]
  /** Proposals that nobody had decided: nobody will be asked any more. */
  withdrawn: string[]
}

const ENDED: RunStatus[] = ['done', 'failed', 'stopped', 'cancelled', 'dead']

/**
 * Takes back everything that a run did and that nobody changed since, newest first, in one transaction; names what stays.
 * Acts of it that a person approved are among them; proposals of it that still wait are withdrawn.
 * @throws {DomainError} `run_not_found`, `run_not_ended`
 */
export const undoRun = (ctx: Ctx, run_id: string, options: Undo = {}): Promise<UndoneRun> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [run] = await tx<{ status: RunStatus }[]>`
      select status from runs where organization_id = ${organization_id} and id = ${run_id} for update`
    if (!run) throw notFound('run', run_id)
    if (!ENDED.includes(run.status)) {
      throw new DomainError(
        'conflict',
        'run_not_ended',
        `This run is ${run.status}; stop it first, then take back what it did.`,
        { extra: { state: run.status } },
      )
    }
    const result: UndoneRun = { run_id, undone: [], kept: [], withdrawn: [] }
    const rows = await tx<ActivityRow[]>`
      select * from activities where organization_id = ${organization_id} and run_id = ${run_id} order by id`
    for (const activity of rows.map(toActivity).filter(isAct).toReversed()) {
      const { id: activity_id, summary } = activity
      try {
        const { activity: line } = await inSavepoint(ctx, (ctx) => takeBack(ctx, activity_id, options))
        result.undone.push({ activity_id, summary, undone_by: line.id })
      } catch (error) {
        if (!(error instanceof DomainError)) throw error
        const { code, message: detail, extra } = error
        result.kept.push({ activity_id, summary, code, detail, extra })
      }
    }
    const waiting = await tx<{ id: string }[]>`
      select id from approvals where organization_id = ${organization_id} and run_id = ${run_id}
        and status in ('pending', 'stale') order by id for update`
    for (const { id } of waiting) {
      await withdrawApproval(ctx, id, options.reason ?? 'the run was taken back')
      result.withdrawn.push(id)
    }
    return result
  })

/** Proposals are withdrawn below, undone lines are undone, and lines that changed nothing stay as they are. */
const isAct = (activity: Activity): boolean =>
  activity.type !== 'approval_requested' &&
  activity.undone_by === undefined &&
  !changedNothing(activity) &&
  !goesWithAnother(activity)
