import type { Approval } from '../db/approvals.ts'
import { getApproval } from '../db/approvals.ts'
import type { Ctx } from '../db/context.ts'
import { listDiscardReasons } from '../db/discard-reasons.ts'
import { createLead, type NewLead } from '../db/leads.ts'
import type { Opportunity } from '../db/opportunities.ts'
import { closeOpportunity } from '../db/opportunity-closings.ts'
import { agentActor } from '../db/policies.ts'
import { queueRun } from '../db/runs.ts'
import { claimRun, type ClaimedRun } from '../db/run-lease.ts'
import { type TaintSource } from '../db/run-journal.ts'
import { callTool } from '../tools/gate.ts'
import { tools } from '../tools/index.ts'
import type { GateAnswer, Outside } from '../tools/tool.ts'
import type { World } from './world.ts'

/** A process that reaches nothing outside: mail is captured, no private host may be read. */
export const nowhere: Outside = {
  fetch_allow: new Set(),
  mail: { from: 'Mira Kern <mira@northwind.example>' },
  app_url: 'http://127.0.0.1:3000',
}

let made = 0

/** A lead that asks for a price; every one is another person. */
export const makeLead = (ctx: Ctx, fields: Partial<NewLead> = {}): Promise<Opportunity> => {
  made += 1
  return createLead(
    ctx,
    {
      contact_name: `Ana Ruiz ${made}`,
      email: `ana.${made}@brightside.example`,
      company_name: 'Brightside Coffee Roasters',
      message: 'What does it cost for 40 seats?',
      ...fields,
    },
    { door: 'api' },
  )
}

/** Closes a card as lost, for the first reason there is. */
export const loseCard = async (ctx: Ctx, id: string): Promise<Opportunity> =>
  closeOpportunity(ctx, id, { outcome: 'lost', discard_reason_id: await anyReason(ctx) })

/** A discard reason that may be given. */
export const anyReason = async (ctx: Ctx): Promise<string> => {
  const [reason] = await listDiscardReasons(ctx)
  if (!reason) throw new Error('there is no discard reason')
  return reason.id
}

/** An agent at work on one lead: the context it acts in, and its way to the gate. */
export type AgentAtWork = {
  ctx: Ctx
  claimed: ClaimedRun
  call: (name: string, input: unknown, tainted_by?: TaintSource[]) => Promise<GateAnswer>
}

/** Puts `lead_worker` on a lead, or on a deal, as a worker that has claimed the run. */
export const putToWork = async (
  world: Pick<World, 'db'> & { ctx: Ctx },
  lead_id: string,
  outside: Outside = nowhere,
  kind: 'lead' | 'deal' = 'lead',
): Promise<AgentAtWork> => {
  const { organization_id } = world.ctx
  const subject = { kind, id: lead_id }
  const { id } = await queueRun(world.ctx, { agent: 'lead_worker', subject, trigger: { kind: 'request' } })
  const claimed = await claimRun(world.db, organization_id, id, 'test')
  if (!claimed) throw new Error('the run was not there to claim')
  const ctx: Ctx = {
    db: world.db,
    organization_id,
    actor: agentActor('lead_worker'),
    run_id: id,
    lease: claimed.lease,
  }
  let step = 0
  return {
    ctx,
    claimed,
    call: (name, input, tainted_by = [{ kind: 'record', id: lead_id }]) => {
      step += 1
      return callTool(ctx, tools[name], name, input, {
        agent: 'lead_worker',
        subject,
        tainted_by,
        call_id: `call_${step}`,
        step: step - 1,
        outside,
        tools,
      })
    },
  }
}

/** An e-mail to the lead that waits for a person. */
export const parkEmail = async (
  world: Pick<World, 'db'> & { ctx: Ctx },
  lead: Opportunity,
  body = 'Hello Ana, the cost for 40 seats depends on when you would like to start. Shall we talk?',
): Promise<Approval> => {
  const { call } = await putToWork(world, lead.id)
  return parked(world.ctx, await call('draft_email', { lead_id: lead.id, subject: 'Your question', body }))
}

/** A task that waits for a person. */
export const parkTask = async (
  world: Pick<World, 'db'> & { ctx: Ctx },
  lead: Opportunity,
  title: string,
): Promise<Approval> => {
  const { call } = await putToWork(world, lead.id)
  return parked(
    world.ctx,
    await call('suggest_next_actions', { lead_id: lead.id, actions: [taskAction(title)] }),
  )
}

/** One suggested task, as a model writes it. */
export const taskAction = (title: string) => ({
  tool: 'create_task',
  input: { title },
  reason: 'It asked for a price.',
})

const parked = async (ctx: Ctx, { output }: GateAnswer): Promise<Approval> => {
  const suggestions = output['suggestions'] as { approval_id: string; message: string }[] | undefined
  const id = suggestions?.[0]?.approval_id ?? output['approval_id']
  if (typeof id !== 'string') throw new Error(`nothing was parked: ${JSON.stringify(output)}`)
  return getApproval(ctx, id)
}
