import {
  ACTOR_KINDS,
  type ActivitiesFilter,
  type Activity,
  activityColumns,
  type ActivityRow,
  listActivities,
  toActivity,
  WORKED_ON,
} from './activities.ts'
import { occurredIn } from './activity-moments.ts'
import { inTx, type Ctx } from './context.ts'
import { invalid } from './errors.ts'
import { listRecords, type ListQuery } from './listing.ts'
import type { Page } from './page.ts'
import { requireReading } from './reading.ts'

export type ListActivities = Omit<ListQuery, 'limit'> &
  Omit<ActivitiesFilter, 'subject'> & { subject_kind?: string | undefined; subject_id?: string | undefined }

/**
 * Everything that happened, newest first unless sorted, as every list is filtered, sorted and searched. Without any of that
 * it is read as a timeline is, along the index of its subject.
 * @throws {DomainError} what listing refuses, `invalid_cursor`
 */
export const findActivities = async (
  ctx: Ctx,
  { filter, sort, q, subject_kind, subject_id, ...query }: ListActivities,
): Promise<Page<Activity>> => {
  if (subject_kind) requireReading(ctx, [{ kind: subject_kind }])
  if (filter || sort || q || (subject_kind && !subject_id))
    return findAmong(ctx, { filter, sort, q, subject_kind, subject_id, ...query })
  if (query.cursor !== undefined && !UUID.test(query.cursor))
    throw invalid('invalid_cursor', '/cursor', 'Not a cursor of this list; start again without it.')
  const subject = subject_id === undefined ? undefined : { kind: subject_kind, id: subject_id }
  return listActivities(ctx, { ...query, subject })
}

const findAmong = (ctx: Ctx, query: ListActivities): Promise<Page<Activity>> =>
  inTx(ctx, async (ctx) => {
    const { actor, run_id, types, actor_id, subject_kind, subject_id } = query
    const { filter, q, cursor, limit } = query
    const kinds = subject_kind === undefined ? WORKED_ON : [subject_kind]
    const occurred = await occurredIn(ctx, query)
    const { data, next_cursor } = await listRecords<ActivityRow>(
      ctx,
      {
        kind: 'activity',
        default_sort: '-id',
        select: (tx, more) => tx`select ${activityColumns(tx, 'y')}, ${more} from activities y`,
        where: (tx) => tx`(${occurred(tx`y.id`).reduce((any, part) => tx`${any} or ${part}`)})
        ${actor ? tx`and y.actor_kind in ${tx(ACTOR_KINDS[actor])}` : tx``}
        ${actor_id ? tx`and y.actor_id = ${actor_id}` : tx``}
        ${run_id ? tx`and y.run_id = ${run_id}` : tx``}
        ${types ? tx`and y.type in ${tx(types)}` : tx``}
        ${
          subject_id || subject_kind
            ? tx`and exists (select from activity_subjects s where s.organization_id = y.organization_id
                and s.activity_id = y.id and s.kind in ${tx(kinds)} ${subject_id ? tx`and s.subject_id = ${subject_id}` : tx``})`
            : tx``
        }`,
      },
      { filter, q, cursor, limit, sort: inOrderOfIds(query.sort) },
    )
    return { data: data.map(toActivity), next_cursor }
  })

/** Ids stand in the order of what occurred, and have an index. */
const inOrderOfIds = (sort: string | undefined): string | undefined => sort?.replace(/\boccurred_at\b/, 'id')

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i
