import { z } from 'zod'
import { DuplicatePairs, dismissPairs, restorePairs, standingPairs } from './duplicate-dismissals.ts'
import { inverse } from './inverse.ts'
import { MergeLeads, mergeLeads } from './lead-merging.ts'
import { unmergeById } from './lead-unmerging.ts'

const nothing = { standing: () => Promise.resolve({}), left: () => ({}) }

/** What takes back merging, and what was said of duplicates. */
export const duplicateInverses = {
  /** What was edited since stays: taking a merge apart sees to it field by field. */
  unmerge_leads: inverse({
    ...nothing,
    input: z.object({ merge_id: z.uuid() }),
    apply: (ctx, { merge_id }) => unmergeById(ctx, merge_id, ctx.recording?.reason),
  }),
  merge_leads: inverse({
    ...nothing,
    input: MergeLeads.extend({ lead_id: z.uuid() }),
    apply: (ctx, { lead_id, ...input }) =>
      mergeLeads(ctx, lead_id, { ...input, reason: ctx.recording?.reason }),
  }),
  dismiss_duplicates: inverse({
    input: DuplicatePairs,
    standing: (ctx, { pairs }) => standingPairs(ctx, pairs),
    left: () => ({ dismissed: false }),
    apply: (ctx, { pairs }) => dismissPairs(ctx, pairs, ctx.recording?.reason),
  }),
  restore_duplicates: inverse({
    input: DuplicatePairs,
    standing: (ctx, { pairs }) => standingPairs(ctx, pairs),
    left: () => ({ dismissed: true }),
    apply: (ctx, { pairs }) => restorePairs(ctx, pairs, ctx.recording?.reason),
  }),
}
