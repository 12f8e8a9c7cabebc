import { Dialog } from '@base-ui/react/dialog'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate, type LinkProps } from '@tanstack/react-router'
import { Command } from 'cmdk'
import { CornerDownLeft, Plus, Search } from 'lucide-react'
import { useDeferredValue, useState, type ReactNode } from 'react'
import { read } from '../api.ts'
import { useBoundKeys } from '../hotkeys.ts'
import type { Lead, Page } from '../records.ts'
import { useTheme } from '../theme.ts'
import { ActorMark } from './actor-mark.tsx'
import { Caps } from './key-caps.tsx'
import { useShell } from './shell-context.ts'
import { useSignOut } from './user-menu.tsx'

/** Everything that can be done or opened from here, by typing; shows the keys so that they are learnt. */
export const Palette = ({ onClose }: { onClose: () => void }) => {
  const [query, setQuery] = useState('')
  const navigate = useNavigate()
  const shell = useShell()
  const signOut = useSignOut()
  const [, chooseTheme] = useTheme()
  const bound = useBoundKeys()
  const here = bound.filter(
    (key) =>
      ['record', 'approval', 'rows'].includes(key.scope) &&
      !['open_row', 'next_row', 'previous_row', 'next_approval', 'previous_approval'].includes(key.id),
  )
  const go = bound.filter((key) => key.scope === 'go')
  const text = useDeferredValue(query.trim())
  const leads = useQuery({
    queryKey: ['palette', text],
    queryFn: ({ signal }) => read<Page<Lead>>('/api/leads', { q: text, limit: 6 }, signal),
    enabled: text.length > 1,
    placeholderData: keepPreviousData,
  })
  const then = (run: () => void) => () => {
    onClose()
    run()
  }
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim" />
        <Dialog.Popup
          aria-label="Search and commands"
          className="fixed top-[14vh] left-1/2 z-40 w-160 max-w-[calc(100vw-2rem)] -translate-x-1/2 overflow-hidden rounded-dialog bg-raised shadow-dialog outline-none"
        >
          <Command label="Search and commands" loop filter={matches}>
            <div className="flex h-12 items-center gap-3 border-b border-line px-4">
              <Search size={16} className="shrink-0 text-ink-3" aria-hidden />
              <Command.Input
                autoFocus
                value={query}
                onValueChange={setQuery}
                placeholder="Search leads, or type what you want to do"
                className="h-full min-w-0 flex-1 bg-transparent text-14 outline-none"
              />
            </div>
            <Command.List className="max-h-96 overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-8 text-center text-ink-2">
                Nothing matches “{query}”.
              </Command.Empty>
              {here.length > 0 && (
                <Group heading="Here">
                  {here.map((key) => (
                    <Item
                      key={key.id}
                      value={`here ${key.label}`}
                      onSelect={then(key.run)}
                      hint={<Caps keys={key.keys} />}
                    >
                      {key.label}
                    </Item>
                  ))}
                </Group>
              )}
              {leads.data && text.length > 1 && leads.data.data.length > 0 && (
                <Group heading="Leads">
                  {leads.data.data.map((lead) => (
                    <Item
                      key={lead.id}
                      value={`lead ${lead.id}`}
                      keywords={query.split(/\s+/)}
                      onSelect={then(() => void navigate({ to: '/crm/leads/$id', params: { id: lead.id } }))}
                      icon={
                        <ActorMark actor={{ kind: 'user', name: lead.contact_name ?? lead.name }} size={20} />
                      }
                      hint={<span className="text-12 text-ink-3">{lead.stage.label}</span>}
                    >
                      {lead.contact_name ?? lead.name}
                      {lead.company_name && <span className="text-ink-3"> · {lead.company_name}</span>}
                    </Item>
                  ))}
                </Group>
              )}
              <Group heading="Go to">
                {go.map((key) => (
                  <Item
                    key={key.id}
                    value={key.label}
                    keywords={synonyms[key.id]}
                    onSelect={then(key.run)}
                    hint={<Caps keys={key.keys} />}
                  >
                    {key.label}
                  </Item>
                ))}
                {settingsPages.map((page) => (
                  <Item
                    key={page.to}
                    value={`Settings ${page.label}`}
                    keywords={page.keywords}
                    onSelect={then(() => void navigate({ to: page.to }))}
                  >
                    Settings: {page.label}
                  </Item>
                ))}
              </Group>
              <Group heading="Create">
                <Item
                  value="Create lead"
                  keywords={['new', 'add']}
                  onSelect={then(shell.createLead)}
                  icon={<Plus size={16} aria-hidden />}
                  hint={<Caps keys="c" />}
                >
                  Create lead
                </Item>
              </Group>
              <Group heading="Preferences">
                {(['system', 'light', 'dark'] as const).map((theme) => (
                  <Item
                    key={theme}
                    value={`Theme ${theme}`}
                    keywords={['appearance', 'mode']}
                    onSelect={then(() => chooseTheme(theme))}
                  >
                    Theme: {theme === 'system' ? 'same as device' : theme}
                  </Item>
                ))}
                <Item
                  value="Keyboard shortcuts"
                  keywords={['help', 'keys']}
                  onSelect={then(shell.showKeys)}
                  hint={<Caps keys="?" />}
                >
                  Keyboard shortcuts
                </Item>
                <Item value="Sign out" keywords={['log out', 'leave']} onSelect={then(() => void signOut())}>
                  Sign out
                </Item>
              </Group>
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

// Every word must begin a word: what does not is noise, however the letters fall.
const matches = (value: string, search: string, keywords: string[] = []) => {
  const words = [value, ...keywords]
    .join(' ')
    .toLowerCase()
    .split(/[\s:,/]+/)
  const typed = search.toLowerCase().split(/\s+/).filter(Boolean)
  return typed.every((part) => words.some((word) => word.startsWith(part))) ? 1 : 0
}

const synonyms: Partial<Record<string, string[]>> = {
  go_approvals: ['approvals', 'queue', 'inbox', 'review'],
  go_leads: ['contacts', 'prospects', 'list'],
  go_agents: ['policies', 'ai', 'bots'],
  go_runs: ['history', 'trace', 'log'],
}

const settingsPages = [
  { to: '/crm/settings/organization', label: 'organization', keywords: ['currency', 'time zone', 'name'] },
  { to: '/crm/settings/members', label: 'members', keywords: ['people', 'team', 'users'] },
  { to: '/crm/settings/intake', label: 'lead intake', keywords: ['webhook', 'form', 'sources', 'import'] },
  { to: '/crm/settings/mail', label: 'mail', keywords: ['outbox', 'smtp', 'captured', 'email'] },
  { to: '/crm/settings/api-keys', label: 'API keys', keywords: ['token', 'developer'] },
] satisfies { to: LinkProps['to']; label: string; keywords: string[] }[]

const Group = ({ heading, children }: { heading: string; children: ReactNode }) => (
  <Command.Group
    heading={heading}
    className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-12 [&_[cmdk-group-heading]]:text-ink-3"
  >
    {children}
  </Command.Group>
)

const Item = ({
  value,
  keywords,
  onSelect,
  icon,
  hint,
  children,
}: {
  value: string
  keywords?: string[]
  onSelect: () => void
  icon?: ReactNode
  hint?: ReactNode
  children: ReactNode
}) => (
  <Command.Item
    value={value}
    keywords={keywords}
    onSelect={onSelect}
    className="flex h-9 cursor-default items-center gap-3 rounded-control px-2.5 data-[selected=true]:bg-hover"
  >
    <span className="flex size-5 shrink-0 items-center justify-center text-ink-3">
      {icon ?? <CornerDownLeft size={14} aria-hidden />}
    </span>
    <span className="min-w-0 flex-1 truncate">{children}</span>
    {hint}
  </Command.Item>
)
