import { useEffect, useRef, useSyncExternalStore } from 'react'
import { chordOf, isCharacterKey, keyBinding, keyBindings, type KeyBinding, type KeyId } from './keys.ts'

/** A binding that the page on screen answers to, ready to run. */
export type BoundKey = KeyBinding & { id: KeyId; run: () => void }

/** True on Apple keyboards, where the main modifier is ⌘. */
export const isMac = /mac|iphone|ipad/i.test(navigator.userAgent)

/** Answers to a key for as long as the component is mounted and `enabled`. */
export const useKey = (id: KeyId, run: () => void, enabled = true): void => {
  const latest = useRef(run)
  useEffect(() => {
    latest.current = run
  })
  useEffect(() => {
    if (!enabled) return
    const bound: BoundKey = { ...keyBinding(id), id, run: () => latest.current() }
    setBound([...boundKeys, bound])
    return () => setBound(boundKeys.filter((key) => key !== bound))
  }, [id, enabled])
}

/** The keys that work right now. */
export const useBoundKeys = (): BoundKey[] => useSyncExternalStore(subscribe, () => boundKeys)

/** Whether plain character keys are on, and the switch. */
export const useCharacterKeys = (): [boolean, (on: boolean) => void] => [
  useSyncExternalStore(subscribe, () => characterKeys),
  setCharacterKeys,
]

/** Starts the one listener; returns what stops it. */
export const listenForKeys = (): (() => void) => {
  document.addEventListener('keydown', onKeyDown)
  return () => document.removeEventListener('keydown', onKeyDown)
}

const sequenceTimeout_ms = 1200
const storageKey = 'leadhand.character_keys'
const listeners = new Set<() => void>()
let boundKeys: BoundKey[] = []
let characterKeys = localStorage.getItem(storageKey) !== 'off'
let prefix = ''
let prefixTimer: ReturnType<typeof setTimeout> | undefined

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const setBound = (next: BoundKey[]) => {
  boundKeys = next
  for (const listener of listeners) listener()
}

const setCharacterKeys = (on: boolean) => {
  characterKeys = on
  localStorage.setItem(storageKey, on ? 'on' : 'off')
  for (const listener of listeners) listener()
}

const onKeyDown = (event: KeyboardEvent) => {
  if (event.defaultPrevented || event.isComposing) return
  const chord = chordOf(event, isMac)
  if (!chord) return
  const target = event.target instanceof Element ? event.target : document.body
  const typing =
    target.closest('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=true]') !==
    null
  // Menus and dialogs own the keys pressed inside them.
  if (
    target.closest(
      '[role=dialog]:not([data-closed]), [role=menu]:not([data-closed]), [role=listbox]:not([data-closed])',
    )
  )
    return

  const pressed = prefix ? `${prefix} ${chord}` : chord
  clearPrefix()
  const match = boundKeys.findLast((key) => key.keys === pressed && allowed(key, typing, target, event))
  if (match) {
    event.preventDefault()
    match.run()
    return
  }
  if (!typing && characterKeys && keyBindings.some((key) => key.keys.startsWith(`${pressed} `))) {
    prefix = pressed
    prefixTimer = setTimeout(clearPrefix, sequenceTimeout_ms)
  }
}

const allowed = (key: BoundKey, typing: boolean, target: Element, event: KeyboardEvent) => {
  if (typing) return key.while_typing === true
  if (!characterKeys && isCharacterKey(key.keys)) return false
  // Enter on a button or link is theirs.
  if (key.keys === 'enter' && target.closest('a, button, summary')) return false
  return !event.repeat || key.scope === 'rows' || key.id === 'next_approval' || key.id === 'previous_approval'
}

const clearPrefix = () => {
  prefix = ''
  clearTimeout(prefixTimer)
}
