import { useQuery } from '@tanstack/react-query'
import { CircleDot, ListFilter, Tag, UserRound, X } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useKey } from '../hotkeys.ts'
import { membersQuery, pipelinesQuery } from '../queries.ts'
import { ActorMark } from './actor-mark.tsx'
import { Button } from './button.tsx'
import { Menu, MenuTicks, Submenu } from './menu.tsx'
import { openStages, rankedStage, StageRing } from './stage.tsx'

/** What a list of leads can be narrowed by; several values of one kind are alternatives. */
export type LeadFilters = { stage?: string; owner?: string; source?: string }

/** The chips of the filters in force and the menu that adds one. */
export const LeadFilterBar = ({
  filters,
  sources,
  onChange,
}: {
  filters: LeadFilters
  sources: string[]
  onChange: (filters: LeadFilters) => void
}) => {
  const [open, setOpen] = useState(false)
  const kinds = useFilterKinds(sources)
  useKey('filter', () => setOpen(true))
  const set = (key: keyof LeadFilters, values: string[]) =>
    onChange({ ...filters, [key]: values.join(',') || undefined })
  const valuesOf = (key: keyof LeadFilters) => filters[key]?.split(',') ?? []
  return (
    <>
      {kinds.map((kind) => {
        const values = valuesOf(kind.key)
        if (values.length === 0) return null
        const labels = values.map(
          (value) => kind.choices.find((choice) => choice.value === value)?.text ?? value,
        )
        return (
          <span
            key={kind.key}
            className="inline-flex h-7 min-w-0 shrink items-center overflow-hidden rounded-control border border-line bg-raised text-12"
          >
            <span className="truncate pl-2 max-sm:hidden">
              <span className="text-ink-3">{kind.label}:</span> {labels.join(', ')}
            </span>
            <span className="truncate pl-2 sm:hidden">{labels.join(', ')}</span>
            <button
              type="button"
              aria-label={`Clear ${kind.label}: ${labels.join(', ')}`}
              data-inset-focus
              onClick={() => set(kind.key, [])}
              className="ml-1 flex h-full w-6 shrink-0 items-center justify-center text-ink-3 hover:bg-hover hover:text-ink-1"
            >
              <X size={12} aria-hidden />
            </button>
          </span>
        )
      })}
      <Menu
        open={open}
        onOpenChange={setOpen}
        trigger={
          <Button
            kind="ghost"
            size="sm"
            icon={<ListFilter size={14} aria-hidden />}
            className="max-sm:w-9 max-sm:px-0"
            aria-label="Filter"
          >
            <span className="max-sm:hidden">Filter</span>
          </Button>
        }
      >
        {kinds.map((kind) => (
          <Submenu key={kind.key} label={kind.label} icon={kind.icon}>
            {kind.choices.length === 0 ? (
              <p className="px-2 py-1.5 text-ink-3">Nothing to choose yet</p>
            ) : (
              <MenuTicks
                values={valuesOf(kind.key)}
                choices={kind.choices}
                onChange={(values) => set(kind.key, values)}
              />
            )}
          </Submenu>
        ))}
      </Menu>
    </>
  )
}

/** The names of the filters in force, as in “Stage: New, Owner: Mira”. */
export const useFilterNames = (filters: LeadFilters, sources: string[]): string =>
  useFilterKinds(sources)
    .flatMap((kind) => {
      const labels = filters[kind.key]
        ?.split(',')
        .map((value) => kind.choices.find((choice) => choice.value === value)?.text ?? value)
      return labels ? [`${kind.label}: ${labels.join(' or ')}`] : []
    })
    .join(', ')

/** The filters in the API's language; undefined when nothing is narrowed. */
export const filterOf = (filters: LeadFilters): string | undefined => {
  const owners = filters.owner?.split(',') ?? []
  const named = owners.filter((owner) => owner !== nobody)
  const parts = [
    filters.stage && { field: 'stage_id', op: 'in', value: filters.stage.split(',') },
    filters.source && { field: 'source', op: 'in', value: filters.source.split(',') },
    owners.length > 0 && {
      or: [
        ...(named.length > 0 ? [{ field: 'owner_id', op: 'in', value: named }] : []),
        ...(owners.includes(nobody) ? [{ field: 'owner_id', op: 'is_empty' }] : []),
      ],
    },
  ].filter(Boolean)
  return parts.length === 0 ? undefined : JSON.stringify(parts.length === 1 ? parts[0] : { and: parts })
}

const nobody = 'nobody'

type Kind = {
  key: keyof LeadFilters
  label: string
  icon: ReactNode
  choices: { value: string; label: ReactNode; text: string; icon?: ReactNode }[]
}

const useFilterKinds = (sources: string[]): Kind[] => {
  const { data: pipelines } = useQuery(pipelinesQuery)
  const { data: members } = useQuery(membersQuery)
  const leadPipelines = pipelines?.filter((pipeline) => pipeline.record_kind === 'lead') ?? []
  return [
    {
      key: 'stage',
      label: 'Stage',
      icon: <CircleDot size={16} aria-hidden />,
      choices: leadPipelines.flatMap((pipeline) =>
        pipeline.stages.map((stage) => ({
          value: stage.id,
          label: stage.label,
          text: stage.label,
          icon: (
            <StageRing
              stage={rankedStage({ stage, pipeline_id: pipeline.id }, pipelines)}
              of={openStages(pipelines, pipeline.id)}
            />
          ),
        })),
      ),
    },
    {
      key: 'owner',
      label: 'Owner',
      icon: <UserRound size={16} aria-hidden />,
      choices: [
        { value: nobody, label: 'Nobody', text: 'Nobody' },
        ...(members ?? []).map((member) => ({
          value: member.user_id,
          label: member.name,
          text: member.name,
          icon: <ActorMark actor={{ kind: 'user', name: member.name }} size={20} />,
        })),
      ],
    },
    {
      key: 'source',
      label: 'Source',
      icon: <Tag size={16} aria-hidden />,
      choices: sources.map((source) => ({ value: source, label: source, text: source })),
    },
  ]
}
