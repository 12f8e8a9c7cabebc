import type { Activity, ActivityType } from './activities.ts'
import { aboutEntries, loggedTypes } from './activity-types.ts'
import { quoted } from './filter-kinds.ts'
import { mayRead, type Reading } from './reading.ts'

/** Lines that tell what stands in something of another kind, which takes a right of its own to read. */
const toldOf: Readonly<Record<string, readonly ActivityType[]>> = {
  note: ['note_added', 'note_edited', 'note_deleted'],
  task: ['task_created', 'task_updated', 'task_completed', 'task_reminder'],
  file: ['file_added', 'file_read', 'file_deleted'],
  // What was taken back says what it was: of which type, stands in it.
  activity: [...loggedTypes, ...aboutEntries.filter((type) => type !== 'undone')],
  message: ['email_drafted', 'email_failed'],
  approval: [
    'approval_requested',
    'approval_stale',
    'approval_reread',
    'approval_executed',
    'approval_failed',
    'outcome_unknown',
    'outcome_resolved',
    'approved',
    'rejected',
    'restored',
    'expired',
    'withdrawn',
  ],
  run: ['agent_run', 'agent_refused'],
}

/** Lines that name, or quote, each thing that they are about: both ends of a link, a note that is back, a file. */
const namingTypes: readonly ActivityType[] = [
  'record_linked',
  'record_unlinked',
  'record_updated',
  'record_archived',
  'record_restored',
  'instruction_found',
]

/**
 * A line as it is told to whoever asks: what it says of a note, task, file, entry, message, approval or run, and of records
 * that it names, is left out where that may not be read. That it happened, when and by whom, stays.
 */
export const asMayBeRead = (ctx: { reading?: Reading | undefined }, activity: Activity): Activity => {
  if (!ctx.reading || !isWithheld(ctx.reading, activity)) return activity
  return { ...withoutReason(activity), data: {}, summary: withheldSummary(activity.type) }
}

/** What is left to say of a line whose content is left out. */
export const withheldSummary = (type: ActivityType): string => type.replaceAll('_', ' ')

/** The same question as SQL over the alias of an activity. */
export const withheldSql = (a: string, reading: Reading | undefined): string => {
  if (!reading) return 'false'
  const type = `case when ${a}.type = 'undone' then coalesce(${a}.data->>'activity_type', 'undone') else ${a}.type end`
  const withheld = withheldTypes(reading)
  return `(${type} in (${quoted(['', ...withheld])})
    or (${type} in (${quoted(namingTypes)}) and exists (select from jsonb_array_elements(${a}.subjects) as about
      where about->>'kind' in (${quoted(['', ...Object.keys(reading.hidden)])}))))`
}

const withoutReason = ({ reason: _, ...told }: Activity): Activity => told

const isWithheld = (reading: Reading, { type, data, subjects }: Activity): boolean => {
  const said = type === 'undone' ? (data['activity_type'] ?? type) : type
  if (withheldTypes(reading).some((one) => one === said)) return true
  return namingTypes.some((one) => one === said) && !subjects.every(({ kind }) => mayRead({ reading }, kind))
}

/** What was taken back before it was kept of which type it is, could be any of them. */
const withheldTypes = (reading: Reading): readonly ActivityType[] => {
  const types = Object.entries(toldOf)
    .filter(([kind]) => !mayRead({ reading }, kind))
    .flatMap(([, types]) => types)
  return types.length > 0 ? [...types, 'undone'] : types
}
