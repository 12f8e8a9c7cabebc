import { setTimeout as pause } from 'node:timers/promises'
import { log } from '../log.ts'
import { findOverdueBulks, workBulk } from '../db/bulk-work.ts'
import type { Database } from '../db/client.ts'

/** How many acts on many records one worker does at once, and how often it looks for those that nobody works. */
const bulkLimits = { slots: 2, look_ms: 2_000 }

type Wanted = { organization_id: string; id: string }

/** Works acts on many records: woken by `bulk.queued`, and by a look around for those whose worker fell silent. */
export const startBulkWork = async (db: Database): Promise<{ stop: () => Promise<void> }> => {
  const stopping = new AbortController()
  const waiting = new Map<string, Wanted>()
  const active = new Map<string, Promise<void>>()

  const fill = (): void => {
    for (const wanted of waiting.values()) {
      const { organization_id, id } = wanted
      if (stopping.signal.aborted || active.size >= bulkLimits.slots) return
      waiting.delete(id)
      if (active.has(id)) continue
      const working = workBulk(db, organization_id, id, stopping.signal)
        .catch((error: unknown) =>
          log.error(
            { err: error, bulk_id: id },
            'a bulk act stopped; it is taken up again when its lease ends',
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

  // An act may take longer than any job of the queue: it is only begun there.
  await db.queue.work('bulk.queued', { concurrency: 1 }, ({ organization_id, bulk_id }) => {
    wake({ organization_id, id: bulk_id })
    return Promise.resolve()
  })
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      try {
        for (const overdue of await findOverdueBulks(db)) wake(overdue)
      } catch (error) {
        log.error({ err: error }, 'looking for bulk acts failed; it is tried again')
      }
      // Ended early by the stop, which is no fault.
      await pause(bulkLimits.look_ms, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await Promise.all([looking, ...active.values()])
    },
  }
}
