import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Outlet, useNavigate, useRouter } from '@tanstack/react-router'
import { PowerOff } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { followEvents } from '../events.ts'
import { useKey } from '../hotkeys.ts'
import { meQuery } from '../queries.ts'
import { runToastAct } from '../toasts.ts'
import { MenuHome } from './menu.tsx'
import { NewLeadDialog } from './new-lead.tsx'
import { ShellContext } from './shell-context.ts'
import { Sidebar, SidebarSheet } from './sidebar.tsx'

/** The frame of every page: sidebar, live connection, palette, keys. */
export const Shell = () => {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const router = useRouter()
  const { data: me } = useQuery(meQuery)
  const [open, setOpen] = useState<'palette' | 'keys' | 'new_lead' | 'sheet'>()
  const [collapsed, setCollapsed] = useState(() => localStorage.getItem(collapsedKey) === 'on')
  const close = () => setOpen(undefined)

  useEffect(() => followEvents(queries), [queries])
  useKey('palette', () => setOpen('palette'))
  useKey('help', () => setOpen('keys'))
  useKey('undo', runToastAct)
  useKey('create_lead', () => setOpen('new_lead'))
  useKey('back', () => router.history.canGoBack() && router.history.back())
  useKey('sidebar', () => {
    localStorage.setItem(collapsedKey, collapsed ? 'off' : 'on')
    setCollapsed(!collapsed)
  })
  useKey('go_leads', () => void navigate({ to: '/crm/leads' }))
  useKey('go_approvals', () => void navigate({ to: '/crm/approvals' }))
  useKey('go_agents', () => void navigate({ to: '/crm/agents' }))
  useKey('go_runs', () => void navigate({ to: '/crm/runs' }))
  useKey('go_settings', () => void navigate({ to: '/crm/settings/organization' }))

  return (
    <ShellContext
      value={{
        createLead: () => setOpen('new_lead'),
        showKeys: () => setOpen('keys'),
        showPalette: () => setOpen('palette'),
        showSidebar: () => setOpen('sheet'),
      }}
    >
      <a
        href="#page"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-control focus:bg-raised focus:px-3 focus:py-2"
      >
        Skip to content
      </a>
      <div className="flex h-dvh overflow-hidden bg-surface">
        <Sidebar collapsed={collapsed} />
        <div className="flex min-w-0 flex-1 flex-col">
          {me && !me.ai_enabled && <AiOffBanner />}
          <div id="page" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
            <Outlet />
          </div>
        </div>
      </div>
      <MenuHome />
      <SidebarSheet open={open === 'sheet'} onClose={close} />
      <NewLeadDialog open={open === 'new_lead'} onClose={close} />
      <Suspense>
        {open === 'palette' && <Palette onClose={close} />}
        {open === 'keys' && <KeyHelp onClose={close} />}
      </Suspense>
    </ShellContext>
  )
}

const collapsedKey = 'leadhand.sidebar_collapsed'
const Palette = lazy(async () => ({ default: (await import('./palette.tsx')).Palette }))
const KeyHelp = lazy(async () => ({ default: (await import('./key-help.tsx')).KeyHelp }))

const AiOffBanner = () => (
  <div
    role="status"
    className="flex h-9 shrink-0 items-center gap-2 border-b border-line bg-system-tint px-4 text-system-text"
  >
    <PowerOff size={14} aria-hidden />
    <span className="truncate">
      Agents are switched off for the whole organization. An admin can switch them on under Agents.
    </span>
  </div>
)
