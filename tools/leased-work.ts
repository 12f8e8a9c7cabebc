import { setTimeout as pause } from 'node:timers/promises'
import { log } from '../log.ts'
import type { Database } from '../db/client.ts'
import type { Payload, QueueName } from '../db/queue.ts'

/** A kind of long job that stands in the record, and is worked on a lease. */
export type LeasedWork<Name extends QueueName> = {
  /** Wakes a worker; its payload names the job. */
  queue: Name
  idOf: (payload: Payload<Name>) => string
  organizationOf: (payload: Payload<Name>) => string
  /** What it is called in the log. */
  called: string
  /** How many of them one worker does at once. */
  slots: number
  work: (db: Database, organization_id: string, id: string, stopping: AbortSignal) => Promise<void>
  /** Those that nobody works although they should be. */
  findOverdue: (db: Database) => Promise<Wanted[]>
}

type Wanted = { organization_id: string; id: string }

/** How often those are looked for that nobody works. */
const LOOK_MS = 2_000

/** Works such jobs: woken by the queue, and by a look around for those whose worker fell silent. */
export const startLeasedWork = async <Name extends QueueName>(
  db: Database,
  { queue, idOf, organizationOf, called, slots, work, findOverdue }: LeasedWork<Name>,
): Promise<{ stop: () => Promise<void> }> => {
  const stopping = new AbortController()
  const waiting = new Map<string, Wanted>()
  const active = new Map<string, Promise<void>>()

  const fill = (): void => {
    for (const wanted of waiting.values()) {
      const { organization_id, id } = wanted
      if (stopping.signal.aborted || active.size >= slots) return
      waiting.delete(id)
      if (active.has(id)) continue
      const working = work(db, organization_id, id, stopping.signal)
        .catch((error: unknown) =>
          log.error(
            { err: error, job_id: id },
            `a ${called} stopped; it is taken up again when its lease ends`,
          ),
        )
        .finally(() => {
          active.delete(id)
          fill()
        })
      active.set(id, working)
    }
  }
  const wake = (wanted: Wanted): void => {
    waiting.set(wanted.id, wanted)
    fill()
  }

  // It may take longer than any job of the queue: it is only begun there.
  await db.queue.work(queue, { concurrency: 1 }, (payload) => {
    wake({ organization_id: organizationOf(payload), id: idOf(payload) })
    return Promise.resolve()
  })
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      try {
        for (const overdue of await findOverdue(db)) wake(overdue)
      } catch (error) {
        log.error({ err: error }, `looking for a ${called} failed; it is tried again`)
      }
      // Ended early by the stop, which is no fault.
      await pause(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await Promise.all([looking, ...active.values()])
    },
  }
}
