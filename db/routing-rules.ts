import canonicalize from 'canonicalize'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { recordActivity, type Change, type NewActivity } from './activities.ts'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { DomainError, invalid, notFound, staleVersion } from './errors.ts'
import { filterCondition } from './filter-condition.ts'
import { filterScope } from './filter-scope.ts'
import { Line } from './lead-fields.ts'
import { RoutingConditions } from './routing-conditions.ts'
import { namedTakers, requireTakers, RoutingTarget } from './routing-targets.ts'
import { getView, listViews, type View } from './views.ts'

const Name = Line(120).pipe(z.string().min(1))

const Priority = z.int('a whole number from 0 to 1,000,000; the lowest is tried first').min(0).max(1_000_000)

/** To whom leads that are like this go. */
export const NewRoutingRule = z.object({
  name: Name,
  /** The lowest is tried first; absent: after all others. */
  priority: Priority.optional(),
  active: z.boolean().optional(),
  conditions: RoutingConditions.optional(),
  target: RoutingTarget,
})
export type NewRoutingRule = z.infer<typeof NewRoutingRule>

/** Absent fields stay; conditions and target are replaced as a whole. */
export const RoutingRuleChange = NewRoutingRule.partial()
export type RoutingRuleChange = z.infer<typeof RoutingRuleChange>

export type RoutingRule = {
  id: string
  name: string
  priority: number
  active: boolean
  conditions: RoutingConditions
  target: RoutingTarget
  archived_at: Date | null
  created_at: Date
  updated_at: Date
  version: number
}

/** Every one is asked about every lead, and compared with every other. */
export const MAX_RULES = 200

/** How far apart priorities are when they are given, so that one fits in between. */
const STEP = 10

/** The rules in the order in which they are tried; those that were deleted are not among them. */
export const listRoutingRules = (ctx: Ctx): Promise<RoutingRule[]> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const rows = await tx<RoutingRule[]>`
      select id, name, priority, active, conditions, target, archived_at, created_at, updated_at, version from routing_rules
      where organization_id = ${organization_id} and archived_at is null order by priority, id`
    return [...rows]
  })

/** One rule, deleted or not. */
export const getRoutingRule = (ctx: Ctx, id: string): Promise<RoutingRule> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<RoutingRule[]>`
      select id, name, priority, active, conditions, target, archived_at, created_at, updated_at, version from routing_rules
      where organization_id = ${organization_id} and id = ${id}`
    if (!row) throw notFound('routing_rule', id)
    return row
  })

/**
 * Adds a rule, after all others unless it has a priority.
 * @throws {DomainError} `member_unknown`, `pool_unknown`, `view_unknown`, `too_many_rules`, and what a segment's filter refuses
 */
export const createRoutingRule = (ctx: Ctx, input: NewRoutingRule): Promise<RoutingRule> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await requireRoutable(ctx, [{ rule: input, pointer: '' }])
    await requireRoom(ctx)
    const id = uuidv7()
    const { name, target, conditions = {}, active = true } = input
    const priority = input.priority ?? (await nextPriority(ctx))
    await tx`
      insert into routing_rules ${tx({
        organization_id,
        id,
        name,
        priority,
        active,
        conditions: tx.json(conditions as never),
        target: tx.json(target),
      })}`
    await recordRule(ctx, { id, version: 1 }, `the routing rule “${name}”`, {
      changes: [{ field: 'name', before: null, after: name }],
      undo: { tool: 'delete_routing_rule', input: { rule_id: id } },
    })
    return getRoutingRule(ctx, id)
  })

/**
 * Changes a rule; leads that it gave to somebody stay with them.
 * @throws {DomainError} stale, `routing_rule_not_found` also when it was deleted, and as `createRoutingRule`
 */
export const updateRoutingRule = (
  ctx: Ctx,
  id: string,
  { version, ...input }: RoutingRuleChange & { version?: number | undefined },
): Promise<RoutingRule> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockRoutingRule(ctx, id)
    if (before.archived_at !== null) throw notFound('routing_rule', id)
    if (version !== undefined && version !== before.version) throw staleVersion(before)
    await requireRoutable(ctx, [{ rule: input, pointer: '' }])
    const changes = FIELDS.filter(
      (field) => input[field] !== undefined && canonicalize(input[field]) !== canonicalize(before[field]),
    ).map((field): Change => ({ field, before: before[field], after: input[field] }))
    if (changes.length === 0) return before
    const values = Object.fromEntries(
      changes.map(({ field, after }) => [
        field,
        field === 'conditions' || field === 'target' ? tx.json(after as never) : after,
      ]),
    )
    await tx`
      update routing_rules set ${tx(values)}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordRule(ctx, { id, version: before.version + 1 }, `the routing rule “${before.name}”`, {
      changes,
      undo: {
        tool: 'update_routing_rule',
        input: {
          rule_id: id,
          values: Object.fromEntries(changes.map((change) => [change.field, change.before])),
        },
      },
    })
    return getRoutingRule(ctx, id)
  })

/** Deletes a rule; what it decided stays. Twice is once. @throws {DomainError} `routing_rule_not_found` */
export const deleteRoutingRule = (ctx: Ctx, id: string): Promise<void> => setArchived(ctx, id, true)

/**
 * Brings a deleted rule back where it was.
 * @throws {DomainError} `routing_rule_not_found`; as `createRoutingRule` where what it names is gone
 */
export const restoreRoutingRule = async (ctx: Ctx, id: string): Promise<RoutingRule> => {
  await setArchived(ctx, id, false)
  return getRoutingRule(ctx, id)
}

/**
 * Puts the rules into this order, by priorities of their own.
 * @throws {DomainError} `rules_incomplete` unless each rule is named exactly once, with those that are missing
 */
export const reorderRoutingRules = (ctx: Ctx, rule_ids: readonly string[]): Promise<RoutingRule[]> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    await tx`
      select 1 from routing_rules where organization_id = ${organization_id} and archived_at is null order by id for update`
    const rules = await listRoutingRules(ctx)
    const before = rules.map(({ id }) => id)
    requireEach(rules, rule_ids)
    const moved = rule_ids
      .map((id, n) => ({ id, priority: (n + 1) * STEP }))
      .filter(({ id, priority }) => rules.find((rule) => rule.id === id)?.priority !== priority)
    if (moved.length === 0) return rules
    await tx`
      update routing_rules r set priority = m.priority, version = version + 1, updated_at = now()
      from json_to_recordset(${JSON.stringify(moved)}::text::json) as m (id uuid, priority int)
      where r.organization_id = ${organization_id} and r.id = m.id`
    await recordRule(ctx, { id: moved[0]?.id ?? '' }, 'the order of the routing rules', {
      changes: [{ field: 'rule_ids', before, after: rule_ids }],
      undo: { tool: 'reorder_routing_rules', input: { rule_ids: before } },
    })
    return listRoutingRules(ctx)
  })

/** One rule that nobody else changes until the transaction ends. */
export const lockRoutingRule = async (ctx: TxCtx, id: string): Promise<RoutingRule> => {
  const { tx, organization_id } = ctx
  await tx`select 1 from routing_rules where organization_id = ${organization_id} and id = ${id} for update`
  return getRoutingRule(ctx, id)
}

/**
 * Refuses what could not be followed: somebody who is not there, a view that is none of leads, a filter that cannot be read.
 * @param rules each with where it stands in what was sent
 */
export const requireRoutable = async (
  ctx: TxCtx,
  rules: readonly { rule: Pick<RoutingRuleChange, 'target' | 'conditions'>; pointer: string }[],
): Promise<void> => {
  await requireTakers(
    ctx,
    rules.flatMap(({ rule: { target }, pointer }) =>
      target ? namedTakers(target, `${pointer}/target`) : [],
    ),
  )
  const segments = rules.flatMap(({ rule: { conditions }, pointer }) =>
    (conditions?.segment ?? []).map((segment, n) => ({
      segment,
      place: `${pointer}/conditions/segment/${n}`,
    })),
  )
  if (segments.length === 0) return
  const scope = await filterScope(ctx, 'lead')
  for (const { segment, place } of segments) {
    // Put together to see that it can be, never sent. Nobody asks when a lead comes in, so nobody is “me”.
    if ('filter' in segment)
      void filterCondition({ ...scope, me: undefined }, segment.filter, undefined, `${place}/filter`)
    // Views are few, and most rules name none.
    else await requireLeadView(ctx, segment.view_id, `${place}/view_id`)
  }
}

const FIELDS = ['name', 'priority', 'active', 'conditions', 'target'] as const

/** How many views a refusal names. */
const MAX_NAMED = 50

const requireLeadView = async (ctx: TxCtx, id: string, pointer: string): Promise<void> => {
  const ofLeads = ({ record_kind }: View): boolean => record_kind === 'lead' || record_kind === 'opportunity'
  try {
    if (ofLeads(await getView(ctx, id))) return
  } catch (error) {
    if (!(error instanceof DomainError) || error.kind !== 'not_found') throw error
  }
  const { data } = await listViews(ctx, { limit: MAX_NAMED })
  throw invalid(
    'view_unknown',
    pointer,
    'There is no saved view of leads with this id that you can see.',
    data.filter(ofLeads).map((view) => ({ view_id: view.id, name: view.name })),
  )
}

const requireRoom = async ({ tx, organization_id }: TxCtx): Promise<void> => {
  const [row] = await tx<{ rules: number }[]>`
    select count(*) as rules from routing_rules where organization_id = ${organization_id} and archived_at is null`
  if ((row?.rules ?? 0) < MAX_RULES) return
  throw new DomainError(
    'conflict',
    'too_many_rules',
    `There are ${MAX_RULES} routing rules, which is as many as there can be: delete one first.`,
    { extra: { limit: MAX_RULES } },
  )
}

const nextPriority = async ({ tx, organization_id }: TxCtx): Promise<number> => {
  const [last] = await tx<{ priority: number | null }[]>`
    select max(priority) as priority from routing_rules
    where organization_id = ${organization_id} and archived_at is null`
  return (Math.floor((last?.priority ?? 0) / STEP) + 1) * STEP
}

const requireEach = (rules: readonly RoutingRule[], rule_ids: readonly string[]): void => {
  const missing = rules.filter(({ id }) => !rule_ids.includes(id))
  const unknown = rule_ids.findIndex(
    (id, n) => !rules.some((rule) => rule.id === id) || rule_ids.indexOf(id) !== n,
  )
  if (missing.length === 0 && unknown === -1) return
  throw new DomainError(
    'invalid',
    'rules_incomplete',
    'Name every rule exactly once, in the order in which they are to be tried.',
    {
      errors: [
        ...(unknown === -1
          ? []
          : [{ pointer: `/rule_ids/${unknown}`, message: 'is no rule here, or is named twice' }]),
        ...(missing.length === 0
          ? []
          : [
              {
                pointer: '/rule_ids',
                message: `leaves out ${missing.map(({ name }) => `“${name}”`).join(', ')}`,
              },
            ]),
      ].map((fault) => ({ ...fault, accepted: rules.map(({ id, name }) => ({ id, name })) })),
    },
  )
}

const setArchived = (ctx: Ctx, id: string, archived: boolean): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id } = ctx
    const before = await lockRoutingRule(ctx, id)
    if ((before.archived_at !== null) === archived) return
    if (!archived) {
      await requireRoutable(ctx, [{ rule: before, pointer: '' }])
      await requireRoom(ctx)
    }
    const archived_at = archived ? new Date() : null
    await tx`
      update routing_rules set archived_at = ${archived_at}, version = version + 1, updated_at = now()
      where organization_id = ${organization_id} and id = ${id}`
    await recordRule(ctx, { id, version: before.version + 1 }, `the routing rule “${before.name}”`, {
      changes: [{ field: 'deleted', before: !archived, after: archived }],
      undo: {
        tool: archived ? 'restore_routing_rule' : 'delete_routing_rule',
        input: { rule_id: id },
      },
    })
  })

const recordRule = (
  ctx: TxCtx,
  { id, version }: { id: string; version?: number },
  what: string,
  data: NonNullable<NewActivity['data']>,
): Promise<string> =>
  recordActivity(ctx, {
    type: 'settings_changed',
    subjects: [
      { kind: 'routing_rule', id },
      { kind: 'organization', id: ctx.organization_id },
    ],
    ...(version === undefined ? {} : { record_version: version }),
    data: { what, ...data },
  })
