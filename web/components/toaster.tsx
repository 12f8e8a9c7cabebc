import { Toast } from '@base-ui/react/toast'
import { X } from 'lucide-react'
import { errorText } from '../api.ts'

/** Where any part of the page announces what happened. */
const manager = Toast.createToastManager()

/** The act a toast offers, for as long as it shows. */
export type ToastAct = { label: string; run: () => void }

/** Says what happened; with an act it stays 10 s, else 5 s. */
export const announce = (title: string, act?: ToastAct): void => {
  const id = manager.add({
    title,
    timeout: act ? 10_000 : 5_000,
    actionProps: act && {
      children: act.label,
      onClick: () => {
        manager.close(id)
        act.run()
      },
    },
  })
}

/** Says what failed and why, and stays until it is closed. */
export const announceError = (title: string, error: unknown): void => {
  manager.add({ title, description: errorText(error), type: 'error', timeout: 0, priority: 'high' })
}

/** The corner where announcements appear. */
export const Toaster = () => (
  <Toast.Provider toastManager={manager} limit={3}>
    <Toast.Portal>
      <Toast.Viewport className="fixed right-4 bottom-4 z-50 flex w-90 max-w-[calc(100vw-2rem)] flex-col gap-2">
        <Toasts />
      </Toast.Viewport>
    </Toast.Portal>
  </Toast.Provider>
)

const Toasts = () =>
  Toast.useToastManager().toasts.map((toast) => (
    <Toast.Root
      key={toast.id}
      toast={toast}
      role="group"
      className="rounded-card bg-raised shadow-dialog transition-[opacity,translate] duration-200 ease-out data-[ending-style]:opacity-0 data-[starting-style]:translate-y-2 data-[starting-style]:opacity-0"
    >
      <Toast.Content className="flex items-start gap-3 p-3">
        <div className="min-w-0 flex-1 py-0.5">
          <Toast.Title
            className={`text-13 font-medium ${toast.type === 'error' ? 'text-bad-text' : 'text-ink-1'}`}
          />
          <Toast.Description className="text-12 text-ink-2" />
        </div>
        <Toast.Action className="h-6 shrink-0 rounded-tag px-2 text-13 font-medium text-accent-text hover:bg-hover" />
        <Toast.Close
          aria-label="Close notification"
          className="flex size-6 shrink-0 items-center justify-center rounded-tag text-ink-3 hover:bg-hover"
        >
          <X size={14} aria-hidden />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ))
