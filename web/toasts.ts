import { useSyncExternalStore } from 'react'
import { errorText } from './api.ts'

/** The act a toast offers, for as long as it shows. */
export type ToastAct = { label: string; run: () => void }

/** Something that happened, said in the corner. */
export type Toast = { id: number; title: string; detail?: string; act?: ToastAct; isError: boolean }

/** Says what happened; with an act it stays 10 s, else 5 s. Only the newest act is offered. */
export const announce = (title: string, act?: ToastAct): void => {
  show({ title, act, isError: false }, act ? 10_000 : 5_000)
}

/** Says what failed and why, and stays until it is closed. */
export const announceError = (title: string, error: unknown): void => {
  show({ title, detail: errorText(error), isError: true })
}

/** Takes a toast away. */
export const closeToast = (id: number): void => {
  clearTimeout(timers.get(id))
  timers.delete(id)
  set(toasts.filter((toast) => toast.id !== id))
}

/** Runs the act that is on offer, if there is one. */
export const runToastAct = (): void => {
  const toast = toasts.findLast((item) => item.act)
  if (!toast) return
  closeToast(toast.id)
  toast.act?.run()
}

/** Keeps every toast while somebody reads; their clocks start anew afterwards. */
export const holdToasts = (hold: boolean): void => {
  for (const toast of toasts) {
    clearTimeout(timers.get(toast.id))
    if (!hold && !toast.isError) expire(toast.id, 5_000)
  }
}

/** What is said right now, oldest first. */
export const useToasts = (): Toast[] => useSyncExternalStore(subscribe, () => toasts)

const limit = 3
const listeners = new Set<() => void>()
const timers = new Map<number, ReturnType<typeof setTimeout>>()
let toasts: Toast[] = []
let lastId = 0

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const set = (next: Toast[]) => {
  toasts = next
  for (const listener of listeners) listener()
}

const show = (toast: Omit<Toast, 'id'>, for_ms?: number) => {
  const id = ++lastId
  const kept = toast.act ? toasts.filter((item) => !item.act) : toasts
  set([...kept, { ...toast, id }].slice(-limit))
  if (for_ms) expire(id, for_ms)
}

const expire = (id: number, after_ms: number) => {
  timers.set(
    id,
    setTimeout(() => closeToast(id), after_ms),
  )
}
