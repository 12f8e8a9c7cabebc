import { z } from 'zod'
import type { Activity } from './activities.ts'
import type { TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { changesOf, inverse, type Verb } from './inverse.ts'
import { clearMilestone, milestones, restoreMilestone, setMilestone, type Milestone } from './milestones.ts'
import { lockOpportunity } from './opportunities.ts'
import { moveOpportunity } from './opportunity-moves.ts'
import { reopenOpportunity, restoreClosing, TakenBack } from './opportunity-reopenings.ts'

const { place } = TakenBack.shape

const MoveBack = z
  .object({ opportunity_id: z.uuid().optional(), lead_id: z.uuid().optional(), stage_id: z.uuid(), place })
  .transform(({ opportunity_id, lead_id, ...to }) => ({ id: opportunity_id ?? lead_id, ...to }))
  .pipe(z.object({ id: z.uuid(), stage_id: z.uuid(), place }))

/** The card, locked, by what a change of its stage may leave. */
const standingStage = async (ctx: TxCtx, id: string) => {
  const { stage_id, value_minor, expected_close_on } = await lockOpportunity(ctx, id)
  return { stage: stage_id, value_minor, expected_close_on }
}

const stageLeft = ({ data }: Activity): Record<string, unknown> => ({
  stage: data['to'],
  ...Object.fromEntries(
    changesOf(data)
      .filter(({ field }) => field === 'value_minor' || field === 'expected_close_on')
      .map(({ field, after }) => [field, after]),
  ),
})

/** Whatever was moved out of a stage may be taken back when the stage is gone: then it is said which one, and what to do. */
const intoFormerStage = async <T>({ data }: Activity, enter: () => Promise<T>): Promise<T> => {
  try {
    return await enter()
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'stage_not_found') throw error
    const { from_label, from_pipeline } = Former.parse(data)
    const of = from_pipeline === undefined ? '' : ` of “${from_pipeline}”`
    throw new DomainError(
      'conflict',
      'stage_deleted',
      `“${from_label}”${of} was deleted since: take that deletion back first, then this.`,
    )
  }
}

const Former = z.object({ from_label: z.string(), from_pipeline: z.string().optional() })

const MilestoneGiven = z.object({ opportunity_id: z.uuid(), milestone: z.enum(milestones) })

const standingMilestone = async (
  ctx: TxCtx,
  { opportunity_id, milestone }: { opportunity_id: string; milestone: Milestone },
) => ({ [milestone]: (await lockOpportunity(ctx, opportunity_id))[milestone] })

/** What takes back where a card stands and what it reached. */
export const opportunityInverses = {
  move_stage: inverse({
    input: MoveBack,
    standing: (ctx, { id }) => standingStage(ctx, id),
    left: stageLeft,
    apply: (ctx, { id, stage_id, place }, activity) =>
      intoFormerStage(activity, () =>
        moveOpportunity(ctx, id, { stage_id, reason: ctx.recording?.reason }, place),
      ),
  }),
  reopen_opportunity: inverse({
    input: TakenBack.extend({ opportunity_id: z.uuid(), stage_id: z.uuid() }),
    standing: (ctx, { opportunity_id }) => standingStage(ctx, opportunity_id),
    left: stageLeft,
    apply: (ctx, { opportunity_id, stage_id, ...taken_back }, activity) =>
      intoFormerStage(activity, () =>
        reopenOpportunity(ctx, opportunity_id, { stage_id, reason: ctx.recording?.reason }, taken_back),
      ),
  }),
  restore_closing: inverse({
    input: TakenBack.extend({ opportunity_id: z.uuid(), closing_id: z.uuid() }),
    standing: (ctx, { opportunity_id }) => standingStage(ctx, opportunity_id),
    left: stageLeft,
    apply: (ctx, { opportunity_id, closing_id, ...taken_back }) =>
      restoreClosing(ctx, opportunity_id, closing_id, { reason: ctx.recording?.reason, ...taken_back }),
  }),
  set_milestone: inverse({
    input: MilestoneGiven.extend({ reached_at: z.string() }),
    standing: standingMilestone,
    apply: (ctx, { opportunity_id, ...input }) => setMilestone(ctx, opportunity_id, input),
  }),
  clear_milestone: inverse({
    input: MilestoneGiven,
    standing: standingMilestone,
    apply: (ctx, { opportunity_id, milestone }) => clearMilestone(ctx, opportunity_id, milestone),
  }),
  restore_milestone: inverse({
    input: MilestoneGiven.extend({ milestone_id: z.uuid() }),
    standing: standingMilestone,
    apply: (ctx, { opportunity_id, milestone, milestone_id }) =>
      restoreMilestone(ctx, opportunity_id, milestone, milestone_id),
  }),
} satisfies Record<string, Verb>
