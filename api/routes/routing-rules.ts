import { z } from 'zod'
import { RoutingConditions } from '../../db/routing-conditions.ts'
import { explainRouting, RoutingQuestion } from '../../db/routing-explanation.ts'
import {
  createRoutingRule,
  deleteRoutingRule,
  getRoutingRule,
  listRoutingRules,
  NewRoutingRule,
  reorderRoutingRules,
  restoreRoutingRule,
  type RoutingRule,
  RoutingRuleChange,
  updateRoutingRule,
} from '../../db/routing-rules.ts'
import { RoutingTarget } from '../../db/routing-targets.ts'
import { routingWarnings, warningsOfRule } from '../../db/routing-warnings.ts'
import type { Ctx } from '../../db/context.ts'
import { ById, route } from '../route.ts'
import { Id, Time } from '../shapes.ts'
import { PassedOverNow } from './routing-pools.ts'

const RoutingWarningShape = z
  .object({
    code: z.enum(['rule_shadows', 'view_deleted', 'segment_unreadable', 'member_left', 'pool_retired']),
    message: z.string(),
    rule_ids: z.array(Id).describe('Those that it is about, the one that takes from the others first.'),
  })
  .meta({ id: 'RoutingWarning' })

const Warnings = z.array(RoutingWarningShape)

const RoutingRuleShape = z
  .object({
    id: Id,
    name: z.string(),
    priority: z.int(),
    active: z.boolean(),
    conditions: RoutingConditions,
    target: RoutingTarget,
    archived_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
    version: z.int(),
  })
  .meta({ id: 'RoutingRule' })

const WarnedRule = RoutingRuleShape.extend({ warnings: Warnings }).meta({ id: 'WarnedRoutingRule' })

const Rules = z
  .object({ data: z.array(RoutingRuleShape), next_cursor: z.null(), warnings: Warnings })
  .meta({ id: 'RoutingRules' })

const PassedOver = z.object({ user_id: Id, name: z.string(), code: z.string(), reason: z.string() })

const RoutingExplanationShape = z
  .object({
    by: z.enum(['rule', 'fallback', 'nobody', 'unrouted']),
    owner_id: Id.nullable(),
    owner_name: z.string().nullable(),
    rule_id: Id.nullable(),
    rule_name: z.string().nullable(),
    target: z.object({ kind: z.enum(['member', 'pool']), id: Id, name: z.string() }).nullable(),
    reason: z.string(),
    passed_over: z.array(PassedOver),
    rules: z.array(
      z.object({
        rule_id: Id.nullable(),
        name: z.string(),
        priority: z.int().nullable(),
        active: z.boolean(),
        asked: z.boolean().describe('Rules behind the first one that fits are not asked.'),
        matched: z.boolean(),
        conditions: z.array(
          z.object({ condition: z.string(), holds: z.boolean(), because: z.string(), wants: z.string() }),
        ),
      }),
    ),
    candidates: z.array(
      z.object({
        of: z.enum(['target', 'fallback']),
        user_id: Id,
        name: z.string(),
        weight: z.int(),
        taken: z.int(),
        passed_over: PassedOverNow,
      }),
    ),
  })
  .meta({ id: 'RoutingExplanation' })

const warned = async (ctx: Ctx, rule: RoutingRule) => ({
  ...rule,
  warnings: await warningsOfRule(ctx, rule.id),
})

const listed = async (ctx: Ctx, rules: Promise<RoutingRule[]>) => ({
  data: await rules,
  next_cursor: null,
  warnings: await routingWarnings(ctx),
})

const EXAMPLE = {
  name: 'Demo requests from Germany',
  conditions: {
    source: ['Website form'],
    country: ['DE'],
    landing_page: { starts_with: ['/demo'] },
    score: { min: 40 },
  },
  target: { kind: 'member', user_id: '01990000-0000-7000-8000-000000000000' },
}

/** Which leads go to whom. */
export const routingRules = [
  route(
    {
      method: 'GET',
      path: '/api/routing-rules',
      permission: 'routing:read',
      summary: 'Routing rules in the order in which they are tried',
      description:
        '`warnings` point out a rule that takes all that a later one could get, and what is gone that a rule names.',
      response: Rules,
    },
    ({ ctx }) => listed(ctx, listRoutingRules(ctx)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/routing-rules',
      permission: 'routing:write',
      summary: 'Add a routing rule',
      description:
        'Rules are tried in ascending `priority`, the first one that fits decides; without one it comes after all others. Every condition must hold, by any of its values; without conditions everybody fits. Case and accents do not count. `landing_page` begins with what is given at its start, after `https://`, after `www.` or at its path; `email_domain` takes the domain and those below it; `industry` and the sectors of a `sector` target take the nearest words; `segment` takes saved views or filters of leads. The target is a member, a pool by turns, or one of them by sector.',
      body: NewRoutingRule,
      example: EXAMPLE,
      response: WarnedRule,
      status: 201,
    },
    async ({ ctx, body }) => warned(ctx, await createRoutingRule(ctx, body)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/routing-rules/reorder',
      permission: 'routing:write',
      summary: 'Put the routing rules into an order',
      description: 'Names every rule once; 422 `rules_incomplete` says which are missing.',
      body: z.object({ rule_ids: z.array(z.uuid()).max(1_000) }),
      example: { rule_ids: ['01990000-0000-7000-8000-000000000000'] },
      response: Rules,
    },
    ({ ctx, body }) => listed(ctx, reorderRoutingRules(ctx, body.rule_ids)),
  ),
  route(
    {
      method: 'POST',
      path: '/api/routing-rules/dry-run',
      permission: 'routing:read',
      summary: 'Who would get this lead, and why',
      description:
        'For a lead that is there (`lead_id`) or an imagined one (`lead`), by the rules as they are or by `rules` and a `fallback` that are not saved. Nobody is given anything, and no turn moves.',
      body: RoutingQuestion,
      example: { lead: { contact_name: 'Ana Ruiz', email: 'ana@brightside.example', country: 'DE' } },
      response: RoutingExplanationShape,
    },
    ({ ctx, body }) => explainRouting(ctx, body),
  ),
  route(
    {
      method: 'GET',
      path: '/api/routing-rules/:id',
      permission: 'routing:read',
      summary: 'One routing rule',
      params: ById,
      response: WarnedRule,
    },
    async ({ ctx, params }) => warned(ctx, await getRoutingRule(ctx, params.id)),
  ),
  route(
    {
      method: 'PATCH',
      path: '/api/routing-rules/:id',
      permission: 'routing:write',
      summary: 'Change a routing rule',
      description:
        '`conditions` and `target` are replaced as a whole. Leads that it gave to somebody stay with them.',
      params: ById,
      body: RoutingRuleChange,
      example: { version: 1, active: false },
      response: WarnedRule,
      versioned: true,
    },
    async ({ ctx, params, body, version }) =>
      warned(ctx, await updateRoutingRule(ctx, params.id, { ...body, version })),
  ),
  route(
    {
      method: 'DELETE',
      path: '/api/routing-rules/:id',
      permission: 'routing:write',
      summary: 'Delete a routing rule; what it decided stays',
      params: ById,
      status: 204,
    },
    ({ ctx, params }) => deleteRoutingRule(ctx, params.id),
  ),
  route(
    {
      method: 'POST',
      path: '/api/routing-rules/:id/restore',
      permission: 'routing:write',
      summary: 'Bring a deleted routing rule back',
      params: ById,
      response: WarnedRule,
    },
    async ({ ctx, params }) => warned(ctx, await restoreRoutingRule(ctx, params.id)),
  ),
]
