import { useMutation, useQueryClient } from '@tanstack/react-query'
import { send } from '../api.ts'
import { agentsQuery, showAgent } from '../queries.ts'
import { announce, announceError } from '../toasts.ts'
import { type Agent, type AgentTrigger, agentTriggers } from '../workspace.ts'
import { Switch } from './field.tsx'

/** What else wakes an agent, beside a new lead and a person who asks; a switch counts from the next time on. */
export const AgentTriggers = ({ agent, locked }: { agent: Agent; locked: boolean }) => {
  const queries = useQueryClient()
  const save = useMutation({
    mutationFn: ({ trigger, on }: { trigger: AgentTrigger; on: boolean }) =>
      send<Agent>('PATCH', `/api/agents/${agent.name}`, {
        version: agent.version,
        triggers: { [trigger]: on },
      }),
    onSuccess: (saved, { trigger, on }) => {
      showAgent(queries, saved)
      announce(`${agent.title} ${on ? words[trigger].on : words[trigger].off}`)
    },
    onError: (error) => announceError('Not changed', error),
    onSettled: () => queries.invalidateQueries({ queryKey: agentsQuery.queryKey }),
  })
  return (
    <ul aria-label={`What wakes ${agent.title}`} className="flex flex-col">
      {agentTriggers.map((trigger) => (
        <li key={trigger} className="flex min-h-12 items-center gap-4 border-t border-line py-2">
          <div className="min-w-0 flex-1">
            <div className="font-medium">{words[trigger].title}</div>
            <div className="text-12 text-ink-3">{words[trigger].description}</div>
          </div>
          <Switch
            label={`${agent.title} is woken: ${words[trigger].title}`}
            checked={agent.triggers[trigger]}
            disabled={locked || save.isPending}
            onChange={(on) => save.mutate({ trigger, on })}
          />
        </li>
      ))}
    </ul>
  )
}

const words: Record<AgentTrigger, { title: string; description: string; on: string; off: string }> = {
  'stage.stuck': {
    title: 'A lead is stuck in its stage',
    description:
      'It looks once at a lead that has been in a stage for longer than the stage allows, and proposes next steps.',
    on: 'looks at stuck leads',
    off: 'leaves stuck leads alone',
  },
}
