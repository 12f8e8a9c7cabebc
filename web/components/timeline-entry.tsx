import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useActorName } from '../agent-titles.ts'
import { send } from '../api.ts'
import type { Activity, Mail } from '../records.ts'
import { clock, fullTime } from '../time.ts'
import { ActorMark, AgentWord } from './actor-mark.tsx'
import { ChangeLines } from './diff.tsx'
import { EmailPreview } from './email-preview.tsx'
import { announce, announceError } from '../toasts.ts'

/** One line of a timeline: who, what, when, why, and what came of it. */
export const TimelineEntry = ({ activity }: { activity: Activity }) => {
  const nameOf = useActorName()
  const { on_behalf_of, data } = activity
  const actor = { ...activity.actor, name: nameOf(activity.actor) }
  const mail = mailOf(activity)
  // A run that ended as it should needs no reason.
  const reason = activity.type === 'agent_run' && data['status'] === 'done' ? undefined : activity.reason
  const isSystem = actor.kind === 'system'
  const note = activity.type === 'note_added' && typeof data['body'] === 'string' ? data['body'] : undefined
  return (
    <li className="group relative flex gap-3 pb-4 before:absolute before:top-7 before:bottom-1 before:left-3 before:w-px before:bg-line last:before:hidden">
      <ActorMark actor={actor} />
      <div className="min-w-0 flex-1 pt-0.5">
        <p className={isSystem ? 'text-ink-2' : ''}>
          <span className={isSystem ? '' : 'font-medium'}>{actor.name}</span>
          {actor.kind === 'agent' && (
            <>
              {' '}
              <AgentWord />
            </>
          )}
          {on_behalf_of && <span className="text-ink-2"> for {on_behalf_of.name}</span>} {activity.summary}{' '}
          <time
            dateTime={activity.occurred_at}
            title={fullTime(activity.occurred_at)}
            className="mr-2 text-12 whitespace-nowrap text-ink-3 tabular-nums"
          >
            {clock(activity.occurred_at)}
          </time>
          <EntryActs activity={activity} />
        </p>
        {reason && <p className="mt-0.5 line-clamp-3 max-w-[68ch] text-ink-2">{reason}</p>}
        {note && <FoldedNote body={note} />}
        {data.changes && data.changes.length > 0 && (
          <div className="mt-1.5">
            <ChangeLines changes={data.changes} />
          </div>
        )}
        {mail && <FoldedMail mail={mail} />}
      </div>
    </li>
  )
}

const EntryActs = ({ activity }: { activity: Activity }) => {
  const queries = useQueryClient()
  const undo = useMutation({
    mutationFn: () => send('POST', `/api/activities/${activity.id}/undo`, {}),
    onSuccess: () => {
      announce('Undone')
      void queries.invalidateQueries()
    },
    onError: (error) => announceError('Not undone', error),
  })
  const canUndo = activity.undoable && !activity.undone_by
  if (!activity.run_id && !activity.approval_id && !canUndo && !activity.undone_by) return null
  return (
    <span className="inline-flex items-center gap-2 text-12">
      {activity.run_id && (
        <Link
          to="/crm/runs/$id"
          params={{ id: activity.run_id }}
          className="rounded-tag text-ink-3 hover:text-ink-1 hover:underline"
        >
          See run
        </Link>
      )}
      {activity.approval_id && (
        <Link
          to="/crm/approvals"
          search={{ id: activity.approval_id }}
          className="rounded-tag text-ink-3 hover:text-ink-1 hover:underline"
        >
          See approval
        </Link>
      )}
      {canUndo && (
        <button
          type="button"
          disabled={undo.isPending}
          onClick={() => undo.mutate()}
          className="rounded-tag text-ink-3 hover:text-ink-1 hover:underline"
        >
          Undo
        </button>
      )}
      {activity.undone_by && <span className="text-system-text">↶ Undone</span>}
    </span>
  )
}

const FoldedNote = ({ body }: { body: string }) => {
  const [open, setOpen] = useState(false)
  const isLong = body.length > 260 || body.split('\n').length > 4
  return (
    <div className="mt-1.5 max-w-[68ch]">
      <p className="rounded-card border border-line bg-canvas px-3 py-2 break-words whitespace-pre-wrap">
        <span className={isLong && !open ? 'line-clamp-3' : ''}>{body}</span>
      </p>
      {isLong && (
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="mt-1 rounded-tag text-12 text-ink-3 hover:text-ink-1 hover:underline"
        >
          {open ? 'Show less' : 'Show the whole note'}
        </button>
      )}
    </div>
  )
}

const FoldedMail = ({ mail }: { mail: Mail }) => {
  const [open, setOpen] = useState(false)
  return (
    <div className="mt-1.5 max-w-[68ch]">
      {open ? (
        <EmailPreview mail={mail} />
      ) : (
        <div className="rounded-card border border-line px-3 py-2">
          <div className="truncate font-medium">{mail.subject}</div>
          <div className="line-clamp-2 text-ink-2">{mail.body}</div>
        </div>
      )}
      <button
        type="button"
        onClick={() => setOpen(!open)}
        aria-expanded={open}
        className="mt-1 rounded-tag text-12 text-ink-3 hover:text-ink-1 hover:underline"
      >
        {open ? 'Show less' : 'Show the whole e-mail'}
      </button>
    </div>
  )
}

const mailOf = ({ type, data }: Activity): Mail | undefined => {
  const { from, to, subject, body } = data
  if (!type.startsWith('email_') || typeof subject !== 'string' || typeof body !== 'string') return undefined
  return { from: typeof from === 'string' ? from : '', to: typeof to === 'string' ? to : '', subject, body }
}
