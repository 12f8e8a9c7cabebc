import { recordActivity } from './activities.ts'
import { inTx, type Actor, type Ctx } from './context.ts'

/** What an agent may do with a tool: not have it, be refused, always ask, or do it. */
export const levels = ['off', 'deny', 'suggest', 'act'] as const
export type Level = (typeof levels)[number]

export type Effect = 'read' | 'write' | 'outbound'

/** What the gate answers, with the rule that decided and a sentence that says why. */
export type Verdict = { verdict: 'run' | 'park' | 'deny'; rule: string; text: string }

/** Everything a decision rests on. */
export type Question = {
  tool: string
  effect: Effect
  level: Level | undefined
  ai_enabled: boolean
  agent_enabled: boolean
  record_paused: boolean
  /** Whether the run has read anything that somebody outside wrote. */
  tainted: boolean
  /** What the tool says of a tainted run: whether these arguments are harmless enough to run by themselves. */
  safe_when_tainted: boolean
  /** Why these arguments cannot be taken back or close something, when so. */
  consequence?: string | undefined
  /** Suggestions always park, whatever the policy says. */
  suggestion: boolean
}

/** Who the agents are and what each may do unless an organization says otherwise. A tool that is not listed does not exist for the agent. */
export const agentCatalogue: Record<
  string,
  { title: string; description: string; version: string; levels: Record<string, Level> }
> = {
  lead_worker: {
    title: 'Lead worker',
    description:
      'Works every new lead: reads its website, scores it, moves it, proposes next steps and drafts the first e-mail. Says what files are about and proposes what they tell, and does the tasks that it is given.',
    version: '1',
    levels: {
      read_lead: 'act',
      enrich_lead: 'act',
      qualify: 'act',
      move_stage: 'act',
      merge_leads: 'suggest',
      suggest_next_actions: 'act',
      draft_email: 'act',
      send_email: 'suggest',
      create_task: 'act',
      add_note: 'act',
      read_file: 'act',
      propose_file_facts: 'act',
      update_lead: 'suggest',
      update_record: 'suggest',
      complete_task: 'act',
      hand_back_task: 'act',
    },
  },
}

/**
 * The one decision about an act that an agent wants: the first rule that applies decides, and what no rule allows is refused.
 * Off switches come first, then policy, then what needs a person whatever the policy says.
 */
export const decide = (question: Question): Verdict => {
  for (const [rule, applies, verdict, text] of rules) {
    if (applies(question)) return { verdict, rule, text: text(question) }
  }
  return { verdict: 'deny', rule: 'default_deny', text: `No rule allows ${question.tool}.` }
}

type Rule = [
  name: string,
  applies: (q: Question) => boolean,
  verdict: Verdict['verdict'],
  text: (q: Question) => string,
]

const rules: Rule[] = [
  ['ai_off', (q) => !q.ai_enabled, 'deny', () => 'Agents are switched off for this organization.'],
  ['agent_off', (q) => !q.agent_enabled, 'deny', () => 'This agent is paused.'],
  ['record_off', (q) => q.record_paused, 'deny', () => 'Agents are paused on this record.'],
  [
    'not_granted',
    (q) => q.level === undefined || q.level === 'off',
    'deny',
    (q) => `This agent was not given ${q.tool}.`,
  ],
  ['policy_deny', (q) => q.level === 'deny', 'deny', (q) => `Policy: this agent may never use ${q.tool}.`],
  ['read_only', (q) => q.effect === 'read' && !q.suggestion, 'run', () => 'Looking changes nothing.'],
  ['suggestion', (q) => q.suggestion, 'park', () => 'Suggestions always wait for a person.'],
  [
    'outbound',
    (q) => q.effect === 'outbound',
    'park',
    () => 'It reaches somebody outside and an agent wrote it.',
  ],
  ['consequential', (q) => q.consequence !== undefined, 'park', (q) => q.consequence ?? ''],
  [
    'policy_suggest',
    (q) => q.level === 'suggest',
    'park',
    () => 'Policy: this agent asks before it does this.',
  ],
  [
    'tainted',
    (q) => q.tainted && !q.safe_when_tainted,
    'park',
    () => 'The agent has read text from outside, which may try to steer it.',
  ],
  ['policy_act', (q) => q.level === 'act', 'run', () => 'Policy: this agent may do this by itself.'],
]

/** The level of each tool for an agent: what it declares, overridden by what the organization set. */
export const readLevels = (ctx: Ctx, agent: string): Promise<Record<string, Level>> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const overrides = await tx<{ tool: string; level: Level }[]>`
      select tool, level from policies where organization_id = ${organization_id} and agent = ${agent}`
    return {
      ...agentCatalogue[agent]?.levels,
      ...Object.fromEntries(overrides.map(({ tool, level }) => [tool, level])),
    }
  })

/** Sets what an agent may do with a tool; takes effect with its next call. */
export const setLevel = (ctx: Ctx, input: { agent: string; tool: string; level: Level }): Promise<void> =>
  inTx(ctx, async (ctx) => {
    const { tx, organization_id, actor } = ctx
    const before = (await readLevels(ctx, input.agent))[input.tool] ?? 'off'
    await tx`
      insert into policies ${tx({ organization_id, ...input, updated_by: tx.json(actor) })}
      on conflict (organization_id, agent, tool) do update set level = excluded.level,
        updated_by = excluded.updated_by, updated_at = now()`
    await recordActivity(ctx, {
      type: 'settings_changed',
      subjects: [{ kind: 'organization', id: organization_id }],
      data: {
        what: `what ${input.agent} may do with ${input.tool}`,
        changes: [{ field: `${input.agent}.${input.tool}`, before, after: input.level }],
      },
    })
  })

/** Where an agent stands with a record now: the switches and its level of each tool. */
export type Standing = {
  ai_enabled: boolean
  agent_enabled: boolean
  record_paused: boolean
  levels: Record<string, Level>
}

/** What is looked at before every act, in one statement, so that a switch that was thrown holds from the next act on. */
export const readStanding = (
  ctx: Ctx,
  agent: string,
  subject: { kind: string; id: string },
): Promise<Standing> =>
  inTx(ctx, async ({ tx, organization_id }) => {
    const [row] = await tx<Standing[]>`
      select s.ai_enabled,
        coalesce((select a.enabled from agents a where a.organization_id = s.organization_id and a.name = ${agent}), true) as agent_enabled,
        coalesce((select o.agents_paused from opportunities o
          where o.organization_id = s.organization_id and o.id = ${subject.id}), false) as record_paused,
        coalesce((select jsonb_object_agg(p.tool, p.level) from policies p
          where p.organization_id = s.organization_id and p.agent = ${agent}), '{}') as levels
      from settings s where s.organization_id = ${organization_id}`
    const declared = agentCatalogue[agent]?.levels
    return row
      ? { ...row, levels: { ...declared, ...row.levels } }
      : { ai_enabled: false, agent_enabled: false, record_paused: false, levels: {} }
  })

/** An agent as a principal: what its acts are signed with. */
export const agentActor = (name: string): Actor => ({
  kind: 'agent',
  id: name,
  name,
  version: agentCatalogue[name]?.version ?? '1',
})
