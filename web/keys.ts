/** The one registry of keys: the listener, the palette, tooltips and the `?` sheet read it. */

/** Where a key works; `global` and `go` work on every page. */
export type KeyScope = 'global' | 'go' | 'rows' | 'record' | 'approval'

/** One act and the keys that run it: `mod` is ⌘ on a Mac and Ctrl elsewhere, a space separates a sequence. */
export type KeyBinding = { id: string; keys: string; scope: KeyScope; label: string; while_typing?: boolean }

/** Every key of the product. */
export const keyBindings = [
  { id: 'palette', keys: 'mod+k', scope: 'global', label: 'Search and commands', while_typing: true },
  { id: 'search', keys: '/', scope: 'global', label: 'Search this list' },
  { id: 'help', keys: '?', scope: 'global', label: 'Show keyboard shortcuts' },
  { id: 'create_lead', keys: 'c', scope: 'global', label: 'Create lead' },
  { id: 'sidebar', keys: 'mod+b', scope: 'global', label: 'Show or hide the sidebar', while_typing: true },
  { id: 'back', keys: 'escape', scope: 'global', label: 'Back' },
  { id: 'undo', keys: 'mod+z', scope: 'global', label: 'Undo the last decision' },
  { id: 'go_leads', keys: 'g l', scope: 'go', label: 'Go to leads' },
  { id: 'go_approvals', keys: 'g n', scope: 'go', label: 'Go to what needs you' },
  { id: 'go_agents', keys: 'g a', scope: 'go', label: 'Go to agents' },
  { id: 'go_runs', keys: 'g r', scope: 'go', label: 'Go to runs' },
  { id: 'go_settings', keys: 'g s', scope: 'go', label: 'Go to settings' },
  { id: 'next_row', keys: 'j', scope: 'rows', label: 'Next row' },
  { id: 'previous_row', keys: 'k', scope: 'rows', label: 'Previous row' },
  { id: 'open_row', keys: 'enter', scope: 'rows', label: 'Open row' },
  { id: 'filter', keys: 'f', scope: 'rows', label: 'Filter' },
  { id: 'stage', keys: 's', scope: 'record', label: 'Move to stage' },
  { id: 'owner', keys: 'o', scope: 'record', label: 'Change owner' },
  { id: 'work_lead', keys: 'w', scope: 'record', label: 'Work this lead' },
  { id: 'note', keys: 'n', scope: 'record', label: 'Add a note' },
  { id: 'next_approval', keys: 'j', scope: 'approval', label: 'Next approval' },
  { id: 'previous_approval', keys: 'k', scope: 'approval', label: 'Previous approval' },
  { id: 'approve', keys: 'a', scope: 'approval', label: 'Approve what can be undone' },
  { id: 'approve_send', keys: 'mod+enter', scope: 'approval', label: 'Approve', while_typing: true },
  { id: 'edit', keys: 'e', scope: 'approval', label: 'Edit before approving' },
  { id: 'reject', keys: 'r', scope: 'approval', label: 'Reject' },
] as const satisfies readonly KeyBinding[]

/** The name of a bound act. */
export type KeyId = (typeof keyBindings)[number]['id']

/** The binding behind a name. */
export const keyBinding = (id: KeyId): KeyBinding => {
  const found = keyBindings.find((binding) => binding.id === id)
  if (!found) throw new Error(`No key is registered as ${id}`)
  return found
}

/** What to print on the caps, in order: `['⌘', 'K']`, `['G', 'then', 'L']`. */
export const keyCaps = (keys: string, mac: boolean): string[] => {
  const caps: Record<string, string> = {
    mod: mac ? '⌘' : 'Ctrl',
    enter: '↵',
    escape: 'Esc',
    shift: '⇧',
  }
  return keys.split(' ').flatMap((chord, index) => {
    const parts = chord.split('+').map((part) => caps[part] ?? part.toUpperCase())
    return index === 0 ? parts : ['then', ...parts]
  })
}

/** The parts of a keyboard event that decide which chord it is. */
export type KeyStroke = {
  key: string
  metaKey: boolean
  ctrlKey: boolean
  altKey: boolean
  shiftKey: boolean
}

/** The chord of an event in the registry's notation; undefined for bare modifiers and for Alt, which types characters. */
export const chordOf = (event: KeyStroke, mac: boolean): string | undefined => {
  if (event.altKey || ['Meta', 'Control', 'Shift', 'Alt', 'AltGraph', 'Dead'].includes(event.key))
    return undefined
  const mod = mac ? event.metaKey : event.ctrlKey
  if (mac ? event.ctrlKey : event.metaKey) return undefined
  const key = event.key.toLowerCase()
  const isLetter = key.length === 1 && key >= 'a' && key <= 'z'
  return `${mod ? 'mod+' : ''}${event.shiftKey && isLetter ? 'shift+' : ''}${key}`
}

/** Chords the browser keeps for itself: a page that takes them breaks the browser. */
export const browserChords = [
  'mod+t',
  'mod+w',
  'mod+n',
  'mod+l',
  'mod+r',
  'mod+d',
  'mod+p',
  'mod+s',
  'mod+f',
  'mod+q',
  'mod+tab',
  'mod+shift+t',
  'mod+shift+n',
  'alt+arrowleft',
  'alt+arrowright',
  'f5',
  'tab',
] as const

/** Whether a binding uses plain characters, which WCAG 2.1.4 lets a person switch off. */
export const isCharacterKey = (keys: string): boolean =>
  !keys.startsWith('mod+') && keys !== 'escape' && keys !== 'enter'
