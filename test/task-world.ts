import type { LanguageModelV4 } from '@ai-sdk/provider'
import { rulesModel } from '../agents/rules-model.ts'
import { listActivities } from '../db/activities.ts'
import { listApprovals } from '../db/approvals.ts'
import type { Ctx } from '../db/context.ts'
import { createApiKey } from '../db/identity.ts'
import type { NewLead } from '../db/leads.ts'
import { listNotes } from '../db/notes.ts'
import { listRuns } from '../db/runs.ts'
import { createTask, getTask, type NewTask } from '../db/tasks.ts'
import { openRunWorld } from './run-world.ts'

export const AGENT = { kind: 'agent', id: 'lead_worker' } as const

/** The rules, and what they were told. */
export const overheard = () => {
  const told: { instructions: string; request: string; offered: string[] }[] = []
  const model: LanguageModelV4 = {
    ...rulesModel,
    doGenerate: (options) => {
      const texts = (role: string) =>
        options.prompt.flatMap((message) =>
          message.role !== role
            ? []
            : typeof message.content === 'string'
              ? [message.content]
              : message.content.flatMap((part) => ('text' in part ? [part.text] : [])),
        )
      told.push({
        instructions: texts('system').join('\n'),
        request: texts('user').join('\n'),
        offered: (options.tools ?? []).map(({ name }) => name),
      })
      return rulesModel.doGenerate(options)
    },
  }
  return { model, told }
}

/** A fresh world for a test file in which tasks are given to the agent; it ends with it. */
export const openTaskWorld = async () => {
  const world = await openRunWorld()
  const { ctx } = world
  const runOf = async (task_id: string): Promise<string> => {
    const { data } = await listRuns(ctx, { limit: 50 })
    const run = data.find(({ trigger }) => trigger.task_id === task_id)
    if (!run) throw new Error('the task woke nobody')
    return run.id
  }
  /** A task on a lead that is given to the agent, and the run that it wakes. */
  const give = async (
    task: Partial<NewTask> & { title: string },
    { by = ctx, lead: fields = {} }: { by?: Ctx; lead?: Partial<NewLead> } = {},
  ) => {
    const lead = await world.sameLead({
      contact_name: `Ana ${Math.random()}`,
      message: 'What does it cost?',
      ...fields,
    })
    const { id } = await createTask(by, {
      ...task,
      assignee: AGENT,
      subjects: [{ kind: 'lead', id: lead.id }],
    })
    return { lead_id: lead.id, task_id: id, run_id: await runOf(id) }
  }
  /** Works the run of a task to its end. */
  const work = async (given: Awaited<ReturnType<typeof give>>, model?: LanguageModelV4) => {
    const run = await world.workToTheEnd(given.run_id, model)
    const subject = { subject_kind: 'lead', subject_id: given.lead_id, limit: 10 }
    return {
      run,
      calls: run.steps.flatMap(({ tool, verdict }) => (tool ? [`${tool} ${verdict}`] : [])),
      task: await getTask(ctx, given.task_id),
      notes: (await listNotes(ctx, subject)).data.map(({ body }) => body),
      waiting: (await listApprovals(ctx, { subject_id: given.lead_id, limit: 20 })).data,
      lines: (await listActivities(ctx, { subject: { kind: 'task', id: given.task_id }, limit: 20 })).data,
    }
  }
  /** A program that acts in the organization. */
  const keyCtx = async (): Promise<Ctx> => {
    const { id, name } = await createApiKey(ctx, {
      name: 'Integration',
      scopes: ['*'],
      user_id: world.owner.user_id,
    })
    return { ...ctx, actor: { kind: 'api_key', id, name } }
  }

  return { world, ctx, runOf, give, work, keyCtx }
}
