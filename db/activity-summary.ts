import type { ActivityType } from './activities.ts'
import { keyLabels } from './lead-keys.ts'

/** One past-tense sentence without the author's name: what a person reads on a timeline. */
export const describeActivity = (type: ActivityType, data: Record<string, unknown>): string => {
  const text = (key: string): string => (typeof data[key] === 'string' ? data[key] : '')
  switch (type) {
    case 'lead_imported':
      return `brought the lead in by ${DOORS[text('door')] ?? text('door')}`
    case 'submission_joined':
      return `sent another message by ${DOORS[text('door')] ?? text('door')}; it joined this lead (same ${KEYS[text('matched_by')] ?? text('matched_by')})`
    case 'lead_routed':
      return describeRouting(data)
    case 'instruction_found':
      return `found text that is aimed at an agent, in ${text('where')}: “${text('snippet')}”`
    case 'stage_changed':
      return stageChange(data)
    case 'stage_stuck':
      return `found that it has been in ${text('stage')} for ${count(data['days'], 'day')}; after ${String(data['rot_days'])} it counts as stuck`
    case 'milestone_reached':
      return `noted the milestone “${text('milestone').replace(/_at$/, '').replaceAll('_', ' ')}”`
    case 'record_created':
      return `created ${named(data)}`
    case 'record_archived':
      return `archived ${named(data)}`
    case 'record_restored':
      return `restored ${named(data)}`
    case 'merged':
      return `merged “${text('duplicate')}” into ${named(data)}`
    case 'unmerged':
      return `took apart ${named(data)} and “${text('duplicate')}”, which had been merged`
    case 'duplicates_dismissed':
      return `said that ${namesOf(data)} are not the same`
    case 'duplicates_restored':
      return `said that ${namesOf(data)} may be the same after all`
    case 'record_linked':
      return `linked ${text('from_name')} and ${text('to_name')}${text('role') ? ` (${text('role')})` : ''}`
    case 'record_unlinked':
      return `unlinked ${text('from_name')} and ${text('to_name')}`
    case 'record_updated':
      return text('to_name') ? describeLinkChange(data) : `changed ${fieldsOf(data)}`
    case 'lead_converted':
      return `converted it${data['deal_id'] ? ' into a deal' : ''}`
    case 'conversion_reversed':
      return 'took its conversion back'
    case 'contact_enriched':
      return `read ${text('website')} and found ${count(data['facts'], 'fact')}${fieldsOf(data) ? `; filled ${fieldsOf(data)}` : ''}`
    case 'enrichment_failed':
      return `could not read ${text('website') || 'a website'}: ${text('message')}`
    case 'qualified':
      return `scored it ${String(data['score'])} of 100: ${text('verdict').replaceAll('_', ' ')}`
    case 'note_added':
      return 'added a note'
    case 'note_edited':
      return 'edited a note'
    case 'note_deleted':
      return 'deleted a note'
    case 'task_updated':
      return `changed the task “${text('title')}”: ${fieldsOf(data)}${data['next_kept'] ? '; the next one was changed since, and stays' : ''}`
    case 'task_reminder':
      return `reminded of the task “${text('title')}”`
    case 'task_created':
      return `created the task “${text('title')}”`
    case 'task_completed':
      return `completed the task “${text('title')}”`
    case 'call_logged':
      return `logged a call${about(data)}`
    case 'meeting_logged':
      return `logged a meeting${about(data)}`
    case 'sms_sent':
      return `sent a text message${about(data)}`
    case 'sms_received':
      return `received a text message${about(data)}`
    case 'whatsapp_sent':
      return `sent a WhatsApp message${about(data)}`
    case 'whatsapp_received':
      return `received a WhatsApp message${about(data)}`
    case 'email_received':
      return `received an e-mail${about(data)}`
    case 'activity_edited':
      return 'edited an entry of the timeline'
    case 'activity_deleted':
      return 'deleted an entry of the timeline'
    case 'file_added':
      return `added the file “${text('name')}”`
    case 'file_read':
      if (data['summary_error'])
        return `could not summarise the file “${text('name')}” with ${text('summary_by')}: ${text('summary_error')}`
      if (data['summary_by']) return `summarised the file “${text('name')}” with ${text('summary_by')}`
      return data['text_status'] === 'failed'
        ? `could not read the file “${text('name')}”: ${text('text_error')}`
        : `read the file “${text('name')}”`
    case 'file_deleted':
      return `deleted the file “${text('name')}”`
    case 'bulk_finished':
      return `ended a bulk act: ${text('summary')}`
    case 'import_finished':
      return `ended an import of ${text('kind')}s from “${text('file_name')}”: ${importCounts(data['counts'])}`
    case 'import_undone':
      return `took back the import of ${text('kind')}s from “${text('file_name')}”`
    case 'email_drafted':
      return `drafted an e-mail to ${text('to')}`
    case 'email_sent':
      return data['transport'] === 'captured'
        ? `released an e-mail to ${text('to')}; it was captured, because no mail server is set`
        : `sent an e-mail${text('to') ? ` to ${text('to')}` : about(data)}`
    case 'email_failed':
      return `could not send the e-mail to ${text('to')}: ${text('error')}`
    case 'email_opted_out':
      return text('reason') === 'unsubscribed'
        ? `asked not to be written to at ${text('email')}`
        : `noted that ${text('email')} must not be written to: ${text('reason')}`
    case 'email_opted_in':
      return `noted that ${text('email')} may be written to again`
    case 'approval_requested':
      return `asked for approval: ${text('summary')}`
    case 'approval_stale':
      return `set an approval aside, because ${text('because')}: ${text('summary')}`
    case 'approval_reread':
      return `read it again, as things are now: ${text('summary')}`
    case 'approval_executed':
      return `carried out what was approved: ${text('summary')}`
    case 'approval_failed':
      return `could not carry out what was approved: ${text('error')}`
    case 'outcome_unknown':
      return `cannot tell whether the e-mail to ${text('to')} was sent`
    case 'outcome_resolved':
      return data['outcome'] === 'sent' ? 'confirmed that it was sent' : 'said that it was not sent'
    case 'approved':
      return data['edited'] === true
        ? `approved after an edit: ${text('summary')}`
        : `approved: ${text('summary')}`
    case 'rejected':
      return `rejected: ${text('summary')}`
    case 'restored':
      return `took a rejection back: ${text('summary')}`
    case 'expired':
      return `let an approval expire: ${text('summary')}`
    case 'withdrawn':
      return `withdrew: ${text('summary')}`
    case 'undone':
      return `took back: ${text('summary')}${data['at_end'] ? '; it stands at the end of its column, because its place there is gone' : ''}`
    case 'agent_run':
      return RUN_OUTCOMES[text('status')] ?? `ended a run: ${text('status')}`
    case 'agent_refused':
      return `was refused ${text('tool')}: ${text('message')}`
    case 'score_formula_activated':
      return `put the score formula “${text('name')}” (version ${String(data['number'])}) in force, in place of “${text('former')}”`
    case 'score_formula_retired':
      return `took the score formula “${text('name')}” (version ${String(data['number'])}) out of use`
    case 'score_backtested':
      return `back-tested a score formula: ${count(data['changed'], 'open lead')} would change`
    case 'scores_recomputed':
      return `scored every lead anew: ${scoresOf(data)}`
    case 'settings_changed':
      return `changed ${text('what')}${data['resumed_runs'] ? `; ${count(data['resumed_runs'], 'run')} that it had stopped began anew` : ''}`
  }
}

/** Who took it, by a rule or as the fallback. */
const describeRouting = ({ by, owner, rule }: Record<string, unknown>): string => {
  if (by === 'nobody') return 'found nobody to give it to'
  return by === 'rule'
    ? `gave it to ${String(owner)} by the rule “${String(rule)}”`
    : `gave it to ${String(owner)}, the fallback`
}

/** Won, lost and reopened are said as such, the rest is a move. */
const stageChange = (data: Record<string, unknown>): string => {
  const text = (key: string): string => (typeof data[key] === 'string' ? data[key] : '')
  const from = text('from_label')
  const to = text('to_label')
  if (text('outcome') !== '') {
    const { label } = (data['discard_reason'] ?? {}) as { label?: string }
    return `closed it as ${text('outcome')} (${to})${label ? `: ${label}` : ''}`
  }
  const where = data['at_end'] ? `the end of ${to}` : to
  if (text('reopened') !== '') return `reopened it, from ${from} to ${where}`
  return text('from_pipeline') === text('to_pipeline')
    ? `moved it from ${from} to ${where}`
    : `moved it from ${from} in ${text('from_pipeline')} to ${to} in ${text('to_pipeline')}`
}

/** The kind and name of the record that an entry is about. */
const named = ({ kind, name }: Record<string, unknown>): string =>
  [typeof kind === 'string' ? `the ${kind}` : 'a record', typeof name === 'string' ? `“${name}”` : '']
    .filter(Boolean)
    .join(' ')

/** The names of several records. */
const namesOf = ({ names }: Record<string, unknown>): string =>
  Array.isArray(names)
    ? new Intl.ListFormat('en').format(names.map((name) => `“${String(name)}”`))
    : 'several records'

const about = ({ subject }: Record<string, unknown>): string =>
  typeof subject === 'string' && subject !== '' ? `: ${subject}` : ''

const KEYS: Record<string, string> = keyLabels

/** How many rows came to what. */
const importCounts = (counts: unknown): string =>
  Object.entries((counts ?? {}) as Record<string, number>)
    .filter(([, n]) => n > 0)
    .map(([result, n]) => `${n.toLocaleString('en')} ${IMPORTED[result] ?? result}`)
    .join(', ') || 'no rows'

const IMPORTED: Record<string, string> = {
  create: 'created',
  update: 'updated',
  skip: 'skipped',
  error: 'with errors',
  new_accounts: 'new accounts',
  new_contacts: 'new contacts',
}

const DOORS: Record<string, string> = {
  webhook: 'webhook',
  form: 'web form',
  chat: 'chat',
  email: 'e-mail',
  import: 'import',
  api: 'the API',
  ui: 'hand',
  agent: 'an agent',
  conversion: 'conversion',
}

const RUN_OUTCOMES: Record<string, string> = {
  done: 'finished working it',
  stopped: 'stopped before the end',
  failed: 'failed to work it',
  dead: 'gave up working it after several attempts',
  cancelled: 'was stopped by a person',
}

/** What a linked record is to the other now. */
const describeLinkChange = ({ changes, from_name, to_name }: Record<string, unknown>): string => {
  const { field = '', after }: { field?: string; after?: unknown } = Array.isArray(changes) ? changes[0] : {}
  if (field === 'role') {
    return typeof after === 'string'
      ? `changed the role of ${String(to_name)} to “${after}”`
      : `took the role from ${String(to_name)}`
  }
  const noun = field.replace(/^primary_/, '').replace(/_id$/, '')
  return after === null
    ? `left ${String(from_name)} without a primary ${noun}`
    : `made ${String(to_name)} the primary ${noun} of ${String(from_name)}`
}

/** What a scoring of every lead came to. */
const scoresOf = ({ status, counts }: Record<string, unknown>): string => {
  const { changed = 0, unchanged = 0 } = (counts ?? {}) as { changed?: number; unchanged?: number }
  return `${changed} changed, ${unchanged} stayed${status === 'cancelled' ? '; then it was stopped' : ''}`
}

const fieldsOf = (data: Record<string, unknown>): string =>
  Array.isArray(data['changes'])
    ? data['changes']
        .map((change: { field?: string }) => (change.field ?? '').replaceAll('_', ' '))
        .join(', ')
    : ''

const count = (value: unknown, noun: string): string => {
  const n = typeof value === 'number' ? value : Array.isArray(value) ? value.length : 0
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
