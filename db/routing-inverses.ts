import { z } from 'zod'
import { changeAvailability, readAvailability } from './availability.ts'
import { inverse } from './inverse.ts'
import {
  lockRoutingPool,
  restoreRoutingPool,
  retireRoutingPool,
  RoutingPoolChange,
  updateRoutingPool,
} from './routing-pools.ts'
import {
  deleteRoutingRule,
  listRoutingRules,
  lockRoutingRule,
  reorderRoutingRules,
  restoreRoutingRule,
  RoutingRuleChange,
  updateRoutingRule,
} from './routing-rules.ts'
import { changeFallback, readFallback } from './routing-settings.ts'
import { RoutingFallback } from './routing-targets.ts'
import { getTimeOff, removeTimeOff, restoreTimeOff } from './time-off.ts'
import type { TxCtx } from './context.ts'

const RuleGiven = z.object({ rule_id: z.uuid() })

const standingRule = async (ctx: TxCtx, { rule_id }: z.infer<typeof RuleGiven>) => {
  const { archived_at, ...rule } = await lockRoutingRule(ctx, rule_id)
  return { ...rule, deleted: archived_at !== null }
}

const PoolGiven = z.object({ pool_id: z.uuid() })

const standingPool = async (ctx: TxCtx, { pool_id }: z.infer<typeof PoolGiven>) => {
  const { name, members, archived_at } = await lockRoutingPool(ctx, pool_id)
  return {
    name,
    members: members.map(({ user_id, weight }) => ({ user_id, weight })),
    retired: archived_at !== null,
  }
}

const TimeOffGiven = z.object({ user_id: z.uuid(), time_off_id: z.uuid() })

const standingTimeOff = async (ctx: TxCtx, { time_off_id }: z.infer<typeof TimeOffGiven>) => {
  const { from_on, until_on, archived_at } = await getTimeOff(ctx, time_off_id)
  return { time_off: archived_at === null ? { from_on, until_on } : null }
}

const without = <Values extends object>(values: Values, fields: string[]): Values =>
  Object.fromEntries(Object.entries(values).filter(([field]) => !fields.includes(field))) as Values

/** The verbs that take back what was set about routing and who is there. */
export const routingInverses = {
  update_routing_rule: inverse({
    input: RuleGiven.extend({ values: RoutingRuleChange }),
    standing: standingRule,
    without: ({ rule_id, values }, fields) => ({ rule_id, values: without(values, fields) }),
    apply: (ctx, { rule_id, values }) => updateRoutingRule(ctx, rule_id, values),
  }),
  delete_routing_rule: inverse({
    input: RuleGiven,
    standing: standingRule,
    left: () => ({ deleted: false }),
    apply: (ctx, { rule_id }) => deleteRoutingRule(ctx, rule_id),
  }),
  restore_routing_rule: inverse({
    input: RuleGiven,
    standing: standingRule,
    apply: (ctx, { rule_id }) => restoreRoutingRule(ctx, rule_id),
  }),
  reorder_routing_rules: inverse({
    input: z.object({ rule_ids: z.array(z.uuid()) }),
    standing: async (ctx) => ({ rule_ids: (await listRoutingRules(ctx)).map(({ id }) => id) }),
    apply: (ctx, { rule_ids }) => reorderRoutingRules(ctx, rule_ids),
  }),
  update_routing_pool: inverse({
    input: PoolGiven.extend({ values: RoutingPoolChange }),
    standing: standingPool,
    without: ({ pool_id, values }, fields) => ({ pool_id, values: without(values, fields) }),
    apply: (ctx, { pool_id, values }) => updateRoutingPool(ctx, pool_id, values),
  }),
  retire_routing_pool: inverse({
    input: PoolGiven,
    standing: standingPool,
    left: () => ({ retired: false }),
    apply: (ctx, { pool_id }) => retireRoutingPool(ctx, pool_id),
  }),
  restore_routing_pool: inverse({
    input: PoolGiven,
    standing: standingPool,
    apply: (ctx, { pool_id }) => restoreRoutingPool(ctx, pool_id),
  }),
  set_routing_fallback: inverse({
    input: z.object({ fallback: RoutingFallback }),
    standing: async (ctx) => ({ fallback: (await readFallback(ctx)).fallback }),
    apply: (ctx, { fallback }) => changeFallback(ctx, { fallback }),
  }),
  set_availability: inverse({
    input: z.object({ user_id: z.uuid(), max_open_leads: z.int().nullable() }),
    standing: async (ctx, { user_id }) => ({
      max_open_leads: (await readAvailability(ctx, user_id)).max_open_leads,
    }),
    apply: (ctx, { user_id, max_open_leads }) => changeAvailability(ctx, user_id, { max_open_leads }),
  }),
  remove_time_off: inverse({
    input: TimeOffGiven,
    standing: standingTimeOff,
    apply: (ctx, { user_id, time_off_id }) => removeTimeOff(ctx, user_id, time_off_id),
  }),
  restore_time_off: inverse({
    input: TimeOffGiven,
    standing: standingTimeOff,
    apply: (ctx, { user_id, time_off_id }) => restoreTimeOff(ctx, user_id, time_off_id),
  }),
}
