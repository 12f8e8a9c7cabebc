import type { StageKind } from './pipelines.ts'

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

export const templateNames = ['sales', 'opportunities', 'agent_funnel'] as const
export type TemplateName = (typeof templateNames)[number]

/** What a pipeline for a kind of record starts from when nobody says. */
export const templateFor = { lead: 'agent_funnel', deal: 'opportunities' } as const

/** The stages of a template, the open ones first. */
export const templateStages = (
  name: TemplateName,
): { label: string; close_probability: number; description: string | null; kind: StageKind }[] => {
  const { stages, won, lost }: Template = pipelineTemplates[name]
  const stage = ([label, close_probability, description]: TemplateStage, kind: StageKind) => ({
    label,
    close_probability,
    description: description ?? null,
    kind,
  })
  return [...stages.map((each) => stage(each, 'open')), stage(won, 'won'), stage(lost, 'lost')]
}
