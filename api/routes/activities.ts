import { z } from 'zod'
import { activityTypes, getActivity, type Activity } from '../../db/activities.ts'
import { findActivities } from '../../db/activity-list.ts'
import { EntryChange, logActivity, NewEntry } from '../../db/activity-logging.ts'
import { asMayBeRead } from '../../db/activity-reading.ts'
import { deleteActivity, editActivity, listRevisions } from '../../db/activity-revisions.ts'
import type { Ctx } from '../../db/context.ts'
import { Moment } from '../../db/lead-fields.ts'
import type { Page } from '../../db/page.ts'
import { isUndoable } from '../../db/undo.ts'
import { ListingQuery } from '../listing.ts'
import { editorOf } from '../principal.ts'
import { ById, Paged, route } from '../route.ts'
import { Actor, Anything, Id, listOf, Subject, Text, Time } from '../shapes.ts'

/** One line of a timeline. */
export const ActivityShape = z
  .object({
    id: Id,
    type: z.string(),
    occurred_at: Time,
    recorded_at: Time.optional(),
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
export const presentActivity = (ctx: Pick<Ctx, 'reading'>, activity: Activity) => ({
  ...asMayBeRead(ctx, activity),
  undoable: isUndoable(activity),
})

/** A page of a timeline as it is answered. */
export const presentTimeline = (ctx: Ctx, { data, next_cursor }: Page<Activity>) => ({
  data: data.map((activity) => presentActivity(ctx, activity)),
  next_cursor,
})

const RevisionShape = z.object({
  version: z.int(),
  editor: Actor,
  edited_at: Time,
  data: Anything.nullable(),
  subjects: z.array(Subject),
  occurred_at: Time,
  reason: Text,
})

const Instant = Moment.transform((at) => new Date(at))

/** What happened, and what people say happened. */
export const activities = [
  route(
    {
      method: 'GET',
      path: '/api/activities',
      permission: 'activities:read',
      summary: 'Everything that happened, newest first',
      description:
        '`filter` is JSON of the filter language, `sort` a list of fields such as `-occurred_at,type`; `q` is looked for in who did it and why.',
      query: TimelineQuery.extend({
        ...ListingQuery.shape,
        type: z
          .string()
          .max(500)
          .transform((text) => text.split(',').map((name) => name.trim()))
          .pipe(z.array(z.enum(activityTypes)).min(1))
          .optional()
          .describe('One or several, with commas between.'),
        actor_id: z.string().max(100).optional().describe('Who did it.'),
        subject_kind: z.string().max(50).optional(),
        subject_id: z.uuid().optional(),
        from: Instant.optional().describe('By when it occurred, as it reads now.'),
        to: Instant.optional().describe('Not included.'),
      }),
      response: listOf(ActivityShape),
    },
    async ({ ctx, query: { type, ...query } }) =>
      presentTimeline(ctx, await findActivities(ctx, { ...query, types: type })),
  ),
  route(
    {
      method: 'POST',
      path: '/api/activities',
      permission: 'activities:write',
      summary: 'Log a call, a meeting or a message',
      description:
        'What the record was not there to see, with its type and what it was about, on 1 to 20 records. A meeting that is scheduled and an e-mail that was sent are milestones of the cards among them.',
      body: NewEntry,
      example: {
        type: 'call_logged',
        subjects: [{ kind: 'lead', id: '01990000-0000-7000-8000-000000000000' }],
        data: {
          subject: 'Asked for 40 seats',
          body: 'Wants an offer by Friday.',
          duration_min: 12,
          direction: 'inbound',
        },
      },
      response: ActivityShape,
      status: 201,
    },
    // Who logs it knows what it says.
    async ({ ctx, body }) => presentActivity({}, await logActivity(ctx, body)),
  ),
  route(
    {
      method: 'GET',
      path: '/api/activities/:id',
      permission: 'activities:read',
      summary: 'One activity',
      params: ById,
      response: ActivityShape,
    },
    async ({ ctx, params }) => presentActivity(ctx, await getActivity(ctx, params.id)),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/activities/:id',
      permission: 'activities:write',
      summary: 'Change an entry that was logged by hand',
      description:
        'Your own, or anybody’s as a manager; earlier versions stay under `/revisions`, and the entry stays in its place in lists. What agents and the record itself wrote never changes: log a correction.',
      params: ById,
      body: EntryChange,
      example: { version: 1, data: { duration_min: 20, direction: null } },
      response: ActivityShape,
      versioned: true,
    },
    async ({ ctx, principal, params, body, version }) =>
      presentActivity(
        ctx,
        await editActivity(ctx, params.id, { version, changes: body }, editorOf(principal)),
      ),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/activities/:id',
      permission: 'activities:write',
      summary: 'Delete an entry that was logged by hand',
      description: 'That it was there stays on the timeline, with who deleted it; what it said is gone.',
      params: ById,
      status: 204,
    },
    ({ ctx, principal, params }) => deleteActivity(ctx, params.id, editorOf(principal)),
  ),
  route(
    {
      method: 'GET',
      path: '/api/activities/:id/revisions',
      permission: 'activities:read',
      summary: 'How an activity read over time, the oldest first',
      params: ById,
      response: z.object({ data: z.array(RevisionShape) }),
    },
    async ({ ctx, params }) => ({ data: await listRevisions(ctx, params.id) }),
  ),
]
