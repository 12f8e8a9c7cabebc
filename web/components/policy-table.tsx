import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { send } from '../api.ts'
import { agentsQuery } from '../queries.ts'
import type { Agent, PolicyLevel, Tool } from '../workspace.ts'
import { sentence } from '../words.ts'
import { Tooltip } from './tooltip.tsx'
import { announce, announceError } from '../toasts.ts'

/** What an agent may do by itself, tool by tool; a change counts from its next act on. */
export const PolicyTable = ({
  agent,
  tools,
  locked,
}: {
  agent: Agent
  tools: Tool[] | undefined
  locked: boolean
}) => {
  const queries = useQueryClient()
  const save = useMutation({
    mutationFn: ({ tool, level }: { tool: string; level: PolicyLevel }) =>
      send('PUT', `/api/policies/${agent.name}/${tool}`, { level }),
    onMutate: ({ tool, level }) => {
      const before = queries.getQueryData(agentsQuery.queryKey)
      queries.setQueryData(agentsQuery.queryKey, (agents) =>
        agents?.map((item) =>
          item.name === agent.name
            ? {
                ...item,
                autonomy: item.autonomy.map((entry) => (entry.tool === tool ? { tool, level } : entry)),
              }
            : item,
        ),
      )
      return { before }
    },
    onError: (error, _change, context) => {
      queries.setQueryData(agentsQuery.queryKey, context?.before)
      announceError('Policy not changed', error)
    },
    onSuccess: (_answer, { tool, level }) => announce(`${titleOf(tool, tools)}: ${levelWords[level]}`),
    onSettled: () => queries.invalidateQueries({ queryKey: agentsQuery.queryKey }),
  })
  return (
    <ul aria-label={`Policies of ${agent.title}`} className="flex flex-col">
      {agent.autonomy.map(({ tool, level }) => {
        const known = tools?.find((item) => item.name === tool)
        return (
          <li
            key={tool}
            className="flex min-h-12 items-center gap-4 border-t border-line py-2 max-sm:flex-col max-sm:items-start max-sm:gap-2"
          >
            <div className="min-w-0 flex-1">
              <div className="font-medium">{titleOf(tool, tools)}</div>
              <div className="text-12 text-ink-3">
                {known?.description}
                {known?.effect === 'outbound' && ' What reaches somebody outside always asks first.'}
              </div>
            </div>
            <Segments
              name={`${agent.name}.${tool}`}
              label={titleOf(tool, tools)}
              level={level}
              asksAlways={known?.effect === 'outbound'}
              locked={locked}
              onChoose={(next, takeBack) => save.mutate({ tool, level: next }, { onError: takeBack })}
            />
          </li>
        )
      })}
    </ul>
  )
}

const levelWords: Record<PolicyLevel, string> = {
  suggest: 'asks first',
  act: 'does it',
  deny: 'never',
  off: 'never',
}

const choices: { level: PolicyLevel; label: string }[] = [
  { level: 'suggest', label: 'Ask' },
  { level: 'act', label: 'Do it' },
  { level: 'deny', label: 'Never' },
]

const Segments = ({
  name,
  label,
  level,
  asksAlways,
  locked,
  onChoose,
}: {
  name: string
  label: string
  level: PolicyLevel
  asksAlways: boolean
  locked: boolean
  onChoose: (level: PolicyLevel, takeBack: () => void) => void
}) => {
  // What was chosen shows at once; the saved level takes over when it arrives.
  const [chosen, setChosen] = useState<{ level: PolicyLevel; insteadOf: PolicyLevel }>()
  const current = chosen?.insteadOf === level ? chosen.level : level
  const shown = asksAlways && current === 'act' ? 'suggest' : current === 'off' ? 'deny' : current
  const group = (
    <div
      role="radiogroup"
      aria-label={label}
      className="inline-flex shrink-0 gap-0.5 rounded-control bg-active p-0.5"
    >
      {choices
        .filter((choice) => !asksAlways || choice.level !== 'act')
        .map((choice) => (
          <label
            key={choice.level}
            className={`flex h-6 items-center rounded-tag px-2.5 text-12 font-medium has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-mark ${
              choice.level === shown ? 'bg-raised text-ink-1 shadow-card' : 'text-ink-2 hover:text-ink-1'
            }`}
          >
            <input
              type="radio"
              name={name}
              className="sr-only"
              disabled={locked}
              checked={choice.level === shown}
              onChange={() => {
                setChosen({ level: choice.level, insteadOf: level })
                onChoose(choice.level, () => setChosen(undefined))
              }}
            />
            {choice.label}
          </label>
        ))}
    </div>
  )
  return locked ? <Tooltip label="Only admins can change policies.">{group}</Tooltip> : group
}

const titleOf = (tool: string, tools: Tool[] | undefined) =>
  tools?.find((item) => item.name === tool)?.title ?? sentence(tool)
