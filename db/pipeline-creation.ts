import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity } from './activities.ts'
import { inTx, sendStatement, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { Description, Label, ladderLimits, newLadder, NewStage } from './pipeline-ladder.ts'
import { holdPipelines, refuseAgents, writeStages, yieldDefault } from './pipeline-changes.ts'
import {
  pipelineTemplates,
  templateFor,
  templateNames,
  templateStages,
  type TemplateName,
} from './pipeline-templates.ts'
import { getPipeline, type Pipeline } from './pipelines.ts'
import { Place, positionAt } from './positions.ts'
import { noteProbabilities } from './stage-probabilities.ts'

/** A pipeline from a template, or with stages of its own; with neither, from the template for its kind of record. */
export const NewPipeline = z.object({
  template: z.enum(templateNames).optional(),
  name: Label.optional().describe('Required with stages of its own; a template brings one.'),
  description: Description.nullable().optional(),
  record_kind: z.enum(['lead', 'deal']).optional().describe('Absent: the template’s, or deal.'),
  lost_reason: z.enum(['required', 'optional']).optional(),
  is_default: z.boolean().optional().describe('The first one for a kind of record always is.'),
  stages: z
    .array(NewStage.omit({ position: true }))
    .min(1)
    .max(ladderLimits.stages)
    .optional()
    .describe('In their order; a won and a lost one are added where none is given.'),
  ...Place.shape,
})
export type NewPipeline = z.infer<typeof NewPipeline>

/**
 * Sets up a pipeline. There may be any number of them.
 * @throws {DomainError} `ladder_is_ground_truth` for agents, `template_or_stages`, `pipeline_name_required`, and what a
 * ladder refuses
 */
export const createPipeline = (ctx: Ctx, input: NewPipeline): Promise<Pipeline> =>
  inTx(ctx, async (ctx) => {
    refuseAgents(ctx)
    holdPipelines(ctx)
    const id = await insertPipeline(ctx, input)
    const pipeline = await getPipeline(ctx, id)
    await recordActivity(ctx, {
      type: 'record_created',
      subjects: [
        { kind: 'pipeline', id },
        { kind: 'organization', id: ctx.organization_id },
      ],
      record_version: pipeline.version,
      data: {
        kind: 'pipeline',
        name: pipeline.name,
        template: pipeline.template,
        stages: pipeline.stages.map(({ label }) => label),
        undo: { tool: 'archive_pipeline', input: { pipeline_id: id } },
      },
    })
    return pipeline
  })

/** The two pipelines that every organization starts with. */
export const createFirstPipelines = async (ctx: TxCtx): Promise<void> => {
  await insertPipeline(ctx, { template: templateFor.lead })
  await insertPipeline(ctx, { template: templateFor.deal })
}

const insertPipeline = async (ctx: TxCtx, input: NewPipeline): Promise<string> => {
  const { tx, organization_id } = ctx
  if (input.template && input.stages) {
    throw invalid('template_or_stages', '/stages', 'Give a template or stages of its own, not both.')
  }
  const template: TemplateName | undefined = input.stages
    ? undefined
    : (input.template ?? templateFor[input.record_kind ?? 'deal'])
  const from = template && pipelineTemplates[template]
  const name = input.name ?? from?.name
  if (name === undefined) {
    throw invalid('pipeline_name_required', '/name', 'Say what the pipeline is called.')
  }
  const stages = newLadder(template ? templateStages(template) : (input.stages ?? []))
  const record_kind = input.record_kind ?? from?.record_kind ?? 'deal'
  const [position, [holder]] = await Promise.all([
    positionAt(
      tx,
      tx`from pipelines where organization_id = ${organization_id} and archived_at is null`,
      input,
    ),
    tx`
      select 1 from pipelines
      where organization_id = ${organization_id} and record_kind = ${record_kind} and is_default and archived_at is null`,
  ])
  if (holder && input.is_default) yieldDefault(ctx, record_kind)
  const id = uuidv7()
  sendStatement(
    ctx,
    tx`
      insert into pipelines ${tx({
        organization_id,
        id,
        name,
        description: input.description === undefined ? (from?.description ?? null) : input.description,
        record_kind,
        lost_reason: input.lost_reason ?? 'required',
        is_default: !holder || input.is_default === true,
        template: template ?? null,
        position,
      })}`,
  )
  writeStages(ctx, id, stages)
  noteProbabilities(ctx, id, stages)
  return id
}
