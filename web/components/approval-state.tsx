import { Link } from '@tanstack/react-router'
import {
  Ban,
  Check,
  CheckCheck,
  CircleAlert,
  Clock,
  MessageCircleQuestion,
  Undo2,
  X,
  type LucideIcon,
} from 'lucide-react'
import { useEffect, useState, type ReactNode } from 'react'
import type { Approval, ReadChange } from '../records.ts'
import { clock, day, dayHeading } from '../time.ts'
import { capital, sentence, valueText } from '../words.ts'
import { Button } from './button.tsx'
import { ChangeTable } from './diff.tsx'
import type { useDecision } from './approval-acts.ts'

type Deciding = ReturnType<typeof useDecision>

/** What happened to an approval that is no longer simply pending, and what can be done about it. */
export const ApprovalState = ({
  approval,
  decision,
  mayDecide,
}: {
  approval: Approval
  decision: Deciding
  mayDecide: boolean
}) => {
  const who = approval.decided_by?.name ?? 'Somebody'
  const when = approval.decided_at ? ` ${moment(approval.decided_at)}` : ''
  const changes = approval.changed ?? approval.stale_because ?? []
  switch (approval.status) {
    case 'pending':
      return null
    case 'stale':
      return (
        <Notice tone="system" icon={Clock} title={staleTitle(approval)}>
          {changes.length > 0 && (
            <ChangeTable
              label="What changed meanwhile"
              before="When drafted"
              after="Now"
              changes={changes.map((item) => ({
                field: item.name,
                label: labelOf(item),
                before: item.before,
                after: item.after,
              }))}
            />
          )}
          {mayDecide && (
            <Button
              kind="primary"
              busy={decision.isPending}
              onClick={() => decision.mutate({ act: 'reread' })}
              className="mt-2"
            >
              Review the new version
            </Button>
          )}
        </Notice>
      )
    case 'approved':
    case 'executing':
      return (
        <Notice
          tone="ok"
          icon={Check}
          title={`${who} approved this${approval.edited ? ' after an edit' : ''}${when}.`}
        >
          {approval.mail ? 'The e-mail is on its way.' : 'It is being carried out.'}
        </Notice>
      )
    case 'executed':
      return (
        <Notice
          tone="ok"
          icon={CheckCheck}
          title={approval.mail ? sentTitle(approval) : `Done. ${who} approved this${when}.`}
        >
          {approval.mail ? (
            <>
              {approval.edited ? 'Edited and approved' : 'Approved'} by {who}
              {when}.
            </>
          ) : (
            valueText(approval.result)
          )}
        </Notice>
      )
    case 'failed':
      return (
        <Notice tone="bad" icon={CircleAlert} title="Approved, but it could not be carried out">
          <p>{errorOf(approval.result) ?? 'The cause is in the run.'}</p>
          {approval.subject.kind === 'lead' || approval.subject.kind === 'opportunity' ? (
            <p className="mt-1">
              <Link
                to="/crm/leads/$id"
                params={{ id: approval.subject.id }}
                className="text-accent-text hover:underline"
              >
                Open the lead
              </Link>{' '}
              and let the agent work it again for a new draft.
            </p>
          ) : null}
        </Notice>
      )
    case 'outcome_unknown':
      return (
        <Notice tone="wait" icon={MessageCircleQuestion} title="Nobody knows whether this e-mail went out">
          <p>
            The connection broke while it was handed over. Look into the sent mail of{' '}
            {approval.mail?.from ?? 'the mailbox'}, then say what happened. It is not sent again by itself.
          </p>
          {mayDecide && (
            <div className="mt-2 flex gap-2">
              <Button
                busy={decision.isPending}
                onClick={() => decision.mutate({ act: 'resolve', outcome: 'sent' })}
              >
                It was sent
              </Button>
              <Button
                busy={decision.isPending}
                onClick={() => decision.mutate({ act: 'resolve', outcome: 'not_sent' })}
              >
                It was not sent
              </Button>
            </div>
          )}
        </Notice>
      )
    case 'rejected':
      return (
        <Notice tone="bad" icon={X} title={`${who} rejected this${when}.`}>
          {[
            approval.decision_code && `${sentence(approval.decision_code)}.`,
            approval.decision_reason && `“${approval.decision_reason}”`,
          ]
            .filter(Boolean)
            .join(' ')}
          {mayDecide && approval.restorable_until && (
            <Restore until={approval.restorable_until} decision={decision} />
          )}
        </Notice>
      )
    case 'expired':
      return (
        <Notice
          tone="system"
          icon={Ban}
          title={`Expired${approval.expires_at ? ` ${moment(approval.expires_at)}` : ''}. Nobody decided in time.`}
        >
          Nothing was sent. Let the agent work the lead again for a new draft.
        </Notice>
      )
    case 'withdrawn':
      return (
        <Notice tone="system" icon={Undo2} title="Withdrawn">
          A newer draft replaced it, or it was taken back.
        </Notice>
      )
  }
}

// Goes away by itself when the time to take a rejection back is over.
const Restore = ({ until, decision }: { until: string; decision: Deciding }) => {
  const [isOver, setIsOver] = useState(false)
  useEffect(() => {
    const left_ms = new Date(until).getTime() - Date.now()
    const timer = setTimeout(() => setIsOver(true), Math.max(0, left_ms))
    return () => clearTimeout(timer)
  }, [until])
  if (isOver) return null
  return (
    <Button busy={decision.isPending} onClick={() => decision.mutate({ act: 'restore' })} className="mt-2">
      Restore
    </Button>
  )
}

/** A boxed message with a glyph and a word. */
export const Notice = ({
  tone,
  icon: Icon,
  title,
  children,
}: {
  tone: 'ok' | 'bad' | 'wait' | 'system'
  icon: LucideIcon
  title: ReactNode
  children?: ReactNode
}) => (
  <div role="status" className={`flex gap-2.5 rounded-card px-3 py-2.5 ${notices[tone]}`}>
    <Icon size={16} className="mt-0.5 shrink-0" aria-hidden />
    <div className="min-w-0 flex-1">
      <p className="font-medium">{title}</p>
      {children && <div className="mt-0.5 text-ink-2">{children}</div>}
    </div>
  </div>
)

const notices = {
  ok: 'bg-ok-tint text-ok-text',
  bad: 'bg-bad-tint text-bad-text',
  wait: 'bg-wait-tint text-wait-text',
  system: 'bg-system-tint text-system-text',
}

const moment = (iso: string) => `${dayHeading(iso) === 'Today' ? 'at' : `on ${day(iso)} at`} ${clock(iso)}`

const staleTitle = (approval: Approval) => {
  const names = (approval.changed ?? approval.stale_because ?? []).map(labelOf)
  return `${names.length > 0 ? `${capital(names.join(' and ').toLowerCase())} changed` : 'Something changed'} after this draft was written. Review the new version.`
}

const labelOf = (change: ReadChange) =>
  change.label ? capital(change.label.replace(/^the /, '')) : sentence(change.name)

const sentTitle = (approval: Approval) => {
  const result = approval.result as { transport?: string; sent_at?: string } | null
  const at = approval.executed_at ?? result?.sent_at ?? approval.decided_at
  const time = at ? ` ${clock(at)}` : ''
  return result?.transport === 'capture' || result?.transport === 'captured'
    ? `Captured${time}. No mail server is set, so it was not sent.`
    : `Sent${time}. E-mail cannot be unsent.`
}

const errorOf = (result: unknown) => {
  const said = result as { error?: unknown; message?: unknown } | null
  return valueText(said?.error ?? said?.message)
}
