import { Link } from '@tanstack/react-router'
import { ExternalLink } from 'lucide-react'
import { useState } from 'react'
import { ApiError } from '../api.ts'
import { useActorName } from '../agent-titles.ts'
import { useKey } from '../hotkeys.ts'
import { useMay } from '../permissions.ts'
import type { Approval } from '../records.ts'
import { fullTime, until } from '../time.ts'
import { safeUrl } from '../words.ts'
import { ActorMark, AgentWord } from './actor-mark.tsx'
import { conflictText, useDecision } from './approval-acts.ts'
import { InputFields, InputForm } from './approval-input.tsx'
import { RejectDialog } from './approval-reject.tsx'
import { ApprovalState, Notice } from './approval-state.tsx'
import { Button } from './button.tsx'
import { ChangeTable } from './diff.tsx'
import { EmailPreview } from './email-preview.tsx'
import { Section } from './page.tsx'
import { ApprovalPill } from './status-pill.tsx'
import { CircleAlert } from 'lucide-react'

/** One proposed act: exactly what would happen, why a person is asked, and the decision. Mount it with the approval's id as key. */
export const ApprovalCard = ({ approval, onDecided }: { approval: Approval; onDecided: () => void }) => {
  const mayDecide = useMay('approvals:decide')
  const nameOf = useActorName()
  const decision = useDecision(approval, onDecided)
  const [draft, setDraft] = useState<Record<string, unknown>>()
  const [rejecting, setRejecting] = useState(false)
  const editing = draft !== undefined
  const isPending = approval.status === 'pending'
  const edited = editing && JSON.stringify(draft) !== JSON.stringify(approval.input)
  const canAct = isPending && mayDecide && !decision.isPending

  const approve = () =>
    decision.mutate(
      { act: 'approve', input: edited ? draft : undefined },
      { onSuccess: () => setDraft(undefined) },
    )
  useKey('approve_send', approve, canAct)
  useKey('approve', approve, canAct && !editing && !approval.irreversible)
  useKey('edit', () => setDraft(approval.input), canAct && !editing)
  useKey('reject', () => setRejecting(true), canAct || (approval.status === 'stale' && mayDecide))
  useKey('back', () => setDraft(undefined), editing)

  const conflict = conflictText(decision.error)
  const refusedField = decision.error instanceof ApiError ? decision.error : undefined
  return (
    <article aria-label={approval.summary} className="flex min-h-full flex-col">
      <div className="mx-auto flex w-full max-w-190 flex-1 flex-col gap-5 px-6 py-5 max-sm:px-4">
        <CardHead approval={approval} />
        {conflict && (
          <Notice tone="bad" icon={CircleAlert} title={conflict}>
            {approval.status === 'pending' ? 'Look at it again before you decide.' : null}
          </Notice>
        )}
        <ApprovalState approval={approval} decision={decision} mayDecide={mayDecide} />
        {approval.consequence && isPending && (
          <p className="rounded-card bg-wait-tint px-3 py-2.5 font-medium text-wait-text">
            {approval.consequence}
            {approval.irreversible && ` ${approval.irreversible}`}
          </p>
        )}
        {editing ? (
          <InputForm
            input={draft}
            schema={approval.input_schema}
            onChange={setDraft}
            problem={(field) => refusedField?.field(`input/${field}`) ?? refusedField?.field(field)}
          />
        ) : approval.mail ? (
          <EmailPreview mail={approval.mail} />
        ) : (
          <InputFields input={approval.input} schema={approval.input_schema} />
        )}
        {approval.before_after.length > 0 && !editing && (
          <Section title="What changes in the record">
            <ChangeTable changes={approval.before_after} />
          </Section>
        )}
        <Why approval={approval} />
      </div>
      {isPending && (
        <footer className="sticky bottom-0 border-t border-line bg-surface">
          <div className="mx-auto flex max-w-190 items-center gap-2 px-6 py-3 max-sm:px-4">
            <Button
              kind="primary"
              hotkey={approval.irreversible || editing ? 'approve_send' : 'approve'}
              busy={decision.isPending}
              why={mayDecide ? undefined : noPermission}
              onClick={approve}
            >
              {edited
                ? 'Approve edited version'
                : approval.tool === 'send_email'
                  ? 'Approve and send'
                  : 'Approve'}
            </Button>
            {editing ? (
              <>
                <Button onClick={() => setDraft(approval.input)} disabled={!edited}>
                  Reset
                </Button>
                <Button kind="ghost" onClick={() => setDraft(undefined)}>
                  Stop editing
                </Button>
              </>
            ) : (
              <Button
                hotkey="edit"
                why={mayDecide ? undefined : noPermission}
                onClick={() => setDraft(approval.input)}
              >
                Edit
              </Button>
            )}
            <Button
              hotkey="reject"
              className="ml-auto"
              why={mayDecide ? undefined : noPermission}
              onClick={() => setRejecting(true)}
            >
              Reject…
            </Button>
          </div>
        </footer>
      )}
      {approval.status === 'stale' && mayDecide && (
        <footer className="sticky bottom-0 border-t border-line bg-surface">
          <div className="mx-auto flex max-w-190 justify-end px-6 py-3 max-sm:px-4">
            <Button hotkey="reject" onClick={() => setRejecting(true)}>
              Reject…
            </Button>
          </div>
        </footer>
      )}
      <RejectDialog
        open={rejecting}
        who={nameOf(approval.proposed_by)}
        busy={decision.isPending}
        onClose={() => setRejecting(false)}
        onReject={(reason_code, reason) =>
          decision.mutate({ act: 'reject', reason_code, reason }, { onSettled: () => setRejecting(false) })
        }
      />
    </article>
  )
}

const noPermission = 'Your role may read approvals but not decide them. Ask an admin.'

const CardHead = ({ approval }: { approval: Approval }) => {
  const nameOf = useActorName()
  const proposed_by = { ...approval.proposed_by, name: nameOf(approval.proposed_by) }
  return (
    <header className="flex items-start gap-3">
      <ActorMark actor={proposed_by} size={32} />
      <div className="min-w-0 flex-1">
        <h2 className="text-16 font-semibold">{headline({ ...approval, proposed_by })}</h2>
        <p className="mt-0.5 flex flex-wrap items-center gap-x-2 gap-y-1 text-12 text-ink-3">
          <span className="sm:hidden">
            <ApprovalPill status={approval.status} edited={approval.edited} />
          </span>
          {proposed_by.kind === 'agent' && <AgentWord />}
          {proposed_by.version !== undefined && <span>v{proposed_by.version}</span>}
          {approval.subject.kind === 'lead' || approval.subject.kind === 'opportunity' ? (
            <Link
              to="/crm/leads/$id"
              params={{ id: approval.subject.id }}
              className="text-accent-text hover:underline"
            >
              {approval.subject_label ?? 'Open the record'}
            </Link>
          ) : (
            <span>{approval.subject_label}</span>
          )}
          {approval.status === 'pending' && approval.expires_at && until(approval.expires_at) && (
            <span title={fullTime(approval.expires_at)}>expires {until(approval.expires_at)}</span>
          )}
        </p>
      </div>
      <span className="max-sm:hidden">
        <ApprovalPill status={approval.status} edited={approval.edited} />
      </span>
    </header>
  )
}

const headline = (approval: Approval) => {
  const isOpen = approval.status === 'pending' || approval.status === 'stale'
  if (!approval.mail)
    return `${approval.proposed_by.name} ${isOpen ? 'proposes' : 'proposed'}: ${approval.summary}`
  return `${approval.proposed_by.name} ${isOpen ? 'wants' : 'wanted'} to send 1 e-mail to ${approval.subject_label ?? approval.mail.to}`
}

const Why = ({ approval }: { approval: Approval }) => (
  <section aria-label="Why" className="flex flex-col gap-2 text-ink-2">
    {(approval.rule_text ?? approval.rule) && (
      <p>
        <span className="font-medium text-ink-1">Why you: </span>
        {approval.rule_text ?? approval.rule}
      </p>
    )}
    {approval.reason && (
      <p className="max-w-[68ch]">
        <span className="font-medium text-ink-1">Why now: </span>
        {approval.reason}
      </p>
    )}
    {approval.evidence.length > 0 && (
      <div>
        <h3 className="mb-1 font-medium text-ink-1">Evidence</h3>
        <ul className="flex flex-col gap-1.5">
          {approval.evidence.slice(0, 3).map((item) => {
            const url = safeUrl(item.url)
            return (
              <li
                key={`${item.label}${item.snippet ?? ''}`}
                className="max-w-[68ch] border-l-2 border-line pl-3"
              >
                {url ? (
                  <a
                    href={url}
                    target="_blank"
                    rel="noreferrer"
                    className="inline-flex items-center gap-1 text-accent-text hover:underline"
                  >
                    {item.label}
                    <ExternalLink size={12} aria-hidden />
                  </a>
                ) : (
                  <span className="text-ink-1">{item.label}</span>
                )}
                {item.snippet && <span className="line-clamp-2">“{item.snippet}”</span>}
              </li>
            )
          })}
        </ul>
      </div>
    )}
    {approval.run_id && (
      <Link
        to="/crm/runs/$id"
        params={{ id: approval.run_id }}
        className="self-start text-accent-text hover:underline"
      >
        See run
      </Link>
    )}
  </section>
)
