import type { Run, Step } from '../records.ts'
import { count, sentence } from '../words.ts'

/** What kind of thing a step was. */
export type Chapter = 'Read' | 'Decided' | 'Did' | 'Waited' | 'Refused'

/** The chapter of the story that a step belongs to. */
export const chapterOf = (step: Step): Chapter => {
  if (step.kind === 'model') return 'Decided'
  if (step.verdict === 'park') return 'Waited'
  if (step.verdict === 'deny') return 'Refused'
  return reads.includes(step.tool ?? '') ? 'Read' : 'Did'
}

/** Model turns are how a run works, not what it did; one that says why it was asked is part of the story. */
export const isPlumbing = (step: Step): boolean => step.kind === 'model' && askedBecause(step) === undefined

const askedBecause = ({ output }: Step): string | undefined => textIn(output, 'because')

/** Whether a step is where the run went wrong. */
export const stepFailed = (step: Step): boolean =>
  step.verdict === 'error' || Boolean(step.error) || textIn(step.output, 'error') !== undefined

/** A step as one past-tense sentence. */
export const stepSentence = (step: Step): string => {
  if (step.summary) return step.summary
  if (step.kind === 'model') {
    const thinker = textIn(step.output, 'model') === 'rules' ? 'The built-in rules thought' : 'Thought'
    return askedBecause(step) ?? `${thinker} about the next step`
  }
  const tool = step.tool ?? 'tool'
  if (step.verdict === 'park') return `Asked first: ${asks[tool]?.(step) ?? sentence(tool).toLowerCase()}`
  if (step.verdict === 'deny') return `Was refused: ${sentence(tool).toLowerCase()}`
  return sentences[tool]?.(step) ?? `Used ${sentence(tool).toLowerCase()}`
}

/** What woke the agent, as the beginning of its story. */
export const triggerText = ({ trigger }: Pick<Run, 'trigger'>): string =>
  triggers[trigger.kind] ?? sentence(trigger.kind)

const triggers: Record<string, string> = {
  submission: 'Woken when the lead came in',
  request: 'Asked by a person',
  retry: 'Started again',
  task: 'Woken by a task',
  file: 'Woken by a file that was read',
  'stage.stuck': 'Woken because it is stuck in its stage',
}

/** The approval that a step asked for, when it asked for one. */
export const approvalOf = (step: Step): string | undefined =>
  step.approval_id ?? textIn(step.output, 'approval_id')

/** Why a step could run, waited or was refused, in words. */
export const ruleText = (rule: string): string => rules[rule] ?? sentence(rule)

const rules: Record<string, string> = {
  ai_off: 'Agents are switched off',
  agent_off: 'The agent is paused',
  record_off: 'Agents are paused on this record',
  not_granted: 'The agent was not given this tool',
  policy_deny: 'Policy says never',
  read_only: 'Looking changes nothing',
  suggestion: 'Suggestions always wait for a person',
  outbound: 'It reaches somebody outside',
  consequential: 'It cannot be taken back',
  policy_suggest: 'Policy says ask',
  policy_act: 'Policy says do it',
  default_deny: 'No rule allows it',
}

const asks: Record<string, (step: Step) => string> = {
  send_email: ({ input }) => `send an e-mail to ${textIn(input, 'to') ?? 'the lead'}`,
  merge_leads: () => 'Merged two leads that are one',
  log_activity: ({ input }) => `log what happened: ${textIn(partOf(input, 'data'), 'subject') ?? 'an entry'}`,
  create_task: ({ input }) => `create the task “${textIn(input, 'title') ?? ''}”`,
  close_opportunity: ({ input }) => `close it as ${textIn(input, 'outcome') ?? 'won or lost'}`,
  set_forecast_category: ({ input }) =>
    `forecast it as ${(textIn(input, 'forecast_category') ?? 'something else').replaceAll('_', ' ')}`,
}

const reads = ['read_lead', 'read_file', 'enrich_lead', 'read_timeline']

const sentences: Record<string, (step: Step) => string | undefined> = {
  read_lead: () => 'Read the lead',
  enrich_lead: ({ output }) => {
    const problem = textIn(partOf(output, 'problem'), 'message')
    if (problem) return `Could not read the website: ${problem}`
    const facts = listIn(output, 'facts')
    return facts ? `Read the website and found ${count(facts.length, 'fact')}` : 'Read the website'
  },
  qualify: ({ output }) => {
    const score = partOf(output, 'score')
    return typeof score === 'number' ? `Scored it ${score} of 100` : 'Qualified the lead'
  },
  move_stage: ({ input, output }) => {
    const stage =
      textIn(output, 'stage') ?? textIn(partOf(output, 'stage'), 'label') ?? textIn(input, 'stage')
    return stage ? `Moved it to ${stage}` : 'Moved the lead'
  },
  log_activity: ({ input }) =>
    `Logged what happened: ${textIn(partOf(input, 'data'), 'subject') ?? 'an entry'}`,
  close_opportunity: ({ output }) => `Closed it: ${textIn(output, 'stage') ?? 'won or lost'}`,
  set_forecast_category: ({ output }) =>
    `Forecast it as ${(textIn(output, 'forecast_category') ?? 'something else').replaceAll('_', ' ')}`,
  suggest_next_actions: ({ input }) => {
    const actions = listIn(input, 'actions') ?? listIn(input, 'suggestions')
    return actions
      ? `Proposed ${count(actions.length, 'next action')} and asked for each`
      : 'Proposed next actions'
  },
  draft_email: ({ input }) => {
    const subject = textIn(input, 'subject')
    return subject
      ? `Drafted the e-mail “${subject}” and asked to send it`
      : 'Drafted an e-mail and asked to send it'
  },
  send_email: ({ input }) => `Sent an e-mail to ${textIn(input, 'to') ?? 'the lead'}`,
  create_task: ({ input }) => `Created the task “${textIn(input, 'title') ?? ''}”`,
  add_note: () => 'Added a note',
  read_file: ({ output }) => `Read the file “${textIn(partOf(output, 'file'), 'name') ?? ''}”`,
  propose_file_facts: ({ output }) => {
    const fields = listIn(output, 'fields') ?? []
    return fields.length > 0
      ? `Proposed what the file says for ${count(fields.length, 'blank field')} and asked`
      : (textIn(output, 'message') ?? 'Found nothing to propose')
  },
  complete_task: ({ output }) => `Completed the task “${textIn(output, 'title') ?? ''}”`,
  hand_back_task: ({ output }) => `Handed back the task “${textIn(output, 'title') ?? ''}”`,
}

const partOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined

const textIn = (value: unknown, key: string): string | undefined => {
  const part = partOf(value, key)
  return typeof part === 'string' && part !== '' ? part : undefined
}

const listIn = (value: unknown, key: string): unknown[] | undefined => {
  const part = partOf(value, key)
  return Array.isArray(part) ? part : undefined
}
