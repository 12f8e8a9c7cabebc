import { PageTitle } from '../components/page-title.tsx'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Bot } from 'lucide-react'
import { send } from '../api.ts'
import { ActorMark, AgentWord } from '../components/actor-mark.tsx'
import { AgentTriggers } from '../components/agent-triggers.tsx'
import { Switch } from '../components/field.tsx'
import { PageBar, PageBody } from '../components/page.tsx'
import { PolicyTable } from '../components/policy-table.tsx'
import { Empty, Loaded, SkeletonRows } from '../components/states.tsx'
import { announce, announceError } from '../toasts.ts'
import { useMay } from '../permissions.ts'
import { agentsQuery, meQuery, settingsQuery, showAgent, toolsQuery } from '../queries.ts'
import type { Agent, Settings, Tool } from '../workspace.ts'
import { count } from '../words.ts'

/** Who the agents are, how they have been judged, and what each may do alone. */
export const AgentsPage = () => {
  const agents = useQuery(agentsQuery)
  const { data: tools } = useQuery(toolsQuery)
  const isAdmin = useMay('agents:write')
  return (
    <>
      <PageTitle title="Agents" />
      <PageBar title="Agents" />
      <PageBody>
        <div className="mx-auto flex max-w-240 flex-col gap-6 px-6 py-6 max-sm:px-4">
          <OrganizationSwitch />
          <Loaded
            query={agents}
            what="Agents could not be read"
            skeleton={<SkeletonRows rows={6} height={48} />}
          >
            {(list) =>
              list.length === 0 ? (
                <Empty icon={<Bot size={18} aria-hidden />} title="There are no agents" />
              ) : (
                <div className="flex flex-col gap-6">
                  {list.map((agent) => (
                    <AgentCard key={agent.name} agent={agent} tools={tools} isAdmin={isAdmin} />
                  ))}
                </div>
              )
            }
          </Loaded>
        </div>
      </PageBody>
    </>
  )
}

const OrganizationSwitch = () => {
  const settings = useQuery(settingsQuery)
  const queries = useQueryClient()
  const isAdmin = useMay('settings:write')
  const save = useMutation({
    mutationFn: (ai_enabled: boolean) =>
      send<Settings>('PATCH', '/api/settings', { version: settings.data?.version, ai_enabled }),
    onSuccess: (saved) => {
      queries.setQueryData(settingsQuery.queryKey, saved)
      void queries.invalidateQueries({ queryKey: meQuery.queryKey })
      announce(saved.ai_enabled ? 'Agents are on' : 'Agents are off for everybody')
    },
    onError: (error) => {
      announceError('Not switched', error)
      void settings.refetch()
    },
  })
  if (!settings.data) return null
  return (
    <div className="flex items-center gap-4 rounded-card border border-line px-4 py-3">
      <div className="min-w-0 flex-1">
        <div className="font-medium">{settings.data.ai_enabled ? 'Agents are on' : 'Agents are off'}</div>
        <div className="text-ink-2">
          Off stops every agent in the organization before its next step. Leads that come in meanwhile are
          worked when agents are on again, unless somebody took them up. Nothing that waits for you is lost.
        </div>
      </div>
      <Switch
        label="Agents on for the whole organization"
        checked={settings.data.ai_enabled}
        disabled={!isAdmin || save.isPending}
        onChange={(on) => save.mutate(on)}
      />
    </div>
  )
}

const AgentCard = ({
  agent,
  tools,
  isAdmin,
}: {
  agent: Agent
  tools: Tool[] | undefined
  isAdmin: boolean
}) => {
  const queries = useQueryClient()
  const pause = useMutation({
    mutationFn: (enabled: boolean) =>
      send<Agent>('PATCH', `/api/agents/${agent.name}`, { version: agent.version, enabled }),
    onSuccess: (saved) => {
      showAgent(queries, saved)
      announce(
        saved.enabled
          ? `${agent.title} works again`
          : `${agent.title} is paused. New leads wait until it works again.`,
      )
      void queries.invalidateQueries({ queryKey: agentsQuery.queryKey })
      void queries.invalidateQueries({ queryKey: meQuery.queryKey })
    },
    onError: (error) => announceError('Not changed', error),
  })
  const { stats } = agent
  return (
    <section aria-label={agent.title} className="rounded-card border border-line px-4">
      <div className="flex items-start gap-3 py-4">
        <ActorMark actor={{ kind: 'agent', name: agent.title }} size={32} />
        <div className="min-w-0 flex-1">
          <h2 className="flex items-center gap-2 text-14 font-semibold">
            {agent.title} <AgentWord />
          </h2>
          <p className="text-ink-2">{agent.description}</p>
        </div>
        <div className="flex shrink-0 items-center gap-2">
          <span className="text-ink-2" aria-hidden>
            {agent.enabled ? 'Working' : 'Paused'}
          </span>
          <Switch
            label={`${agent.title} works`}
            checked={agent.enabled}
            disabled={!isAdmin || pause.isPending}
            onChange={(on) => pause.mutate(on)}
          />
        </div>
      </div>
      <dl className="flex flex-wrap gap-x-10 gap-y-3 border-t border-line py-4">
        <Figure name="Approved unchanged">
          {stats.decided === 0 ? '–' : `${Math.round((100 * stats.approved_unchanged) / stats.decided)} %`}
        </Figure>
        <Figure name="Decided">{stats.decided.toLocaleString('en-GB')}</Figure>
        <Figure name="Runs">
          <Link to="/crm/runs" className="hover:underline">
            {stats.runs.toLocaleString('en-GB')}
          </Link>
        </Figure>
        <Figure name="Model">{agent.model === 'rules' ? 'rules (built in, no key)' : agent.model}</Figure>
      </dl>
      <h3 className="border-t border-line pt-3 pb-2 text-12 font-semibold text-ink-2">Also woken when</h3>
      <AgentTriggers agent={agent} locked={!isAdmin} />
      <h3 className="border-t border-line pt-3 pb-2 text-12 font-semibold text-ink-2">
        Policies <span className="font-normal text-ink-3">· {count(agent.autonomy.length, 'tool')}</span>
      </h3>
      <PolicyTable agent={agent} tools={tools} locked={!isAdmin} />
    </section>
  )
}

const Figure = ({ name, children }: { name: string; children: React.ReactNode }) => (
  <div>
    <dt className="text-12 text-ink-3">{name}</dt>
    <dd className="text-14 font-medium tabular-nums">{children}</dd>
  </div>
)
