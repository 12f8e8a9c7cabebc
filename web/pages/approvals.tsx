import { PageTitle } from '../components/page-title.tsx'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { ArrowLeft, CircleCheck, Inbox } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useActorName } from '../agent-titles.ts'
import { ApiError } from '../api.ts'
import { ActorMark } from '../components/actor-mark.tsx'
import { restoreLast } from '../components/approval-acts.ts'
import { ApprovalCard } from '../components/approval-card.tsx'
import { Button } from '../components/button.tsx'
import { exactly, PageBar, tabClass } from '../components/page.tsx'
import { Empty, ErrorState, SkeletonBar, SkeletonRows } from '../components/states.tsx'
import { ApprovalPill } from '../components/status-pill.tsx'
import { useKey } from '../hotkeys.ts'
import { twoColumns, useMedia } from '../media.ts'
import { approvalCountsQuery, approvalQuery, approvalsQuery } from '../queries.ts'
import type { Approval } from '../records.ts'
import { age, until } from '../time.ts'

/** The queue of what needs a person: a list, and beside it the exact act. */
export const ApprovalsPage = () => {
  const { view, id } = route.useSearch()
  const navigate = route.useNavigate()
  const queue = useInfiniteQuery(approvalsQuery({ status: view === 'decided' ? decided : open }))
  const { data: counts } = useQuery(approvalCountsQuery)
  const items = queue.data ?? []
  const [announced, setAnnounced] = useState('')
  const wide = useMedia(twoColumns)
  // On a wide page something is always open; on a phone the list comes first.
  const currentId = id ?? (wide ? items[0]?.id : undefined)
  const isCalm = !queue.isPending && items.length === 0 && !currentId
  const index = items.findIndex((item) => item.id === currentId)
  const select = (next: string | undefined) =>
    void navigate({ search: (now) => ({ ...now, id: next }), replace: true })
  const step = (by: number) => {
    const next = items[Math.min(items.length - 1, Math.max(0, index + by))]
    if (next) select(next.id)
  }
  useKey('next_approval', () => step(1), items.length > 0)
  useKey('previous_approval', () => step(-1), items.length > 0)
  useKey('undo', () => void restoreLast())

  const afterDecision = () => {
    // The next one, else the one before, else the receipt of what was just decided.
    const next = items[index + 1] ?? items[index - 1]
    select(next?.id ?? currentId)
    setAnnounced(next ? `Next: ${next.summary}` : 'Nothing else needs you')
  }
  const waiting = (counts?.pending ?? 0) + (counts?.stale ?? 0) + (counts?.outcome_unknown ?? 0)
  return (
    <>
      <PageTitle title="Needs you" />
      <PageBar title="Needs you" count={waiting > 0 ? waiting : undefined}>
        <nav aria-label="Which approvals" className="ml-1 flex gap-1">
          <Link
            to="/crm/approvals"
            search={{}}
            className={tabClass}
            activeOptions={exactly}
            aria-current={view ? undefined : 'page'}
          >
            Waiting
          </Link>
          <Link
            to="/crm/approvals"
            search={{ view: 'decided' }}
            className={tabClass}
            activeOptions={exactly}
            aria-current={view ? 'page' : undefined}
          >
            Decided
          </Link>
        </nav>
      </PageBar>
      <p role="status" className="sr-only">
        {announced}
      </p>
      <main className="flex min-h-0 flex-1">
        <div
          className={`w-full shrink-0 overflow-y-auto border-line ${isCalm ? '' : 'md:w-90 md:border-r'} ${currentId && !wide ? 'hidden' : ''}`}
        >
          {queue.isPending ? (
            <SkeletonRows rows={8} height={64} />
          ) : queue.isError && items.length === 0 ? (
            <ErrorState
              what="The queue could not be read"
              error={queue.error}
              onRetry={() => void queue.refetch()}
            />
          ) : items.length === 0 ? (
            view === 'decided' ? (
              <Empty icon={<Inbox size={18} aria-hidden />} title="Nothing has been decided yet" />
            ) : (
              <Empty icon={<CircleCheck size={18} aria-hidden />} title="Nothing needs you">
                What agents want to send or change comes here first.
              </Empty>
            )
          ) : (
            <ul aria-label="Approvals">
              {items.map((item) => (
                <QueueRow key={item.id} approval={item} current={item.id === currentId} />
              ))}
            </ul>
          )}
          {queue.hasNextPage && (
            <div className="flex justify-center p-3">
              <Button
                kind="ghost"
                size="sm"
                busy={queue.isFetchingNextPage}
                onClick={() => void queue.fetchNextPage()}
              >
                Load more
              </Button>
            </div>
          )}
        </div>
        <div className={`min-w-0 flex-1 overflow-y-auto ${currentId ? '' : 'max-md:hidden'}`}>
          {!wide && currentId && (
            <div className="border-b border-line px-2 py-1">
              <Button
                kind="ghost"
                size="sm"
                icon={<ArrowLeft size={14} aria-hidden />}
                onClick={() => select(undefined)}
              >
                All
              </Button>
            </div>
          )}
          {currentId && (
            <Detail
              key={currentId}
              id={currentId}
              known={items.find((item) => item.id === currentId)}
              onDecided={afterDecision}
            />
          )}
        </div>
      </main>
    </>
  )
}

const route = getRouteApi('/app/crm/approvals')
const open = 'pending,stale,outcome_unknown'
const decided = 'approved,executing,executed,failed,rejected,expired,withdrawn'

const QueueRow = ({ approval, current }: { approval: Approval; current: boolean }) => {
  const nameOf = useActorName()
  const row = useRef<HTMLAnchorElement>(null)
  useEffect(() => {
    if (current) row.current?.scrollIntoView({ block: 'nearest' })
  }, [current])
  const left = approval.expires_at ? until(approval.expires_at) : undefined
  return (
    <li>
      <Link
        ref={row}
        to="/crm/approvals"
        search={(now) => ({ ...now, id: approval.id })}
        replace
        aria-current={current ? 'true' : undefined}
        data-inset-focus
        className={`flex h-16 items-center gap-3 border-b border-line px-4 ${current ? 'bg-accent-tint' : 'hover:bg-hover'}`}
      >
        <ActorMark actor={{ ...approval.proposed_by, name: nameOf(approval.proposed_by) }} />
        <span className="min-w-0 flex-1">
          <span className="flex items-center gap-2">
            <span className="min-w-0 flex-1 truncate font-medium">
              {approval.subject_label ?? approval.tool_title}
            </span>
            <span className="shrink-0 text-12 text-ink-3 tabular-nums">
              {age(approval.decided_at ?? approval.created_at)}
            </span>
          </span>
          <span className="flex items-center gap-2 text-ink-2">
            <span className="min-w-0 flex-1 truncate">
              {approval.mail ? approval.mail.subject : approval.summary}
            </span>
            {approval.status === 'pending' ? (
              left && <span className="shrink-0 text-12 text-ink-3">{left.replace('in ', '')} left</span>
            ) : (
              <ApprovalPill status={approval.status} edited={approval.edited} />
            )}
          </span>
        </span>
      </Link>
    </li>
  )
}

const Detail = ({
  id,
  known,
  onDecided,
}: {
  id: string
  known: Approval | undefined
  onDecided: () => void
}) => {
  const approval = useQuery({ ...approvalQuery(id), placeholderData: known ?? keepPreviousData })
  if (approval.data?.id === id) return <ApprovalCard approval={approval.data} onDecided={onDecided} />
  if (approval.error) {
    const gone = approval.error instanceof ApiError && approval.error.status === 404
    return gone ? (
      <Empty title="There is no approval here">It may belong to another organization.</Empty>
    ) : (
      <ErrorState
        what="This approval could not be read"
        error={approval.error}
        onRetry={() => void approval.refetch()}
      />
    )
  }
  return (
    <div role="status" aria-label="Loading" className="mx-auto flex max-w-190 flex-col gap-5 px-6 py-5">
      <SkeletonBar className="h-8 w-2/3" />
      <SkeletonBar className="h-72 w-full" />
    </div>
  )
}
