import { PageTitle } from '../components/page-title.tsx'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { History } from 'lucide-react'
import { useAgentTitles } from '../agent-titles.ts'
import { ActorMark } from '../components/actor-mark.tsx'
import { buttonClass } from '../components/button.tsx'
import { DataTable, type Column } from '../components/data-table.tsx'
import { exactly, PageBar, tabClass } from '../components/page.tsx'
import { Empty, ErrorState, SkeletonRows } from '../components/states.tsx'
import { RunPill } from '../components/status-pill.tsx'
import { runsQuery } from '../queries.ts'
import type { Run } from '../records.ts'
import { age, between, duration, fullTime } from '../time.ts'
import { money, sentence } from '../words.ts'

/** Every time an agent worked. */
export const RunsPage = () => {
  const { status } = route.useSearch()
  const navigate = route.useNavigate()
  const runs = useInfiniteQuery(runsQuery({ status }))
  const titleOf = useAgentTitles()
  const rows = runs.data ?? []
  return (
    <>
      <PageTitle title="Runs" />
      <PageBar title="Runs">
        <nav aria-label="Which runs" className="ml-1 flex gap-1 overflow-x-auto">
          {tabs.map((tab) => (
            <Link
              key={tab.label}
              to="/crm/runs"
              search={{ status: tab.status }}
              className={tabClass}
              activeOptions={exactly}
              aria-current={status === tab.status ? 'page' : undefined}
            >
              {tab.label}
            </Link>
          ))}
        </nav>
      </PageBar>
      <main className="flex min-h-0 flex-1 flex-col">
        {runs.isPending ? (
          <SkeletonRows rows={20} />
        ) : runs.isError && rows.length === 0 ? (
          <ErrorState what="Runs could not be read" error={runs.error} onRetry={() => void runs.refetch()} />
        ) : rows.length === 0 ? (
          <Empty
            icon={<History size={18} aria-hidden />}
            title={
              status
                ? `No runs are ${tabs.find((tab) => tab.status === status)?.label.toLowerCase() ?? status}`
                : 'No agent has worked yet'
            }
            action={
              status ? (
                <Link to="/crm/runs" search={{}} className={buttonClass()}>
                  Show all runs
                </Link>
              ) : undefined
            }
          >
            {status ? undefined : 'An agent starts when a lead arrives, or when you choose “Work this lead”.'}
          </Empty>
        ) : (
          <DataTable
            label="Runs"
            columns={columnsWith(titleOf)}
            rows={rows}
            onOpen={(run) => void navigate({ to: '/crm/runs/$id', params: { id: run.id } })}
            more={
              runs.hasNextPage
                ? { load: () => void runs.fetchNextPage(), busy: runs.isFetchingNextPage }
                : undefined
            }
          />
        )}
      </main>
    </>
  )
}

const route = getRouteApi('/app/crm/runs')

const tabs: { status: string | undefined; label: string }[] = [
  { status: undefined, label: 'All' },
  { status: 'running', label: 'Running' },
  { status: 'done', label: 'Done' },
  { status: 'failed', label: 'Failed' },
  { status: 'dead', label: 'Given up' },
]

const columnsWith = (titleOf: (name: string) => string): Column<Run>[] => [
  {
    key: 'subject',
    header: 'Record',
    className: 'w-[26%] max-sm:w-auto',
    cell: (run) => (
      <>
        <Link
          to="/crm/runs/$id"
          params={{ id: run.id }}
          tabIndex={-1}
          className="font-medium hover:underline"
        >
          {run.subject_label ?? sentence(run.subject?.kind ?? 'run')}
        </Link>
        <span className="block truncate text-12 text-ink-3 sm:hidden">{titleOf(run.agent)}</span>
      </>
    ),
  },
  {
    key: 'agent',
    header: 'Agent',
    className: 'w-44 max-sm:hidden',
    cell: (run) => (
      <span className="inline-flex max-w-full items-center gap-2 align-middle">
        <ActorMark actor={{ kind: 'agent', name: titleOf(run.agent) }} size={20} />
        <span className="truncate">{titleOf(run.agent)}</span>
      </span>
    ),
  },
  {
    key: 'status',
    header: 'State',
    className: 'w-32 max-sm:pr-4 max-sm:text-right',
    cell: (run) => <RunPill status={run.status} />,
  },
  {
    key: 'stop_reason',
    header: 'Ended because',
    className: 'text-ink-2 max-lg:hidden',
    cell: (run) => run.error?.message ?? (run.stop_reason ? sentence(run.stop_reason) : '–'),
  },
  {
    key: 'duration',
    header: 'Took',
    end: true,
    className: 'w-24 text-ink-2 max-md:hidden',
    cell: (run) => took(run),
  },
  {
    key: 'tokens',
    header: 'Tokens',
    end: true,
    className: 'w-24 text-ink-2 max-lg:hidden',
    cell: (run) => tokens(run),
  },
  {
    key: 'cost',
    header: 'Cost',
    end: true,
    className: 'w-20 text-ink-2 max-lg:hidden',
    cell: (run) =>
      run.usage?.cost_minor !== undefined && run.usage.cost_minor !== null && run.usage.currency
        ? money(run.usage.cost_minor, run.usage.currency)
        : '–',
  },
  {
    key: 'started_at',
    header: 'Started',
    end: true,
    className: 'w-24 text-ink-2 max-sm:hidden',
    cell: (run) =>
      run.started_at ? (
        <time dateTime={run.started_at} title={fullTime(run.started_at)}>
          {age(run.started_at)}
        </time>
      ) : (
        '–'
      ),
  },
]

const took = (run: Run) => {
  const span = between(run.started_at, run.finished_at)
  return span === undefined ? '–' : duration(span)
}

const tokens = (run: Run) =>
  run.usage ? (run.usage.input_tokens + run.usage.output_tokens).toLocaleString('en-GB') : '–'
