import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Ellipsis } from 'lucide-react'
import { useState } from 'react'
import { send } from '../api.ts'
import { intakeSourcesQuery } from '../queries.ts'
import type { IntakeSource } from '../workspace.ts'
import { count, fieldLabel } from '../words.ts'
import { Button, IconButton } from './button.tsx'
import { CopyLine } from './copy-line.tsx'
import { Dialog, DialogFoot } from './dialog.tsx'
import { Switch } from './field.tsx'
import { Menu, MenuItem } from './menu.tsx'
import { announce, announceError } from '../toasts.ts'

/** One source with its switches; its token was shown once and cannot be read again. */
export const SourceRow = ({ source, isAdmin }: { source: IntakeSource; isAdmin: boolean }) => {
  const [secret, setSecret] = useState<string>()
  const [archiving, setArchiving] = useState(false)
  const queries = useQueryClient()
  const refresh = () => queries.invalidateQueries({ queryKey: intakeSourcesQuery.queryKey })
  const change = useMutation({
    mutationFn: (fields: Partial<IntakeSource>) =>
      send('PATCH', `/api/intake-sources/${source.id}`, { version: source.version, ...fields }),
    onError: (error) => announceError('Not changed', error),
    onSettled: refresh,
  })
  const rotate = useMutation({
    mutationFn: () =>
      send<{ signing_secret: string }>('POST', `/api/intake-sources/${source.id}/rotate-secret`, {}),
    onSuccess: ({ signing_secret }) => setSecret(signing_secret),
    onError: (error) => announceError('No new secret', error),
  })
  const archive = useMutation({
    mutationFn: () => send('DELETE', `/api/intake-sources/${source.id}`),
    onSuccess: () => {
      setArchiving(false)
      announce(`${source.name} takes nothing in any more`)
      void refresh()
    },
    onError: (error) => announceError('Not closed', error),
  })
  const mapped = Object.entries(source.mapping ?? {})
  return (
    <li className="flex min-h-16 items-center gap-4 border-b border-line px-4 py-3 last:border-0">
      <div className="min-w-0 flex-1">
        <div className="font-medium">
          {source.name}{' '}
          <code className="ml-1 font-mono text-12 font-normal text-ink-3">…/{source.token_prefix}…</code>
        </div>
        <div
          className="truncate text-12 text-ink-3"
          title={mapped.map(([from, to]) => `${from} → ${fieldLabel(to)}`).join(', ')}
        >
          {source.signature_required ? 'Signed' : 'Unsigned'} ·{' '}
          {mapped.length > 0 ? `${count(mapped.length, 'field')} mapped` : 'default fields'}
        </div>
      </div>
      <div className="flex shrink-0 items-center gap-2">
        <span className="text-12 text-ink-2 max-sm:hidden" aria-hidden>
          Agent works new leads
        </span>
        <Switch
          label={`Agent works new leads of ${source.name}`}
          checked={source.wake_agent}
          disabled={!isAdmin || change.isPending}
          onChange={(wake_agent) => change.mutate({ wake_agent })}
        />
      </div>
      {isAdmin && (
        <Menu
          align="end"
          trigger={
            <IconButton label={`More about ${source.name}`}>
              <Ellipsis size={16} aria-hidden />
            </IconButton>
          }
        >
          {source.signature_required && (
            <MenuItem onClick={() => rotate.mutate()}>New signing secret</MenuItem>
          )}
          <MenuItem onClick={() => setArchiving(true)}>Close source…</MenuItem>
        </Menu>
      )}
      <Dialog
        open={secret !== undefined}
        onClose={() => setSecret(undefined)}
        title="New signing secret"
        description="The old one stays valid for a while, so that you can change over without losing a lead."
      >
        <div className="px-5 pt-4 pb-5">{secret && <CopyLine label="Signing secret" value={secret} />}</div>
        <DialogFoot help="Shown this once.">
          <Button kind="primary" onClick={() => setSecret(undefined)}>
            Done
          </Button>
        </DialogFoot>
      </Dialog>
      <Dialog
        open={archiving}
        onClose={() => setArchiving(false)}
        title={`Close ${source.name}?`}
        description="Its address answers 404 from now on. Leads it brought stay."
      >
        <div className="h-4" />
        <DialogFoot>
          <Button onClick={() => setArchiving(false)}>Cancel</Button>
          <Button kind="danger" busy={archive.isPending} onClick={() => archive.mutate()}>
            Close source
          </Button>
        </DialogFoot>
      </Dialog>
    </li>
  )
}
