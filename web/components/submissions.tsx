import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ChevronRight, Inbox } from 'lucide-react'
import { useState } from 'react'
import { send } from '../api.ts'
import { submissionsQuery } from '../queries.ts'
import type { IntakeSource, Submission } from '../workspace.ts'
import { age, fullTime } from '../time.ts'
import { sentence, valueText } from '../words.ts'
import { InputFields } from './approval-input.tsx'
import { Button } from './button.tsx'
import { tabClass } from './page.tsx'
import { Empty, ErrorState, SkeletonRows } from './states.tsx'
import { SubmissionPill } from './status-pill.tsx'
import { announce, announceError } from '../toasts.ts'

/** What came in by any door, exactly as it came; first what needs a person. */
export const Submissions = ({ sources }: { sources: IntakeSource[] }) => {
  const [status, setStatus] = useState<Submission['status']>()
  const submissions = useInfiniteQuery(submissionsQuery(status))
  const list = submissions.data ?? []
  return (
    <section aria-label="Submissions" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h3 className="text-14 font-semibold">Submissions</h3>
        <div role="group" aria-label="Which submissions" className="flex gap-1">
          {tabs.map((tab) => (
            <button
              key={tab.label}
              type="button"
              aria-pressed={status === tab.status}
              onClick={() => setStatus(tab.status)}
              className={tabClass}
            >
              {tab.label}
            </button>
          ))}
        </div>
      </div>
      {submissions.isPending ? (
        <SkeletonRows rows={4} height={48} />
      ) : submissions.isError && list.length === 0 ? (
        <ErrorState
          what="Submissions could not be read"
          error={submissions.error}
          onRetry={() => void submissions.refetch()}
        />
      ) : list.length === 0 ? (
        <Empty
          icon={<Inbox size={18} aria-hidden />}
          title={
            status === 'needs_attention'
              ? 'Nothing needs your attention'
              : status
                ? 'Nothing in this state'
                : 'Nothing has come in yet'
          }
        />
      ) : (
        <ul className="rounded-card border border-line">
          {list.map((submission) => (
            <SubmissionRow
              key={submission.id}
              submission={submission}
              source={sources.find((source) => source.id === submission.source_id)}
            />
          ))}
        </ul>
      )}
      {submissions.hasNextPage && (
        <Button
          kind="ghost"
          size="sm"
          className="self-center"
          busy={submissions.isFetchingNextPage}
          onClick={() => void submissions.fetchNextPage()}
        >
          Load more
        </Button>
      )}
    </section>
  )
}

const tabs: { status: Submission['status'] | undefined; label: string }[] = [
  { status: undefined, label: 'All' },
  { status: 'needs_attention', label: 'Needs attention' },
  { status: 'rejected', label: 'Rejected' },
]

const SubmissionRow = ({
  submission,
  source,
}: {
  submission: Submission
  source: IntakeSource | undefined
}) => {
  const [open, setOpen] = useState(false)
  const queries = useQueryClient()
  const retry = useMutation({
    mutationFn: () => send('POST', `/api/submissions/${submission.id}/retry`, {}),
    onSuccess: () => announce('It is tried again'),
    onError: (error) => announceError('Not tried again', error),
    onSettled: () => queries.invalidateQueries({ queryKey: ['submissions'] }),
  })
  const problem = problemText(submission.problem)
  const payload =
    typeof submission.payload === 'object' && submission.payload !== null
      ? (submission.payload as Record<string, unknown>)
      : undefined
  return (
    <li className="border-b border-line last:border-0">
      <div className="flex min-h-12 items-center gap-3 px-4 py-2 max-sm:flex-wrap max-sm:gap-y-1">
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex min-w-0 flex-1 items-center gap-2 rounded-tag text-left max-sm:basis-full"
        >
          <ChevronRight size={14} className={`shrink-0 text-ink-3 ${open ? 'rotate-90' : ''}`} aria-hidden />
          <span className="min-w-0">
            <span className="block truncate">
              {nameIn(payload) ?? 'Unnamed'}{' '}
              <span className="text-ink-3">· {source?.name ?? sentence(submission.door)}</span>
            </span>
            {problem && <span className="block truncate text-12 text-ink-2">{problem}</span>}
          </span>
        </button>
        <SubmissionPill status={submission.status} />
        <time
          dateTime={submission.received_at}
          title={fullTime(submission.received_at)}
          className="w-12 text-right text-12 text-ink-3 tabular-nums"
        >
          {age(submission.received_at)}
        </time>
        <span className="flex w-16 justify-end">
          {submission.status === 'needs_attention' && (
            <Button size="sm" busy={retry.isPending} onClick={() => retry.mutate()}>
              Retry
            </Button>
          )}
          {submission.lead_id && (
            <Link
              to="/crm/leads/$id"
              params={{ id: submission.lead_id }}
              className="text-12 text-accent-text hover:underline"
            >
              Open lead
            </Link>
          )}
        </span>
      </div>
      {open && (
        <div className="flex flex-col gap-2 px-4 pb-4 pl-10">
          {problem && <p className="text-ink-2">{problem}</p>}
          {payload ? (
            <InputFields input={payload} schema={null} />
          ) : (
            <p className="text-ink-3">{valueText(submission.payload) ?? 'Nothing was sent.'}</p>
          )}
        </div>
      )}
    </li>
  )
}

const nameIn = (payload: Record<string, unknown> | undefined) => {
  for (const key of ['name', 'contact_name', 'full_name', 'email', 'phone']) {
    const value = payload?.[key]
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

const problemText = (problem: Submission['problem']) => {
  if (!problem) return undefined
  const fields = problem.errors?.map((item) => `${item.pointer.replace(/^[#/]+/, '')}: ${item.message}`) ?? []
  return (
    [problem.message ?? problem.detail ?? problem.title, ...fields].filter(Boolean).join(' ') || undefined
  )
}
