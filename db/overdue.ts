import type { Database } from './client.ts'

/** Something of an organization that should have been done by now. */
export type Overdue = { organization_id: string; id: string }

/** How much is looked at in one go. */
const BATCH = 100

/** Promised work that no job has done in time, over all organizations: the safety net under the queue. */
export const findOverdueWork = async (
  db: Database,
): Promise<
  Record<'submissions' | 'messages' | 'approved' | 'expiring' | 'reminders' | 'files', Overdue[]>
> => {
  const [submissions, messages, approvals, reminders, files] = await Promise.all([
    db.sql<Overdue[]>`select * from finder.overdue_submissions(${BATCH})`,
    db.sql<Overdue[]>`select * from finder.overdue_messages(${BATCH})`,
    db.sql<(Overdue & { status: string })[]>`select * from finder.overdue_approvals(${BATCH})`,
    db.sql<Overdue[]>`select * from finder.due_reminders(${BATCH})`,
    db.sql<Overdue[]>`select * from finder.overdue_files(${BATCH})`,
  ])
  return {
    submissions: [...submissions],
    messages: [...messages],
    approved: approvals.filter(({ status }) => status === 'approved'),
    expiring: approvals.filter(({ status }) => status !== 'approved'),
    reminders: [...reminders],
    files: [...files],
  }
}
