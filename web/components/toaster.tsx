import { X } from 'lucide-react'
import { closeToast, holdToasts, useToasts } from '../toasts.ts'

/** The corner where announcements appear; a screen reader hears them without losing its place. */
export const Toaster = () => {
  const toasts = useToasts()
  return (
    // Hovering and focusing do nothing here but hold the clocks.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <section
      aria-label="Notifications"
      aria-live="polite"
      onPointerEnter={() => holdToasts(true)}
      onPointerLeave={() => holdToasts(false)}
      onFocus={() => holdToasts(true)}
      onBlur={() => holdToasts(false)}
      className="fixed right-4 bottom-18 z-50 flex w-90 max-w-[calc(100vw-2rem)] flex-col gap-2"
    >
      {toasts.map((toast) => (
        <div
          key={toast.id}
          role={toast.isError ? 'alert' : undefined}
          className="flex items-start gap-3 rounded-card bg-raised p-3 shadow-dialog transition-[opacity,translate] duration-200 ease-out starting:translate-y-2 starting:opacity-0"
        >
          <div className="min-w-0 flex-1 py-0.5">
            <p className={`font-medium ${toast.isError ? 'text-bad-text' : ''}`}>{toast.title}</p>
            {toast.detail && <p className="text-12 break-words text-ink-2">{toast.detail}</p>}
          </div>
          {toast.act && (
            <button
              type="button"
              onClick={() => {
                closeToast(toast.id)
                toast.act?.run()
              }}
              className="h-6 shrink-0 rounded-tag px-2 font-medium text-accent-text hover:bg-hover"
            >
              {toast.act.label}
            </button>
          )}
          <button
            type="button"
            aria-label={`Close notification: ${toast.title}`}
            onClick={() => closeToast(toast.id)}
            className="flex size-6 shrink-0 items-center justify-center rounded-tag text-ink-3 hover:bg-hover"
          >
            <X size={14} aria-hidden />
          </button>
        </div>
      ))}
    </section>
  )
}
