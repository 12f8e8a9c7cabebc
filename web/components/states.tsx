import { CircleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError, errorText } from '../api.ts'
import { Button } from './button.tsx'

/** What a page says when there is nothing: why, and the one thing to do. */
export const Empty = ({
  icon,
  title,
  children,
  action,
}: {
  icon?: ReactNode
  title: string
  children?: ReactNode
  action?: ReactNode
}) => (
  <div className="flex flex-col items-center justify-center gap-3 px-6 py-16 text-center">
    {icon && (
      <div className="flex size-10 items-center justify-center rounded-card border border-line bg-canvas text-ink-2">
        {icon}
      </div>
    )}
    <div className="max-w-[52ch]">
      <p className="text-14 font-medium text-ink-1">{title}</p>
      {children && <div className="mt-1 text-ink-2">{children}</div>}
    </div>
    {action}
  </div>
)

/** What a page says when reading failed: the cause, Retry, and an id to quote. */
export const ErrorState = ({
  error,
  onRetry,
  what,
}: {
  error: unknown
  onRetry?: () => void
  what: string
}) => (
  <div role="alert" className="flex flex-col items-center gap-3 px-6 py-16 text-center">
    <div className="flex size-10 items-center justify-center rounded-card bg-bad-tint text-bad-mark">
      <CircleAlert size={18} aria-hidden />
    </div>
    <div className="max-w-[52ch]">
      <p className="text-14 font-medium">{what}</p>
      <p className="mt-1 text-ink-2">{errorText(error)}</p>
      {error instanceof ApiError && error.problem.instance && (
        <p className="mt-1 font-mono text-12 text-ink-3">{error.problem.instance}</p>
      )}
    </div>
    {onRetry && <Button onClick={onRetry}>Retry</Button>}
  </div>
)

/** Rows of the height that the real ones will have; nothing shows for the first 150 ms. */
export const SkeletonRows = ({ rows = 12, height = 36 }: { rows?: number; height?: number }) => (
  <div role="status" aria-label="Loading">
    {Array.from({ length: rows }, (_, row) => (
      <div
        key={row}
        className="appear-late flex items-center gap-6 border-b border-line px-4"
        style={{ height }}
      >
        <div className="shimmer h-3" style={{ width: `${[22, 16, 26, 19][row % 4]}%` }} />
        <div className="shimmer h-3" style={{ width: `${[14, 18, 11, 15][row % 4]}%` }} />
        <div className="shimmer ml-auto h-3 w-16" />
      </div>
    ))}
  </div>
)

/** One grey bar. */
export const SkeletonBar = ({ className = 'h-3 w-24' }: { className?: string }) => (
  <div className={`shimmer ${className}`} />
)

/** A thing that still loads, failed, or is there. */
export const Loaded = <Data,>({
  query,
  what,
  skeleton,
  children,
}: {
  query: { data: Data | undefined; error: unknown; refetch: () => unknown }
  what: string
  skeleton: ReactNode
  children: (data: Data) => ReactNode
}) => {
  if (query.data !== undefined) return children(query.data)
  if (query.error) return <ErrorState what={what} error={query.error} onRetry={() => void query.refetch()} />
  return skeleton
}
