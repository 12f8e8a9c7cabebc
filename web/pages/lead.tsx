import { PageTitle } from '../components/page-title.tsx'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { ChevronRight, Menu } from 'lucide-react'
import { ApiError } from '../api.ts'
import { useAgentTitle } from '../agent-titles.ts'
import { ActorMark } from '../components/actor-mark.tsx'
import { buttonClass, IconButton } from '../components/button.tsx'
import { LeadAside } from '../components/lead-aside.tsx'
import { LeadActs, OwnerMenu, StageMenu } from '../components/lead-header.tsx'
import { NoteBox } from '../components/note-box.tsx'
import { Section } from '../components/page.tsx'
import { Properties } from '../components/properties.tsx'
import { ScoreBadge, ScoreReasons } from '../components/score.tsx'
import { useShell } from '../components/shell-context.ts'
import { Empty, ErrorState, SkeletonBar } from '../components/states.tsx'
import { LeadPill, WarningPill } from '../components/status-pill.tsx'
import { Timeline } from '../components/timeline.tsx'
import { twoColumns, useMedia } from '../media.ts'
import { approvalsQuery, leadQuery } from '../queries.ts'
import type { Lead } from '../records.ts'
import { fieldLabel, sentence } from '../words.ts'

/** One lead: properties left, what happened in the middle, what is open right. */
export const LeadPage = () => {
  const { id } = route.useParams()
  const lead = useQuery(leadQuery(id))
  if (lead.error instanceof ApiError && lead.error.status === 404 && !lead.data) return <NoSuchLead />
  if (lead.error && !lead.data)
    return (
      <ErrorState what="This lead could not be read" error={lead.error} onRetry={() => void lead.refetch()} />
    )
  return lead.data ? <LeadRecord lead={lead.data} /> : <LeadSkeleton />
}

const route = getRouteApi('/app/crm/leads/$id')

const LeadRecord = ({ lead }: { lead: Lead }) => {
  const { actor } = route.useSearch()
  const navigate = route.useNavigate()
  const who = useAgentTitle('lead_worker')
  const approvals = useInfiniteQuery(approvalsQuery({ lead_id: lead.id, limit: 20 }))
  const open =
    approvals.data?.filter((approval) => ['pending', 'stale', 'outcome_unknown'].includes(approval.status)) ??
    []
  const name = lead.contact_name ?? lead.name
  const wide = useMedia(twoColumns)
  return (
    <>
      <PageTitle title={name} />
      <RecordBar name={name}>
        <LeadActs lead={lead} approvals={open} />
      </RecordBar>
      <main className="grid min-h-0 flex-1 grid-cols-1 overflow-y-auto md:grid-cols-[300px_minmax(0,1fr)] md:grid-rows-[auto_minmax(0,1fr)] lg:grid-cols-[300px_minmax(0,1fr)_300px] lg:grid-rows-[minmax(0,1fr)] lg:overflow-hidden">
        <div className="flex flex-col gap-6 p-4 max-lg:border-b lg:overflow-y-auto">
          <div className="flex items-start gap-3">
            <ActorMark actor={{ kind: 'user', name }} size={32} />
            <div className="min-w-0 flex-1">
              <h2 className="text-20 font-semibold break-words">{name}</h2>
              <p className="text-ink-2">
                {[lead.title, lead.company_name].filter(Boolean).join(', ') || lead.email}
              </p>
              <div className="mt-2 flex flex-wrap gap-1 empty:hidden">
                <LeadPill lead={lead} />
                {lead.warnings.map((warning) => (
                  <WarningPill
                    key={warning.field}
                    label={`${fieldLabel(warning.field)}: ${warning.message}`}
                  />
                ))}
              </div>
            </div>
          </div>
          {!wide && (
            <div className="flex flex-wrap gap-2">
              <StageMenu lead={lead} />
              <OwnerMenu lead={lead} />
            </div>
          )}
          <Section title="Score" aside={<ScoreBadge score={lead.score} />}>
            {lead.verdict && <p className="mb-2 font-medium">{sentence(lead.verdict)}</p>}
            {lead.score_reasons.length > 0 ? (
              <ScoreReasons reasons={lead.score_reasons} />
            ) : (
              <p className="text-ink-3">Not scored yet.</p>
            )}
          </Section>
          <Section title="Details">
            <Properties lead={lead} who={who} />
          </Section>
        </div>
        <div className="flex flex-col gap-6 border-line p-4 max-md:border-b lg:order-last lg:overflow-y-auto">
          <LeadAside lead={lead} approvals={open} />
        </div>
        <div className="min-w-0 border-line px-4 pt-4 pb-16 md:col-start-2 md:row-span-2 md:row-start-1 md:border-l lg:row-span-1 lg:overflow-y-auto lg:border-r">
          <div className="mx-auto flex max-w-190 flex-col gap-4">
            {lead.message && (
              <Section title="What they asked for">
                <p className="max-w-[68ch] text-14 break-words whitespace-pre-wrap">{lead.message}</p>
              </Section>
            )}
            <NoteBox leadId={lead.id} />
            <Timeline
              leadId={lead.id}
              actor={actor}
              onActor={(next) => void navigate({ search: { actor: next }, replace: true })}
            />
          </div>
        </div>
      </main>
    </>
  )
}

const RecordBar = ({ name, children }: { name?: string; children?: React.ReactNode }) => {
  const shell = useShell()
  return (
    <header className="flex h-12 shrink-0 items-center gap-2 border-b border-line pr-3 pl-4 max-sm:pl-2">
      <IconButton label="Open pages" onClick={shell.showSidebar} className="sm:hidden">
        <Menu size={18} aria-hidden />
      </IconButton>
      <nav aria-label="Breadcrumb" className="flex min-w-0 flex-1 items-center gap-1.5">
        <Link to="/crm/leads" className="shrink-0 rounded-tag text-ink-2 hover:text-ink-1 hover:underline">
          Leads
        </Link>
        <ChevronRight size={14} className="shrink-0 text-ink-3" aria-hidden />
        <h1 className="truncate text-13 font-semibold">{name ?? ' '}</h1>
      </nav>
      {children}
    </header>
  )
}

const NoSuchLead = () => (
  <>
    <RecordBar name="Not found" />
    <main>
      <Empty
        title="There is no lead here"
        action={
          <Link to="/crm/leads" className={buttonClass()}>
            Go to leads
          </Link>
        }
      >
        It may have been merged or deleted.
      </Empty>
    </main>
  </>
)

const LeadSkeleton = () => (
  <>
    <RecordBar />
    <main
      aria-busy
      className="grid flex-1 md:grid-cols-[300px_minmax(0,1fr)] lg:grid-cols-[300px_minmax(0,1fr)_300px]"
    >
      <div className="flex flex-col gap-4 border-r border-line p-4">
        <SkeletonBar className="h-7 w-48" />
        {[40, 60, 50, 70, 45, 55].map((width) => (
          <SkeletonBar key={width} className="h-3 w-full" />
        ))}
      </div>
      <div className="flex flex-col gap-5 p-4">
        {[50, 65, 42].map((width) => (
          <SkeletonBar key={width} className="h-3 w-3/4" />
        ))}
      </div>
    </main>
  </>
)
