import { v7 as uuidv7 } from 'uuid'
import { recordActivities, type NewActivity } from './activities.ts'
import { asSystem, type TxCtx } from './context.ts'
import { segmentLeads } from './lead-segments.ts'
import { writeOriginsOf } from './origins.ts'
import { type Book, readBook, type ReadRule, segmentsIn } from './routing-book.ts'
import { factsOf, type RoutingFacts } from './routing-conditions.ts'
import { type Taker, takersOf } from './routing-targets.ts'
import {
  type Candidate,
  hindranceOf,
  keepTurns,
  lockTurns,
  type PassedOver,
  readStaff,
  type Staff,
  takeLead,
} from './routing-turns.ts'

/** A lead for which an owner is looked for: one that is there, by its id, or one that is about to be made. */
export type RoutableLead = {
  /** Of one that is there; what hangs on it is looked up by it. */
  id?: string | undefined
  /** Its columns; of one that is about to be made all of them, as they will be written. */
  values: Record<string, unknown>
  score?: number | null | undefined
  custom?: Record<string, unknown> | undefined
  contact_ids?: string[] | undefined
  account_ids?: string[] | undefined
}

/** A rule that was asked, in the order in which they were. */
export type TriedRule = {
  rule_id: string
  name: string
  matched: boolean
  /** What of the lead decided it. */
  because: string
}

/** Who takes a lead, and why. */
export type RoutingDecision = {
  /** A rule, or the fallback gave it to somebody; nobody could take it; the organization routes nothing. */
  by: 'rule' | 'fallback' | 'nobody' | 'unrouted'
  owner_id: string | null
  owner_name: string | null
  /** The rule that gave it to the owner. */
  rule_id: string | null
  rule_name: string | null
  /** To whom that rule, or the fallback, gives its leads. */
  target: { kind: Taker['kind']; id: string; name: string } | null
  reason: string
  tried: TriedRule[]
  /** Who would have been asked, and why not. */
  passed_over: PassedOver[]
}

/**
 * Decides who takes each of these leads, up to some hundreds at once, with a handful of queries whatever their number: the
 * first rule that a lead fits gives it to a member, or to whoever's turn it is; where nobody there can take it, or no rule
 * fits, the fallback takes it, then nobody. Turns that are taken count with the transaction; they wait for those of others,
 * so whatever else the transaction locks is locked before.
 */
export const routeLeads = async (ctx: TxCtx, leads: readonly RoutableLead[]): Promise<RoutingDecision[]> => {
  const book = leads.length > 0 ? await readBook(ctx) : undefined
  if (!book?.routes) return leads.map(() => UNROUTED)
  const asked = (await readFacts(ctx, book, leads)).map((facts) => askRules(book, facts))
  const staff = await readLockedStaff(ctx, book, asked)
  const decisions = asked.map((one) => decide(book, staff, one))
  keepTurns(ctx, staff)
  return decisions
}

/** The same where some, which are undefined, are not to be routed. */
export const routeNewcomers = async (
  ctx: TxCtx,
  newcomers: readonly (RoutableLead | undefined)[],
): Promise<(RoutingDecision | undefined)[]> => {
  const decisions = (
    await routeLeads(
      ctx,
      newcomers.filter((one) => one !== undefined),
    )
  ).values()
  return newcomers.map((one) => one && decisions.next().value)
}

/** What was decided of a lead that is there now. */
export type RoutedLead = {
  id: string
  /** Absent of one that was just made. */
  before?: { owner_id: string | null; version: number } | undefined
  decision: RoutingDecision
}

/**
 * Says on the timelines who took these leads and why, on behalf of whoever brought them, and notes where the owners came
 * from. What the organization does not route is not told of.
 */
export const recordRoutings = (ctx: TxCtx, routed: readonly RoutedLead[]): void => {
  const told = routed.filter(({ decision }) => decision.by !== 'unrouted')
  if (told.length === 0) return
  const { actor, on_behalf_of = actor.kind === 'system' ? undefined : actor } = ctx
  const system = asSystem({ ...ctx, ...(on_behalf_of ? { on_behalf_of } : {}) }, 'routing')
  recordActivities(system, told.map(activityOf))
  writeOriginsOf(
    ctx,
    told
      .filter(({ decision }) => decision.owner_id !== null)
      .map(({ id, decision: { rule_id } }) => ({
        record: { kind: 'lead', id },
        fields: ['owner_id'],
        origin: { kind: 'system', name: 'routing', ...(rule_id ? { rule_id } : {}) },
      })),
  )
}

/** A lead, with what the rules said of it. */
export type AskedLead = {
  tried: TriedRule[]
  rule: ReadRule | undefined
  taker: Taker | undefined
}

/** Asks the rules about a lead, in their order, up to the first one that fits. */
export const askRules = ({ rules }: Pick<Book, 'rules'>, facts: RoutingFacts): AskedLead => {
  const tried: TriedRule[] = []
  for (const rule of rules) {
    const { id: rule_id, name, checks } = rule
    const failed = checks.find((check) => !check.holds(facts))
    const because = failed
      ? `${failed.says(facts)}, not ${failed.wants}`
      : checks.map((check) => check.says(facts)).join(', ')
    tried.push({ rule_id, name, matched: failed === undefined, because })
    if (!failed) return { tried, rule, taker: rule.takerOf(facts) }
  }
  return { tried, rule: undefined, taker: undefined }
}

/** What the conditions look at of each lead. */
export const readFacts = async (
  ctx: TxCtx,
  book: Book,
  leads: readonly RoutableLead[],
): Promise<RoutingFacts[]> => {
  const known = leads.map((lead) => ({ ...lead, id: lead.id ?? uuidv7() }))
  const { segmentsOf } = await segmentLeads(
    ctx,
    known.map(({ values, ...lead }, n) => (leads[n]?.id ? lead : { ...lead, row: values })),
    segmentsIn(book),
  )
  return known.map(({ id, values, score }) =>
    factsOf({
      source: textOf(values['source']),
      campaign: textOf(values['campaign']),
      landing_page: textOf(values['landing_page']),
      email: textOf(values['email']),
      country: textOf(values['country']),
      industry: textOf(values['industry']),
      score: score ?? null,
      segments: segmentsOf.get(id) ?? NO_SEGMENTS,
    }),
  )
}

/** Lets whoever is to take a lead take it: the rule's, then the fallback, then nobody. The staff counts on. */
export const decide = (
  { fallback }: Pick<Book, 'fallback'>,
  staff: Staff,
  { tried, rule, taker }: AskedLead,
): RoutingDecision => {
  const because = rule ? tried.at(-1)?.because : undefined
  const fits = rule ? `“${rule.name}” fits${because ? `: ${because}` : ''}.` : 'No rule fits.'
  const passed_over: PassedOver[] = []
  const ask = (whom: Taker) => {
    const taking = takeLead(staff, whom)
    const known = new Set(passed_over.map(({ user_id }) => user_id))
    passed_over.push(...taking.passed_over.filter(({ user_id }) => !known.has(user_id)))
    return taking
  }
  const given = (by: 'rule' | 'fallback', whom: Taker, { user_id, name }: Candidate, reason: string) => ({
    by,
    owner_id: user_id,
    owner_name: name,
    rule_id: by === 'rule' ? (rule?.id ?? null) : null,
    rule_name: by === 'rule' ? (rule?.name ?? null) : null,
    target: {
      kind: whom.kind,
      id: whom.kind === 'pool' ? whom.pool_id : whom.user_id,
      name: whom.kind === 'pool' ? poolName(staff, whom.pool_id) : name,
    },
    reason: [reason, passingOf(passed_over)].filter(Boolean).join(' '),
    tried,
    passed_over,
  })
  const first = taker && ask(taker)
  if (taker && first?.taker)
    return given('rule', taker, first.taker, `${fits} ${takingOf(staff, taker, first.taker)}`)
  const why = taker ? `${fits} Nobody there can take it.` : fits
  if (fallback.kind !== 'nobody') {
    const second = ask(fallback).taker
    if (second)
      return given(
        'fallback',
        fallback,
        second,
        `${why} The fallback takes it. ${takingOf(staff, fallback, second)}`,
      )
  }
  const nobody =
    fallback.kind === 'nobody'
      ? 'There is no fallback, so nobody takes it.'
      : 'Nor can the fallback, so nobody takes it.'
  return {
    by: 'nobody',
    owner_id: null,
    owner_name: null,
    rule_id: null,
    rule_name: null,
    target: null,
    reason: [why, nobody, passingOf(passed_over)].filter(Boolean).join(' '),
    tried,
    passed_over,
  }
}

/** Whom the leads may come to; under the lock where turns are taken or limits count. */
const readLockedStaff = async (ctx: TxCtx, book: Book, asked: readonly AskedLead[]): Promise<Staff> => {
  const takers = asked.flatMap(({ taker }) => taker ?? [])
  const all = [...takers, ...takersOf(book.fallback)]
  if (all.length === 0) return NOBODY_THERE
  const turning = (taker: { kind: string }): boolean => taker.kind === 'pool'
  if (book.has_limits || takers.some(turning) || (turning(book.fallback) && takers.length < asked.length)) {
    lockTurns(ctx)
    return readStaff(ctx, all)
  }
  const staff = await readStaff(ctx, all)
  if (!turning(book.fallback) || ![...staff.candidates.values()].some(hindranceOf)) return staff
  // Somebody named is away, so that the fallback is asked after all.
  lockTurns(ctx)
  return readStaff(ctx, all)
}

const UNROUTED: RoutingDecision = {
  by: 'unrouted',
  owner_id: null,
  owner_name: null,
  rule_id: null,
  rule_name: null,
  target: null,
  reason: 'There are no routing rules, and there is no fallback.',
  tried: [],
  passed_over: [],
}

const NOBODY_THERE: Staff = { candidates: new Map(), pools: new Map() }

const NO_SEGMENTS: ReadonlySet<string> = new Set()

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

const takingOf = (staff: Staff, taker: Taker, { name }: Candidate): string =>
  taker.kind === 'pool'
    ? `It is the turn of ${name} in “${poolName(staff, taker.pool_id)}”.`
    : `It goes to ${name}.`

const poolName = ({ pools }: Staff, id: string): string => pools.get(id)?.name ?? 'a pool that is gone'

const passingOf = (passed_over: readonly PassedOver[]): string => {
  const each = passed_over.map(({ name, reason }) => `${name} ${reason}`)
  return each.length === 0 ? '' : `Passed over: ${each.join('; ')}.`
}

const activityOf = ({ id, before, decision }: RoutedLead): NewActivity => {
  const { by, owner_id, owner_name, rule_id, rule_name, target, passed_over, reason } = decision
  const had = before?.owner_id ?? null
  const changes = owner_id === had ? [] : [{ field: 'owner_id', before: had, after: owner_id }]
  return {
    type: 'lead_routed',
    subjects: [{ kind: 'lead', id }],
    reason,
    record_version: before ? before.version + changes.length : 1,
    data: {
      by,
      owner_id,
      owner: owner_name,
      rule_id,
      rule: rule_name,
      target,
      passed_over,
      ...(changes.length > 0
        ? {
            changes,
            undo: {
              tool: 'update_record',
              input: { record_kind: 'lead', record_id: id, values: { owner_id: had } },
            },
          }
        : {}),
    },
  }
}
