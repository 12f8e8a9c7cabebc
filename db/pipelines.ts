import { v7 as uuidv7 } from 'uuid'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid, notFound } from './errors.ts'

export type StageKind = 'open' | 'won' | 'lost'

export type Stage = {
  id: string
  label: string
  description: string | null
  kind: StageKind
  position: number
  color: string
  close_probability: number
  rot_days: number | null
}

export type Pipeline = {
  id: string
  name: string
  description: string | null
  record_kind: 'lead' | 'deal'
  lost_reason: 'required' | 'optional'
  is_default: boolean
  template: string | null
  stages: Stage[]
  version: number
}

type TemplateStage = [label: string, close_probability: number, description?: string]
type Template = {
  name: string
  record_kind: 'lead' | 'deal'
  description: string
  stages: TemplateStage[]
  won: TemplateStage
  lost: TemplateStage
}

/** The three ladders a pipeline can start from. */
export const pipelineTemplates = {
  sales: {
    name: 'Sales',
    record_kind: 'deal',
    description: 'A short ladder from first contact to a signature',
    stages: [
      ['Prospect', 10, 'Initial contact, not yet qualified'],
      ['Qualified', 30, 'Lead has been qualified by AI or human'],
      ['Negotiation', 60, 'Active deal discussion'],
    ],
    won: ['Won', 100, 'Successfully closed'],
    lost: ['Lost', 0, 'Did not convert (with discard reason)'],
  },
  opportunities: {
    name: 'Opportunities',
    record_kind: 'deal',
    description: 'Deals with an appointment and an offer on the way',
    stages: [
      ['Initial contact', 10],
      ['Appointment set', 30],
      ['Offer made', 50],
      ['Negotiation', 70],
    ],
    won: ['Closed Won', 100],
    lost: ['Closed Lost', 0],
  },
  agent_funnel: {
    name: 'Leads',
    record_kind: 'lead',
    description: 'New leads, worked by agents and people together',
    stages: [
      ['New lead', 5, 'Just came in'],
      ['Qualified', 20, 'Worth talking to'],
      ['In conversation', 35, 'Somebody answered'],
      ['Proposal sent', 55, 'An offer is on the table'],
      ['Negotiation', 75, 'Terms are being discussed'],
    ],
    won: ['Closed-Won', 100],
    lost: ['Closed-Lost', 0],
  },
} satisfies Record<string, Template>

export type TemplateName = keyof typeof pipelineTemplates

/** Every pipeline that is not archived, the defaults first, each with its stages in order. */
export const listPipelines = (ctx: Ctx): Promise<Pipeline[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const pipelines = await tx<Pipeline[]>`
      select p.id, p.name, p.description, p.record_kind, p.lost_reason, p.is_default, p.template, p.version,
        (select jsonb_agg(jsonb_build_object('id', s.id, 'label', s.label, 'description', s.description, 'kind', s.kind,
            'position', s.position, 'color', s.color, 'close_probability', s.close_probability, 'rot_days', s.rot_days)
          order by s.position)
         from stages s where s.organization_id = p.organization_id and s.pipeline_id = p.id) as stages
      from pipelines p where p.organization_id = ${organization_id} and p.archived_at is null
      order by p.is_default desc, p.position, p.id`
    return [...pipelines]
  })

/** One pipeline with its stages. */
export const getPipeline = async (ctx: Ctx, id: string): Promise<Pipeline> => {
  const pipeline = (await listPipelines(ctx)).find((candidate) => candidate.id === id)
  if (!pipeline) throw notFound('pipeline', id)
  return pipeline
}

/** The pipeline that new records of this kind enter. */
export const defaultPipeline = async (ctx: Ctx, record_kind: 'lead' | 'deal'): Promise<Pipeline> => {
  const pipelines = (await listPipelines(ctx)).filter((pipeline) => pipeline.record_kind === record_kind)
  const pipeline = pipelines.find((candidate) => candidate.is_default) ?? pipelines[0]
  if (!pipeline) {
    throw invalid(
      'pipeline_missing',
      '/pipeline_id',
      `There is no pipeline for ${record_kind}s. Set one up first.`,
    )
  }
  return pipeline
}

/** The stage where cards enter: the first open one. */
export const entryStage = (pipeline: Pipeline): Stage => {
  const stage = pipeline.stages.find((candidate) => candidate.kind === 'open') ?? pipeline.stages[0]
  if (!stage) throw new Error(`pipeline ${pipeline.id} has no stages`)
  return stage
}

/** A stage by its id, with the pipeline it belongs to. */
export const getStage = async (ctx: Ctx, id: string): Promise<Stage & { pipeline_id: string }> => {
  for (const pipeline of await listPipelines(ctx)) {
    const stage = pipeline.stages.find((candidate) => candidate.id === id)
    if (stage) return { ...stage, pipeline_id: pipeline.id }
  }
  throw notFound('stage', id)
}

/** Sets up a pipeline from a template. */
export const createPipeline = async (
  ctx: TxCtx,
  input: { template: TemplateName; is_default: boolean; position: string },
): Promise<string> => {
  const { tx, organization_id } = ctx
  const template: Template = pipelineTemplates[input.template]
  const pipeline_id = uuidv7()
  await tx`
    insert into pipelines ${tx({
      organization_id,
      id: pipeline_id,
      name: template.name,
      description: template.description,
      record_kind: template.record_kind,
      is_default: input.is_default,
      template: input.template,
      position: input.position,
    })}`
  const ladder: [TemplateStage, StageKind][] = [
    ...template.stages.map((stage): [TemplateStage, StageKind] => [stage, 'open']),
    [template.won, 'won'],
    [template.lost, 'lost'],
  ]
  await tx`
    insert into stages ${tx(
      ladder.map(([[label, close_probability, description], kind], position) => ({
        organization_id,
        id: uuidv7(),
        pipeline_id,
        label,
        description: description ?? null,
        kind,
        position,
        close_probability,
      })),
    )}`
  return pipeline_id
}
