import { z } from 'zod'
import type { Subject } from './activities.ts'
import type { Ctx, TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { listMembers } from './identity.ts'
import { agentCatalogue, readStanding } from './policies.ts'
import { queueRun } from './runs.ts'

/** Who is to do a task: a member, by the id of the person, or an agent, by its name. */
export const Assignee = z.object({ kind: z.enum(['user', 'agent']), id: z.string().min(1).max(100) })
export type Assignee = z.infer<typeof Assignee>

/** Which kind of record the agents work. */
const WORKED = 'lead'

/** How many of those who could be meant a refusal names. */
const MAX_NAMED = 50

/** @throws {DomainError} `assignee_unknown`, naming those who are there */
export const requireAssignee = async (ctx: Ctx, { kind, id }: Assignee): Promise<void> => {
  if (kind === 'agent') {
    if (Object.hasOwn(agentCatalogue, id)) return
    const known = Object.keys(agentCatalogue)
    throw invalid('assignee_unknown', '/assignee/id', `There is no agent “${id}” here.`, known)
  }
  const members = await listMembers(ctx)
  if (members.some(({ user_id }) => user_id === id)) return
  throw invalid(
    'assignee_unknown',
    '/assignee/id',
    'Nobody here has this id; a task goes to a member of this organization or to an agent.',
    members.slice(0, MAX_NAMED).map(({ user_id, name }) => ({ id: user_id, name })),
  )
}

/** An agent that gets a task on a lead goes to work on it, unless it is switched off there. */
export const wakeAssignee = async (
  ctx: TxCtx,
  task_id: string,
  { kind, id }: Assignee,
  subjects: readonly Subject[],
): Promise<void> => {
  if (kind !== 'agent') return
  for (const subject of subjects.filter((one) => one.kind === WORKED)) {
    // One connection: they would queue up anyway.
    const { ai_enabled, agent_enabled, record_paused } = await readStanding(ctx, id, subject)
    if (!ai_enabled || !agent_enabled || record_paused) continue
    // See above.
    await queueRun(ctx, { agent: id, subject, trigger: { kind: 'task', task_id } })
  }
}
