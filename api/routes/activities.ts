import { z } from 'zod'
import { listActivities, type Activity } from '../../db/activities.ts'
import type { Page } from '../../db/page.ts'
import { isUndoable } from '../../db/undo.ts'
import { Paged, route } from '../route.ts'
import { Actor, Anything, Id, listOf, Subject, Time } from '../shapes.ts'

/** One line of a timeline. */
export const ActivityShape = z
  .object({
    id: Id,
    type: z.string(),
    occurred_at: Time,
    actor: Actor,
    on_behalf_of: Actor.optional(),
    reason: z.string().optional(),
    run_id: Id.optional(),
    approval_id: Id.optional(),
    subjects: z.array(Subject),
    data: Anything,
    summary: z.string(),
    seq: z.int().nullable(),
    undoable: z.boolean(),
    undone_by: Id.optional(),
    version: z.int(),
    edited_by: Actor.optional(),
    edited_at: Time.optional(),
    deleted: z.literal(true).optional(),
  })
  .meta({ id: 'Activity' })

/** How timelines are narrowed down. */
export const TimelineQuery = Paged.extend({
  actor: z.enum(['human', 'agent', 'system']).optional(),
  run_id: z.uuid().optional(),
})

/** One line as it is answered. */
export const presentActivity = (activity: Activity) => ({ ...activity, undoable: isUndoable(activity) })

/** A page of a timeline as it is answered. */
export const presentTimeline = ({ data, next_cursor }: Page<Activity>) => ({
  data: data.map(presentActivity),
  next_cursor,
})

/** What happened. */
export const activities = [
  route(
    {
      method: 'GET',
      path: '/api/activities',
      permission: 'activities:read',
      summary: 'Everything that happened, newest first',
      query: TimelineQuery,
      response: listOf(ActivityShape),
    },
    async ({ ctx, query }) => presentTimeline(await listActivities(ctx, query)),
  ),
]
