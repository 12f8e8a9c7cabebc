import { useInfiniteQuery } from '@tanstack/react-query'
import { History } from 'lucide-react'
import { useState } from 'react'
import { timelineQuery } from '../queries.ts'
import type { Activity } from '../records.ts'
import { dayHeading } from '../time.ts'
import { Button } from './button.tsx'
import { tabClass } from './page.tsx'
import { Empty, ErrorState, SkeletonBar } from './states.tsx'
import { TimelineEntry } from './timeline-entry.tsx'

/** Who to show on a timeline; undefined is everybody. */
export type TimelineActor = 'human' | 'agent' | 'system' | undefined

/** What happened on a lead, newest first, with who did it and why. */
export const Timeline = ({
  leadId,
  actor,
  onActor,
}: {
  leadId: string
  actor: TimelineActor
  onActor: (actor: TimelineActor) => void
}) => {
  const timeline = useInfiniteQuery(timelineQuery(leadId, actor))
  const days = byDay(timeline.data ?? [])
  return (
    <section aria-label="Timeline">
      <div className="flex h-10 items-center gap-1">
        <h2 className="mr-2 text-12 font-semibold text-ink-2">Timeline</h2>
        <div role="group" aria-label="Show" className="flex gap-1">
          {filters.map((filter) => (
            <button
              key={filter.label}
              type="button"
              aria-pressed={actor === filter.actor}
              onClick={() => onActor(filter.actor)}
              className={tabClass}
            >
              {filter.label}
            </button>
          ))}
        </div>
      </div>
      {timeline.isPending ? (
        <TimelineSkeleton />
      ) : timeline.isError && days.length === 0 ? (
        <ErrorState
          what="The timeline could not be read"
          error={timeline.error}
          onRetry={() => void timeline.refetch()}
        />
      ) : days.length === 0 ? (
        <Empty icon={<History size={18} aria-hidden />} title={emptyTitles[actor ?? 'all']} />
      ) : (
        days.map(({ heading, groups }) => (
          <div key={heading}>
            <h3 className="sticky top-0 z-10 bg-surface py-2 text-12 font-medium text-ink-3">{heading}</h3>
            <ol className="relative flex flex-col">
              {groups.map((group) =>
                group.length > 2 ? (
                  <SystemFold key={group[0]?.id} activities={group} />
                ) : (
                  group.map((activity) => <TimelineEntry key={activity.id} activity={activity} />)
                ),
              )}
            </ol>
          </div>
        ))
      )}
      {timeline.hasNextPage && (
        <div className="flex justify-center py-3">
          <Button
            kind="ghost"
            size="sm"
            busy={timeline.isFetchingNextPage}
            onClick={() => void timeline.fetchNextPage()}
          >
            Show earlier
          </Button>
        </div>
      )}
    </section>
  )
}

const filters: { actor: TimelineActor; label: string }[] = [
  { actor: undefined, label: 'All' },
  { actor: 'human', label: 'People' },
  { actor: 'agent', label: 'Agents' },
  { actor: 'system', label: 'System' },
]

const emptyTitles = {
  all: 'Nothing has happened here yet',
  human: 'No person has acted on this lead yet',
  agent: 'No agent has acted on this lead yet',
  system: 'The system has not acted on this lead yet',
}

const byDay = (activities: Activity[]) => {
  const days: { heading: string; groups: Activity[][] }[] = []
  for (const activity of activities) {
    const heading = dayHeading(activity.occurred_at)
    let current = days.at(-1)
    if (current?.heading !== heading) days.push((current = { heading, groups: [] }))
    const group = current.groups.at(-1)
    if (group && isFoldable(activity) && group.every(isFoldable)) group.push(activity)
    else current.groups.push([activity])
  }
  return days
}

const isFoldable = (activity: Activity) => activity.actor.kind === 'system' && !activity.data.changes?.length

// Several lines of the system in a row say little each: they open on request.
const SystemFold = ({ activities }: { activities: Activity[] }) => {
  const [open, setOpen] = useState(false)
  if (open) return activities.map((activity) => <TimelineEntry key={activity.id} activity={activity} />)
  return (
    <li className="flex items-center gap-3 pb-4">
      <span className="flex size-6 items-center justify-center" aria-hidden>
        <span className="size-2 rounded-full bg-system-mark" />
      </span>
      <button
        type="button"
        onClick={() => setOpen(true)}
        className="rounded-tag text-ink-2 hover:text-ink-1 hover:underline"
      >
        {activities.length} system updates
      </button>
    </li>
  )
}

const TimelineSkeleton = () => (
  <div role="status" aria-label="Loading" className="flex flex-col gap-5 pt-4">
    {[60, 45, 70, 52].map((width) => (
      <div key={width} className="flex items-center gap-3">
        <SkeletonBar className="size-6" />
        <div className="shimmer h-3" style={{ width: `${width}%` }} />
      </div>
    ))}
  </div>
)
