import { setImmediate } from 'node:timers/promises'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError } from './errors.ts'
import { filterCondition } from './filter-condition.ts'
import { filterScope } from './filter-scope.ts'
import { type Book, makeBook, segmentsIn } from './routing-book.ts'
import { type Segment, segmentKey } from './routing-conditions.ts'
import { listRoutingRules, type RoutingRule } from './routing-rules.ts'
import { readFallback } from './routing-settings.ts'
import { covers, readSieve } from './routing-shadows.ts'
import { readTakers, type RoutingFallback, type Taker, takersOf } from './routing-targets.ts'

/** Something about the rules that is worth a second look. */
export type RoutingWarning = {
  code: 'rule_shadows' | 'view_deleted' | 'segment_unreadable' | 'member_left' | 'pool_retired'
  message: string
  /** Those that it is about; of a shadow the one that casts it first. None: the fallback. */
  rule_ids: string[]
}

/**
 * What is wrong with the active rules: one that takes all that a later one could get, and what names somebody or something
 * that is gone.
 */
export const routingWarnings = (ctx: Ctx): Promise<RoutingWarning[]> =>
  inTx(ctx, async (ctx) => {
    const rules = (await listRoutingRules(ctx)).filter(({ active }) => active)
    const { fallback } = await readFallback(ctx)
    const book = await makeBook(ctx, rules, fallback)
    return [
      ...(await shadows(rules, book)),
      ...(await brokenSegments(ctx, rules, book)),
      ...(await goneTakers(ctx, rules, fallback)),
    ]
  })

/** The warnings that are about this rule. */
export const warningsOfRule = async (ctx: Ctx, id: string): Promise<RoutingWarning[]> =>
  (await routingWarnings(ctx)).filter(({ rule_ids }) => rule_ids.includes(id))

const shadows = async (rules: readonly RoutingRule[], { views }: Book): Promise<RoutingWarning[]> => {
  const everybody = (segment: Segment): boolean => {
    const filter = 'filter' in segment ? segment.filter : views.get(segment.view_id)?.filter
    if (filter === undefined) return false
    return filter === null || ('and' in filter && filter.and.length === 0)
  }
  const sieves = rules.map(({ conditions, target }) =>
    readSieve(
      conditions,
      target.kind === 'sector' ? target.sectors.map(({ sector }) => sector) : undefined,
      everybody,
    ),
  )
  const warnings: RoutingWarning[] = []
  for (const [n, rule] of rules.entries()) {
    const sieve = sieves[n] ?? {}
    const behind = rules.filter((_, later) => later > n && covers(sieve, sieves[later] ?? {}))
    if (behind.length > 0) warnings.push(shadowOf(rule, behind, covers(sieve, {})))
    // Each is compared with all behind it: others first.
    await setImmediate()
  }
  return warnings
}

const shadowOf = (rule: RoutingRule, behind: readonly RoutingRule[], all: boolean): RoutingWarning => {
  const names = new Intl.ListFormat('en').format(behind.map(({ name }) => `“${name}”`))
  const [fit, get] = behind.length === 1 ? ['fits', 'gets'] : ['fit', 'get']
  const what = all ? 'fits everybody' : `fits every lead that ${names} ${fit}`
  return {
    code: 'rule_shadows',
    message: `“${rule.name}” ${what} and is tried before: ${names} ${get} nothing. Put it behind, or narrow it down.`,
    rule_ids: [rule.id, ...behind.map(({ id }) => id)],
  }
}

const brokenSegments = async (
  ctx: TxCtx,
  rules: readonly RoutingRule[],
  book: Book,
): Promise<RoutingWarning[]> => {
  const asking = rules.filter(({ conditions }) => conditions.segment)
  if (asking.length === 0) return []
  const scope = await filterScope(ctx, 'lead')
  const unreadable = new Map(
    segmentsIn(book).flatMap(({ key, filter, me }): [string, string][] => {
      try {
        // Put together to see that it can be, never sent.
        void filterCondition({ ...scope, me }, filter)
        return []
      } catch (error) {
        if (!(error instanceof DomainError)) throw error
        return [[key, error.message]]
      }
    }),
  )
  return asking.flatMap(({ id, name, conditions }) =>
    (conditions.segment ?? []).flatMap((segment): RoutingWarning[] => {
      const about = { rule_ids: [id] }
      const problem = unreadable.get(segmentKey(segment))
      if (problem !== undefined)
        return [
          {
            ...about,
            code: 'segment_unreadable',
            message: `“${name}” asks for a segment that cannot be read: ${problem}`,
          },
        ]
      if ('filter' in segment || book.views.has(segment.view_id)) return []
      return [
        {
          ...about,
          code: 'view_deleted',
          message: `“${name}” asks for a segment whose view was deleted: nobody is in it.`,
        },
      ]
    }),
  )
}

const goneTakers = async (
  ctx: TxCtx,
  rules: readonly RoutingRule[],
  fallback: RoutingFallback,
): Promise<RoutingWarning[]> => {
  const { members, pools } = await readTakers(ctx)
  const wrongWith = (taker: Taker): Pick<RoutingWarning, 'code' | 'message'> | undefined => {
    if (taker.kind === 'member')
      return members.some(({ id }) => id === taker.user_id)
        ? undefined
        : { code: 'member_left', message: 'gives leads to somebody who is no member any more.' }
    return pools.some(({ id }) => id === taker.pool_id)
      ? undefined
      : { code: 'pool_retired', message: 'gives leads to a pool that is not in use.' }
  }
  const all = [
    ...rules.map(({ id, name, target }) => ({ who: `“${name}”`, rule_ids: [id], takers: takersOf(target) })),
    { who: 'The fallback', rule_ids: [], takers: takersOf(fallback) },
  ]
  return all.flatMap(({ who, rule_ids, takers }) => {
    const wrong = takers.flatMap((taker) => wrongWith(taker) ?? [])
    const each = new Map(wrong.map((one) => [one.code, one]))
    return [...each.values()].map(({ code, message }) => ({ code, message: `${who} ${message}`, rule_ids }))
  })
}
