import type { ActivityType } from './activities.ts'

/** What somebody may say happened, because the record was not there to see it. */
export const loggedTypes = [
  'call_logged',
  'meeting_logged',
  'email_sent',
  'email_received',
  'sms_sent',
  'sms_received',
  'whatsapp_sent',
  'whatsapp_received',
] as const
export type LoggedType = (typeof loggedTypes)[number]

/** What people and agents log about somebody: it matters to every card that the person or company is part of. */
export const toldOnCards: readonly ActivityType[] = [
  ...loggedTypes,
  'note_added',
  'task_created',
  'task_completed',
  'file_added',
]

/** What is said about another entry: that it was corrected is no news of the record. */
export const aboutEntries: readonly ActivityType[] = ['activity_edited', 'activity_deleted', 'undone']
