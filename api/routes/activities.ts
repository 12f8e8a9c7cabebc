import { z } from 'zod'
import { listActivities, type Activity } from '../../db/activities.ts'
import type { Page } from '../../db/page.ts'
import { Paged, route } from '../route.ts'
import { ActivityShape, listOf } from '../shapes.ts'

/** How timelines are narrowed down. */
export const TimelineQuery = Paged.extend({
  actor: z.enum(['human', 'agent', 'system']).optional(),
  run_id: z.uuid().optional(),
})

/** A page of a timeline as it is answered. */
export const presentTimeline = ({ data, next_cursor }: Page<Activity>) => ({
  data: data.map((activity) => ({ ...activity, undoable: false })),
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
