import { Menu } from 'lucide-react'
import type { ReactNode } from 'react'
import { IconButton } from './button.tsx'
import { useShell } from './shell-context.ts'

/** The bar of a page: title left, the page's acts right. */
export const PageBar = ({
  title,
  count,
  children,
  acts,
}: {
  title: ReactNode
  count?: ReactNode
  children?: ReactNode
  acts?: ReactNode
}) => {
  const shell = useShell()
  return (
    <header className="flex h-12 shrink-0 items-center gap-3 border-b border-line pr-3 pl-4 max-sm:pl-2">
      <IconButton label="Open pages" onClick={shell.showSidebar} className="sm:hidden">
        <Menu size={18} aria-hidden />
      </IconButton>
      <h1 className="min-w-0 truncate text-16 font-semibold">{title}</h1>
      {count !== undefined && <span className="text-ink-3 tabular-nums">{count}</span>}
      <div className="flex min-w-0 flex-1 items-center gap-2">{children}</div>
      {acts}
    </header>
  )
}

/** The scrolling part of a page. */
export const PageBody = ({ children, className = '' }: { children: ReactNode; className?: string }) => (
  <main className={`min-h-0 flex-1 overflow-y-auto ${className}`}>{children}</main>
)

/** A titled block of a page. */
export const Section = ({
  title,
  aside,
  children,
  className = '',
}: {
  title: string
  aside?: ReactNode
  children: ReactNode
  className?: string
}) => (
  <section aria-label={title} className={className}>
    <div className="mb-2 flex h-6 items-center gap-2">
      <h2 className="text-12 font-semibold text-ink-2">{title}</h2>
      <div className="ml-auto">{aside}</div>
    </div>
    {children}
  </section>
)

/** A row of links that switch what a page shows. */
export const tabClass =
  'flex h-7 items-center gap-1.5 rounded-control px-2.5 text-13 text-ink-2 hover:bg-hover hover:text-ink-1 aria-[current=page]:bg-active aria-[current=page]:font-medium aria-[current=page]:text-ink-1 aria-pressed:bg-active aria-pressed:font-medium aria-pressed:text-ink-1'

/** A tab is current only when its whole search is. */
export const exactly = { exact: true }
