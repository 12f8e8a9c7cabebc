import { z } from 'zod'
import type { Ctx } from '../../db/context.ts'
import { keptValuesOf } from '../../db/custom-values.ts'
import type { ListQuery } from '../../db/listing.ts'
import { listOrigins } from '../../db/origins.ts'
import type { Page } from '../../db/page.ts'
import { readVersions } from '../../db/record-versions.ts'
import { archiveRecord, type RecordKind, requireRecord, restoreRecord } from '../../db/records.ts'
import { listTimeline } from '../../db/timeline.ts'
import { ListingQuery } from '../listing.ts'
import type { Principal } from '../principal.ts'
import { ById, route, type Route } from '../route.ts'
import { listOf, YesNo } from '../shapes.ts'
import { ActivityShape, presentTimeline, TimelineQuery } from './activities.ts'

/** What the operations of a kind of record are made of. */
type RecordOperations<New extends z.ZodType, Change extends z.ZodObject> = {
  kind: RecordKind
  permission: 'leads' | 'accounts' | 'contacts'
  shape: z.ZodType
  list: (ctx: Ctx, query: ListQuery) => Promise<Page<unknown>>
  /** One as it is answered by itself. */
  get: (ctx: Ctx, id: string) => Promise<{ id: string }>
  create: {
    body: New
    description: string
    example: unknown
    /** Answers what is told of the new one beside itself. */
    run: (ctx: Ctx, input: z.output<New>, principal: Principal) => Promise<{ id: string; warnings?: unknown }>
    /** Makes several, all of them or none; answers their ids, in the same order. */
    together: (ctx: Ctx, inputs: readonly z.output<New>[], principal: Principal) => Promise<readonly string[]>
  }
  change: {
    body: Change
    description?: string
    example: unknown
    run: (ctx: Ctx, id: string, input: z.output<Change> & { version: number | undefined }) => Promise<unknown>
  }
}

/** What every kind of record can be asked and told: list, create, read, change, archive, restore, timeline. */
export const recordRoutes = <New extends z.ZodType, Change extends z.ZodObject>({
  kind,
  permission,
  shape,
  list,
  get,
  create,
  change,
}: RecordOperations<New, Change>): Route[] => {
  const path = `/api/${kind}s`
  const [read, write] = [`${permission}:read`, `${permission}:write`] as const
  const an = kind === 'account' ? 'an account' : `a ${kind}`
  const readOne = async (ctx: Ctx, id: string) => ({
    ...(await get(ctx, id)),
    origins: await listOrigins(ctx, { kind, id }),
  })
  return [
    route(
      {
        method: 'GET',
        path,
        permission: read,
        summary: `${kind[0]?.toUpperCase()}${kind.slice(1)}s`,
        description:
          '`filter` is JSON of the filter language, `sort` a list of fields such as `-created_at,name`.',
        query: ListingQuery,
        response: listOf(shape),
      },
      ({ ctx, query }) => list(ctx, query),
    ),
    route(
      {
        method: 'POST',
        path,
        permission: write,
        summary: `Make ${an}`,
        description: create.description,
        body: create.body,
        example: create.example,
        response: shape,
        status: 201,
      },
      async ({ ctx, body, principal }) => {
        const { id, warnings } = await create.run(ctx, body, principal)
        return { ...(await readOne(ctx, id)), ...(warnings ? { warnings } : {}) }
      },
      async ({ ctx, principal }, bodies) =>
        readVersions(ctx, kind, await create.together(ctx, bodies, principal)),
    ),
    route(
      {
        method: 'GET',
        path: `${path}/:id`,
        permission: read,
        summary: `One ${kind}`,
        params: ById,
        query: OneQuery,
        response: shape,
      },
      async ({ ctx, params, query }) => withKept(ctx, await readOne(ctx, params.id), query),
    ),
    route(
      {
        method: 'PATCH',
        path: `${path}/:id`,
        permission: write,
        summary: `Change ${an}`,
        description: `Absent fields stay, null empties one${change.description ?? ''}. Send the \`version\` you read.`,
        params: ById,
        body: change.body,
        example: change.example,
        response: shape,
        versioned: true,
      },
      async ({ ctx, params, body, version }) => {
        await change.run(ctx, params.id, { ...body, version })
        return readOne(ctx, params.id)
      },
    ),
    route(
      {
        method: 'DELETE',
        path: `${path}/:id`,
        permission: write,
        summary: `Archive ${an}`,
        description: 'It leaves lists, boards and totals; everything about it stays, and it can be restored.',
        params: ById,
        status: 204,
      },
      ({ ctx, params }) => archiveRecord(ctx, { kind, id: params.id }),
    ),
    route(
      {
        method: 'POST',
        path: `${path}/:id/restore`,
        permission: write,
        summary: `Bring ${an} back from the archive`,
        params: ById,
        response: shape,
      },
      async ({ ctx, params }) => {
        await restoreRecord(ctx, { kind, id: params.id })
        return readOne(ctx, params.id)
      },
    ),
    route(
      {
        method: 'GET',
        path: `${path}/:id/timeline`,
        permission: read,
        summary: `Everything that happened to ${an}, newest first`,
        description:
          'What happened to the records it is linked with is told, too, of those kinds that you may read.',
        params: ById,
        query: TimelineQuery,
        response: listOf(ActivityShape),
      },
      async ({ ctx, params, query }) => {
        const record = await requireRecord(ctx, { kind, id: params.id })
        return presentTimeline(ctx, await listTimeline(ctx, record, query))
      },
    ),
  ]
}

/** What one record is asked for with. */
export const OneQuery = z.object({
  include_archived: YesNo.optional().describe('With the values of archived custom fields.'),
})

/** A record as it is answered, with the values of archived fields where they are asked for. */
export const withKept = async <Answer extends { id: string }>(
  ctx: Ctx,
  record: Answer,
  { include_archived }: z.output<typeof OneQuery>,
): Promise<Answer> => (include_archived ? { ...record, custom: await keptValuesOf(ctx, record.id) } : record)

/** How a record that is made over HTTP came in. */
export const doorOf = ({ actor }: Principal): string => (actor.kind === 'user' ? 'ui' : 'api')

/** What a change of a card takes beside its fields. */
export const cardChanges =
  '; `contact_ids` and `account_ids` replace what is linked, the first one is the primary; `stage_id` moves, closes or reopens by the rules of those acts'
