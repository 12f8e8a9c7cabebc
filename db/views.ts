import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { requireCurrentMember } from './current-member.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { fieldNamed, filterCondition, type FilterScope } from './filter-condition.ts'
import type { FilterKind } from './filter-fields.ts'
import { filterKinds } from './filter-kinds.ts'
import { filterScope } from './filter-scope.ts'
import { comparisonsOf, Filter, innerFilter } from './filters.ts'
import { Line, type Warning } from './lead-fields.ts'
import { parseSort } from './listing.ts'
import { page, type Page } from './page.ts'

/** What a view can show. */
export const viewKinds = [
  'lead',
  'deal',
  'opportunity',
  'account',
  'contact',
  'task',
  'note',
  'activity',
  'file',
  'submission',
] as const

const layouts = ['kanban', 'list', 'grid'] as const

/** A list as somebody likes to see it. */
export const NewView = z.object({
  name: Line(100).pipe(z.string().min(1)),
  record_kind: z.enum(viewKinds),
  /** Null: everything. */
  filter: Filter.nullable().optional(),
  sort: z.string().max(200).nullable().optional(),
  columns: z.array(z.string().max(100)).max(100).optional(),
  layout: z.enum(layouts).nullable().optional(),
  pipeline_id: z.uuid().nullable().optional(),
  /** Whether everybody in the organization sees it. */
  shared: z.boolean().optional(),
})
export type NewView = z.infer<typeof NewView>

/** What its owner can change; the kind stays. */
export const ViewChange = NewView.omit({ record_kind: true }).partial()
export type ViewChange = z.infer<typeof ViewChange>

export type View = {
  id: string
  name: string
  record_kind: (typeof viewKinds)[number]
  filter: Filter | null
  sort: string | null
  columns: string[]
  layout: (typeof layouts)[number] | null
  pipeline_id: string | null
  shared: boolean
  owner_id: string
  /** What of it is not as it was saved: a field was archived since. */
  warnings: Warning[]
  created_at: Date
  updated_at: Date
  version: number
}

/**
 * Saves a view for the member who asks; private unless told otherwise.
 * @throws {DomainError} as reading the filter and sort does; `unknown_field` for a column
 */
export const createView = (ctx: Ctx, input: NewView): Promise<View> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const owner_id = await requireCurrentMember(ctx)
    await requireReadable(ctx, input.record_kind, input)
    const id = uuidv7()
    const {
      filter = null,
      sort = null,
      columns = [],
      layout = null,
      pipeline_id = null,
      shared = false,
    } = input
    await tx`
      insert into views ${tx({
        organization_id,
        id,
        name: input.name,
        record_kind: input.record_kind,
        filter: filter && tx.json(filter as never),
        sort,
        columns: tx.json(columns),
        layout,
        pipeline_id,
        shared,
        owner_id,
      })}`
    return getView(ctx, id)
  })

/** One view of one's own, or a shared one; other people's are not there. */
export const getView = (ctx: Ctx, id: string): Promise<View> =>
  inTx(ctx, async (ctx) => {
    const [view] = await readViews(ctx, ctx.tx`and id = ${id}`, 1)
    if (!view) throw notFound('view', id)
    return view
  })

/** One's own views and the shared ones, in order of their ids. */
export const listViews = (
  ctx: Ctx,
  query: { record_kind?: View['record_kind'] | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<View>> =>
  inTx(ctx, async (ctx) => {
    const { tx } = ctx
    const rows = await readViews(
      ctx,
      tx`${query.record_kind ? tx`and record_kind = ${query.record_kind}` : tx``}
        ${query.cursor ? tx`and id > ${query.cursor}` : tx``}`,
      query.limit + 1,
    )
    return page(rows, query.limit, ({ id }) => id)
  })

/**
 * Changes one's own view.
 * @throws {DomainError} `view_not_found`, `not_your_view` for a shared one of somebody else, stale, and as `createView`
 */
export const updateView = (ctx: Ctx, id: string, input: ViewChange & { version?: number }): Promise<View> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockOwn(ctx, id)
    const { version, ...changes } = input
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    const after = { ...before, ...given(changes) }
    await requireReadable(ctx, before.record_kind, changes)
    await tx`
      update views set ${tx({
        name: after.name,
        filter: after.filter && tx.json(after.filter as never),
        sort: after.sort,
        columns: tx.json(after.columns),
        layout: after.layout,
        pipeline_id: after.pipeline_id,
        shared: after.shared,
      })}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    return getView(ctx, id)
  })

/** Deletes one's own view. @throws {DomainError} `view_not_found`, `not_your_view` */
export const deleteView = (ctx: Ctx, id: string): Promise<void> =>
  inTx(ctx, async (ctx) => {
    await lockOwn(ctx, id)
    await ctx.tx`delete from views where organization_id = ${ctx.organization_id} and id = ${id}`
  })

/** Columns that a list shows and nobody filters by. */
const SHOWN = [
  'stage',
  'owner',
  'contact_ids',
  'account_ids',
  'score_reasons',
  'run_status',
  'warnings',
  'subjects',
]

const given = (changes: ViewChange): Partial<View> =>
  Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))

/** Reads a view as a list would, so that what is saved can be opened. */
const requireReadable = async (
  ctx: TxCtx,
  kind: View['record_kind'],
  { filter, sort, columns, pipeline_id }: ViewChange,
): Promise<void> => {
  const scope = await filterScope(ctx, kind)
  const fields = scope.fieldsOf(kind)
  // Put together to see that it can be, never sent.
  if (filter) void filterCondition(scope, filter)
  if (sort) parseSort(fields, sort)
  for (const [n, name] of (columns ?? []).entries())
    if (!SHOWN.includes(name)) fieldNamed(fields, name, `/columns/${n}`)
  if (!pipeline_id) return
  const [pipeline] = await ctx.tx`
    select 1 from pipelines where organization_id = ${ctx.organization_id} and id = ${pipeline_id}`
  if (!pipeline) throw invalid('pipeline_not_found', '/pipeline_id', 'There is no such pipeline.')
}

const lockOwn = async (ctx: TxCtx, id: string): Promise<View> => {
  const { tx, organization_id } = ctx
  await tx`select 1 from views where organization_id = ${organization_id} and id = ${id} for update`
  const view = await getView(ctx, id)
  if (view.owner_id === (await requireCurrentMember(ctx))) return view
  throw new DomainError(
    'forbidden',
    'not_your_view',
    `“${view.name}” is shared by somebody else, who alone changes it. Save it as a view of your own.`,
  )
}

const readViews = async (ctx: TxCtx, where: ReturnType<TxCtx['tx']>, limit: number): Promise<View[]> => {
  const { tx, organization_id } = ctx
  const member = await requireCurrentMember(ctx)
  const rows = await tx<Omit<View, 'warnings'>[]>`
    select id, name, record_kind, filter, sort, columns, layout, pipeline_id, shared, owner_id, created_at, updated_at, version
    from views where organization_id = ${organization_id} and (owner_id = ${member} or shared) ${where}
    order by id limit ${limit}`
  if (rows.length === 0) return []
  const scope = await filterScope(ctx, 'lead')
  return rows.map((view) => ({ ...view, warnings: warningsOf(scope, view) }))
}

const warningsOf = (
  scope: FilterScope,
  { record_kind, filter, sort, columns }: Omit<View, 'warnings'>,
): Warning[] => {
  const fields = scope.fieldsOf(record_kind)
  const names = [...(sort ?? '').split(',').map((part) => part.replace(/^[-+]/, '').trim()), ...columns]
  const archived = new Set([
    ...names.filter((name) => fields[name]?.archived),
    ...(filter ? archivedIn(scope, record_kind, filter) : []),
  ])
  return [...archived].map((field) => ({
    field,
    message: `The field “${field}” was archived after this view was saved.`,
  }))
}

/** The archived fields that a filter asks for, those of linked records among them. */
const archivedIn = (scope: FilterScope, kind: FilterKind, filter: Filter): string[] => {
  const fields = scope.fieldsOf(kind)
  const own = comparisonsOf(filter).flatMap(({ field }) => (fields[field]?.archived ? [field] : []))
  return [
    ...own,
    ...linkedIn(filter).flatMap(({ linked, inner }) => {
      const link = filterKinds[kind].links[linked]
      return link ? archivedIn(scope, link.kind, inner) : []
    }),
  ]
}

const linkedIn = (filter: Filter): { linked: string; inner: Filter }[] => {
  if ('and' in filter) return filter.and.flatMap(linkedIn)
  if ('or' in filter) return filter.or.flatMap(linkedIn)
  if ('not' in filter) return linkedIn(filter.not)
  if (!('linked' in filter)) return []
  const inner = innerFilter(filter)
  return inner ? [{ linked: filter.linked, inner }] : []
}
