import { randomUUID } from 'node:crypto'
import type { Ctx } from '../db/context.ts'
import { createLead } from '../db/leads.ts'
import { defaultPipeline } from '../db/pipelines.ts'
import type { Outside } from '../tools/tool.ts'
import type { ScriptedCall } from './scripted-model.ts'

/** Nothing outside is reached: no site may be read, mail is captured. */
export const nowhere: Outside = {
  fetch_allow: new Set(),
  mail: { from: 'Mira Kern <mira@northwind.example>' },
  app_url: 'http://127.0.0.1:3000',
}

/** The five tool calls of a run. The lead writes from a private mailbox and names no website, so nothing is fetched. */
export const fiveCalls = async (ctx: Ctx): Promise<ScriptedCall[]> => {
  const { stages } = await defaultPipeline(ctx, 'lead')
  const qualified = stages[1]
  if (!qualified) throw new Error('the pipeline has one stage only')
  return [
    (lead_id) => ({ tool: 'read_lead', input: { lead_id } }),
    (lead_id) => ({ tool: 'enrich_lead', input: { lead_id } }),
    (lead_id) => ({ tool: 'qualify', input: { lead_id } }),
    (lead_id) => ({
      tool: 'move_stage',
      input: { lead_id, stage_id: qualified.id, reason: 'Asks for a price for 40 seats.' },
    }),
    (lead_id) => ({
      tool: 'draft_email',
      input: {
        lead_id,
        subject: 'Your question about 40 seats',
        body: 'Hello Ana,\n\nthank you for asking what 40 seats cost. I will send you an offer today.\n\nMira Kern',
      },
    }),
  ]
}

/** Makes leads for agents to work; answers their ids. */
export const makeLeads = async (ctx: Ctx, count: number): Promise<string[]> => {
  const ids: string[] = []
  for (let n = 0; n < count; n += 8) {
    const leads = await Promise.all(
      Array.from({ length: Math.min(8, count - n) }, () => createLead(ctx, someLead(), { door: 'webhook' })),
    )
    ids.push(...leads.map(({ id }) => id))
  }
  return ids
}

const someLead = () => {
  const id = randomUUID()
  return {
    contact_name: `Ana Ruiz ${id.slice(0, 8)}`,
    email: `ana.${id}@gmail.com`,
    phone: '+49 30 901820',
    company_name: 'Brightside Coffee Roasters',
    title: 'Head of Operations',
    message: 'What does it cost for 40 seats? We would like to start next month.',
    source: 'website',
  }
}
