import { Select as Base } from '@base-ui/react/select'
import { Switch as BaseSwitch } from '@base-ui/react/switch'
import { Check, ChevronsUpDown } from 'lucide-react'
import { capital } from '../words.ts'
import { useId, type ComponentProps, type ReactNode } from 'react'

/** A labelled input with its help and its error; the control gets the id and the descriptions. */
export const Field = ({
  label,
  help,
  error,
  children,
}: {
  label: string
  help?: ReactNode
  error?: string
  children: (control: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode
}) => {
  const id = useId()
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ')
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-12 font-medium text-ink-2">
        {label}
      </label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? true : undefined })}
      {error && (
        <p id={`${id}-error`} className="text-12 text-bad-text">
          {capital(error)}
        </p>
      )}
      {help && (
        <p id={`${id}-help`} className="text-12 text-ink-3">
          {help}
        </p>
      )}
    </div>
  )
}

/** A labelled line of text. */
export const TextField = ({
  label,
  help,
  error,
  className = '',
  ...rest
}: ComponentProps<'input'> & { label: string; help?: ReactNode; error?: string }) => (
  <Field label={label} help={help} error={error}>
    {(control) => <input type="text" {...control} {...rest} className={`input-box ${className}`} />}
  </Field>
)

/** A labelled text of several lines that grows with what is written. */
export const TextAreaField = ({
  label,
  help,
  error,
  className = '',
  ...rest
}: ComponentProps<'textarea'> & { label: string; help?: ReactNode; error?: string }) => (
  <Field label={label} help={help} error={error}>
    {(control) => (
      <textarea
        {...control}
        {...rest}
        className={`input-box field-sizing-content h-auto min-h-16 py-1.5 text-14 ${className}`}
      />
    )}
  </Field>
)

/** A choice of one in a form. */
export const SelectField = <Value extends string>({
  label,
  value,
  choices,
  onChoose,
  help,
  disabled,
}: {
  label: string
  value: Value
  choices: { value: Value; label: string }[]
  onChoose: (value: Value) => void
  help?: ReactNode
  disabled?: boolean
}) => (
  <Field label={label} help={help}>
    {({ id, ...control }) => (
      <Base.Root
        items={choices}
        value={value}
        onValueChange={(next) => next !== null && onChoose(next)}
        disabled={disabled}
      >
        <Base.Trigger
          id={id}
          aria-label={label}
          {...control}
          className="input-box flex items-center gap-2 text-left"
        >
          <Base.Value className="min-w-0 flex-1 truncate" />
          <Base.Icon>
            <ChevronsUpDown size={14} className="text-ink-3" aria-hidden />
          </Base.Icon>
        </Base.Trigger>
        <Base.Portal>
          <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50">
            <Base.Popup className="popup max-h-72 min-w-[var(--anchor-width)] overflow-y-auto p-1">
              {choices.map((choice) => (
                <Base.Item key={choice.value} value={choice.value} className="popup-item">
                  <Base.ItemText className="min-w-0 flex-1 truncate">{choice.label}</Base.ItemText>
                  <Base.ItemIndicator className="text-ink-2">
                    <Check size={14} aria-hidden />
                  </Base.ItemIndicator>
                </Base.Item>
              ))}
            </Base.Popup>
          </Base.Positioner>
        </Base.Portal>
      </Base.Root>
    )}
  </Field>
)

/** An on/off switch that saves at once. */
export const Switch = ({
  label,
  checked,
  onChange,
  disabled,
}: {
  label: string
  checked: boolean
  onChange: (checked: boolean) => void
  disabled?: boolean
}) => (
  <BaseSwitch.Root
    aria-label={label}
    checked={checked}
    onCheckedChange={onChange}
    disabled={disabled}
    className="relative inline-flex h-6 w-10 shrink-0 cursor-pointer items-center rounded-full border border-control bg-active px-0.5 transition-colors duration-140 data-[checked]:border-accent-fill data-[checked]:bg-accent-fill data-[disabled]:opacity-60"
  >
    <BaseSwitch.Thumb className="size-4.5 rounded-full bg-ink-3 transition-transform duration-140 ease-out data-[checked]:translate-x-4 data-[checked]:bg-on-fill" />
  </BaseSwitch.Root>
)
