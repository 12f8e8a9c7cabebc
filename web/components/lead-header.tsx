import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ChevronDown, Ellipsis, UserRound } from 'lucide-react'
import { useState } from 'react'
import { ApiError, errorText, send } from '../api.ts'
import { useKey } from '../hotkeys.ts'
import { twoColumns, useMedia } from '../media.ts'
import { leadQuery, membersQuery, pipelinesQuery } from '../queries.ts'
import type { Approval, Lead } from '../records.ts'
import { ActorMark } from './actor-mark.tsx'
import { Button, buttonClass, IconButton } from './button.tsx'
import { Menu, MenuChoices, MenuItem } from './menu.tsx'
import { usePatchLead } from './properties.tsx'
import { openStages, rankedStage, StageRing } from './stage.tsx'
import { announce, announceError } from '../toasts.ts'

/** Stage, owner and the one thing to do next. */
export const LeadActs = ({ lead, approvals }: { lead: Lead; approvals: Approval[] }) => {
  const wake = useWakeAgent(lead)
  const wide = useMedia(twoColumns)
  const busy = lead.run_status === 'running' || lead.run_status === 'queued'
  const waiting = approvals.find((approval) => approval.tool === 'send_email') ?? approvals[0]
  useKey('work_lead', () => wake.mutate('work'), !busy && !wake.isPending)
  return (
    <div className="flex shrink-0 items-center gap-2">
      {wide && <StageMenu lead={lead} />}
      {wide && <OwnerMenu lead={lead} />}
      <Menu
        align="end"
        trigger={
          <IconButton label="More acts">
            <Ellipsis size={16} aria-hidden />
          </IconButton>
        }
      >
        <MenuItem disabled={busy} onClick={() => wake.mutate('work')}>
          Work this lead
        </MenuItem>
        <MenuItem disabled={busy} onClick={() => wake.mutate('enrich')}>
          Research the website again
        </MenuItem>
        <MenuItem disabled={busy} onClick={() => wake.mutate('suggest')}>
          Suggest next actions
        </MenuItem>
      </Menu>
      {waiting ? (
        <Link to="/crm/approvals" search={{ id: waiting.id }} className={buttonClass('primary')}>
          {waiting.tool === 'send_email' ? 'Review e-mail' : 'Review suggestion'}
        </Link>
      ) : (
        <Button
          kind="primary"
          busy={wake.isPending}
          why={busy ? 'An agent is already working this lead' : undefined}
          onClick={() => wake.mutate('work')}
        >
          Work this lead
        </Button>
      )}
    </div>
  )
}

const acts = {
  work: 'The agent starts on this lead',
  enrich: 'The agent reads the website',
  suggest: 'The agent looks for next actions',
}

const useWakeAgent = (lead: Lead) => {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (act: keyof typeof acts) =>
      send<{ run_id: string }>('POST', `/api/leads/${lead.id}/${act}`, {}),
    onSuccess: (_run, act) => {
      announce(acts[act])
      void queries.invalidateQueries({ queryKey: ['runs'] })
      void queries.invalidateQueries({ queryKey: ['lead', lead.id] })
    },
    onError: (error) => announceError('The agent was not started', error),
  })
}

/** The lead's stage, and where it can be moved. */
export const StageMenu = ({ lead }: { lead: Lead }) => {
  const [open, setOpen] = useState(false)
  const queries = useQueryClient()
  const { data: pipelines } = useQuery(pipelinesQuery)
  const stages =
    pipelines
      ?.find((pipeline) => pipeline.id === lead.pipeline_id)
      ?.stages.toSorted((a, b) => a.position - b.position) ?? []
  const total = openStages(pipelines, lead.pipeline_id)
  const key = leadQuery(lead.id).queryKey
  const move = useMutation({
    mutationFn: (stageId: string) =>
      send<Lead>('POST', `/api/opportunities/${lead.id}/move`, { stage_id: stageId }),
    onMutate: (stageId) => {
      const before = queries.getQueryData(key)
      const stage = stages.find((item) => item.id === stageId)
      if (stage) queries.setQueryData(key, (now) => now && { ...now, stage_id: stage.id, stage })
      return { before }
    },
    onError: (error, _stageId, context) => {
      queries.setQueryData(key, context?.before)
      announceError('Not moved', error)
    },
    onSuccess: (_lead, stageId) => {
      const from = lead.stage_id
      announce(`Moved to ${stages.find((stage) => stage.id === stageId)?.label ?? 'the stage'}`, {
        label: 'Undo',
        run: () => move.mutate(from),
      })
    },
    onSettled: () => {
      for (const queryKey of [['lead', lead.id], ['leads'], ['timeline', lead.id]])
        void queries.invalidateQueries({ queryKey })
    },
  })
  useKey('stage', () => setOpen(true))
  return (
    <Menu
      open={open}
      onOpenChange={setOpen}
      align="end"
      trigger={
        <button type="button" className={buttonClass('neutral')}>
          <StageRing stage={rankedStage(lead, pipelines)} of={total} />
          <span className="max-w-40 truncate">
            <span className="sr-only">Stage: </span>
            {lead.stage.label}
          </span>
          <ChevronDown size={14} className="text-ink-3" aria-hidden />
        </button>
      }
    >
      <MenuChoices
        label="Move to stage"
        value={lead.stage_id}
        onChoose={(stageId) => stageId !== lead.stage_id && move.mutate(stageId)}
        choices={stages.map((stage) => ({
          value: stage.id,
          label: stage.label,
          icon: (
            <StageRing stage={rankedStage({ stage, pipeline_id: lead.pipeline_id }, pipelines)} of={total} />
          ),
        }))}
      />
    </Menu>
  )
}

/** Who looks after the lead. */
export const OwnerMenu = ({ lead }: { lead: Lead }) => {
  const [open, setOpen] = useState(false)
  const { data: members } = useQuery(membersQuery)
  const patch = usePatchLead(lead)
  const name =
    members?.find((member) => member.user_id === lead.owner_id)?.name ??
    (lead.owner_id ? lead.owner?.name : undefined)
  useKey('owner', () => setOpen(true))
  const choose = (userId: string) =>
    patch.mutate(
      { fields: { owner_id: userId === nobody ? null : userId } },
      {
        onError: (error) =>
          announceError(
            'Owner not changed',
            error instanceof ApiError && error.status === 412
              ? new Error('Somebody changed this lead meanwhile. Look again and retry.')
              : errorText(error),
          ),
      },
    )
  return (
    <Menu
      open={open}
      onOpenChange={setOpen}
      align="end"
      trigger={
        <button type="button" className={buttonClass('neutral')}>
          {name ? (
            <ActorMark actor={{ kind: 'user', name }} size={20} />
          ) : (
            <UserRound size={16} className="text-ink-3" aria-hidden />
          )}
          <span className="max-w-32 truncate">
            <span className="sr-only">Owner: </span>
            {name ?? 'No owner'}
          </span>
          <ChevronDown size={14} className="text-ink-3" aria-hidden />
        </button>
      }
    >
      <MenuChoices
        label="Owner"
        value={lead.owner_id ?? nobody}
        onChoose={choose}
        choices={[
          {
            value: nobody,
            label: 'No owner',
            icon: <UserRound size={16} className="mx-0.5 text-ink-3" aria-hidden />,
          },
          ...(members ?? []).map((member) => ({
            value: member.user_id,
            label: member.name,
            icon: <ActorMark actor={{ kind: 'user', name: member.name }} size={20} />,
          })),
        ]}
      />
    </Menu>
  )
}

const nobody = 'nobody'
