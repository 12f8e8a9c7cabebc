import type { ComponentProps, ReactNode } from 'react'
import type { KeyId } from '../keys.ts'
import { KeyCaps } from './key-caps.tsx'
import { Tooltip } from './tooltip.tsx'

/** How much weight a button carries: one `primary` per decision. */
export type ButtonKind = 'primary' | 'neutral' | 'ghost' | 'danger'

/** The classes of a button, for links that look like one. */
export const buttonClass = (kind: ButtonKind = 'neutral', size: 'sm' | 'md' = 'md'): string =>
  `inline-flex shrink-0 select-none items-center justify-center gap-1.5 whitespace-nowrap rounded-control font-medium transition-[background-color,scale] duration-80 ease-out active:scale-[0.98] disabled:cursor-not-allowed disabled:active:scale-100 ${size === 'sm' ? 'h-7 px-2 text-12' : 'h-8 px-3 text-13'} ${kinds[kind]}`

/** A button. `busy` keeps its width and says so; `why` explains a disabled one. */
export const Button = ({
  kind = 'neutral',
  size = 'md',
  hotkey,
  busy = false,
  why,
  icon,
  children,
  className = '',
  disabled,
  ...rest
}: ComponentProps<'button'> & {
  kind?: ButtonKind
  size?: 'sm' | 'md'
  hotkey?: KeyId
  busy?: boolean
  why?: string
  icon?: ReactNode
}) => {
  const button = (
    <button
      type="button"
      {...rest}
      disabled={!why && (disabled || busy)}
      aria-disabled={why ? true : undefined}
      aria-busy={busy || undefined}
      onClick={why ? (event) => event.preventDefault() : rest.onClick}
      className={`${buttonClass(kind, size)} ${why ? 'cursor-not-allowed opacity-60' : ''} ${className}`}
    >
      {busy ? <Spinner /> : icon}
      <span className="truncate">{children}</span>
      {hotkey && <KeyCaps id={hotkey} tone={kind === 'primary' || kind === 'danger' ? 'fill' : 'plain'} />}
    </button>
  )
  return why ? <Tooltip label={why}>{button}</Tooltip> : button
}

/** A square button with an icon; its name is read out and shown on hover with its key. */
export const IconButton = ({
  label,
  hotkey,
  className = '',
  ...rest
}: ComponentProps<'button'> & { label: string; hotkey?: KeyId }) => (
  <Tooltip label={label} hotkey={hotkey}>
    <button
      type="button"
      aria-label={label}
      {...rest}
      className={`inline-flex size-7 shrink-0 items-center justify-center rounded-control text-ink-2 transition-colors duration-80 hover:bg-hover hover:text-ink-1 data-[popup-open]:bg-active disabled:text-ink-3 max-sm:size-9 ${className}`}
    />
  </Tooltip>
)

/** A turning ring, the size of an icon. */
export const Spinner = () => (
  <svg className="size-4 animate-spin" viewBox="0 0 16 16" fill="none" aria-hidden>
    <circle cx="8" cy="8" r="6" stroke="currentColor" strokeOpacity="0.3" strokeWidth="2" />
    <path d="M14 8a6 6 0 0 0-6-6" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
  </svg>
)

const kinds: Record<ButtonKind, string> = {
  primary: 'bg-accent-fill text-on-fill hover:bg-accent-fill-hover disabled:opacity-60',
  neutral: 'border border-line bg-raised text-ink-1 shadow-card hover:bg-hover disabled:text-ink-3',
  ghost: 'text-ink-2 hover:bg-hover hover:text-ink-1 disabled:text-ink-3',
  danger: 'bg-danger-fill text-on-fill hover:opacity-90 disabled:opacity-60',
}
