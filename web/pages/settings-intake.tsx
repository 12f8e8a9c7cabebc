import { useQuery } from '@tanstack/react-query'
import { Plus, Webhook } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { NewSourceDialog } from '../components/intake-source-form.tsx'
import { SourceRow } from '../components/intake-source.tsx'
import { SettingsColumn } from '../components/settings-card.tsx'
import { Empty, Loaded, SkeletonRows } from '../components/states.tsx'
import { Submissions } from '../components/submissions.tsx'
import { useMay } from '../permissions.ts'
import { intakeSourcesQuery } from '../queries.ts'

/** The doors that leads come in by, and what came in. */
export const IntakeSettings = () => {
  const sources = useQuery(intakeSourcesQuery)
  const isAdmin = useMay('intake:write')
  const [creating, setCreating] = useState(false)
  const create = (
    <Button
      kind="primary"
      icon={<Plus size={16} aria-hidden />}
      why={isAdmin ? undefined : 'Only admins can create sources.'}
      onClick={() => setCreating(true)}
    >
      Create source
    </Button>
  )
  const open = sources.data?.filter((source) => !source.archived_at) ?? []
  return (
    <SettingsColumn
      title="Lead intake"
      intro="Each source has an address of its own. Whatever is sent to it is stored first, then becomes a lead."
      acts={open.length > 0 ? create : undefined}
    >
      <Loaded
        query={sources}
        what="Sources could not be read"
        skeleton={<SkeletonRows rows={3} height={64} />}
      >
        {() =>
          open.length === 0 ? (
            <Empty icon={<Webhook size={18} aria-hidden />} title="No sources yet" action={create}>
              Create one, then point your website form or any tool that can call a webhook at its address.
            </Empty>
          ) : (
            <ul aria-label="Sources" className="rounded-card border border-line">
              {open.map((source) => (
                <SourceRow key={source.id} source={source} isAdmin={isAdmin} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <Submissions sources={sources.data ?? []} />
      <NewSourceDialog open={creating} onClose={() => setCreating(false)} />
    </SettingsColumn>
  )
}
