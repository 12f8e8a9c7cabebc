import { inTx, type Ctx } from '../../db/context.ts'
import { createLead, createLeads, LeadChange, NewLead, updateLead } from '../../db/leads.ts'
import { getOpportunity } from '../../db/opportunities.ts'
import { listOpportunities } from '../../db/opportunity-list.ts'
import { queueRun, type RunTrigger } from '../../db/runs.ts'
import { ById, route } from '../route.ts'
import { Queued } from '../shapes.ts'
import { OpportunityShape } from './opportunities.ts'
import { cardChanges, doorOf, recordRoutes } from './records.ts'

const putAgentOn = async (ctx: Ctx, id: string, ask: RunTrigger['ask']) => {
  await getOpportunity(ctx, id, 'lead')
  const run = await queueRun(ctx, {
    agent: 'lead_worker',
    subject: { kind: 'lead', id },
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
  ...recordRoutes({
    kind: 'lead',
    permission: 'leads',
    shape: OpportunityShape,
    list: (ctx, query) => listOpportunities(ctx, { ...query, kind: 'lead' }),
    get: (ctx, id) => getOpportunity(ctx, id, 'lead'),
    create: {
      body: NewLead,
      description:
        'It needs a name, an e-mail address or a phone number. `work: true` puts the lead worker on it.',
      example: {
        contact_name: 'Ana Ruiz',
        company_name: 'Brightside',
        email: 'ana@brightside.example',
        work: true,
      },
      run: async (ctx, { work, ...input }, principal) => {
        const { id } = await createLead(ctx, input, { door: doorOf(principal) })
        if (work) await putAgentOn(ctx, id, 'work')
        return { id }
      },
      together: (ctx, inputs, principal) =>
        inTx(ctx, async (ctx) => {
          const origin = { door: doorOf(principal) }
          const cards = inputs.map(({ work: _, ...input }) => ({ input, origin }))
          const ids = (await createLeads(ctx, cards)).map(({ id }) => id)
          for (const [n, { work }] of inputs.entries()) if (work) await putAgentOn(ctx, ids[n] ?? '', 'work')
          return ids
        }),
    },
    change: {
      body: LeadChange,
      description: cardChanges,
      example: { version: 1, title: 'Head of purchasing' },
      run: updateLead,
    },
  }),
  agentAct('enrich', 'Let the agent read the lead’s website'),
  agentAct('suggest', 'Let the agent propose next steps'),
  agentAct('work', 'Put the lead worker on a lead'),
]
