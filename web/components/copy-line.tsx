import { Check, Copy } from 'lucide-react'
import { useId, useState } from 'react'
import { IconButton } from './button.tsx'
import { announceError } from '../toasts.ts'

/** A value to take elsewhere, with a button that copies it. */
export const CopyLine = ({
  label,
  value,
  multiline = false,
}: {
  label: string
  value: string
  multiline?: boolean
}) => {
  const id = useId()
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value)
      setCopied(true)
      setTimeout(() => setCopied(false), 2000)
    } catch (error) {
      announceError('Not copied. Select the text and copy it by hand.', error)
    }
  }
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-12 font-medium text-ink-2">
        {label}
      </label>
      <div className="flex items-start gap-1 rounded-control border border-line bg-canvas py-0.5 pr-0.5 pl-2.5">
        {multiline ? (
          <textarea
            id={id}
            readOnly
            wrap="off"
            rows={value.split('\n').length}
            value={value}
            className={`${text} resize-none overflow-x-auto`}
          />
        ) : (
          <input id={id} readOnly value={value} className={text} onFocus={(event) => event.target.select()} />
        )}
        <IconButton label={copied ? 'Copied' : `Copy ${label}`} onClick={() => void copy()}>
          {copied ? <Check size={14} className="text-ok-mark" aria-hidden /> : <Copy size={14} aria-hidden />}
        </IconButton>
      </div>
    </div>
  )
}

const text = 'min-w-0 flex-1 rounded-tag bg-transparent py-1 font-mono text-12 leading-5 text-ink-1'
