import { z } from 'zod'
import { LeadRead, mayBeWrittenTo } from './lead-answer.ts'
import { composeReply, topicOf } from './rules-email.ts'
import type { RulesDecision, RulesSituation } from './rules-model.ts'

const Enriched = z.object({
  found: z.boolean(),
  website: z.string().nullable(),
  summary: z.string(),
  facts: z.array(z.object({ key: z.string(), value: z.string(), source_url: z.string() })),
  problem: z.object({ message: z.string() }).nullable(),
})
const Qualified = z.object({ score: z.number(), verdict: z.string(), verdict_reason: z.string() })

/** What is known at this point of the conversation. */
export type Known = {
  lead_id: string
  read: LeadRead
  enriched: z.infer<typeof Enriched> | undefined
  qualified: z.infer<typeof Qualified> | undefined
}

/** Works a lead in the order of its prompt: one call at a time, each at most once, a refused draft mended once. */
export const decideLeadWork = (situation: RulesSituation): RulesDecision => {
  const known = learn(situation)
  if (!('read' in known)) return known
  const wanted = /asked for: (enrich|suggest)/.exec(situation.request)?.[1]
  const whole = known.read.wish === 'left_alone' ? leftAlone : everything
  const list = wanted ? shortened[wanted as keyof typeof shortened] : whole
  return nextStep(situation, known, list) ?? { text: conclude(situation, known) }
}

/** What is known of the lead, or how to come to know it. */
export const learn = (situation: RulesSituation): Known | RulesDecision => {
  const lead_id = /lead ([0-9a-f-]{36})/.exec(situation.request)?.[1]
  if (!lead_id) return { text: 'There is no lead in this request, so there is nothing to do.' }
  const read = lastOutput(situation, 'read_lead', LeadRead)
  if (!read) {
    return called(situation, 'read_lead') || !situation.offered.has('read_lead')
      ? { text: 'The lead could not be read, so nothing was done.' }
      : { call: { tool: 'read_lead', input: { lead_id } } }
  }
  const enriched = lastOutput(situation, 'enrich_lead', Enriched)
  return {
    lead_id,
    read: { ...read, facts: enriched?.found ? enriched.facts : read.facts },
    enriched,
    qualified: lastOutput(situation, 'qualify', Qualified),
  }
}

/** The first of these steps that is still to be done, and may be. */
export const nextStep = (
  situation: RulesSituation,
  known: Known,
  among: readonly StepName[],
): RulesDecision | undefined => {
  for (const step of among) {
    const decision = steps[step](situation, known)
    if (decision && situation.offered.has(step)) return { call: { tool: step, input: decision } }
  }
  return undefined
}

const everything = [
  'enrich_lead',
  'qualify',
  'move_stage',
  'merge_leads',
  'suggest_next_actions',
  'draft_email',
  'add_note',
] as const
/** Whoever asks to be left alone is neither looked up nor written to: a person hears of it. */
const leftAlone = ['qualify', 'move_stage', 'create_task', 'add_note'] as const
const shortened = {
  enrich: ['enrich_lead', 'qualify'],
  suggest: ['qualify', 'suggest_next_actions'],
} as const satisfies Record<string, readonly (typeof everything)[number][]>
export type StepName = (typeof everything)[number] | (typeof leftAlone)[number]

type Step = (situation: RulesSituation, known: Known) => Record<string, unknown> | undefined

const steps: Record<StepName, Step> = {
  enrich_lead: (situation, { lead_id }) => once(situation, 'enrich_lead', { lead_id }),
  qualify: (situation, { lead_id }) => once(situation, 'qualify', { lead_id }),
  move_stage: (situation, known) => {
    const { read, qualified, lead_id } = known
    const open = read.stages.filter(({ kind }) => kind === 'open')
    if (!qualified || read.lead.stage.kind !== 'open') return undefined
    const lost_because =
      read.wish === 'left_alone'
        ? 'It asks to be left alone.'
        : qualified.verdict === 'unqualified' && REFUSES.test(qualified.verdict_reason)
          ? `Not a buyer: ${qualified.verdict_reason}`
          : undefined
    if (lost_because) {
      const lost = read.stages.find(({ kind }) => kind === 'lost')
      return (
        lost &&
        once(situation, 'move_stage', {
          lead_id,
          stage_id: lost.id,
          ...discardFor(read, lost_because),
          reason: lost_because,
        })
      )
    }
    if (qualified.verdict !== 'qualified' || open[0]?.id !== read.lead.stage.id) return undefined
    const next = open.find(({ label }) => label === 'Qualified') ?? open[1]
    return (
      next &&
      once(situation, 'move_stage', {
        lead_id,
        stage_id: next.id,
        reason: `Qualified with ${qualified.verdict_reason}`,
      })
    )
  },
  merge_leads: (situation, { read, lead_id }) => {
    const [same] = read.duplicates
    if (
      !same ||
      (same.near && same.points < STRONG) ||
      read.waiting.some(({ tool }) => tool === 'merge_leads')
    )
      return undefined
    return once(situation, 'merge_leads', {
      lead_id,
      other_id: same.id,
      primary_id: same.primary_id,
      reason: `“${same.name}” is ${same.near ? 'most likely' : ''} the same: ${same.reason}`.replace(
        '  ',
        ' ',
      ),
    })
  },
  suggest_next_actions: (situation, known) => {
    const actions = nextActions(known)
    return actions.length > 0 && known.read.lead.stage.kind === 'open'
      ? once(situation, 'suggest_next_actions', { lead_id: known.lead_id, actions })
      : undefined
  },
  draft_email: (situation, { read, qualified, lead_id }) => {
    if (!mayBeWrittenTo(read)) return undefined
    const attempts = situation.calls.filter(({ tool }) => tool === 'draft_email')
    if (attempts.length > 1 || attempts.some(({ output }) => output['refused'] !== true)) return undefined
    return {
      lead_id,
      ...composeReply(read, {
        plain: attempts.length > 0,
        declines: REFUSES.test(qualified?.verdict_reason ?? read.lead.verdict_reason ?? ''),
      }),
      purpose: 'reply',
    }
  },
  create_task: (situation, { read, lead_id }) => {
    const task = optOutTask(read)
    return read.opted_out !== null || read.activities.some((line) => line.includes(task.title))
      ? undefined
      : once(situation, 'create_task', { lead_id, ...task })
  },
  add_note: (situation, known) =>
    once(situation, 'add_note', { lead_id: known.lead_id, body: noteOf(situation, known) }),
}

/** From so many points on, two leads that share no key are proposed to be merged. */
const STRONG = 60

/** The organization's discard reason that fits best; its last one, which is for the rest, where none does. */
const discardFor = ({ discard_reasons }: LeadRead, lost_because: string): { discard_reason_id?: string } => {
  const [, wanted] = DISCARDS.find(([said]) => said.test(lost_because)) ?? [undefined, /not interested/i]
  const reason = discard_reasons.find(({ label }) => wanted.test(label)) ?? discard_reasons.at(-1)
  return reason ? { discard_reason_id: reason.id } : {}
}

const DISCARDS: [said: RegExp, label: RegExp][] = [
  [/Wants to sell/, /solicit|spam/i],
  [/keyboard mashing|Throw-away/, /spam|not a fit/i],
]

/** Reasons for which asking to close a lead is right; a thin lead only waits. */
const REFUSES = /Wants to sell|Says no|keyboard mashing|Throw-away/

type Action = {
  tool: string
  input: Record<string, unknown>
  reason: string
  evidence: { label: string; url?: string; snippet?: string }[]
}

const optOutTask = ({ lead, message }: LeadRead): { title: string; description: string; due_at: string } => ({
  title: `Record that ${(lead.name ?? lead.company ?? 'the lead').slice(0, 60)} asks to be left alone`,
  description: `It wrote: “${(message ?? '').slice(0, 300)}”. If that is meant, see to it that nobody writes to ${lead.email ?? 'it'} again, and close the lead. No agent records an opt-out by itself.`,
  due_at: workingDay(1),
})

const nextActions = ({ read, qualified, enriched }: Known): Action[] => {
  if (qualified?.verdict === 'unqualified' || read.wish === 'left_alone') return []
  const who = read.lead.name ?? read.lead.company ?? 'the lead'
  const topic = topicOf(read.message)
  const message = read.message ? [{ label: 'What the lead wrote', snippet: read.message.slice(0, 300) }] : []
  const actions: Action[] = []
  const add = (
    title: string,
    days: number,
    priority: string,
    reason: string,
    evidence: Action['evidence'],
  ): void => {
    if (read.waiting.some(({ summary }) => summary.includes(title))) return
    actions.push({
      tool: 'create_task',
      input: { title, due_at: workingDay(days), priority },
      reason,
      evidence,
    })
  }
  const site = read.lead.website ? [{ label: `Website ${read.lead.website.slice(0, 150)}` }] : []
  if (!read.lead.phone && !read.lead.email) {
    add(
      `Find out how to reach ${who}`,
      1,
      'normal',
      `${who} left neither an e-mail address nor a phone number, so nobody can answer.`,
      [...message, ...site],
    )
  }
  if (read.lead.phone) {
    add(
      `Call ${who} about ${topic.noun}`,
      1,
      (qualified?.score ?? 0) >= 70 ? 'high' : 'normal',
      `${who} left a phone number, and a call within a day is answered most often.`,
      [{ label: `Phone number ${read.lead.phone}` }, ...message],
    )
  }
  if (topic.buys) {
    add(`Prepare an offer for ${read.lead.company ?? who}`, 2, 'normal', `${who} asks about ${topic.noun}.`, [
      ...message,
      ...read.facts.slice(0, 1).map(({ key, value, source_url }) => ({
        label: `${key.replaceAll('_', ' ')}: ${value.slice(0, 120)}`,
        url: source_url,
      })),
    ])
  }
  if (enriched && !enriched.found) {
    add(
      `Find out more about ${read.lead.company ?? who}`,
      2,
      'low',
      `The website could not be read: ${sentence(enriched.problem?.message ?? 'nothing was found')}`,
      site.length > 0 ? site : [{ label: 'No website known' }],
    )
  }
  if (actions.length === 0 && mayBeWrittenTo(read)) {
    add(
      `Check whether ${who} answered`,
      3,
      'normal',
      'A lead that is not followed up within days is lost most often.',
      message,
    )
  }
  return actions.slice(0, 3)
}

const noteOf = (situation: RulesSituation, { read, enriched, qualified }: Known): string => {
  const scored = qualified ? `Scored ${qualified.verdict_reason}` : 'Not scored.'
  if (read.wish === 'left_alone') {
    return `It asks to be left alone, so nothing was drafted; recording the opt-out is up to a person.\n${scored}`
  }
  const lines = [
    scored,
    enriched?.found
      ? `Website: ${enriched.summary}`
      : `Website not read: ${sentence(enriched?.problem?.message ?? 'it was not tried')}`,
  ]
  const draft = situation.calls.findLast(({ tool }) => tool === 'draft_email')
  if (draft && draft.output['refused'] !== true) lines.push('An answer is drafted and waits for approval.')
  else if (!read.lead.email) lines.push('No e-mail address, so nothing was drafted.')
  else if (read.opted_out !== null) lines.push('The address opted out, so nothing was drafted.')
  const move = situation.calls.findLast(({ tool }) => tool === 'move_stage')
  if (move?.output['parked'] === true) lines.push('Closing it as lost waits for a decision.')
  return lines.join('\n')
}

const conclude = (situation: RulesSituation, { qualified }: Known): string => {
  const done = situation.calls.filter(
    ({ output }) => output['refused'] !== true && output['parked'] !== true,
  ).length
  return `Worked the lead in ${done} steps${qualified ? `; verdict: ${qualified.verdict} (${qualified.score} of 100)` : ''}.`
}

/** With one full stop at its end. */
export const sentence = (text: string): string => `${text.replace(/[.\s]+$/, '')}.`

const called = (situation: RulesSituation, tool: string): boolean =>
  situation.calls.some((call) => call.tool === tool)

const once = (
  situation: RulesSituation,
  tool: string,
  input: Record<string, unknown>,
): Record<string, unknown> | undefined => (called(situation, tool) ? undefined : input)

const lastOutput = <T>(situation: RulesSituation, tool: string, schema: z.ZodType<T>): T | undefined => {
  const call = situation.calls.findLast((candidate) => candidate.tool === tool)
  return call ? schema.safeParse(call.output).data : undefined
}

/** Nine o'clock UTC, so many working days from today. */
const workingDay = (days: number): string => {
  const day = new Date()
  day.setUTCHours(9, 0, 0, 0)
  for (let left = days; left > 0;) {
    day.setUTCDate(day.getUTCDate() + 1)
    if (day.getUTCDay() !== 0 && day.getUTCDay() !== 6) left -= 1
  }
  return day.toISOString()
}
