import { inTx, type Ctx } from './context.ts'
import { DomainError } from './errors.ts'
import { listMembers } from './identity.ts'
import { lockTask, updateTask, type Task } from './tasks.ts'

/**
 * An agent gives a task back that was given to it: to the member who made it, else to the owner of a card that it is about,
 * else to nobody in particular.
 * @throws {DomainError} `task_not_yours`, `task_<state>`
 */
export const handBackTask = (ctx: Ctx, id: string, reason: string): Promise<Task> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const task = await lockTask(ctx, id)
    const { title, assignee, status, archived_at, created_by, subjects } = task
    if (assignee?.kind !== actor.kind || assignee.id !== actor.id)
      throw new DomainError('conflict', 'task_not_yours', `“${title}” is not given to you.`)
    const state = archived_at === null ? status : 'archived'
    if (state !== 'open') throw new DomainError('conflict', `task_${state}`, `“${title}” is ${state}.`)
    const [members, owners] = await Promise.all([
      listMembers(ctx),
      tx<{ owner_id: string }[]>`
        select owner_id from opportunities where organization_id = ${organization_id}
          and id = any(${subjects.map((subject) => subject.id)}::uuid[]) and owner_id is not null order by id`,
    ])
    const wanted = [
      created_by.kind === 'user' ? created_by.id : undefined,
      ...owners.map((one) => one.owner_id),
    ]
    const member = wanted.find((one) => members.some(({ user_id }) => user_id === one))
    return updateTask(ctx, id, {
      changes: { assignee: member === undefined ? null : { kind: 'user', id: member } },
      reason,
    })
  })
