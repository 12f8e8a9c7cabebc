import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { inTx, type Ctx, type TxCtx } from './context.ts'
import { invalid } from './errors.ts'
import { askRules, decide, readFacts, type RoutableLead, type RoutingDecision } from './lead-routing.ts'
import { routableOf } from './lead-rerouting.ts'
import { scoreNewcomers } from './lead-scoring.ts'
import { getOpportunity } from './opportunities.ts'
import { NewOpportunity, OpportunityFields } from './opportunity-fields.ts'
import { defaultPipeline, entryStage } from './pipelines.ts'
import { normaliseFields } from './record-fields.ts'
import { type AskableRule, makeBook } from './routing-book.ts'
import { listRoutingRules, MAX_RULES, NewRoutingRule, requireRoutable } from './routing-rules.ts'
import { readFallback } from './routing-settings.ts'
import { namedTakers, requireTakers, RoutingFallback, type Taker, takersOf } from './routing-targets.ts'
import { type PassedOver, passedOverNow, readStaff, type Staff } from './routing-turns.ts'
import { readSettings } from './settings.ts'

/** A lead that nobody has sent. */
const ImaginedLead = NewOpportunity.omit({
  owner_id: true,
  pipeline_id: true,
  stage_id: true,
  discard_reason_id: true,
  discard_note: true,
}).extend({
  /** Absent: what it would be given. */
  score: z.int().min(0).max(100).nullable().optional(),
})

/** Who would get this lead, by the rules as they are or by others that are not saved. */
export const RoutingQuestion = z.object({
  lead_id: z.uuid().optional(),
  lead: ImaginedLead.strict().optional(),
  /** Instead of those that are saved, in the order of their priorities; without one, in the order given, after the others. */
  rules: z
    .array(NewRoutingRule.extend({ id: z.uuid().optional() }).strict())
    .max(MAX_RULES)
    .optional(),
  fallback: RoutingFallback.optional(),
})
export type RoutingQuestion = z.infer<typeof RoutingQuestion>

/** Who would get a lead, and why: every rule, every condition, everybody who could have taken it. */
export type RoutingExplanation = Omit<RoutingDecision, 'tried'> & {
  rules: {
    /** Null of one that is not saved. */
    rule_id: string | null
    name: string
    priority: number | null
    active: boolean
    /** Rules behind the first one that fits are not asked. */
    asked: boolean
    matched: boolean
    conditions: { condition: string; holds: boolean; because: string; wants: string }[]
  }[]
  candidates: (Pick<PassedOver, 'user_id' | 'name'> & {
    /** Whether the rule’s target or the fallback comes to them. */
    of: 'target' | 'fallback'
    weight: number
    taken: number
    passed_over: Pick<PassedOver, 'code' | 'reason'> | null
  })[]
}

/**
 * Says who would get a lead and why. Nobody is given anything: no lock is taken, no turn moves.
 * @throws {DomainError} `lead_missing` unless there is one lead to ask about, `lead_not_found`, and what rules refuse
 */
export const explainRouting = (ctx: Ctx, question: RoutingQuestion): Promise<RoutingExplanation> =>
  inTx(ctx, async (ctx) => {
    const lead = await leadAskedAbout(ctx, question)
    const rules = await rulesAskedAbout(ctx, question)
    const fallback = await fallbackAskedAbout(ctx, question)
    const book = await makeBook(ctx, rules, fallback)
    const [facts] = await readFacts(ctx, book, [lead])
    if (!facts) throw new Error('a lead was not looked at')
    const active = new Set(rules.filter((rule) => rule.active).map(({ id }) => id))
    const asked = askRules({ rules: book.rules.filter(({ id }) => active.has(id)) }, facts)
    const staff = await readStaff(ctx, [...(asked.taker ? [asked.taker] : []), ...takersOf(fallback)])
    const candidates = [
      ...(asked.taker ? candidatesOf(staff, asked.taker, 'target') : []),
      ...takersOf(fallback).flatMap((taker) => candidatesOf(staff, taker, 'fallback')),
    ]
    const { tried, ...decision } = decide(book, staff, asked)
    const savedId = (id: string | null): string | null =>
      rules.find((rule) => rule.id === id)?.saved === true ? id : null
    return {
      ...decision,
      rule_id: savedId(decision.rule_id),
      rules: book.rules.map(({ id, name, checks }, n) => ({
        rule_id: savedId(id),
        name,
        priority: rules[n]?.priority ?? null,
        active: active.has(id),
        asked: tried.some(({ rule_id }) => rule_id === id),
        matched: checks.every((check) => check.holds(facts)),
        conditions: checks.map((check) => ({
          condition: check.name,
          holds: check.holds(facts),
          because: check.says(facts),
          wants: check.wants,
        })),
      })),
      candidates,
    }
  })

const leadAskedAbout = async (ctx: TxCtx, { lead_id, lead }: RoutingQuestion): Promise<RoutableLead> => {
  if ((lead_id === undefined) === (lead === undefined))
    throw invalid('lead_missing', '/lead_id', 'Say which lead: give “lead_id”, or “lead” with its fields.', [
      'lead_id',
      'lead',
    ])
  if (lead_id !== undefined) return routableOf(await getOpportunity(ctx, lead_id, 'lead'))
  const { score, custom, contact_ids, account_ids, ...fields } = lead ?? {}
  const [settings, pipeline] = await Promise.all([readSettings(ctx), defaultPipeline(ctx, 'lead')])
  const { values } = normaliseFields(fields, OpportunityFields.shape, settings.default_country)
  const stage = entryStage(pipeline)
  const from = { door: 'api' }
  const { currency } = settings
  const { scores } = await scoreNewcomers(ctx, [{ values, custom, stage, currency, ...from }])
  return {
    values: {
      currency,
      name: 'A lead',
      ...values,
      pipeline_id: pipeline.id,
      stage_id: stage.id,
      origin: from,
    },
    score: score === undefined ? scores[0]?.score : score,
    custom,
    contact_ids,
    account_ids,
  }
}

type RuleAskedAbout = AskableRule & { priority: number | null; active: boolean; saved: boolean }

const rulesAskedAbout = async (ctx: TxCtx, { rules }: RoutingQuestion): Promise<RuleAskedAbout[]> => {
  if (rules === undefined) return (await listRoutingRules(ctx)).map((rule) => ({ ...rule, saved: true }))
  await requireRoutable(
    ctx,
    rules.map((rule, n) => ({ rule, pointer: `/rules/${n}` })),
  )
  return rules
    .map(({ id, name, priority = null, active = true, conditions = {}, target }) => ({
      id: id ?? uuidv7(),
      saved: id !== undefined,
      name,
      priority,
      active,
      conditions,
      target,
    }))
    .toSorted((a, b) => (a.priority ?? Infinity) - (b.priority ?? Infinity) || 0)
}

const fallbackAskedAbout = async (ctx: TxCtx, { fallback }: RoutingQuestion): Promise<RoutingFallback> => {
  if (fallback === undefined) return (await readFallback(ctx)).fallback
  await requireTakers(ctx, namedTakers(fallback, '/fallback'))
  return fallback
}

const candidatesOf = (
  { candidates, pools }: Staff,
  taker: Taker,
  of: 'target' | 'fallback',
): RoutingExplanation['candidates'] => {
  const turns =
    taker.kind === 'pool'
      ? (pools.get(taker.pool_id)?.turns ?? [])
      : [{ user_id: taker.user_id, weight: 1, taken: 0 }]
  return turns.flatMap(({ user_id, weight, taken }) => {
    const candidate = candidates.get(user_id)
    if (!candidate) return []
    return [{ of, user_id, name: candidate.name, weight, taken, passed_over: passedOverNow(candidate) }]
  })
}
