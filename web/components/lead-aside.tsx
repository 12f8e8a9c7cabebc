import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ChevronRight, Circle, CircleCheck } from 'lucide-react'
import { useActorName, useAgentTitle } from '../agent-titles.ts'
import { send } from '../api.ts'
import { announce, announceError } from '../toasts.ts'
import { runsQuery, tasksQuery } from '../queries.ts'
import type { Approval, Lead, Run, Task } from '../records.ts'
import { age, between, day, duration, until } from '../time.ts'
import { ActorMark } from './actor-mark.tsx'
import { buttonClass } from './button.tsx'
import { Section } from './page.tsx'
import { FactSource } from './sourced-value.tsx'
import { ApprovalPill, RunPill } from './status-pill.tsx'
import { fieldLabel } from '../words.ts'

/** What waits for a person on this lead, what is to do, and what agents did. */
export const LeadAside = ({ lead, approvals }: { lead: Lead; approvals: Approval[] }) => {
  const runs = useInfiniteQuery(runsQuery({ subject_id: lead.id, limit: 5 }))
  const tasks = useQuery(tasksQuery(lead.id))
  const open = tasks.data ?? []
  return (
    <div className="flex flex-col gap-6">
      {approvals.length > 0 && (
        <Section title="Needs you">
          <ul className="flex flex-col gap-2">
            {approvals.map((approval) => (
              <CompactApproval key={approval.id} approval={approval} />
            ))}
          </ul>
        </Section>
      )}
      {open.length > 0 && (
        <Section title="Tasks">
          <ul className="flex flex-col">
            {open.map((task) => (
              <TaskLine key={task.id} task={task} />
            ))}
          </ul>
        </Section>
      )}
      {lead.enrichment && <Findings lead={lead} />}
      <Section title="Runs">
        {runs.data && runs.data.length > 0 ? (
          <ul className="-mx-2 flex flex-col">
            {runs.data.map((run) => (
              <RunLine key={run.id} run={run} />
            ))}
          </ul>
        ) : (
          <p className="text-ink-3">{runs.isPending ? '' : 'No agent has worked this lead yet.'}</p>
        )}
      </Section>
    </div>
  )
}

const CompactApproval = ({ approval }: { approval: Approval }) => {
  const nameOf = useActorName()
  return (
    <li className="rounded-card border border-line bg-raised p-3 shadow-card">
      <div className="flex items-start gap-2">
        <ActorMark actor={{ ...approval.proposed_by, name: nameOf(approval.proposed_by) }} size={20} />
        <p className="min-w-0 flex-1 font-medium">{approval.mail?.subject ?? approval.summary}</p>
      </div>
      <p className="mt-1 line-clamp-2 text-12 text-ink-2">
        {approval.mail ? `To ${approval.mail.to}` : (approval.reason ?? approval.tool_title)}
      </p>
      <div className="mt-2.5 flex items-center gap-2">
        {approval.status === 'pending' ? (
          <span className="truncate text-12 text-ink-3">
            {approval.expires_at && until(approval.expires_at) ? `Expires ${until(approval.expires_at)}` : ''}
          </span>
        ) : (
          <ApprovalPill status={approval.status} />
        )}
        <Link
          to="/crm/approvals"
          search={{ id: approval.id }}
          className={`${buttonClass('neutral', 'sm')} ml-auto`}
        >
          Review
        </Link>
      </div>
    </li>
  )
}

const TaskLine = ({ task }: { task: Task }) => {
  const queries = useQueryClient()
  const complete = useMutation({
    mutationFn: () => send('POST', `/api/tasks/${task.id}/complete`, {}),
    onSuccess: () => announce(`Done: ${task.title}`),
    onError: (error) => announceError('Task not completed', error),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['tasks'] })
      void queries.invalidateQueries({ queryKey: ['timeline'] })
    },
  })
  const Mark = complete.isPending || complete.isSuccess ? CircleCheck : Circle
  return (
    <li className="flex min-h-8 items-center gap-1.5">
      <button
        type="button"
        aria-label={`Complete ${task.title}`}
        disabled={complete.isPending}
        onClick={() => complete.mutate()}
        className="-ml-1 flex size-6 shrink-0 items-center justify-center rounded-full text-ink-3 hover:bg-hover hover:text-ink-1"
      >
        <Mark size={16} strokeWidth={1.5} aria-hidden />
      </button>
      <span className="min-w-0 flex-1 truncate" title={task.title}>
        {task.title}
      </span>
      {task.due_at && <span className="text-12 whitespace-nowrap text-ink-3">due {day(task.due_at)}</span>}
    </li>
  )
}

const Findings = ({ lead }: { lead: Lead }) => {
  const found = lead.enrichment
  if (!found) return null
  return (
    <Section title="Found on the website">
      {found.summary && <p className="text-ink-2">{found.summary}</p>}
      <ul className="mt-2 flex flex-col gap-2">
        {found.facts.map((fact) => (
          <li key={`${fact.key}${fact.value}`}>
            <details className="group">
              <summary className="flex list-none items-center gap-2 rounded-tag">
                <ChevronRight
                  size={12}
                  className="shrink-0 text-ink-3 transition-transform group-open:rotate-90"
                  aria-hidden
                />
                <span className="shrink-0 text-ink-3">{fieldLabel(fact.key)}</span>
                <span className="sourced min-w-0 truncate">{fact.value}</span>
              </summary>
              <div className="pl-5">
                <FactSource fact={fact} />
              </div>
            </details>
          </li>
        ))}
      </ul>
    </Section>
  )
}

const RunLine = ({ run }: { run: Run }) => {
  const title = useAgentTitle(run.agent)
  const took = between(run.started_at, run.finished_at)
  return (
    <li>
      <Link
        to="/crm/runs/$id"
        params={{ id: run.id }}
        className="flex h-9 items-center gap-2 rounded-control px-2 hover:bg-hover"
      >
        <ActorMark actor={{ kind: 'agent', name: title }} size={20} />
        <span className="min-w-0 flex-1 truncate">{title}</span>
        <span className="text-12 text-ink-3 tabular-nums">
          {took === undefined ? (run.started_at ? age(run.started_at) : '') : duration(took)}
        </span>
        <RunPill status={run.status} />
      </Link>
    </li>
  )
}
