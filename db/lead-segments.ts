import type { TxCtx } from './context.ts'
import { customRowsOf } from './custom-values.ts'
import { DomainError } from './errors.ts'
import { filterCondition } from './filter-condition.ts'
import type { Fragment } from './filter-operands.ts'
import { filterScope } from './filter-scope.ts'
import type { Filter } from './filters.ts'

/** Leads by a filter, and by what it is known. `me` in it is whoever made it. */
export type LeadSegment = { key: string; filter: Filter; me?: string | undefined }

/** A lead that is there, or one that is about to be made. */
export type SegmentedLead = {
  id: string
  /** Of one that is not there yet: its columns. */
  row?: Record<string, unknown> | undefined
  score?: number | null | undefined
  custom?: Record<string, unknown> | undefined
  contact_ids?: string[] | undefined
  account_ids?: string[] | undefined
}

/** The segments of each lead by its id, and of each segment that cannot be read why. */
export type Segmented = {
  segmentsOf: ReadonlyMap<string, ReadonlySet<string>>
  unreadable: ReadonlyMap<string, string>
}

/**
 * Which of these segments each lead is in, by the same filters as lists, in one query for those that are there and one for
 * those that are not. A newcomer is looked at as it will be written: with its columns, custom values, score and links;
 * nothing else hangs on it.
 * @throws {DomainError} what is wrong with a newcomer's custom values
 */
export const segmentLeads = async (
  ctx: TxCtx,
  leads: readonly SegmentedLead[],
  segments: readonly LeadSegment[],
): Promise<Segmented> => {
  const segmentsOf = new Map<string, Set<string>>()
  const unreadable = new Map<string, string>()
  if (leads.length === 0 || segments.length === 0) return { segmentsOf, unreadable }
  // What a segment holds does not depend on who asks.
  const scope = await filterScope({ ...ctx, reading: undefined }, 'lead')
  const conditions = segments.flatMap(({ key, filter, me }): { key: string; sql: Fragment }[] => {
    try {
      return [{ key, sql: filterCondition({ ...scope, me }, filter) }]
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      unreadable.set(key, error.message)
      return []
    }
  })
  if (conditions.length === 0) return { segmentsOf, unreadable }
  const { tx } = ctx
  const fits = conditions
    .map(({ sql }) => tx`coalesce((${sql}), false)`)
    .reduce((all, next) => tx`${all}, ${next}`)
  const there = leads.filter(({ row }) => row === undefined)
  const coming = leads.filter(({ row }) => row !== undefined)
  const found = [
    ...(there.length > 0 ? await askOfStored(ctx, there, fits) : []),
    ...(coming.length > 0 ? await askOfNewcomers(ctx, coming, fits) : []),
  ]
  for (const { id, fit } of found) {
    const keys = conditions.flatMap(({ key }, n) => (fit[n] ? [key] : []))
    segmentsOf.set(id, new Set(keys))
  }
  return { segmentsOf, unreadable }
}

type Found = { id: string; fit: boolean[] }

const askOfStored = (
  { tx, organization_id }: TxCtx,
  leads: readonly SegmentedLead[],
  fits: Fragment,
): PromiseLike<Found[]> => tx<Found[]>`
  select o.id, array[${fits}] as fit from opportunities o
  where o.organization_id = ${organization_id} and o.id = any(${leads.map(({ id }) => id)}::uuid[])`

/** What a newcomer brings stands in front of the tables that filters look into, under their names. */
const askOfNewcomers = async (
  ctx: TxCtx,
  leads: readonly SegmentedLead[],
  fits: Fragment,
): Promise<Found[]> => {
  const { tx, organization_id } = ctx
  const custom = await customRowsOf(ctx, 'lead', leads)
  const scores = leads.flatMap(({ id, score }) =>
    typeof score === 'number' ? [{ opportunity_id: id, score }] : [],
  )
  const linked = (kind: 'contact' | 'account') =>
    leads.flatMap(({ id, [`${kind}_ids` as const]: ids = [] }) =>
      ids.map((linked_id) => ({ opportunity_id: id, [`${kind}_id`]: linked_id })),
    )
  const now = new Date()
  const rows = leads.map(({ id, row }) => ({
    ...UNSET,
    created_at: now,
    updated_at: now,
    stage_entered_at: now,
    ...row,
    id,
  }))
  const given = (table: string, brought: readonly object[]): Fragment => {
    const own = brought.map((one) => ({ ...one, organization_id }))
    return tx`json_populate_recordset(null::${tx(`public.${table}`)}, ${JSON.stringify(own)}::text::json)`
  }
  const before = (table: string, brought: readonly object[]): Fragment => tx`
    ${tx(table)} as not materialized (
      select * from ${tx(`public.${table}`)} union all select * from ${given(table, brought)})`
  const found = await tx<Found[]>`
    with ${before('opportunity_scores', scores)}, ${before('custom_values', custom)},
      ${before('opportunity_contacts', linked('contact'))}, ${before('opportunity_accounts', linked('account'))}
    select o.id, array[${fits}] as fit from ${given('opportunities', rows)} o`
  return [...found]
}

/** What a new row has by the table's own defaults. */
const UNSET = { kind: 'lead', tags: [], agents_paused: false, expected_close_slips: 0, extra: {}, origin: {} }
