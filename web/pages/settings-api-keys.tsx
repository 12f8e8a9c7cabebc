import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { KeyRound, Plus } from 'lucide-react'
import { useState, type SubmitEvent } from 'react'
import { errorText, send } from '../api.ts'
import { Button } from '../components/button.tsx'
import { CopyLine } from '../components/copy-line.tsx'
import { Dialog, DialogFoot } from '../components/dialog.tsx'
import { TextField } from '../components/field.tsx'
import { SettingsColumn } from '../components/settings-card.tsx'
import { Empty, Loaded, SkeletonRows } from '../components/states.tsx'
import { announce, announceError } from '../toasts.ts'
import { useMay } from '../permissions.ts'
import { apiKeysQuery } from '../queries.ts'
import type { ApiKey } from '../workspace.ts'
import { age, day } from '../time.ts'

/** Keys for programs; each acts under its own name on every timeline. */
export const ApiKeysSettings = () => {
  const keys = useQuery(apiKeysQuery)
  const isAdmin = useMay('keys:write')
  const [creating, setCreating] = useState(false)
  const create = (
    <Button
      kind="primary"
      icon={<Plus size={16} aria-hidden />}
      why={isAdmin ? undefined : 'Only admins can create keys.'}
      onClick={() => setCreating(true)}
    >
      Create key
    </Button>
  )
  return (
    <SettingsColumn
      title="API keys"
      intro="For programs that read or write leads. What a key does is on the timeline under its name."
      acts={keys.data?.length ? create : undefined}
    >
      <Loaded query={keys} what="Keys could not be read" skeleton={<SkeletonRows rows={4} height={56} />}>
        {(list) =>
          list.length === 0 ? (
            <Empty icon={<KeyRound size={18} aria-hidden />} title="No keys yet" action={create}>
              A key lets a script or another tool use the API with only the rights you give it.
            </Empty>
          ) : (
            <ul aria-label="API keys" className="rounded-card border border-line">
              {list.map((key) => (
                <KeyRow key={key.id} apiKey={key} isAdmin={isAdmin} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <NewKeyDialog open={creating} onClose={() => setCreating(false)} />
    </SettingsColumn>
  )
}

const KeyRow = ({ apiKey, isAdmin }: { apiKey: ApiKey; isAdmin: boolean }) => {
  const [asking, setAsking] = useState(false)
  const queries = useQueryClient()
  const revoke = useMutation({
    mutationFn: () => send('DELETE', `/api/api-keys/${apiKey.id}`),
    onSuccess: () => {
      setAsking(false)
      announce(`Revoked ${apiKey.name}`)
      void queries.invalidateQueries({ queryKey: apiKeysQuery.queryKey })
    },
    onError: (error) => announceError('Not revoked', error),
  })
  return (
    <li className="flex min-h-14 items-center gap-3 border-b border-line px-4 py-2 last:border-0">
      <div className="min-w-0 flex-1">
        <div className={`font-medium ${apiKey.revoked_at ? 'text-ink-3 line-through' : ''}`}>
          {apiKey.name}{' '}
          <code className="ml-1 font-mono text-12 font-normal text-ink-3">{apiKey.prefix}…</code>
        </div>
        <div className="text-12 text-ink-3">
          {apiKey.scopes.join(', ')} ·{' '}
          {apiKey.last_used_at ? `used ${age(apiKey.last_used_at)} ago` : 'never used'}
          {apiKey.expires_at ? ` · expires ${day(apiKey.expires_at)}` : ''}
        </div>
      </div>
      {apiKey.revoked_at ? (
        <span className="text-12 text-ink-3">Revoked {day(apiKey.revoked_at)}</span>
      ) : (
        <Button
          size="sm"
          why={isAdmin ? undefined : 'Only admins can revoke keys.'}
          aria-label={`Revoke ${apiKey.name}`}
          onClick={() => setAsking(true)}
        >
          Revoke…
        </Button>
      )}
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title={`Revoke ${apiKey.name}?`}
        description="Programs that use it are refused from now on. This cannot be undone."
      >
        <div className="h-4" />
        <DialogFoot>
          <Button onClick={() => setAsking(false)}>Cancel</Button>
          <Button kind="danger" busy={revoke.isPending} onClick={() => revoke.mutate()}>
            Revoke key
          </Button>
        </DialogFoot>
      </Dialog>
    </li>
  )
}

const NewKeyDialog = ({ open, onClose }: { open: boolean; onClose: () => void }) => (
  <Dialog open={open} onClose={onClose} title="Create API key">
    <NewKeyForm onClose={onClose} />
  </Dialog>
)

const scopes = [
  { scope: 'leads:read', line: 'Read leads and their timelines' },
  { scope: 'leads:write', line: 'Create, change and move leads' },
  { scope: 'tasks:write', line: 'Create and complete tasks' },
  { scope: 'notes:write', line: 'Write notes' },
  { scope: 'runs:read', line: 'Read what agents did' },
  { scope: 'approvals:read', line: 'See what waits for a person' },
  { scope: 'approvals:decide', line: 'Approve and reject. It decides what leaves the company' },
  { scope: '*', line: 'Everything its maker may do' },
]

const NewKeyForm = ({ onClose }: { onClose: () => void }) => {
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<string[]>(['leads:read'])
  const queries = useQueryClient()
  const create = useMutation({
    mutationFn: () =>
      send<ApiKey & { key: string }>('POST', '/api/api-keys', { name: name.trim(), scopes: chosen }),
    onSuccess: () => queries.invalidateQueries({ queryKey: apiKeysQuery.queryKey }),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (name.trim() && chosen.length > 0) create.mutate()
  }
  if (create.data) {
    return (
      <>
        <div className="flex flex-col gap-3 px-5 pt-4 pb-5">
          <p className="text-ink-2">Copy it now. It is shown this once and cannot be read again.</p>
          <CopyLine label="API key" value={create.data.key} />
        </div>
        <DialogFoot>
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </DialogFoot>
      </>
    )
  }
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
          placeholder="Website backend"
          help="Shown on timelines as the author"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <fieldset>
          <legend className="mb-1 text-12 font-medium text-ink-2">What it may do</legend>
          {scopes.map((item) => (
            <label key={item.scope} className="flex min-h-9 items-center gap-2.5">
              <input
                type="checkbox"
                checked={chosen.includes(item.scope)}
                onChange={(event) =>
                  setChosen(
                    event.target.checked
                      ? [...chosen, item.scope]
                      : chosen.filter((scope) => scope !== item.scope),
                  )
                }
                className="size-4 accent-accent-fill"
              />
              <span className="min-w-0">
                {item.line} <code className="font-mono text-12 text-ink-3">{item.scope}</code>
              </span>
            </label>
          ))}
        </fieldset>
      </div>
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          type="submit"
          kind="primary"
          busy={create.isPending}
          why={
            !name.trim()
              ? 'Give the key a name'
              : chosen.length === 0
                ? 'Choose at least one right'
                : undefined
          }
        >
          Create key
        </Button>
      </DialogFoot>
    </form>
  )
}
