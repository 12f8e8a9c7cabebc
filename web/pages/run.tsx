import { PageTitle } from '../components/page-title.tsx'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { ChevronRight } from 'lucide-react'
import { useState } from 'react'
import { ApiError, send } from '../api.ts'
import { useAgentTitle } from '../agent-titles.ts'
import { ActorMark, AgentWord } from '../components/actor-mark.tsx'
import { Button, buttonClass } from '../components/button.tsx'
import { Dialog, DialogFoot } from '../components/dialog.tsx'
import { PageBar, PageBody } from '../components/page.tsx'
import { RunStory } from '../components/run-story.tsx'
import { approvalOf, stepFailed, triggerText } from '../components/run-steps.ts'
import { Empty, ErrorState, SkeletonBar, SkeletonRows } from '../components/states.tsx'
import { RunPill } from '../components/status-pill.tsx'
import { announce, announceError } from '../toasts.ts'
import { runQuery } from '../queries.ts'
import type { Run } from '../records.ts'
import { between, duration, fullTime } from '../time.ts'
import { count, money, sentence } from '../words.ts'

/** The story of one run. */
export const RunPage = () => {
  const { id } = route.useParams()
  const run = useQuery(runQuery(id))
  if (run.data) return <RunRecord run={run.data} />
  const gone = run.error instanceof ApiError && run.error.status === 404
  return (
    <>
      <PageBar title="Run" />
      <PageBody>
        {gone ? (
          <Empty
            title="There is no run here"
            action={
              <Link to="/crm/runs" className={buttonClass()}>
                Go to runs
              </Link>
            }
          />
        ) : run.error ? (
          <ErrorState
            what="This run could not be read"
            error={run.error}
            onRetry={() => void run.refetch()}
          />
        ) : (
          <div className="mx-auto max-w-200 px-6 py-6">
            <SkeletonBar className="mb-6 h-8 w-2/3" />
            <SkeletonRows rows={6} height={44} />
          </div>
        )}
      </PageBody>
    </>
  )
}

const route = getRouteApi('/app/crm/runs/$id')

const RunRecord = ({ run }: { run: Run }) => {
  const title = useAgentTitle(run.agent)
  const took = between(run.started_at, run.finished_at)
  const subject = run.subject_label ?? 'the lead'
  return (
    <>
      <PageTitle title={`Run of ${title}`} />
      <PageBar
        title={
          <span className="flex items-center gap-1.5 text-13">
            <Link to="/crm/runs" className="font-normal text-ink-2 hover:text-ink-1 hover:underline">
              Runs
            </Link>
            <ChevronRight size={14} className="text-ink-3" aria-hidden />
            <span className="truncate">{subject}</span>
          </span>
        }
        acts={<RunActs run={run} title={title} />}
      />
      <PageBody>
        <div className="mx-auto flex max-w-200 flex-col gap-6 px-6 py-6 max-sm:px-4">
          <header className="flex items-start gap-3">
            <ActorMark actor={{ kind: 'agent', name: title }} size={32} />
            <div className="min-w-0 flex-1">
              <h2 className="text-16 font-semibold">{outcome(run, title, subject)}</h2>
              <p className="mt-1 flex flex-wrap items-center gap-2 text-ink-2">
                <AgentWord />
                <RunPill status={run.status} />
                {run.subject && (run.subject.kind === 'lead' || run.subject.kind === 'opportunity') && (
                  <Link
                    to="/crm/leads/$id"
                    params={{ id: run.subject.id }}
                    className="text-accent-text hover:underline"
                  >
                    {run.subject_label ?? 'Open the lead'}
                  </Link>
                )}
                <span className="text-ink-3">{triggerText(run)}</span>
              </p>
              {run.error && <p className="mt-2 text-bad-text">{run.error.message}</p>}
            </div>
          </header>
          <dl className="grid grid-cols-2 gap-x-8 gap-y-3 rounded-card border border-line px-4 py-3 sm:grid-cols-4">
            <Figure name="Model">{run.model === 'rules' ? 'rules (built in)' : (run.model ?? '–')}</Figure>
            <Figure name="Prompt version">{run.prompt_version ?? '–'}</Figure>
            <Figure name="Started">{run.started_at ? fullTime(run.started_at) : 'not yet'}</Figure>
            <Figure name="Took">{took === undefined ? '–' : duration(took)}</Figure>
            <Figure name="Tokens read">
              {run.usage ? run.usage.input_tokens.toLocaleString('en-GB') : '–'}
            </Figure>
            <Figure name="Tokens written">
              {run.usage ? run.usage.output_tokens.toLocaleString('en-GB') : '–'}
            </Figure>
            <Figure name="Cost">
              {run.usage?.cost_minor !== undefined && run.usage.cost_minor !== null && run.usage.currency
                ? money(run.usage.cost_minor, run.usage.currency)
                : run.model === 'rules'
                  ? 'none'
                  : '–'}
            </Figure>
            <Figure name="Ended because">{run.stop_reason ? sentence(run.stop_reason) : '–'}</Figure>
          </dl>
          <RunStory run={run} />
        </div>
      </PageBody>
    </>
  )
}

const outcome = (run: Run, title: string, subject: string) => {
  if (run.outcome) return run.outcome
  const acts = run.steps?.filter((step) => step.kind !== 'model') ?? []
  const asked = acts.some((step) => step.verdict === 'park' || approvalOf(step))
  switch (run.status) {
    case 'queued':
      return `${title} will work ${subject} next`
    case 'running':
      return `${title} works ${subject} now`
    case 'done':
    case 'paused':
      return `${title} took ${count(acts.length, 'step')} on ${subject}${asked ? ' and asked before anything was sent' : ''}`
    case 'failed':
    case 'dead': {
      const broken = acts.find(stepFailed)
      return `${title} could not finish its work on ${subject}${broken?.tool ? `. It failed at “${sentence(broken.tool).toLowerCase()}”` : ''}`
    }
    case 'stopped':
      return `${title} was stopped on ${subject} before it finished`
    case 'cancelled':
      return `A person stopped ${title} on ${subject}`
  }
}

const RunActs = ({ run, title }: { run: Run; title: string }) => {
  const [asking, setAsking] = useState(false)
  const queries = useQueryClient()
  const navigate = useNavigate()
  const retry = useMutation({
    mutationFn: () => send<{ run_id: string }>('POST', `/api/runs/${run.id}/retry`, {}),
    onSuccess: ({ run_id }) => {
      announce(`${title} tries again`)
      void queries.invalidateQueries({ queryKey: ['runs'] })
      void navigate({ to: '/crm/runs/$id', params: { id: run_id } })
    },
    onError: (error) => announceError('Not started again', error),
  })
  const cancel = useMutation({
    mutationFn: () => send<Run>('POST', `/api/runs/${run.id}/cancel`, {}),
    onSuccess: () => {
      setAsking(false)
      void queries.invalidateQueries({ queryKey: ['run', run.id] })
    },
    onError: (error) => announceError('Not stopped', error),
  })
  if (run.status === 'failed' || run.status === 'dead') {
    return (
      <Button kind="primary" busy={retry.isPending} onClick={() => retry.mutate()}>
        Retry
      </Button>
    )
  }
  if (run.status !== 'running' && run.status !== 'queued') return null
  return (
    <>
      <Button onClick={() => setAsking(true)}>Stop…</Button>
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title={`Stop ${title} here?`}
        description="Finished steps stay finished."
      >
        <div className="h-4" />
        <DialogFoot>
          <Button onClick={() => setAsking(false)}>Let it work</Button>
          <Button kind="danger" busy={cancel.isPending} onClick={() => cancel.mutate()}>
            Stop
          </Button>
        </DialogFoot>
      </Dialog>
    </>
  )
}

const Figure = ({ name, children }: { name: string; children: React.ReactNode }) => (
  <div className="min-w-0">
    <dt className="text-12 text-ink-3">{name}</dt>
    <dd className="truncate tabular-nums">{children}</dd>
  </div>
)
