import { createContext, use } from 'react'

/** What any page may ask the frame around it to open. */
export type ShellActs = {
  createLead: () => void
  showKeys: () => void
  showPalette: () => void
  showSidebar: () => void
}

/** The frame's acts, for the pages inside it. */
export const ShellContext = createContext<ShellActs | undefined>(undefined)

/** The frame's acts; pages outside the frame may not ask. */
export const useShell = (): ShellActs => {
  const acts = use(ShellContext)
  if (!acts) throw new Error('useShell works only inside the shell')
  return acts
}
