import { Tooltip as Base } from '@base-ui/react/tooltip'
import type { ReactElement, ReactNode } from 'react'
import type { KeyId } from '../keys.ts'
import { KeyCaps } from './key-caps.tsx'

/** Names what is under the pointer or in focus, with its key. */
export const Tooltip = ({
  label,
  hotkey,
  children,
}: {
  label: ReactNode
  hotkey?: KeyId
  children: ReactElement
}) => (
  <Base.Root>
    <Base.Trigger render={children} delay={400} />
    <Base.Portal>
      <Base.Positioner sideOffset={6} className="z-50">
        <Base.Popup className="popup flex max-w-80 items-center gap-2 px-2 py-1 text-12 text-ink-1">
          {label}
          {hotkey && <KeyCaps id={hotkey} />}
        </Base.Popup>
      </Base.Positioner>
    </Base.Portal>
  </Base.Root>
)
