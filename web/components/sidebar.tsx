import { Dialog } from '@base-ui/react/dialog'
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import { Bot, CircleAlert, Hand, History, Search, Settings, Users, type LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import type { KeyId } from '../keys.ts'
import { approvalCountsQuery, failuresQuery, meQuery } from '../queries.ts'
import { KeyCaps } from './key-caps.tsx'
import { Logo } from './logo.tsx'
import { useShell } from './shell-context.ts'
import { Tooltip } from './tooltip.tsx'
import { UserMenu } from './user-menu.tsx'

/** The pages of the product: 232 wide from 900, a rail of 48 below, hidden below 640. */
export const Sidebar = ({ collapsed }: { collapsed: boolean }) => (
  <aside
    className={`hidden shrink-0 flex-col border-r border-line bg-canvas sm:flex ${collapsed ? 'w-12' : 'w-12 md:w-58'}`}
  >
    <SidebarBody wide={collapsed ? 'never' : 'md'} />
  </aside>
)

/** The same pages as a sheet, for a phone. */
export const SidebarSheet = ({ open, onClose }: { open: boolean; onClose: () => void }) => (
  <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
    <Dialog.Portal>
      <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-140 data-[ending-style]:opacity-0 data-[starting-style]:opacity-0" />
      <Dialog.Popup
        aria-label="Pages"
        className="fixed inset-y-0 left-0 z-40 flex w-72 flex-col bg-canvas shadow-dialog transition-transform duration-200 ease-out data-[ending-style]:-translate-x-full data-[starting-style]:-translate-x-full"
        onClick={(event) => (event.target as Element).closest('a') && onClose()}
      >
        <SidebarBody wide="always" />
      </Dialog.Popup>
    </Dialog.Portal>
  </Dialog.Root>
)

type Wide = 'always' | 'md' | 'never'

const SidebarBody = ({ wide }: { wide: Wide }) => {
  const { data: me } = useQuery(meQuery)
  const { data: counts } = useQuery(approvalCountsQuery)
  const { data: failures } = useQuery(failuresQuery)
  const shell = useShell()
  const waiting = (counts?.pending ?? 0) + (counts?.stale ?? 0) + (counts?.outcome_unknown ?? 0)
  return (
    <>
      <div className="flex h-12 shrink-0 items-center gap-2 px-3">
        <Logo size={24} />
        <span className={`min-w-0 flex-1 truncate font-semibold ${shows[wide]}`}>
          {me?.organization.name}
        </span>
      </div>
      <div className="px-2 pb-3">
        <button
          type="button"
          onClick={shell.showPalette}
          className="flex h-8 w-full items-center gap-2 rounded-control border border-line bg-raised px-2 text-ink-3 shadow-card hover:text-ink-1"
        >
          <Search size={14} className="shrink-0" aria-hidden />
          <span className={`flex-1 text-left ${shows[wide]}`}>Search</span>
          <span className={shows[wide]}>
            <KeyCaps id="palette" />
          </span>
        </button>
      </div>
      <nav aria-label="Pages" className="flex min-h-0 flex-1 flex-col gap-px overflow-y-auto px-2">
        <PageLink
          to="/crm/approvals"
          icon={Hand}
          label="Needs you"
          hotkey="go_approvals"
          wide={wide}
          count={waiting}
          tone="wait"
        />
        <PageLink to="/crm/leads" icon={Users} label="Leads" hotkey="go_leads" wide={wide} />
        <GroupLabel wide={wide}>Agents</GroupLabel>
        <PageLink to="/crm/agents" icon={Bot} label="Agents" hotkey="go_agents" wide={wide} />
        <PageLink to="/crm/runs" icon={History} label="Runs" hotkey="go_runs" wide={wide} />
        <PageLink
          to="/crm/failures"
          icon={CircleAlert}
          label="Failures"
          wide={wide}
          count={failures?.length ?? 0}
          tone="bad"
        />
        <GroupLabel wide={wide}>Workspace</GroupLabel>
        <PageLink to="/crm/settings" icon={Settings} label="Settings" hotkey="go_settings" wide={wide} />
      </nav>
      <div className="border-t border-line p-2">
        <UserMenu textClass={shows[wide]} />
      </div>
    </>
  )
}

const shows: Record<Wide, string> = { always: '', md: 'max-md:sr-only', never: 'sr-only' }

const GroupLabel = ({ wide, children }: { wide: Wide; children: ReactNode }) => (
  <div className="flex h-9 items-end px-2 pb-1 text-12 font-medium text-ink-3">
    <span className={shows[wide]}>{children}</span>
  </div>
)

const PageLink = ({
  to,
  icon: Icon,
  label,
  hotkey,
  wide,
  count = 0,
  tone = 'wait',
}: {
  to: LinkProps['to']
  icon: LucideIcon
  label: string
  hotkey?: KeyId
  wide: Wide
  count?: number
  tone?: 'wait' | 'bad'
}) => (
  <Tooltip label={label} hotkey={hotkey}>
    <Link
      to={to}
      className="group relative flex h-8 shrink-0 items-center gap-2.5 rounded-control px-2 text-ink-2 hover:bg-hover hover:text-ink-1 max-sm:h-11 aria-[current=page]:bg-active aria-[current=page]:font-medium aria-[current=page]:text-ink-1"
      activeOptions={{ exact: false, includeSearch: false }}
    >
      <Icon size={16} strokeWidth={1.5} className="shrink-0" aria-hidden />
      <span className={`min-w-0 flex-1 truncate ${shows[wide]}`}>{label}</span>
      {count > 0 && (
        <span
          className={`flex h-5 min-w-5 items-center justify-center rounded-full px-1.5 text-12 font-medium tabular-nums ${tone === 'wait' ? 'bg-wait-tint text-wait-text' : 'bg-bad-tint text-bad-text'} ${wide === 'always' ? '' : wide === 'md' ? 'max-md:absolute max-md:-top-0.5 max-md:-right-1.5 max-md:h-4 max-md:min-w-4 max-md:px-1' : 'absolute -top-0.5 -right-1.5 h-4 min-w-4 px-1'}`}
        >
          {count > 99 ? '99+' : count}
        </span>
      )}
    </Link>
  </Tooltip>
)
