import { Link, Outlet } from '@tanstack/react-router'
import { PageBar } from '../components/page.tsx'

/** The frame of the settings: their pages left, one of them right. */
export const SettingsPage = () => (
  <>
    <PageBar title="Settings" />
    <div className="flex min-h-0 flex-1 max-md:flex-col">
      <nav
        aria-label="Settings"
        className="flex shrink-0 gap-px border-line p-2 max-md:overflow-x-auto max-md:border-b md:w-50 md:flex-col md:border-r md:p-3"
      >
        {pages.map((page) => (
          <Link
            key={page.to}
            to={page.to}
            activeOptions={{ includeSearch: false }}
            className="flex h-8 shrink-0 items-center rounded-control px-2.5 text-ink-2 hover:bg-hover hover:text-ink-1 aria-[current=page]:bg-active aria-[current=page]:font-medium aria-[current=page]:text-ink-1"
          >
            {page.label}
          </Link>
        ))}
      </nav>
      <main className="min-h-0 min-w-0 flex-1 overflow-y-auto">
        <Outlet />
      </main>
    </div>
  </>
)

const pages = [
  { to: '/crm/settings/organization', label: 'Organization' },
  { to: '/crm/settings/members', label: 'Members' },
  { to: '/crm/settings/intake', label: 'Lead intake' },
  { to: '/crm/settings/mail', label: 'Mail' },
  { to: '/crm/settings/api-keys', label: 'API keys' },
] as const
