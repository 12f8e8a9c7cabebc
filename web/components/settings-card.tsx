import { PageTitle } from './page-title.tsx'
import type { ReactNode } from 'react'

/** The column that settings are read in. */
export const SettingsColumn = ({
  title,
  intro,
  acts,
  children,
}: {
  title: string
  intro?: ReactNode
  acts?: ReactNode
  children: ReactNode
}) => (
  <div className="mx-auto flex max-w-180 flex-col gap-6 px-6 py-6 max-sm:px-4">
    <PageTitle title={title} />
    <header className="flex items-start gap-4">
      <div className="min-w-0 flex-1">
        <h2 className="text-20 font-semibold">{title}</h2>
        {intro && <p className="mt-1 max-w-[68ch] text-ink-2">{intro}</p>}
      </div>
      {acts}
    </header>
    {children}
  </div>
)

/** One group of settings: title and a line, content, and a foot with help left and Save right. */
export const SettingsCard = ({
  title,
  line,
  foot,
  children,
}: {
  title: string
  line?: ReactNode
  foot?: ReactNode
  children: ReactNode
}) => (
  <section aria-label={title} className="rounded-card border border-line">
    <div className="px-4 pt-4">
      <h3 className="text-14 font-semibold">{title}</h3>
      {line && <p className="mt-0.5 max-w-[68ch] text-ink-2">{line}</p>}
    </div>
    <div className="p-4">{children}</div>
    {foot && (
      <div className="flex min-h-12 items-center gap-2 rounded-b-card border-t border-line bg-canvas px-4 py-2">
        {foot}
      </div>
    )}
  </section>
)
