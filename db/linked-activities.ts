import { firstIdAt } from './activity-moments.ts'
import type { TxCtx } from './context.ts'
import { filterCondition, type FilterScope } from './filter-condition.ts'
import { filterKinds } from './filter-kinds.ts'
import type { Fragment } from './filter-operands.ts'
import { innerFilter, type Comparison, type Filter, type LinkedFilter } from './filters.ts'

/** Which activities a condition on linked ones can mean: these, or too many to name. */
export type Meant = readonly string[] | 'many'

/** Of so many, a list in its own order comes upon a page of their records soon. */
const MANY = 1_000

/**
 * The scope of a filter in which its conditions on linked activities are looked through: whether few or many activities
 * hold what `some` asks for decides how the records are found, and the planner cannot know it. Each record has several
 * ways to its activities, of which it would make tables of everything that happened in the organization.
 * @param many from so many on they are not named
 * @throws {DomainError} as `filterCondition`
 */
export const lookThrough = async (
  ctx: TxCtx,
  scope: FilterScope,
  filter: Filter | undefined,
  many = MANY,
): Promise<FilterScope> => {
  const asked = filter && filterKinds[scope.kind].links['activities'] ? wantedIn(filter) : []
  if (!filter || asked.length === 0) return scope
  // What is wrong with it is said with its place.
  void filterCondition(scope, filter)
  const meant = await Promise.all(
    asked.map(async (one) => [one, await meantBy(ctx, scope, innerFilter(one), many)] as const),
  )
  return { ...scope, meant: new Map(meant) }
}

const wantedIn = (filter: Filter): LinkedFilter[] => {
  if ('and' in filter) return filter.and.flatMap(wantedIn)
  if ('or' in filter) return filter.or.flatMap(wantedIn)
  if ('not' in filter) return wantedIn(filter.not)
  return 'linked' in filter && filter.linked === 'activities' && filter.some ? [filter] : []
}

/** Everything that holds the condition is among them, whatever else is. */
const meantBy = async (
  { tx, organization_id }: TxCtx,
  scope: FilterScope,
  inner: Filter | undefined,
  many: number,
): Promise<Meant> => {
  if (!inner) return 'many'
  const holds = (): Fragment => filterCondition({ ...scope, kind: 'activity' }, inner, 'y')
  const part = (where: Fragment): Fragment => tx`
    (select y.id from activities y where y.organization_id = ${organization_id} and ${where} and (${holds()}) limit ${many})`
  const since = sinceOf(inner)
  // Ids say when a line was first said to have occurred; an edit may have moved an earlier one.
  const parts = since
    ? tx`${part(tx`y.id >= ${firstIdAt(since)}`)} union all ${part(tx`
        y.id = any(array(select r.activity_id from activity_revisions r
          where r.organization_id = ${organization_id} and r.occurred_at >= ${since}))`)}`
    : part(tx`true`)
  const rows = await tx<{ id: string }[]>`select distinct id from (${parts}) as meant`
  return rows.length < many ? rows.map(({ id }) => id) : 'many'
}

const DAY = 86_400_000
/** At their longest. */
const DAYS: Record<string, number> = { minute: 1, hour: 1, day: 1, week: 7, month: 31, year: 366 }

/** A moment before which nothing occurred that holds the filter, generously; undefined: it names none. */
const sinceOf = (filter: Filter): Date | undefined => {
  const parts = 'and' in filter ? filter.and : [filter]
  const moments = parts.flatMap((part) => ('field' in part ? beginningOf(part) : []))
  return moments.length > 0 ? new Date(Math.max(...moments)) : undefined
}

const beginningOf = ({ field, op, value }: Comparison): number[] => {
  if (field !== 'occurred_at') return []
  if (op === 'within_last') {
    const { n, unit } = value as { n: number; unit: string }
    return [Date.now() - (n * (DAYS[unit.replace(/s$/, '')] ?? 366) + 1) * DAY]
  }
  const from: unknown = op === 'between' ? (value as unknown[])[0] : value
  // A day begins somewhere else first.
  return ['eq', 'gt', 'gte', 'between'].includes(op) ? [Date.parse(String(from)) - DAY] : []
}
