import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { errorText, send } from '../api.ts'
import { intakeSourcesQuery } from '../queries.ts'
import type { NewIntakeSource } from '../workspace.ts'
import { Button } from './button.tsx'
import { CopyLine } from './copy-line.tsx'
import { Dialog, DialogFoot } from './dialog.tsx'
import { Switch, TextAreaField, TextField } from './field.tsx'

/** Creates a source and shows its address, token and secret, once. */
export const NewSourceDialog = ({ open, onClose }: { open: boolean; onClose: () => void }) => (
  <Dialog open={open} onClose={onClose} title="Create source" width={560}>
    <NewSourceForm onClose={onClose} />
  </Dialog>
)

const NewSourceForm = ({ onClose }: { onClose: () => void }) => {
  const [name, setName] = useState('')
  const [signed, setSigned] = useState(false)
  const [mapping, setMapping] = useState('')
  const queries = useQueryClient()
  const parsed = parseMapping(mapping)
  const create = useMutation({
    mutationFn: () =>
      send<NewIntakeSource>('POST', '/api/intake-sources', {
        name: name.trim(),
        signature_required: signed,
        ...(parsed.fields ? { mapping: parsed.fields } : {}),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: intakeSourcesQuery.queryKey }),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (name.trim() && !parsed.problem) create.mutate()
  }
  if (create.data) return <SourceReceipt source={create.data} onClose={onClose} />
  return (
    <form onSubmit={submit}>
      <div className="flex flex-col gap-4 px-5 pt-4 pb-5">
        {create.error && (
          <p role="alert" className="rounded-control bg-bad-tint px-3 py-2 text-bad-text">
            {errorText(create.error)}
          </p>
        )}
        <TextField
          label="Name"
          autoFocus
          placeholder="Website form"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextAreaField
          label="Field mapping (optional)"
          rows={3}
          placeholder={'full_name = name\ncontact.work_email = email'}
          help="One line for each field: theirs = ours. Leave it empty when they already send name, email, company, phone, website, message."
          error={parsed.problem}
          value={mapping}
          onChange={(event) => setMapping(event.target.value)}
          className="font-mono text-12"
        />
        <div className="flex items-center gap-3">
          <Switch label="Require a signature" checked={signed} onChange={setSigned} />
          <div className="min-w-0">
            <div className="font-medium">Require a signature</div>
            <div className="text-12 text-ink-3">
              Standard Webhooks. For senders that can sign; a plain website form cannot.
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
          why={!name.trim() ? 'Give the source a name' : parsed.problem}
        >
          Create source
        </Button>
      </DialogFoot>
    </form>
  )
}

const SourceReceipt = ({ source, onClose }: { source: NewIntakeSource; onClose: () => void }) => (
  <>
    <div className="flex flex-col gap-4 px-5 pt-4 pb-5">
      <p className="text-ink-2">Copy these now. They are shown this once and cannot be read again.</p>
      <CopyLine label="Address" value={source.url} />
      <CopyLine label="Token" value={source.token} />
      {source.signing_secret && <CopyLine label="Signing secret" value={source.signing_secret} />}
      {!source.signing_secret && <CopyLine label="Try it" value={curlOf(source.url)} multiline />}
      {source.snippet && (
        <div className="flex flex-col gap-1">
          <CopyLine label="In your website’s pages, to see where leads come from" value={source.snippet} />
          <p className="text-12 text-ink-3">
            It does nothing until your consent banner calls <code>leadhand.consent(true)</code>, and forgets
            the visitor on <code>leadhand.consent(false)</code>.
          </p>
        </div>
      )}
    </div>
    <DialogFoot
      help={source.signing_secret ? undefined : 'Run the line in a terminal: the lead appears at once.'}
    >
      <Button kind="primary" onClick={onClose}>
        Done
      </Button>
    </DialogFoot>
  </>
)

const curlOf = (url: string) =>
  [
    `curl -X POST ${url} \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d '{"name":"Ana Ruiz","email":"ana@example.com","company":"Acme","message":"How much is it for 40 seats?"}'`,
  ].join('\n')

const parseMapping = (text: string): { fields?: Record<string, string>; problem?: string } => {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  if (lines.length === 0) return {}
  const pairs = lines.map((line) => line.split('=').map((part) => part.trim()))
  const wrong = pairs.findIndex((pair) => pair.length !== 2 || pair.some((part) => part === ''))
  if (wrong >= 0) return { problem: `Line ${wrong + 1} should read: their_field = our_field` }
  return { fields: Object.fromEntries(pairs.map(([theirs = '', ours = '']) => [ours, theirs])) }
}
