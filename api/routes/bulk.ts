import { z } from 'zod'
import {
  bulkResults,
  bulkStatuses,
  cancelBulk,
  getBulk,
  listBulkRows,
  listBulks,
  NewBulk,
  startBulk,
} from '../../db/bulk.ts'
import { type BulkKind, bulkKinds } from '../../db/bulk-kinds.ts'
import { undoBulk } from '../../db/bulk-undo.ts'
import { type Principal, requirePermission } from '../principal.ts'
import { bulkPermissions, requireEveryKind, requireLinked, requireLinks } from '../record-permissions.ts'
import { ById, Limit, Paged, route } from '../route.ts'
import { Actor, Anything, Id, listOf, Text, Time } from '../shapes.ts'

const Count = z.int()

/** One act on many records. */
export const BulkShape = z
  .object({
    id: Id,
    kind: z.enum(bulkKinds),
    act: z.string().describe('`undo` takes back what `undo_of` did.'),
    input: Anything,
    selection: z.object({
      ids_given: Count.optional(),
      filter: z.unknown().optional(),
      q: z.string().optional(),
    }),
    dry_run: z.boolean(),
    status: z.enum(bulkStatuses),
    progress: z.object({ done: Count, total: Count }),
    counts: z.object({ changed: Count, unchanged: Count, skipped: Count, failed: Count }),
    undo_of: Id.nullable(),
    undone_by: Id.nullable(),
    error: Text,
    requested_by: Actor,
    created_at: Time,
    started_at: Time.nullable(),
    finished_at: Time.nullable(),
  })
  .meta({ id: 'Bulk' })

const BulkRowShape = z
  .object({
    n: Count,
    record: z.object({ kind: z.enum(bulkKinds), id: Id, name: Text }),
    result: z.enum(bulkResults),
    problem: z.object({ code: z.string(), message: z.string() }).nullable(),
    changes: z.array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() })),
    activity_ids: z.array(Id),
  })
  .meta({ id: 'BulkRow' })

/**
 * The job that acts on many tasks, and names each, does not know what its key may read: so that takes reading every record
 * that a task can be about.
 */
const requireActing = (principal: Principal, kind: BulkKind, act: 'read' | 'write'): void => {
  requirePermission(principal, bulkPermissions[kind][act])
  if (kind === 'task') requireEveryKind(principal)
}

/** Acts on many records. */
export const bulk = [
  route(
    {
      method: 'POST',
      path: '/api/bulk',
      permission: 'bulk:write',
      summary: 'Do one act to many records',
      description:
        'Up to 10,000 `ids`, or everything that matches `filter` and `q` when it begins. `kind` is a kind of record, `opportunity` for leads and deals in one list, or `task` (open ones, unless the filter speaks of their state). Each goes through the same checks as the single act and gets its own line on its timeline; `dry_run` does all of it and keeps nothing. Acts: `update` (the fields of a change), `assign` {owner_id; of a task: assignee}, `add_tags` and `remove_tags` {tags}, `move` {stage_id}, `change_pipeline` {pipeline_id, stage_map}, `close`, `reopen`, `complete` (tasks), `archive`, `restore`. What is archived is skipped. Acts on tasks take reading every kind of record. Whoever asks must still be a member with that right while it is done: else it ends as `failed` with the reason. Progress comes as `bulk_progress` on `/api/events`, at most once a second; the end as `bulk_finished`.',
      body: NewBulk,
      example: {
        kind: 'lead',
        ids: ['01990000-0000-7000-8000-000000000000'],
        act: 'add_tags',
        input: { tags: ['spring fair'] },
        dry_run: true,
      },
      response: BulkShape,
      status: 202,
    },
    ({ ctx, body, principal }) => {
      requireActing(principal, body.kind, 'write')
      requireLinks(principal, body.filter)
      requireLinked(principal, body.input)
      return startBulk(ctx, body)
    },
  ),
  route(
    {
      method: 'GET',
      path: '/api/bulk',
      permission: 'bulk:read',
      summary: 'Acts on many records, newest first',
      query: Paged.extend({ status: z.enum(bulkStatuses).optional() }),
      response: listOf(BulkShape),
    },
    ({ ctx, query }) => listBulks(ctx, query),
  ),
  route(
    {
      method: 'GET',
      path: '/api/bulk/:id',
      permission: 'bulk:read',
      summary: 'How far an act on many records has come',
      params: ById,
      response: BulkShape,
    },
    ({ ctx, params }) => getBulk(ctx, params.id),
  ),
  route(
    {
      method: 'GET',
      path: '/api/bulk/:id/rows',
      permission: 'bulk:read',
      summary: 'What each record came to, and what changed on it',
      params: ById,
      query: z.object({
        result: z.enum(bulkResults).optional(),
        limit: Limit,
        cursor: z.coerce
          .number('not a cursor of this list; start again without it')
          .int()
          .min(0)
          .max(2_147_483_647)
          .optional(),
      }),
      response: listOf(BulkRowShape),
    },
    async ({ ctx, params, query, principal }) => {
      requireActing(principal, (await getBulk(ctx, params.id)).kind, 'read')
      return listBulkRows(ctx, params.id, query)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/bulk/:id/cancel',
      permission: 'bulk:write',
      summary: 'Stop an act on many records; what it did already stays',
      params: ById,
      response: BulkShape,
    },
    async ({ ctx, params, principal }) => {
      requireActing(principal, (await getBulk(ctx, params.id)).kind, 'write')
      return cancelBulk(ctx, params.id)
    },
  ),
  route(
    {
      method: 'POST',
      path: '/api/bulk/:id/undo',
      permission: 'bulk:write',
      summary: 'Take back what an act on many records did',
      description:
        'Restores every value that nobody changed since, as an act on many records of its own; its rows name what was kept and why. What was in the way of a row can pass (a pipeline is restored, a record): the act is then there to be taken back again, for what remains. 409 `already_undone` while an undo is under way and when nothing remains; 409 `bulk_not_ended`, `not_undoable`.',
      params: ById,
      response: BulkShape,
      status: 202,
    },
    async ({ ctx, params, principal }) => {
      requireActing(principal, (await getBulk(ctx, params.id)).kind, 'write')
      return undoBulk(ctx, params.id)
    },
  ),
]
