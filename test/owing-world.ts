import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { afterEach } from 'vitest'
import { lead_worker } from '../agents/lead_worker.ts'
import { rulesModel } from '../agents/rules-model.ts'
import { listApprovals, type Approval } from '../db/approvals.ts'
import type { NewLead } from '../db/leads.ts'
import { changeAgentSettings } from '../db/models.ts'
import type { Opportunity } from '../db/opportunities.ts'
import type { Run } from '../db/runs.ts'
import type { RunStep } from '../db/run-journal.ts'
import { openRunWorld } from './run-world.ts'

/** How often the model was asked for the run's work: the request, and what came after its end. */
export const timesAsked = ({ prompt }: LanguageModelV4CallOptions): number =>
  prompt.filter(({ role }) => role === 'user').length

/** Does everything but draft, until it is asked for the nth time. */
export const lazy = (until = Infinity, seen: number[] = []): LanguageModelV4 => ({
  ...rulesModel,
  doGenerate: (options) => {
    const asked = timesAsked(options)
    seen.push(asked)
    const tools = options.tools?.filter(({ name }) => name !== 'draft_email')
    return rulesModel.doGenerate(asked < until && tools ? { ...options, tools } : options)
  },
})

export type Worked = { lead: Opportunity; run: Run & { steps: RunStep[] }; mails: Approval[] }

/** The turns of the run's own model, or those of the rules in its place. */
export const turnsOf = ({ run }: Worked, by?: 'rules'): RunStep[] =>
  run.steps.filter(({ kind, output }) => kind === 'model' && Object(output).model === by)
/** Why somebody was asked once more. */
export const reasonsOf = ({ run }: Worked): string[] =>
  run.steps.flatMap(({ output }) => (Object(output).because ? [Object(output).because] : []))
/** What was called, and what the gate said to it. */
export const verdictsOf = ({ run }: Worked): string[] =>
  run.steps.flatMap(({ tool, verdict }) => (tool ? [`${tool} ${verdict}`] : []))

export const ASKED = 'No answer to the lead waited for a person: the model was asked once more.'
export const STOOD_IN =
  'No answer to the lead waited for a person: the built-in rules stood in for the model.'

/** A fresh world for a test file in which runs end with what they owe, or without; caps end with each test. */
export const openOwingWorld = async () => {
  const world = await openRunWorld()
  const { ctx } = world
  afterEach(() => changeAgentSettings(ctx, 'lead_worker', { budget: { ...lead_worker.budget } }))
  const mailsTo = async (lead_id: string): Promise<Approval[]> =>
    (await listApprovals(ctx, { subject_id: lead_id, tool: 'send_email', limit: 10 })).data
  const workedBy = async (model: LanguageModelV4, fields?: Partial<NewLead>): Promise<Worked> => {
    const lead = await world.sameLead(fields)
    const run = await world.workToTheEnd(await world.queue(lead.id), model)
    return { lead, run, mails: await mailsTo(lead.id) }
  }

  return { world, ctx, mailsTo, workedBy }
}
