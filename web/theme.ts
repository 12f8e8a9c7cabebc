import { useSyncExternalStore } from 'react'

/** The theme a person chose; `system` follows the device. */
export type Theme = 'system' | 'light' | 'dark'

/** The chosen theme and the switch; the choice is kept on this device. */
export const useTheme = (): [Theme, (theme: Theme) => void] => [
  useSyncExternalStore(subscribe, current),
  choose,
]

const storageKey = 'leadhand.theme'
const listeners = new Set<() => void>()

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const current = (): Theme => {
  const theme = document.documentElement.dataset['theme']
  return theme === 'light' || theme === 'dark' ? theme : 'system'
}

const choose = (theme: Theme) => {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  localStorage.setItem(storageKey, theme)
  for (const listener of listeners) listener()
}
