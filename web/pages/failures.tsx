import { PageTitle } from '../components/page-title.tsx'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleCheck, ShieldX } from 'lucide-react'
import { send } from '../api.ts'
import { Button } from '../components/button.tsx'
import { PageBar, PageBody } from '../components/page.tsx'
import { Empty, Loaded, SkeletonRows } from '../components/states.tsx'
import { announce, announceError } from '../toasts.ts'
import { failuresQuery } from '../queries.ts'
import type { Failure } from '../workspace.ts'
import { age, fullTime } from '../time.ts'
import { count, sentence } from '../words.ts'

/** Work that was tried several times and given up on; nothing here is tried again until a person says so. */
export const FailuresPage = () => {
  const failures = useQuery(failuresQuery)
  return (
    <>
      <PageTitle title="Failures" />
      <PageBar title="Failures" count={failures.data?.length || undefined} />
      <PageBody>
        <Loaded
          query={failures}
          what="Failures could not be read"
          skeleton={<SkeletonRows rows={6} height={72} />}
        >
          {(list) =>
            list.length === 0 ? (
              <Empty icon={<CircleCheck size={18} aria-hidden />} title="Nothing was given up on">
                Work that fails is tried again by itself. What still fails after the last try waits here for
                you.
              </Empty>
            ) : (
              <ul aria-label="Failures">
                {list.map((failure) => (
                  <FailureRow key={failure.id} failure={failure} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </PageBody>
    </>
  )
}

const FailureRow = ({ failure }: { failure: Failure }) => {
  const queries = useQueryClient()
  const retry = useMutation({
    mutationFn: () => send<{ run_id?: string }>('POST', `/api/failures/${failure.id}/retry`, {}),
    onSuccess: () => {
      announce('It is tried again')
      void queries.invalidateQueries({ queryKey: failuresQuery.queryKey })
      void queries.invalidateQueries({ queryKey: ['runs'] })
    },
    onError: (error) => announceError('Not started again', error),
  })
  const name = failure.subject_label ?? sentence(failure.name)
  return (
    <li className="flex items-start gap-3 border-b border-line px-4 py-3">
      <span className="flex size-6 shrink-0 items-center justify-center rounded-control bg-bad-tint text-bad-text">
        <ShieldX size={14} aria-hidden />
      </span>
      <div className="min-w-0 flex-1">
        <p className="font-medium">
          {name}
          {failure.subject_label && (
            <span className="font-normal text-ink-3"> · {sentence(failure.name)}</span>
          )}
        </p>
        <p className="line-clamp-2 max-w-[80ch] break-words text-ink-2">{failure.error}</p>
        <p className="mt-1 flex flex-wrap gap-x-3 text-12 text-ink-3">
          <span>Given up after {count(failure.attempts, 'try', 'tries')}</span>
          <time dateTime={failure.failed_at} title={fullTime(failure.failed_at)}>
            {age(failure.failed_at)}
          </time>
          {failure.kind === 'run' && (
            <Link to="/crm/runs/$id" params={{ id: failure.id }} className="hover:text-ink-1 hover:underline">
              See run
            </Link>
          )}
          {failure.subject && (failure.subject.kind === 'lead' || failure.subject.kind === 'opportunity') && (
            <Link
              to="/crm/leads/$id"
              params={{ id: failure.subject.id }}
              className="hover:text-ink-1 hover:underline"
            >
              Open lead
            </Link>
          )}
        </p>
      </div>
      <Button busy={retry.isPending} aria-label={`Retry ${name}`} onClick={() => retry.mutate()}>
        Retry
      </Button>
    </li>
  )
}
