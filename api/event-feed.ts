import type { Subject } from '../db/activities.ts'
import { eventBounds, listEventsAfter, type Event } from '../db/activity-events.ts'
import { listenEvents } from '../db/audit.ts'
import type { Database } from '../db/client.ts'
import { systemCtx, type Ctx } from '../db/context.ts'
import { log } from '../log.ts'

/** Sealed activities as they come, read once per organization and process, however many follow. */
export type Feed = {
  /**
   * Follows an organization's events after `seq`, in order and without a gap, until `stop` is called.
   * @param onEvents gets each event once; what it throws ends the following
   */
  follow(ctx: Ctx, seq: number, onEvents: (events: Event[]) => void, onEnd: () => void): { stop(): void }
  /** Ends every following. */
  close(): Promise<void>
}

const FEED = {
  /** Looked for as often as this, should a notification be lost. */
  poll_ms: 1_000,
  batch: 200,
}

/** Opens the feed of this process. It listens from the first follower on. */
export const openFeed = (db: Database): Feed => {
  const channels = new Map<string, Channel>()
  let listening: Promise<{ stop: () => Promise<void> } | undefined> | undefined
  let closed = false

  const listen = () => {
    listening ??= listenEvents(db, (organization_id, passing) => {
      if (organization_id !== undefined && passing) return channels.get(organization_id)?.pass(passing)
      if (organization_id !== undefined) return channels.get(organization_id)?.wake()
      for (const channel of channels.values()) channel.wake()
    }).catch((error: unknown) => {
      log.warn({ err: error }, 'events cannot be listened to; they are looked for every second')
      listening = undefined
      return undefined
    })
  }

  return {
    follow: (ctx, seq, onEvents, onEnd) => {
      if (closed) {
        onEnd()
        return { stop: () => {} }
      }
      listen()
      const { organization_id } = ctx
      let channel = channels.get(organization_id)
      if (!channel) {
        channel = openChannel(db, organization_id, () => channels.delete(organization_id))
        channels.set(organization_id, channel)
      }
      return channel.add({ seq, onEvents, onEnd })
    },
    close: async () => {
      closed = true
      for (const channel of channels.values()) channel.close()
      channels.clear()
      await (await listening)?.stop()
    },
  }
}

type Follower = { seq: number; onEvents: (events: Event[]) => void; onEnd: () => void }
type Channel = {
  wake(): void
  pass(subject: Subject): void
  add(follower: Follower): { stop(): void }
  close(): void
}

/** One organization's followers share every read; it starts at the one who is furthest behind. */
const openChannel = (db: Database, organization_id: string, onEmpty: () => void): Channel => {
  const ctx = systemCtx(db, organization_id, 'events')
  const followers = new Set<Follower>()
  let reading = false
  let again = false

  const hand = (follower: Follower, events: Event[]): void => {
    const fresh = events.filter(({ id }) => id > follower.seq)
    const last = fresh.at(-1)
    if (!last || !followers.has(follower)) return
    follower.seq = last.id
    tell(follower, fresh)
  }

  const tell = (follower: Follower, events: Event[]): void => {
    try {
      follower.onEvents(events)
    } catch {
      // Its connection is gone or too slow: it comes back with the last id it saw.
      drop(follower)
      follower.onEnd()
    }
  }

  const drop = (follower: Follower): void => {
    if (!followers.delete(follower) || followers.size > 0) return
    clearInterval(poll)
    onEmpty()
  }

  const read = async (): Promise<void> => {
    if (reading) {
      again = true
      return
    }
    reading = true
    try {
      do {
        again = false
        const from = Math.min(...[...followers].map(({ seq }) => seq))
        if (!Number.isFinite(from)) break
        const events = await listEventsAfter(ctx, from, FEED.batch)
        // Who came meanwhile and stands further back is read for next: this would be a gap.
        for (const follower of [...followers].filter(({ seq }) => seq >= from)) hand(follower, events)
        if (events.length === FEED.batch) again = true
      } while (again)
    } catch (error) {
      log.warn({ err: error }, 'events could not be read; they are read again in a second')
    } finally {
      reading = false
    }
  }

  const poll = setInterval(() => void read(), FEED.poll_ms)
  poll.unref()

  return {
    wake: () => void read(),
    pass: (subject) => {
      for (const follower of followers) tell(follower, [passingEvent(follower.seq, subject)])
    },
    add: (follower) => {
      followers.add(follower)
      void read()
      return { stop: () => drop(follower) }
    },
    close: () => {
      clearInterval(poll)
      for (const follower of followers) follower.onEnd()
      followers.clear()
    },
  }
}

/** What is told and not kept stands where its reader is: whoever resumes there misses nothing that is kept. */
const passingEvent = (seq: number, subject: Subject): Event => ({
  id: seq,
  type: `${subject.kind}_progress`,
  subject,
  subjects: [subject],
  version: null,
  run_id: null,
  approval_id: null,
})

/** Where a reader starts: after what it saw, at the newest, or anew because what it missed is not told any more. */
export const startOf = async (
  ctx: Ctx,
  seen: number | undefined,
): Promise<{ seq: number; reset: boolean }> => {
  const { newest, oldest } = await eventBounds(ctx)
  if (seen === undefined) return { seq: newest, reset: false }
  if (seen < oldest - 1 || seen > newest) return { seq: newest, reset: true }
  return { seq: seen, reset: false }
}
