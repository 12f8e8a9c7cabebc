import { z } from 'zod'
import { inTx, type Ctx } from './context.ts'
import { invalid } from './errors.ts'
import { PipelineChange, planChange } from './pipeline-editing.ts'
import { withoutStage } from './pipeline-ladder.ts'
import { sumByCurrency, totalsOf } from './pipeline-distribution.ts'
import { getPipeline, type Pipeline } from './pipelines.ts'
import { readStageTotals, type StageTotal } from './stage-totals.ts'

/** A change that is not made yet: as `PATCH` takes it, and one stage that would be deleted. */
export const PreviewedChange = PipelineChange.omit({ before_id: true, after_id: true }).extend({
  delete_stage: z
    .object({ stage_id: z.uuid(), target_stage_id: z.uuid().optional() })
    .optional()
    .describe('A stage that would be deleted, and where its cards would go.'),
})
export type PreviewedChange = z.infer<typeof PreviewedChange>

/** What a change does to cards of one currency; amounts in its minor units. */
export type Impact = {
  currency: string
  count: number
  value_minor: number
  weighted_before_minor: number
  weighted_after_minor: number
  delta_minor: number
}

export type StageImpact = Impact & {
  stage_id: string
  label: string
  /** Null: it is deleted. */
  close_probability_after: number | null
  close_probability_before: number
  /** How many it would hold. */
  count_after: number
  value_after_minor: number
}

export type Preview = {
  /** The pipeline as it would be. */
  pipeline: Pipeline
  /** Every stage that holds, or would hold, cards. */
  stages: StageImpact[]
  totals: Impact[]
  /** Cards whose weight, stage or stage's name would change. */
  affected: number
}

/**
 * What a change would do, before it is saved: the same plan, over the cards that are there. Nothing is written.
 * @throws {DomainError} what the change itself would be refused with
 */
export const previewChange = (
  ctx: Ctx,
  id: string,
  { delete_stage, ...change }: PreviewedChange,
): Promise<Preview> =>
  inTx(ctx, async (ctx) => {
    const [before, totals] = await Promise.all([getPipeline(ctx, id), readStageTotals(ctx, id)])
    const changed = planChange(before, change)
    const after = delete_stage
      ? { ...changed, stages: withoutStage(changed, delete_stage.stage_id) }
      : changed
    const moved = delete_stage ? redirected(after, totals, delete_stage) : totals
    const stages = impactsOf(before, after, totals, moved)
    return {
      pipeline: after,
      stages,
      totals: impactByCurrency(stages),
      affected: affectedBy(before, after, totals, moved),
    }
  })

/** The totals when one stage's cards are in another. */
const redirected = (
  after: Pipeline,
  totals: readonly StageTotal[],
  { stage_id, target_stage_id }: NonNullable<PreviewedChange['delete_stage']>,
): StageTotal[] => {
  if (!totals.some((total) => total.stage_id === stage_id)) return [...totals]
  const open = after.stages.filter(({ kind }) => kind === 'open')
  if (!target_stage_id || !open.some(({ id }) => id === target_stage_id)) {
    throw invalid(
      'target_stage_invalid',
      '/delete_stage/target_stage_id',
      'Say which open stage of this pipeline its cards go to.',
      open.map(({ id, label }) => ({ id, label })),
    )
  }
  return totals.map((total) =>
    total.stage_id === stage_id ? { ...total, stage_id: target_stage_id } : total,
  )
}

const impactsOf = (
  before: Pipeline,
  after: Pipeline,
  totals: readonly StageTotal[],
  moved: readonly StageTotal[],
): StageImpact[] =>
  before.stages.flatMap((stage) => {
    const then = after.stages.find(({ id }) => id === stage.id)
    const now = totalsOf(stage, totals)
    const later = then ? sumByCurrency(totalsOf(then, moved)) : []
    const currencies = [...new Set([...now, ...later].map(({ currency }) => currency))].toSorted()
    return currencies.map((currency) => {
      const [a, b] = [now, later].map((list) => list.find((total) => total.currency === currency))
      return {
        stage_id: stage.id,
        label: then?.label ?? stage.label,
        currency,
        count: a?.count ?? 0,
        value_minor: a?.value_minor ?? 0,
        count_after: b?.count ?? 0,
        value_after_minor: b?.value_minor ?? 0,
        close_probability_before: stage.close_probability,
        close_probability_after: then?.close_probability ?? null,
        weighted_before_minor: a?.weighted_minor ?? 0,
        weighted_after_minor: b?.weighted_minor ?? 0,
        delta_minor: (b?.weighted_minor ?? 0) - (a?.weighted_minor ?? 0),
      }
    })
  })

const impactByCurrency = (stages: readonly StageImpact[]): Impact[] => {
  const sums = new Map<string, Impact>()
  for (const each of stages) {
    const sum = sums.get(each.currency)
    sums.set(each.currency, {
      currency: each.currency,
      count: (sum?.count ?? 0) + each.count,
      value_minor: (sum?.value_minor ?? 0) + each.value_minor,
      weighted_before_minor: (sum?.weighted_before_minor ?? 0) + each.weighted_before_minor,
      weighted_after_minor: (sum?.weighted_after_minor ?? 0) + each.weighted_after_minor,
      delta_minor: (sum?.delta_minor ?? 0) + each.delta_minor,
    })
  }
  return [...sums.values()].toSorted((a, b) => (a.currency < b.currency ? -1 : 1))
}

const affectedBy = (
  before: Pipeline,
  after: Pipeline,
  totals: readonly StageTotal[],
  moved: readonly StageTotal[],
): number =>
  totals.reduce((sum, { stage_id, count }, n) => {
    const [was, is] = [before, after].map(({ stages }) => stages.find(({ id }) => id === stage_id))
    const same =
      moved[n]?.stage_id === stage_id &&
      was?.close_probability === is?.close_probability &&
      was?.label === is?.label
    return same ? sum : sum + count
  }, 0)
