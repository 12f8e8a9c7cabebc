import { systemCtx } from '../db/context.ts'
import type { Payload } from '../db/queue.ts'
import { queueFileProposal } from '../tools/files.ts'
import { summariseFile, type Summariser } from './file-summary.ts'
import { lead_worker } from './lead_worker.ts'

/**
 * What is done about a file that was read: the organization's model says what it is about, then a run proposes what it says
 * for blank fields of its record. Where the model failed, the extract by rules says it. May run twice.
 * @throws Error when the model failed, so that the queue asks again
 */
export const takeUpFile = async (
  summariser: Summariser,
  read: Payload<'file.read'>,
  signal: AbortSignal,
): Promise<void> => {
  const { organization_id, file_id } = read
  const propose = () =>
    queueFileProposal(systemCtx(summariser.db, organization_id, 'files'), file_id, lead_worker.name)
  try {
    await summariseFile(summariser, read, signal)
  } catch (error) {
    if (!signal.aborted) await propose()
    throw error
  }
  await propose()
}
