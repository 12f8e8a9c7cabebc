import type { Ctx } from '../db/context.ts'
import type { Standing } from '../db/policies.ts'
import type { TaintSource } from '../db/run-journal.ts'
import type { Run } from '../db/runs.ts'
import { loadPrompt } from '../prompts/load.ts'
import { readGivenTask } from '../tools/tasks.ts'
import type { Agent, Orders, Owed } from './agent.ts'
import { NO_TASK, tellTask } from './task-orders.ts'

/** What a run is to do, as its model is told it. */
export type Told = {
  orders: Orders
  prompt_version: string
  instructions: string
  request: string
  /** What from outside stands in these words themselves. */
  tainted_by: TaintSource[]
  /** Why there is nothing left to do. */
  gone?: string
}

/** The orders of a run: of the task or the file that woke it, else of the agent's whole work. */
export const readOrders = async (ctx: Ctx, agent: Agent, run: Run): Promise<Told> => {
  const { task_id, file_id } = run.trigger
  const orders = (task_id ? agent.errands?.task : file_id ? agent.errands?.file : undefined) ?? agent
  const given = task_id === undefined ? undefined : await readGivenTask(ctx, task_id)
  const task = given && 'id' in given ? given : undefined
  const told = task && tellTask(task)
  const prompt = loadPrompt(orders.prompt)
  const holes: Record<string, string> = { agent: agent.name, task: told?.instruction ?? NO_TASK }
  return {
    orders,
    prompt_version: prompt.version,
    instructions: prompt.render(Object.fromEntries(prompt.holes.map((hole) => [hole, holes[hole] ?? '']))),
    request: [requestOf(run), told?.message].filter(Boolean).join('\n\n'),
    tainted_by: task?.outside ? [{ kind: 'task', id: task.id }] : [],
    ...(given && 'gone' in given ? { gone: given.gone } : {}),
  }
}

const requestOf = ({ subject, trigger: { ask = 'work', activity_id, task_id, file_id } }: Run): string => {
  const work = `Work the ${subject.kind} ${subject.id}.`
  if (task_id !== undefined) return `${work} You were given the task ${task_id}. Do only that.`
  if (file_id !== undefined)
    return `${work} The file ${file_id} on it was read. Propose what it says for blank fields, and do only that.`
  if (ask === 'work') return work
  return activity_id === undefined
    ? `${work} A person asked for: ${ask}. Do only that.`
    : `${work} It has been in its stage for longer than the stage allows. You are asked for: ${ask}. Do only that.`
}

/** Nothing beyond what a person asked for, and nothing that policy keeps from the agent. */
export const owedBy = ({ owes }: Orders, { trigger }: Run, levels: Standing['levels']): Owed | undefined =>
  (trigger.ask ?? 'work') === 'work' &&
  owes?.tools.every((name) => ['act', 'suggest'].includes(levels[name] ?? 'off'))
    ? owes
    : undefined
