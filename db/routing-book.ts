import type { TxCtx } from './context.ts'
import type { LeadSegment } from './lead-segments.ts'
import type { Filter } from './filters.ts'
import {
  type Condition,
  ofIndustry,
  readConditions,
  type RoutingConditions,
  type RoutingFacts,
  type Segment,
  segmentKey,
} from './routing-conditions.ts'
import { sectorFinder } from './routing-sectors.ts'
import type { RoutingFallback, RoutingTarget, Taker } from './routing-targets.ts'

/** A rule as it is asked. */
export type AskableRule = {
  id: string
  name: string
  conditions: RoutingConditions
  target: RoutingTarget
}

/** A rule, read once for many leads. */
export type ReadRule = AskableRule & {
  /** All of them must hold. */
  checks: Condition[]
  /** Whom it gives a lead to that fits. */
  takerOf: (facts: RoutingFacts) => Taker | undefined
}

/** A saved view, as rules use it. */
export type BookView = { id: string; name: string; filter: Filter | null; owner_id: string }

/** Everything that decides who takes a lead, except how it stands with those who could. */
export type Book = {
  /** Whether anything is routed at all. */
  routes: boolean
  rules: ReadRule[]
  fallback: RoutingFallback
  /** Whether anybody's open leads are limited. */
  has_limits: boolean
  views: ReadonlyMap<string, BookView>
}

/** The organization's rules that are active, in their order, and its fallback. */
export const readBook = async (ctx: TxCtx): Promise<Book> => {
  const { tx, organization_id } = ctx
  const [row] = await tx<Stored[]>`
    select coalesce((
        select jsonb_agg(jsonb_build_object('id', id, 'name', name, 'conditions', conditions, 'target', target)
          order by priority, id)
        from routing_rules where organization_id = ${organization_id} and active and archived_at is null), '[]') as rules,
      (select fallback from routing_settings where organization_id = ${organization_id}) as fallback,
      exists (
        select from member_availability where organization_id = ${organization_id} and max_open_leads is not null) as has_limits`
  const { rules, fallback, has_limits } = row ?? { rules: [], fallback: null, has_limits: false }
  return { ...(await makeBook(ctx, rules, fallback ?? { kind: 'nobody' })), has_limits }
}

/** The book of any rules, in the order in which they are given. */
export const makeBook = async (
  ctx: TxCtx,
  rules: readonly AskableRule[],
  fallback: RoutingFallback,
): Promise<Book> => {
  const views = await readViews(ctx, rules)
  const nameOf = (segment: Segment): string => {
    if ('filter' in segment) return 'its own segment'
    const view = views.get(segment.view_id)
    return view ? `the segment “${view.name}”` : 'a segment whose view was deleted'
  }
  return {
    routes: rules.length > 0 || fallback.kind !== 'nobody',
    rules: rules.map((rule) => readRule(rule, nameOf)),
    fallback,
    has_limits: false,
    views,
  }
}

/** Every segment that the rules ask for, each once; views that were deleted hold nobody. */
export const segmentsIn = ({ rules, views }: Pick<Book, 'rules' | 'views'>): LeadSegment[] => {
  const segments = rules.flatMap(({ conditions }) => conditions.segment ?? [])
  const each = new Map(segments.map((segment) => [segmentKey(segment), segment]))
  return [...each].flatMap(([key, segment]): LeadSegment[] => {
    if ('filter' in segment) return [{ key, filter: segment.filter }]
    const view = views.get(segment.view_id)
    return view ? [{ key, filter: view.filter ?? { and: [] }, me: view.owner_id }] : []
  })
}

type Stored = { rules: AskableRule[]; fallback: RoutingFallback | null; has_limits: boolean }

const readRule = (rule: AskableRule, nameOf: (segment: Segment) => string): ReadRule => {
  const { conditions, target } = rule
  const checks = readConditions(conditions, nameOf)
  if (target.kind !== 'sector') return { ...rule, checks, takerOf: () => target }
  const sectors = target.sectors.map(({ sector }) => sector)
  const find = sectorFinder(sectors)
  return {
    ...rule,
    checks: [...checks, ofIndustry('sector', sectors)],
    takerOf: ({ industry }) => {
      const nearest = industry === null ? undefined : find(industry)
      return target.sectors.find(({ sector }) => sector === nearest)?.to
    },
  }
}

const readViews = async (
  { tx, organization_id }: TxCtx,
  rules: readonly AskableRule[],
): Promise<Map<string, BookView>> => {
  const ids = rules.flatMap(({ conditions }) =>
    (conditions.segment ?? []).flatMap((segment) => ('view_id' in segment ? [segment.view_id] : [])),
  )
  if (ids.length === 0) return new Map()
  const views = await tx<BookView[]>`
    select id, name, filter, owner_id from views where organization_id = ${organization_id} and id = any(${ids}::uuid[])`
  return new Map(views.map((view) => [view.id, view]))
}
