import { Menu as Base } from '@base-ui/react/menu'
import { Check, ChevronRight } from 'lucide-react'
import type { ReactElement, ReactNode } from 'react'

const menuHome: { current: HTMLElement | null } = { current: null }

/** The landmark that open menus live in, so that no content is outside of one. */
export const MenuHome = () => (
  <section
    aria-label="Open menu"
    ref={(element) => {
      menuHome.current = element
    }}
  />
)

/** A menu that opens from its trigger. */
export const Menu = ({
  trigger,
  children,
  align = 'start',
  width = 200,
  open,
  onOpenChange,
}: {
  trigger: ReactElement
  children: ReactNode
  align?: 'start' | 'end'
  width?: number
  open?: boolean
  onOpenChange?: (open: boolean) => void
}) => (
  <Base.Root open={open} onOpenChange={onOpenChange}>
    <Base.Trigger render={trigger} />
    <Base.Portal container={menuHome}>
      <Base.Positioner sideOffset={4} align={align} className="z-50">
        <Base.Popup
          style={{ minWidth: width }}
          className="popup max-h-[min(24rem,var(--available-height))] max-w-80 overflow-y-auto p-1"
        >
          {children}
        </Base.Popup>
      </Base.Positioner>
    </Base.Portal>
  </Base.Root>
)

/** One act of a menu. */
export const MenuItem = ({
  icon,
  hint,
  children,
  ...rest
}: {
  icon?: ReactNode
  hint?: ReactNode
  children: ReactNode
  onClick?: () => void
  disabled?: boolean
}) => (
  <Base.Item {...rest} className="popup-item">
    {icon && <span className="flex size-4 items-center justify-center text-ink-2">{icon}</span>}
    <span className="min-w-0 flex-1 truncate">{children}</span>
    {hint}
  </Base.Item>
)

/** A choice of one among several; the chosen one is ticked. */
export const MenuChoices = <Value extends string>({
  value,
  choices,
  onChoose,
  label,
}: {
  value: Value | undefined
  choices: { value: Value; label: ReactNode; icon?: ReactNode }[]
  onChoose: (value: Value) => void
  label?: string
}) => (
  <Base.RadioGroup value={value ?? ''} onValueChange={(next) => onChoose(next as Value)} aria-label={label}>
    {choices.map((choice) => (
      <Base.RadioItem key={choice.value} value={choice.value} closeOnClick className="popup-item">
        {choice.icon}
        <span className="min-w-0 flex-1 truncate">{choice.label}</span>
        <Base.RadioItemIndicator className="text-ink-2">
          <Check size={14} aria-hidden />
        </Base.RadioItemIndicator>
      </Base.RadioItem>
    ))}
  </Base.RadioGroup>
)

/** A choice of any among several; the menu stays open. */
export const MenuTicks = ({
  values,
  choices,
  onChange,
}: {
  values: string[]
  choices: { value: string; label: ReactNode; icon?: ReactNode }[]
  onChange: (values: string[]) => void
}) =>
  choices.map((choice) => (
    <Base.CheckboxItem
      key={choice.value}
      checked={values.includes(choice.value)}
      onCheckedChange={(on) =>
        onChange(on ? [...values, choice.value] : values.filter((value) => value !== choice.value))
      }
      className="popup-item"
    >
      {choice.icon}
      <span className="min-w-0 flex-1 truncate">{choice.label}</span>
      <Base.CheckboxItemIndicator className="text-ink-2">
        <Check size={14} aria-hidden />
      </Base.CheckboxItemIndicator>
    </Base.CheckboxItem>
  ))

/** A menu inside a menu. */
export const Submenu = ({
  label,
  icon,
  children,
}: {
  label: string
  icon?: ReactNode
  children: ReactNode
}) => (
  <Base.SubmenuRoot>
    <Base.SubmenuTrigger className="popup-item">
      {icon && <span className="flex size-4 items-center justify-center text-ink-2">{icon}</span>}
      <span className="flex-1">{label}</span>
      <ChevronRight size={14} className="text-ink-3" aria-hidden />
    </Base.SubmenuTrigger>
    <Base.Portal container={menuHome}>
      <Base.Positioner sideOffset={4} alignOffset={-4} className="z-50">
        <Base.Popup className="popup max-h-[min(24rem,var(--available-height))] min-w-44 overflow-y-auto p-1">
          {children}
        </Base.Popup>
      </Base.Positioner>
    </Base.Portal>
  </Base.SubmenuRoot>
)

/** A line between groups. */
export const MenuLine = () => <Base.Separator className="-mx-1 my-1 h-px bg-line" />
