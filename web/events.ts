import type { QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'

/** Whether changes arrive live. */
export type Connection = 'connecting' | 'live' | 'lost'

/** The state of the live connection. */
export const useConnection = (): Connection => useSyncExternalStore(subscribe, () => connection)

/** Listens to `/api/events` and refetches what each change touches; returns what stops it. */
export const followEvents = (queries: QueryClient): (() => void) => {
  let source: EventSource | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let attempts = 0
  let lastSeen = ''

  const open = () => {
    source = new EventSource(lastSeen ? `/api/events?last_event_id=${lastSeen}` : '/api/events')
    source.addEventListener('open', () => {
      attempts = 0
      setConnection('live')
    })
    source.addEventListener('change', (event) => {
      lastSeen = event.lastEventId
      collect(queries, event.data)
    })
    source.addEventListener('reset', () => void queries.invalidateQueries())
    source.addEventListener('error', () => {
      setConnection('lost')
      // The browser resumes with Last-Event-ID while the stream is only interrupted; a refused one is ours to reopen.
      if (source?.readyState !== EventSource.CLOSED) return
      retry = setTimeout(open, Math.min(30_000, 1000 * 2 ** attempts++))
    })
  }
  open()
  return () => {
    source?.close()
    clearTimeout(retry)
    setConnection('connecting')
  }
}

type ChangeEvent = {
  type?: string
  subject?: { kind: string; id: string }
  run_id?: string | null
  approval_id?: string | null
}

const batch_ms = 60
const listeners = new Set<() => void>()
let connection: Connection = 'connecting'
let waiting = new Map<string, string[]>()
let flush: ReturnType<typeof setTimeout> | undefined

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const setConnection = (next: Connection) => {
  connection = next
  for (const listener of listeners) listener()
}

const collect = (queries: QueryClient, data: string) => {
  for (const key of touchedBy(JSON.parse(data) as ChangeEvent)) waiting.set(key.join('/'), key)
  flush ??= setTimeout(() => {
    const keys = [...waiting.values()]
    waiting = new Map()
    flush = undefined
    for (const queryKey of keys) void queries.invalidateQueries({ queryKey })
  }, batch_ms)
}

const touchedBy = ({ type = '', subject, run_id, approval_id }: ChangeEvent): string[][] => {
  const keys = [['approval-counts'], ['approvals']]
  if (subject) keys.push(['leads'], ['lead', subject.id], ['timeline', subject.id], ['tasks', subject.id])
  if (subject?.kind === 'approval') keys.push(['approval', subject.id])
  if (subject?.kind === 'run') keys.push(['run', subject.id])
  if (run_id) keys.push(['run', run_id])
  if (approval_id) keys.push(['approval', approval_id])
  if (run_id || type.startsWith('agent_run') || type.includes('run'))
    keys.push(['runs'], ['failures'], ['agents'])
  if (type.startsWith('email_') || approval_id) keys.push(['messages'])
  if (type === 'lead_imported' || type.includes('submission')) keys.push(['submissions'])
  if (type.includes('settings') || type.includes('policy') || type.includes('agent'))
    keys.push(['me'], ['agents'], ['settings'])
  return keys
}
