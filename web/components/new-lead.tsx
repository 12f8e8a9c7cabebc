import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState, type SubmitEvent } from 'react'
import { ApiError, errorText, send } from '../api.ts'
import type { Lead } from '../records.ts'
import { Button } from './button.tsx'
import { Dialog, DialogFoot } from './dialog.tsx'
import { Switch, TextAreaField, TextField } from './field.tsx'
import { announce } from '../toasts.ts'

/** Creates a lead by hand; an agent starts on it only when asked to. */
export const NewLeadDialog = ({ open, onClose }: { open: boolean; onClose: () => void }) => (
  <Dialog
    open={open}
    onClose={onClose}
    title="Create lead"
    description="A name, an e-mail or a phone number is enough."
  >
    <NewLeadForm onClose={onClose} />
  </Dialog>
)

const empty = { contact_name: '', company_name: '', email: '', phone: '', website: '', message: '' }

const NewLeadForm = ({ onClose }: { onClose: () => void }) => {
  const [lead, setLead] = useState(empty)
  const [work, setWork] = useState(true)
  const queries = useQueryClient()
  const navigate = useNavigate()
  const create = useMutation({
    mutationFn: () => {
      const given = Object.fromEntries(Object.entries(lead).filter(([, value]) => value.trim() !== ''))
      return send<Lead>('POST', '/api/leads', { ...given, ...(work ? { work: true } : {}) })
    },
    onSuccess: (created) => {
      void queries.invalidateQueries({ queryKey: ['leads'] })
      onClose()
      announce(`Created ${created.contact_name ?? created.name}`)
      void navigate({ to: '/crm/leads/$id', params: { id: created.id } })
    },
  })
  const refused = create.error instanceof ApiError ? create.error : undefined
  const bind = (field: keyof typeof empty) => ({
    name: field,
    value: lead[field],
    error: refused?.field(field),
    onChange: (event: { target: { value: string } }) => setLead({ ...lead, [field]: event.target.value }),
  })
  const blank = !lead.contact_name.trim() && !lead.email.trim() && !lead.phone.trim()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (!blank) create.mutate()
  }
  return (
    <form onSubmit={submit}>
      <div className="grid gap-4 px-5 pt-4 pb-5 sm:grid-cols-2">
        {create.error && !refused?.problem.errors?.length && (
          <p role="alert" className="rounded-control bg-bad-tint px-3 py-2 text-bad-text sm:col-span-2">
            {errorText(create.error)}
          </p>
        )}
        <TextField label="Name" autoFocus autoComplete="off" {...bind('contact_name')} />
        <TextField label="Company" autoComplete="off" {...bind('company_name')} />
        <TextField label="E-mail" type="email" autoComplete="off" {...bind('email')} />
        <TextField label="Phone" type="tel" autoComplete="off" {...bind('phone')} />
        <div className="sm:col-span-2">
          <TextField label="Website" autoComplete="off" placeholder="https://" {...bind('website')} />
        </div>
        <div className="sm:col-span-2">
          <TextAreaField label="What they asked for" rows={3} {...bind('message')} />
        </div>
        <div className="flex items-center gap-3 sm:col-span-2">
          <Switch label="Let the agent work this lead" checked={work} onChange={setWork} />
          <div className="min-w-0">
            <div className="font-medium">Let the agent work this lead</div>
            <div className="text-12 text-ink-3">
              It researches, qualifies and drafts. Nothing is sent without you.
            </div>
          </div>
        </div>
      </div>
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          type="submit"
          kind="primary"
          busy={create.isPending}
          why={blank ? 'Fill in a name, an e-mail or a phone number' : undefined}
        >
          Create lead
        </Button>
      </DialogFoot>
    </form>
  )
}
