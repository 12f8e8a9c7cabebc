import { changesOf } from './inverse.ts'
import type { Activity } from './activities.ts'
import { type Actor, type Ctx, inTx, type TxCtx } from './context.ts'
import { getTask, type Task } from './tasks.ts'
import { clip, visibleText } from './text.ts'

/** How much of a task a model is shown. */
const limits = { title: 300, description: 4_000, name: 100 }

/** A task as the agent that is to do it reads it. */
export type TaskForPrompt = Pick<Task, 'id' | 'status' | 'assignee'> & {
  title: string
  description: string | null
  due_at: string | null
  /** Who gave it first, where it comes again. */
  given_by: string
  /** Whether anybody but a member wrote its words: then they are data, and whoever reads them has read from outside. */
  outside: boolean
  archived: boolean
}

/**
 * Renders a task for a model; its length is bounded whatever it says.
 * @throws {DomainError} `task_not_found`
 */
export const taskForPrompt = (ctx: Ctx, id: string): Promise<TaskForPrompt> =>
  inTx(ctx, async (ctx) => {
    const [task, { given_by, writers }] = await Promise.all([getTask(ctx, id), authorsOf(ctx, id)])
    return {
      id,
      status: task.status,
      assignee: task.assignee,
      title: clip(visibleText(task.title), limits.title),
      description: task.description === null ? null : clip(visibleText(task.description), limits.description),
      due_at: task.due_at?.toISOString() ?? null,
      given_by: clip(visibleText((given_by ?? task.created_by).name), limits.name),
      outside: given_by === undefined || writers.some(({ kind }) => kind !== 'user'),
      archived: task.archived_at !== null,
    }
  })

/** Where the beginning of a series is not found, nobody knows who wrote it: that counts as outside. */
const LONGEST_SERIES = 5_000

/** Who gave a task, and who wrote its title and its description as they are: it may repeat another one. */
const authorsOf = async (
  { tx, organization_id }: TxCtx,
  id: string,
): Promise<{ given_by: Actor | undefined; writers: Actor[] }> => {
  const lines = await tx<(Pick<Activity, 'type' | 'data'> & { actor: Actor })[]>`
    with recursive series as (
      select id, repeats_id, 1 as n from tasks where organization_id = ${organization_id} and id = ${id}
      union all
      select t.id, t.repeats_id, s.n + 1 from series s
      join tasks t on t.organization_id = ${organization_id} and t.id = s.repeats_id where s.n < ${LONGEST_SERIES}
    )
    select a.type, a.data, jsonb_build_object('kind', a.actor_kind, 'id', a.actor_id, 'name', a.actor_name) as actor
    from series s
    join activity_subjects u on u.organization_id = ${organization_id} and u.kind = 'task' and u.subject_id = s.id
      and u.type in ('task_created', 'task_updated')
    join activities a on a.organization_id = u.organization_id and a.id = u.activity_id
    order by a.id`
  // The lines that follow a task of a series carry its words on; they are nobody's new ones.
  const given_by = lines.find(({ type, data }) => type === 'task_created' && !data['repeats_id'])?.actor
  const writerOf = (field: string): Actor | undefined =>
    lines.findLast(
      ({ type, data }) => type === 'task_updated' && changesOf(data).some((change) => change.field === field),
    )?.actor ?? given_by
  return {
    given_by,
    writers: [writerOf('title'), writerOf('description')].filter((one) => one !== undefined),
  }
}
