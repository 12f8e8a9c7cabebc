import { z } from 'zod'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { getOpportunity, type Opportunity } from './opportunities.ts'
import { MoveOpportunity, moveOpportunity } from './opportunity-moves.ts'
import { getPipeline, getStage, type Pipeline } from './pipelines.ts'

type Kind = Opportunity['kind']

/** What tells a lead from a deal before it is made. */
export type Destined = {
  kind?: Kind | undefined
  pipeline_id?: string | undefined
  stage_id?: string | undefined
}

/**
 * Which kind of card a new one becomes: what its pipeline is for; without a pipeline what is asked for, else a lead.
 * @throws {DomainError} `kind_contradicts_pipeline`, `pipeline_not_found`, `stage_not_found`
 */
export const kindOfNew = async (ctx: Ctx, { kind, pipeline_id, stage_id }: Destined): Promise<Kind> => {
  const named = pipeline_id ?? (stage_id && (await getStage(ctx, stage_id)).pipeline_id)
  if (!named) return kind ?? 'lead'
  const { name, record_kind } = await getPipeline(ctx, named)
  if (kind === undefined || kind === record_kind) return record_kind
  throw invalid('kind_contradicts_pipeline', '/kind', `“${name}” is a pipeline for ${record_kind}s.`, [
    record_kind,
  ])
}

/** The same for many, each place looked up once. */
export const kindsOfNew = (ctx: Ctx, cards: readonly Destined[]): Promise<Kind[]> =>
  inTx(ctx, async (ctx) => {
    const known = new Map<string, Promise<Kind>>()
    return Promise.all(
      cards.map((card) => {
        const place = JSON.stringify([card.kind, card.pipeline_id, card.stage_id])
        const kind = known.get(place) ?? kindOfNew(ctx, card)
        known.set(place, kind)
        return kind
      }),
    )
  })

/** A move to a stage that is named by its id, or by its label whatever the case. */
export const MoveToStage = MoveOpportunity.omit({ before_id: true, after_id: true }).extend({
  stage_id: z.uuid().optional(),
  stage: z.string().max(200).optional().describe('Its label, in the card’s pipeline or in `pipeline_id`.'),
})
export type MoveToStage = z.infer<typeof MoveToStage>

/**
 * Moves a card as `moveOpportunity` does, for callers who know stages by their names.
 * @throws {DomainError} `stage_required`, `stage_unknown` with the labels there are, `stage_contradicts_label`, and what
 * moving refuses
 */
export const moveToStage = (ctx: Ctx, id: string, { stage, ...input }: MoveToStage): Promise<Opportunity> =>
  inTx(ctx, async (ctx) => {
    const stage_id = stage === undefined ? input.stage_id : await stageNamed(ctx, id, stage, input)
    if (stage_id !== undefined) return moveOpportunity(ctx, id, { ...input, stage_id })
    const { stages } = await getPipeline(ctx, (await getOpportunity(ctx, id)).pipeline_id)
    throw invalid('stage_required', '/stage', 'Name the stage: its label, or its id.', labelsOf(stages))
  })

const stageNamed = async (
  ctx: TxCtx,
  id: string,
  label: string,
  { stage_id, pipeline_id }: Pick<MoveToStage, 'stage_id' | 'pipeline_id'>,
): Promise<string> => {
  const card = await getOpportunity(ctx, id)
  const { name, stages } = await getPipeline(ctx, pipeline_id ?? card.pipeline_id)
  const wanted = label.trim().toLowerCase()
  const found = stages.find((stage) => stage.label.toLowerCase() === wanted)
  if (!found)
    throw invalid('stage_unknown', '/stage', `“${name}” has no stage of this name.`, labelsOf(stages))
  if (stage_id === undefined || stage_id === found.id) return found.id
  throw invalid('stage_contradicts_label', '/stage_id', `“${found.label}” has another id.`, [found.id])
}

const labelsOf = (stages: Pipeline['stages']): string[] => stages.map(({ label }) => label)
