import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { ApiError, errorText, send } from '../api.ts'
import { Button } from '../components/button.tsx'
import { Switch, TextField } from '../components/field.tsx'
import { SettingsCard, SettingsColumn } from '../components/settings-card.tsx'
import { Loaded, SkeletonRows } from '../components/states.tsx'
import { announce, announceError } from '../toasts.ts'
import { useMay } from '../permissions.ts'
import { meQuery, settingsQuery } from '../queries.ts'
import type { Settings } from '../workspace.ts'

/** What holds for the whole organization. */
export const OrganizationSettings = () => {
  const settings = useQuery(settingsQuery)
  return (
    <SettingsColumn title="Organization">
      <Loaded
        query={settings}
        what="Settings could not be read"
        skeleton={<SkeletonRows rows={5} height={56} />}
      >
        {(read) => (
          <>
            <Basics key={read.version} settings={read} />
            <AgentSwitch settings={read} />
          </>
        )}
      </Loaded>
    </SettingsColumn>
  )
}

const Basics = ({ settings }: { settings: Settings }) => {
  const saved = {
    currency: settings.currency,
    default_country: settings.default_country ?? '',
    timezone: settings.timezone,
    sender_name: settings.sender_name ?? '',
  }
  const [form, setForm] = useState(saved)
  const isAdmin = useMay('settings:write')
  const save = useSave()
  const dirty = JSON.stringify(form) !== JSON.stringify(saved)
  const refused = save.error instanceof ApiError ? save.error : undefined
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    save.mutate({
      version: settings.version,
      ...form,
      default_country: form.default_country || null,
      sender_name: form.sender_name.trim() || null,
    })
  }
  const bind = (field: keyof typeof form) => ({
    value: form[field],
    readOnly: !isAdmin,
    error: refused?.field(field),
    onChange: (event: { target: { value: string } }) => setForm({ ...form, [field]: event.target.value }),
  })
  return (
    <form onSubmit={submit}>
      <SettingsCard
        title={settings.organization.name}
        line="New leads take these over when they bring nothing of their own."
        foot={
          dirty ? (
            <>
              <span className="min-w-0 flex-1 text-12 text-ink-3">Not saved yet</span>
              <Button onClick={() => setForm(saved)}>Reset</Button>
              <Button type="submit" kind="primary" busy={save.isPending}>
                Save
              </Button>
            </>
          ) : undefined
        }
      >
        <div className="grid gap-4 sm:grid-cols-2">
          {save.error && !refused?.problem.errors?.length && (
            <p role="alert" className="rounded-control bg-bad-tint px-3 py-2 text-bad-text sm:col-span-2">
              {refused?.status === 412
                ? 'Somebody changed these settings meanwhile. Reload the page and make your change again.'
                : errorText(save.error)}
            </p>
          )}
          <TextField label="Currency" maxLength={3} help="Three letters, as in EUR" {...bind('currency')} />
          <TextField
            label="Country of phone numbers"
            maxLength={2}
            help="Two letters, as in DE. Used when a number has no country code"
            {...bind('default_country')}
          />
          <TextField
            label="Time zone"
            help="As in Europe/Berlin. Expiry of approvals counts business hours here"
            {...bind('timezone')}
          />
          <TextField
            label="Sender name"
            help={`Shown as the sender of e-mail. Empty: ${settings.organization.name}`}
            {...bind('sender_name')}
          />
        </div>
      </SettingsCard>
    </form>
  )
}

const AgentSwitch = ({ settings }: { settings: Settings }) => {
  const isAdmin = useMay('settings:write')
  const save = useSave()
  return (
    <SettingsCard
      title="Agents"
      line="Off stops every agent before its next step. What waits for you stays, and nothing is lost."
    >
      <div className="flex items-center gap-3">
        <Switch
          label="Agents on for the whole organization"
          checked={settings.ai_enabled}
          disabled={!isAdmin || save.isPending}
          onChange={(ai_enabled) =>
            save.mutate(
              { version: settings.version, ai_enabled },
              { onError: (error) => announceError('Not switched', error) },
            )
          }
        />
        <span>{settings.ai_enabled ? 'Agents are on' : 'Agents are off'}</span>
      </div>
    </SettingsCard>
  )
}

const useSave = () => {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (change: Record<string, unknown>) => send<Settings>('PATCH', '/api/settings', change),
    onSuccess: (saved) => {
      queries.setQueryData(settingsQuery.queryKey, saved)
      void queries.invalidateQueries({ queryKey: meQuery.queryKey })
      announce('Settings saved')
    },
  })
}
