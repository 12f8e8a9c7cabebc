import { useState, type SubmitEvent, type KeyboardEvent } from 'react'
import { isMac } from '../hotkeys.ts'
import type { RejectReason } from '../records.ts'
import { Button } from './button.tsx'
import { Dialog, DialogFoot } from './dialog.tsx'
import { TextAreaField } from './field.tsx'

/** Asks why, so that the agent can do differently. */
export const RejectDialog = ({
  open,
  who,
  busy,
  onClose,
  onReject,
}: {
  open: boolean
  who: string
  busy: boolean
  onClose: () => void
  onReject: (reason_code: RejectReason, reason: string | undefined) => void
}) => (
  <Dialog
    open={open}
    onClose={onClose}
    title={`Reject: what should ${who} do differently?`}
    description="Nothing is sent or changed. You can undo this for a short while."
  >
    <RejectForm busy={busy} onClose={onClose} onReject={onReject} />
  </Dialog>
)

const RejectForm = ({
  busy,
  onClose,
  onReject,
}: {
  busy: boolean
  onClose: () => void
  onReject: (reason_code: RejectReason, reason: string | undefined) => void
}) => {
  const [code, setCode] = useState<RejectReason>('wrong_content')
  const [reason, setReason] = useState('')
  const submit = (event?: SubmitEvent) => {
    event?.preventDefault()
    if (!busy) onReject(code, reason.trim() || undefined)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (isMac ? event.metaKey : event.ctrlKey)) submit()
  }
  return (
    <form onSubmit={submit}>
      <div className="flex flex-col gap-4 px-5 pt-4 pb-5">
        <fieldset>
          <legend className="mb-1 text-12 font-medium text-ink-2">Reason</legend>
          <div className="grid gap-1 sm:grid-cols-2">
            {reasons.map((item) => (
              <label
                key={item.code}
                className="flex h-9 items-center gap-2 rounded-control border border-line px-2.5 hover:bg-hover has-checked:border-accent-mark has-checked:bg-accent-tint has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-mark"
              >
                <input
                  type="radio"
                  name="reason_code"
                  value={item.code}
                  autoFocus={item.code === code}
                  checked={code === item.code}
                  onChange={() => setCode(item.code)}
                  className="size-3.5 accent-accent-fill outline-none"
                />
                {item.label}
              </label>
            ))}
          </div>
        </fieldset>
        <TextAreaField
          label="In your words (optional)"
          rows={3}
          onKeyDown={onKeyDown}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      </div>
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="danger" busy={busy}>
          Reject
        </Button>
      </DialogFoot>
    </form>
  )
}

const reasons: { code: RejectReason; label: string }[] = [
  { code: 'wrong_content', label: 'Wrong content' },
  { code: 'factually_wrong', label: 'Factually wrong' },
  { code: 'wrong_tone', label: 'Wrong tone' },
  { code: 'wrong_recipient', label: 'Wrong recipient' },
  { code: 'wrong_timing', label: 'Wrong time' },
  { code: 'not_needed', label: 'Not needed' },
  { code: 'other', label: 'Something else' },
]
