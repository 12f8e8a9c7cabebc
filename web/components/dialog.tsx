import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { ReactNode } from 'react'

/** A modal that asks for one thing; focus returns to where it came from. */
export const Dialog = ({
  open,
  onClose,
  title,
  description,
  width = 480,
  children,
}: {
  open: boolean
  onClose: () => void
  title: string
  description?: string
  width?: number
  children: ReactNode
}) => (
  <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
    <Base.Portal>
      <Base.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-140 data-[ending-style]:opacity-0 data-[starting-style]:opacity-0" />
      <Base.Popup
        style={{ maxWidth: width }}
        className="fixed top-[12vh] left-1/2 z-40 flex max-h-[80vh] w-[calc(100vw-2rem)] -translate-x-1/2 flex-col overflow-hidden rounded-dialog bg-raised shadow-dialog transition-[opacity,scale] duration-140 ease-out data-[ending-style]:opacity-0 data-[starting-style]:scale-[0.98] data-[starting-style]:opacity-0"
      >
        <div className="flex items-start gap-4 px-5 pt-4">
          <div className="min-w-0 flex-1">
            <Base.Title className="text-16 font-semibold">{title}</Base.Title>
            {description && <Base.Description className="mt-0.5 text-ink-2">{description}</Base.Description>}
          </div>
          <Base.Close
            aria-label="Close"
            className="-mr-1.5 flex size-7 items-center justify-center rounded-control text-ink-2 hover:bg-hover"
          >
            <X size={16} aria-hidden />
          </Base.Close>
        </div>
        <div className="min-h-0 overflow-y-auto">{children}</div>
      </Base.Popup>
    </Base.Portal>
  </Base.Root>
)

/** The foot of a dialog: help left, buttons right. */
export const DialogFoot = ({ help, children }: { help?: ReactNode; children: ReactNode }) => (
  <div className="flex items-center gap-2 border-t border-line px-5 py-3">
    <div className="min-w-0 flex-1 text-12 text-ink-3">{help}</div>
    {children}
  </div>
)
