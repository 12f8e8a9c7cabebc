import { learn, nextStep, sentence, type Known, type StepName } from './rules-lead.ts'
import type { RulesDecision, RulesSituation } from './rules-model.ts'
import { findTask, type ToldTask } from './task-orders.ts'

/**
 * Does a task as far as rules understand it: the parts that they know, with the tools, then completes it with what was done.
 * What they do not know, or could not do, is said in a note, and the task goes back to a person.
 */
export const decideTaskWork = (situation: RulesSituation): RulesDecision => {
  const task_id = /You were given the task ([0-9a-f-]{36})/.exec(situation.request)?.[1]
  const task = findTask(`${situation.instructions}\n${situation.request}`)
  const { jobs, rest }: Parts = task ? understand(task) : { jobs: [], rest: [] }
  const known = learn(situation)
  if ('call' in known) return known
  const report = 'read' in known ? work(situation, known, jobs) : UNFINISHED
  if (!('left' in report)) return report
  const left = [...report.left, ...rest.map((part) => `The built-in rules do not understand “${part}”.`)]
  if (jobs.length > 0 && left.length === 0)
    return settle(situation, 'complete_task', { task_id, note: report.done.join('\n').slice(0, LONGEST) })
  const reason = [...report.done, ...(left.length > 0 ? left : [NOT_UNDERSTOOD])].join('\n').slice(0, LONGEST)
  if ('read' in known && isNew(situation, 'add_note')) {
    const body = `The task “${task?.title ?? ''}” goes back to a person.\n${reason}`
    return { call: { tool: 'add_note', input: { lead_id: known.lead_id, body } } }
  }
  return settle(situation, 'hand_back_task', { task_id, reason })
}

const LONGEST = 2_000

const NOT_UNDERSTOOD =
  'The built-in rules do not understand what it asks for: they enrich, qualify, suggest next steps and draft an answer.'

/** A part of a task that the rules know how to do. */
type Job = {
  /** What it is called when it was done, or could not be. */
  words: RegExp
  steps: readonly StepName[]
  /** What came of it. */
  result: (situation: RulesSituation, known: Known, part: string) => Report
}
type Report = { done: string[]; left: string[] }

/** Where the lead cannot be read: also where the rules only stand in for a model that ended without a word. */
const UNFINISHED: Report = { done: [], left: ['The agent did not do it to its end.'] }

const done = (text: string): Report => ({ done: [text], left: [] })
const left = (text: string): Report => ({ done: [], left: [text] })

const work = (
  situation: RulesSituation,
  known: Known,
  jobs: readonly { job: Job; part: string }[],
): RulesDecision | Report => {
  for (const { job } of jobs) {
    const step = nextStep(situation, known, job.steps)
    if (step) return step
  }
  const reports = jobs.map(({ job, part }) => job.result(situation, known, part))
  return {
    done: [...new Set(reports.flatMap((report) => report.done))],
    left: [...new Set(reports.flatMap((report) => report.left))],
  }
}

/** The last call, once; whatever was answered, the run ends after it. */
const settle = (
  situation: RulesSituation,
  tool: 'complete_task' | 'hand_back_task',
  input: Record<string, unknown>,
): RulesDecision => {
  if (isNew(situation, tool)) return { call: { tool, input } }
  const answer = lastOf(situation, tool)?.output
  if (answer?.['refused'] === true) return { text: sentence(String(answer['message'])) }
  return {
    text: tool === 'complete_task' ? 'Did the task.' : 'Handed the task back, with what is left to do.',
  }
}

type Parts = { jobs: { job: Job; part: string }[]; rest: string[] }

/**
 * The parts of a task, each with what the rules make of it. Its details mostly explain: of them counts what begins like an
 * order, and all where the title says nothing that the rules know.
 */
const understand = ({ title, details }: ToldTask): Parts => {
  const told = partsOf(title)
  if (told.jobs.length === 0) return partsOf(details || title)
  const more = partsOf(details)
  return {
    jobs: [...told.jobs, ...more.jobs.filter(({ job, part }) => beginsWith(job.words, part))],
    rest: [...told.rest, ...more.rest.filter((part) => NEGATION.test(part) || beginsWith(UNKNOWN, part))],
  }
}

const partsOf = (text: string): Parts => {
  const parts = text
    .split(/[.;,!?:\n]+|\s(?:and|then|und|dann)\s/i)
    .map((part) => part.trim())
    .filter((part) => /\p{L}/u.test(part) && !COURTESY.test(part))
  const found = parts.map((part) => ({ part, job: jobFor(part) }))
  return {
    jobs: found.flatMap(({ part, job }) => (job ? [{ part, job }] : [])),
    rest: found.filter(({ job }) => !job).map(({ part }) => part),
  }
}

const beginsWith = (words: RegExp, part: string): boolean =>
  words.exec(part.replace(/^(?:(?:please|bitte|also|and|then|und|dann)\s+)+/i, ''))?.index === 0

const COURTESY = /^(?:please|bitte|thanks|thank you|danke|asap|today|heute|for this lead|the lead)$/i
const NEGATION = /\b(?:do not|don['’]t|dont|never|not|without|nicht|kein\w*|nie|ohne)\b/i
/** Acts that are for people, or for other tools than the rules use. */
const UNKNOWN =
  /\b(?:call|phone|ring|meet|invoice|book|schedule|sms|whatsapp|close|delete|merge|move|assign|anrufen|ruf\w*|telefonier\w*|treffen)\b/i

const jobFor = (part: string): Job | undefined => {
  if (NEGATION.test(part)) return undefined
  if (draft.words.test(part)) return draft
  return UNKNOWN.test(part) ? undefined : others.find(({ words }) => words.test(part))
}

const draft: Job = {
  words:
    /\b(?:draft|compose|write|prepare|send)\b.*\b(?:e-?mails?|mails?|repl(?:y|ies)|answers?|response|messages?)\b|^(?:please |bitte )?(?:reply|answer|respond|write back|write to|antworte\w*|beantworte\w*)\b|\b(?:entwirf|entwurf|verfass\w*|schreib\w*)\b.*\b(?:e-?mail|mail|antwort|nachricht)\b|\b(?:e-?mail|mail|antwort|nachricht)\b.*\b(?:entwerfen|verfass\w*|schreib\w*)\b/i,
  steps: ['draft_email'],
  result: (situation, { read }) => {
    const last = lastOf(situation, 'draft_email')
    if (last && last.output['refused'] !== true)
      return done(
        'Drafted an answer to what the lead wrote; it waits for approval. The built-in rules add nothing of their own: look whether it says what you want.',
      )
    if (last) return left(`No e-mail was drafted: ${sentence(String(last.output['message']))}`)
    if (!read.lead.email) return left('No e-mail was drafted: the lead has no address.')
    return left('No e-mail was drafted: the lead is closed, or asked not to be written to.')
  },
}

const SUBJECTS = String.raw`(?:industry|sector|branche|web ?sites?|webseite|homepage|company)`

const others: readonly Job[] = [
  {
    words: new RegExp(
      String.raw`\b(?:enrich\w*|anreicher\w*|research\w*|recherchier\w*)\b|\b(?:find|figure|look|check|read|visit|learn|herausfinden|finde?|prüf\w*|lies)\b.*\b${SUBJECTS}\b|^(?:the |its |their |die |ihre )?${SUBJECTS}$`,
      'i',
    ),
    steps: ['enrich_lead'],
    result: (_, { enriched, read }, part) => {
      if (!enriched?.found)
        return left(
          `Nothing was found out: ${sentence(enriched?.problem?.message ?? 'the website was not read')}`,
        )
      const industry = enriched.facts.find(({ key }) => key === 'industry')?.value
      if (!industry && /industry|sector|branche/i.test(part))
        return left(`Read ${enriched.website ?? 'its website'}; it does not say which industry it is in.`)
      const found = [industry && `industry: ${industry}`, `website: ${enriched.website ?? read.lead.website}`]
      return done(`Read its website (${found.filter(Boolean).join('; ')}). ${enriched.summary}`.trim())
    },
  },
  {
    words: /\b(?:re-?)?(?:qualif(?:y|ies|ying|ication)|qualifizier\w*|bewerte\w*|scor(?:e|ing))\b/i,
    steps: ['qualify'],
    result: (_, { qualified }) =>
      qualified
        ? done(
            `Scored ${qualified.score} of 100, ${qualified.verdict}: ${sentence(qualified.verdict_reason)}`,
          )
        : left('It could not be scored.'),
  },
  {
    words: /\b(?:suggest|propose|vorschl\w+)\b|\bnext (?:steps?|actions?)\b|\bnächste\w* schritte?\b/i,
    steps: ['qualify', 'suggest_next_actions'],
    result: (situation) => {
      const last = lastOf(situation, 'suggest_next_actions')
      return last && last.output['refused'] !== true
        ? done('Suggested what to do next; each waits for approval.')
        : left('There was nothing to suggest.')
    },
  },
]

const lastOf = ({ calls }: RulesSituation, name: string): RulesSituation['calls'][number] | undefined =>
  calls.findLast(({ tool }) => tool === name)

const isNew = (situation: RulesSituation, name: string): boolean =>
  situation.offered.has(name) && lastOf(situation, name) === undefined
