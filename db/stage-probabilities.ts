import { inTx, sendStatement, type Actor, type Ctx, type TxCtx } from './context.ts'
import { readPipeline, type Stage, type StageKind } from './pipelines.ts'

/** A stage as it stood at a moment. */
export type ProbabilityAt = {
  stage_id: string
  /** What it was called then. */
  label: string
  kind: StageKind
  close_probability: number
  /** From when it was so. */
  since: Date
  /** Until when; null: it still is. */
  until: Date | null
  actor: Actor
  /** It is no longer there. */
  deleted: boolean
}

/**
 * The probabilities of a pipeline's stages as they stood at a moment, so that a forecast of that day can be computed again;
 * without one, everything they ever were, the newest first.
 */
export const readProbabilities = (ctx: Ctx, pipeline_id: string, at?: Date): Promise<ProbabilityAt[]> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const [rows] = await Promise.all([
      tx<ProbabilityAt[]>`
        select h.stage_id, h.label, h.kind, h.close_probability, h.since, h.until, h.actor, s.id is null as deleted
        from stage_probabilities h
        left join stages s on s.organization_id = h.organization_id and s.id = h.stage_id
        where h.organization_id = ${organization_id} and h.pipeline_id = ${pipeline_id}
          ${at ? tx`and h.since <= ${at} and (h.until is null or h.until > ${at})` : tx``}
        order by ${at ? tx`array_position(array['open', 'won', 'lost'], h.kind), h.close_probability, h.stage_id` : tx`h.since desc, h.stage_id`}`,
      readPipeline(ctx, pipeline_id),
    ])
    return [...rows]
  })

/** Writes down what stages are called and worth from now on; what they were before ends now. */
export const noteProbabilities = (ctx: TxCtx, pipeline_id: string, stages: readonly Stage[]): void => {
  if (stages.length === 0) return
  const { tx, organization_id, actor } = ctx
  endProbabilities(
    ctx,
    stages.map(({ id }) => id),
  )
  sendStatement(
    ctx,
    tx`
      insert into stage_probabilities (organization_id, stage_id, since, pipeline_id, label, kind, close_probability, actor)
      select ${organization_id}, s.id, clock_timestamp(), ${pipeline_id}, s.label, s.kind, s.close_probability, ${tx.json(actor)}
      from jsonb_to_recordset(${tx.json(stages)}) as s (id uuid, label text, kind text, close_probability int)`,
  )
}

/** What these stages were ends now. */
export const endProbabilities = (ctx: TxCtx, stage_ids: readonly string[]): void => {
  const { tx, organization_id } = ctx
  sendStatement(
    ctx,
    tx`
      update stage_probabilities set until = clock_timestamp()
      where organization_id = ${organization_id} and stage_id = any(${[...stage_ids]}::uuid[]) and until is null`,
  )
}
