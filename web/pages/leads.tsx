import { PageTitle } from '../components/page-title.tsx'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Plus, Search, Users, Webhook } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { ActorMark } from '../components/actor-mark.tsx'
import { Button, buttonClass } from '../components/button.tsx'
import { DataTable, type Column } from '../components/data-table.tsx'
import { filterOf, LeadFilterBar, useFilterNames } from '../components/lead-filters.tsx'
import { PageBar } from '../components/page.tsx'
import { ScoreBadge } from '../components/score.tsx'
import { useShell } from '../components/shell-context.ts'
import { StageLabel } from '../components/stage.tsx'
import { Empty, ErrorState, SkeletonRows } from '../components/states.tsx'
import { LeadPill } from '../components/status-pill.tsx'
import { useKey } from '../hotkeys.ts'
import { leadsQuery, pipelinesQuery } from '../queries.ts'
import type { Lead, Pipeline } from '../records.ts'
import { age, day, daysSince, fullTime } from '../time.ts'

/** Every lead as a row; search, filters and order live in the address. */
export const LeadsPage = () => {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const shell = useShell()
  const leads = useInfiniteQuery(leadsQuery({ q: search.q, filter: filterOf(search), sort: search.sort }))
  const { data: pipelines } = useQuery(pipelinesQuery)
  const columns = useMemo(() => columnsWith(pipelines), [pipelines])
  const sources = useSources(leads.data, search.source)
  const rows = leads.data ?? []
  const narrowed = Boolean(search.q || search.stage || search.owner || search.source)
  return (
    <>
      <PageTitle title="Leads" />
      <PageBar
        title="Leads"
        acts={
          <Button
            kind="primary"
            hotkey="create_lead"
            icon={<Plus size={16} aria-hidden />}
            onClick={shell.createLead}
          >
            <span className="max-sm:sr-only">Create lead</span>
          </Button>
        }
      >
        <SearchBox
          value={search.q}
          onChange={(q) => void navigate({ search: (now) => ({ ...now, q }), replace: true })}
        />
        <LeadFilterBar
          filters={search}
          sources={sources}
          onChange={(filters) => void navigate({ search: (now) => ({ ...now, ...filters }) })}
        />
      </PageBar>
      <main className="flex min-h-0 flex-1 flex-col">
        {leads.isPending ? (
          <SkeletonRows rows={20} />
        ) : leads.isError && rows.length === 0 ? (
          <ErrorState
            what="Leads could not be read"
            error={leads.error}
            onRetry={() => void leads.refetch()}
          />
        ) : rows.length === 0 ? (
          narrowed ? (
            <NothingMatches search={search} sources={sources} onClear={() => void navigate({ search: {} })} />
          ) : (
            <FirstUse />
          )
        ) : (
          <DataTable
            label="Leads"
            columns={columns}
            rows={rows}
            sort={search.sort ?? '-created_at'}
            onSort={(sort) =>
              void navigate({
                search: (now) => ({ ...now, sort: sort === '-created_at' ? undefined : sort }),
              })
            }
            onOpen={(lead) => void navigate({ to: '/crm/leads/$id', params: { id: lead.id } })}
            more={
              leads.hasNextPage
                ? { load: () => void leads.fetchNextPage(), busy: leads.isFetchingNextPage }
                : undefined
            }
          />
        )}
      </main>
    </>
  )
}

const route = getRouteApi('/app/crm/leads')

const columnsWith = (pipelines: Pipeline[] | undefined): Column<Lead>[] => [
  {
    key: 'name',
    header: 'Name',
    sort: 'name',
    cell: (lead) => (
      <>
        <Link
          to="/crm/leads/$id"
          params={{ id: lead.id }}
          tabIndex={-1}
          className="font-medium text-ink-1 hover:underline"
        >
          {lead.contact_name ?? lead.name}
        </Link>
        <span className="block truncate text-12 text-ink-3 sm:hidden">
          {[lead.company_name, lead.stage.label].filter(Boolean).join(' · ')}
        </span>
      </>
    ),
  },
  {
    key: 'company_name',
    header: 'Company',
    sort: 'company_name',
    className: 'max-sm:hidden',
    cell: (lead) => lead.company_name ?? <None />,
  },
  {
    key: 'stage',
    header: 'Stage',
    className: 'w-44 max-lg:w-38 max-sm:hidden',
    cell: (lead) => <StageLabel lead={lead} pipelines={pipelines} />,
  },
  {
    key: 'pill',
    header: 'State',
    className: 'w-34 max-lg:w-30 max-sm:pr-4 max-sm:text-right',
    cell: (lead) => <LeadPill lead={lead} />,
  },
  {
    key: 'score',
    header: 'Score',
    sort: 'score',
    end: true,
    className: 'w-28 max-md:pr-4 max-sm:hidden',
    cell: (lead) => <ScoreBadge score={lead.score} />,
  },
  {
    key: 'source',
    header: 'Source',
    className: 'w-28 pl-6 text-ink-2 max-lg:hidden',
    cell: (lead) => lead.source ?? <None />,
  },
  {
    key: 'owner',
    header: 'Owner',
    className: 'w-40 max-lg:hidden',
    cell: (lead) =>
      lead.owner ? (
        <span className="inline-flex max-w-full items-center gap-2 align-middle">
          <ActorMark actor={{ kind: 'user', name: lead.owner.name }} size={20} />
          <span className="truncate text-ink-2">{lead.owner.name}</span>
        </span>
      ) : (
        <None />
      ),
  },
  {
    key: 'stage_entered_at',
    header: 'In stage',
    end: true,
    className: 'w-20 text-ink-2 max-lg:pr-4 max-md:hidden',
    cell: (lead) => (
      <span title={fullTime(lead.stage_entered_at)}>
        {daysSince(lead.stage_entered_at) === 0
          ? age(lead.stage_entered_at)
          : `${daysSince(lead.stage_entered_at)} d`}
      </span>
    ),
  },
  {
    key: 'created_at',
    header: 'Created',
    sort: 'created_at',
    end: true,
    className: 'w-24 text-ink-2 max-lg:hidden',
    cell: (lead) => (
      <time dateTime={lead.created_at} title={fullTime(lead.created_at)}>
        {daysSince(lead.created_at) === 0 ? age(lead.created_at) : day(lead.created_at)}
      </time>
    ),
  },
]

const None = () => <span className="text-ink-3">–</span>

const SearchBox = ({
  value,
  onChange,
}: {
  value: string | undefined
  onChange: (value: string | undefined) => void
}) => {
  const [text, setText] = useState(value ?? '')
  const input = useRef<HTMLInputElement>(null)
  const latest = useRef(onChange)
  useEffect(() => {
    latest.current = onChange
  })
  useKey('search', () => input.current?.focus())
  useEffect(() => setText(value ?? ''), [value])
  useEffect(() => {
    if (text === (value ?? '')) return
    const timer = setTimeout(() => latest.current(text || undefined), 200)
    return () => clearTimeout(timer)
  }, [text, value])
  return (
    <div className="relative w-52 min-w-0 shrink max-md:w-40 max-sm:w-auto max-sm:flex-1">
      <Search size={14} className="pointer-events-none absolute top-2 left-2 text-ink-3" aria-hidden />
      <input
        ref={input}
        type="search"
        aria-label="Search leads"
        placeholder="Search leads"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === 'Escape' && (text ? setText('') : input.current?.blur())}
        className="input-box h-7.5 pl-7"
      />
    </div>
  )
}

const NothingMatches = ({
  search,
  sources,
  onClear,
}: {
  search: { q?: string; stage?: string; owner?: string; source?: string }
  sources: string[]
  onClear: () => void
}) => {
  const names = useFilterNames(search, sources)
  const all = [search.q && `“${search.q}”`, names].filter(Boolean).join(', ')
  return (
    <Empty
      icon={<Search size={18} aria-hidden />}
      title={`No leads match ${all}`}
      action={<Button onClick={onClear}>Clear filters</Button>}
    />
  )
}

const FirstUse = () => {
  const shell = useShell()
  return (
    <Empty
      icon={<Users size={18} aria-hidden />}
      title="No leads yet"
      action={
        <div className="flex flex-wrap justify-center gap-2">
          <Link to="/crm/settings/intake" className={buttonClass('primary')}>
            <Webhook size={16} aria-hidden />
            Set up lead intake
          </Link>
          <Button onClick={shell.createLead}>Create lead</Button>
        </div>
      }
    >
      Send your first lead from a website form or any tool that can call a webhook. The agent researches it,
      qualifies it and drafts a reply for you to approve.
    </Empty>
  )
}

// The sources seen while the page is open, so that a filter does not hide the others from its own menu.
const useSources = (leads: Lead[] | undefined, chosen: string | undefined) => {
  const [seen, setSeen] = useState<string[]>([])
  useEffect(() => {
    const found = [...(leads ?? []).flatMap((lead) => lead.source ?? []), ...(chosen?.split(',') ?? [])]
    setSeen((known) =>
      found.every((source) => known.includes(source)) ? known : [...new Set([...known, ...found])].toSorted(),
    )
  }, [leads, chosen])
  return seen
}
