import { listTimeline } from '../../db/activities.ts'
import type { Ctx } from '../../db/context.ts'
import { createLead, LeadChange, NewLead, updateLead } from '../../db/leads.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { listOpportunities } from '../../db/opportunity-list.ts'
import { listOrigins } from '../../db/origins.ts'
import { queueRun, type RunTrigger } from '../../db/runs.ts'
import { ListingQuery } from '../listing.ts'
import { ById, route } from '../route.ts'
import { ActivityShape, presentTimeline, TimelineQuery } from './activities.ts'
import { listOf, Queued } from '../shapes.ts'
import { OpportunityShape } from './opportunities.ts'

const lead = (id: string) => ({ kind: 'lead', id })

const readLead = async (ctx: Ctx, id: string) => ({
  ...(await getOpportunity(ctx, id, 'lead')),
  origins: await listOrigins(ctx, lead(id)),
})

const putAgentOn = async (ctx: Ctx, id: string, ask: RunTrigger['ask']) => {
  await getOpportunity(ctx, id, 'lead')
  const run = await queueRun(ctx, {
    agent: 'lead_worker',
    subject: lead(id),
    trigger: { kind: 'request', ...(ask ? { ask } : {}) },
  })
  return { run_id: run.id }
}

const agentAct = (name: 'enrich' | 'suggest' | 'work', summary: string) =>
  route(
    {
      method: 'POST',
      path: `/api/leads/:id/${name}`,
      permission: 'leads:write',
      summary,
      description: 'Answers at once with the run; its steps and words arrive on `/api/events`.',
      params: ById,
      response: Queued,
      status: 202,
    },
    ({ ctx, params }) => putAgentOn(ctx, params.id, name),
  )

/** Leads, and what is asked of agents about them. */
export const leads = [
  route(
    {
      method: 'GET',
      path: '/api/leads',
      permission: 'leads:read',
      summary: 'Leads',
      description:
        '`filter` is JSON of the filter language, `sort` a list of fields such as `-created_at,name`.',
      query: ListingQuery,
      response: listOf(OpportunityShape),
    },
    ({ ctx, query }) => listOpportunities(ctx, { ...query, kind: 'lead' }),
  ),
  route(
    {
      method: 'POST',
      path: '/api/leads',
      permission: 'leads:write',
      summary: 'Make a lead',
      description:
        'It needs a name, an e-mail address or a phone number. `work: true` puts the lead worker on it.',
      body: NewLead,
      example: {
        contact_name: 'Ana Ruiz',
        company_name: 'Brightside',
        email: 'ana@brightside.example',
        work: true,
      },
      response: OpportunityShape,
      status: 201,
    },
    async ({ ctx, body, principal }) => {
      const { work, ...fields } = body
      const made = await createLead(ctx, fields, { door: principal.actor.kind === 'user' ? 'ui' : 'api' })
      if (work) await putAgentOn(ctx, made.id, 'work')
      return readLead(ctx, made.id)
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/leads/:id',
      permission: 'leads:read',
      summary: 'One lead',
      params: ById,
      response: OpportunityShape,
    },
    ({ ctx, params }) => readLead(ctx, params.id),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/leads/:id',
      permission: 'leads:write',
      summary: 'Change a lead',
      description: 'Absent fields stay, null empties one. Send the `version` you read.',
      params: ById,
      body: LeadChange,
      example: { version: 1, title: 'Head of purchasing' },
      response: OpportunityShape,
      versioned: true,
    },
    async ({ ctx, params, body, version }) => {
      await updateLead(ctx, params.id, { ...body, version })
      return readLead(ctx, params.id)
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/leads/:id/timeline',
      permission: 'leads:read',
      summary: 'Everything that happened to a lead, newest first',
      params: ById,
      query: TimelineQuery,
      response: listOf(ActivityShape),
    },
    async ({ ctx, params, query }) => {
      await getOpportunity(ctx, params.id, 'lead')
      return presentTimeline(await listTimeline(ctx, lead(params.id), query))
    },
  ),
  agentAct('enrich', 'Let the agent read the lead’s website'),
  agentAct('suggest', 'Let the agent propose next steps'),
  agentAct('work', 'Put the lead worker on a lead'),
]
