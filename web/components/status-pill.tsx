import {
  Check,
  CheckCheck,
  CircleAlert,
  CircleDashed,
  CirclePause,
  CircleSlash,
  Clock,
  Hourglass,
  Loader,
  MessageCircleQuestion,
  Pencil,
  ShieldX,
  Undo2,
  X,
  type LucideIcon,
} from 'lucide-react'
import type { ApprovalStatus, Lead, RunStatus } from '../records.ts'
import type { Message, Submission } from '../workspace.ts'

/** The meaning of a colour: amber is for people only. */
export type Tone = 'wait' | 'ok' | 'bad' | 'agent' | 'system' | 'accent'

/** A state with its own glyph and word, never colour alone. */
export const StatusPill = ({
  tone,
  icon: Icon,
  label,
  spin = false,
}: {
  tone: Tone
  icon: LucideIcon
  label: string
  spin?: boolean
}) => (
  <span
    className={`inline-flex h-5 shrink-0 align-middle items-center gap-1 rounded-tag px-1.5 text-12 font-medium whitespace-nowrap ${tones[tone]}`}
  >
    <Icon
      size={12}
      strokeWidth={2.25}
      className={`shrink-0 ${spin ? 'animate-[spin_2s_linear_infinite]' : ''}`}
      aria-hidden
    />
    {label}
  </span>
)

/** Where an approval stands. */
export const ApprovalPill = ({ status, edited = false }: { status: ApprovalStatus; edited?: boolean }) => {
  if (edited && (status === 'approved' || status === 'executed'))
    return <StatusPill tone="ok" icon={Pencil} label={status === 'executed' ? 'Edited, done' : 'Edited'} />
  return <StatusPill {...approvalStates[status]} />
}

/** Where a run stands. */
export const RunPill = ({ status }: { status: RunStatus }) => <StatusPill {...runStates[status]} />

/** Where an e-mail stands. */
export const MessagePill = ({ status }: { status: Message['status'] }) => (
  <StatusPill {...messageStates[status]} />
)

/** Where a submission stands. */
export const SubmissionPill = ({ status }: { status: Submission['status'] }) => (
  <StatusPill {...submissionStates[status]} />
)

/** The one pill of a lead: the highest of waiting, failed, running. */
export const LeadPill = ({ lead }: { lead: Pick<Lead, 'pending_approvals' | 'run_status'> }) => {
  if (lead.pending_approvals > 0) {
    return (
      <StatusPill
        tone="wait"
        icon={MessageCircleQuestion}
        label={lead.pending_approvals === 1 ? 'Needs you' : `${lead.pending_approvals} need you`}
      />
    )
  }
  if (lead.run_status === 'failed' || lead.run_status === 'dead')
    return <StatusPill tone="bad" icon={CircleAlert} label="Run failed" />
  if (lead.run_status === 'running') return <StatusPill tone="agent" icon={Loader} label="Working" spin />
  if (lead.run_status === 'queued') return <StatusPill tone="system" icon={CircleDashed} label="Queued" />
  return null
}

/** A warning on a record. */
export const WarningPill = ({ label }: { label: string }) => (
  <StatusPill tone="bad" icon={CircleAlert} label={label} />
)

const tones: Record<Tone, string> = {
  wait: 'bg-wait-tint text-wait-text',
  ok: 'bg-ok-tint text-ok-text',
  bad: 'bg-bad-tint text-bad-text',
  agent: 'bg-agent-tint text-agent-text',
  system: 'bg-system-tint text-system-text',
  accent: 'bg-accent-tint text-accent-text',
}

type PillState = { tone: Tone; icon: LucideIcon; label: string; spin?: boolean }

const approvalStates: Record<ApprovalStatus, PillState> = {
  pending: { tone: 'wait', icon: MessageCircleQuestion, label: 'Waiting for you' },
  approved: { tone: 'ok', icon: Check, label: 'Approved' },
  executing: { tone: 'ok', icon: Check, label: 'Carrying out' },
  executed: { tone: 'ok', icon: CheckCheck, label: 'Done' },
  rejected: { tone: 'bad', icon: X, label: 'Rejected' },
  failed: { tone: 'bad', icon: CircleAlert, label: 'Failed' },
  outcome_unknown: { tone: 'wait', icon: MessageCircleQuestion, label: 'Outcome unknown' },
  expired: { tone: 'system', icon: Clock, label: 'Expired' },
  stale: { tone: 'system', icon: Clock, label: 'Out of date' },
  withdrawn: { tone: 'system', icon: Undo2, label: 'Withdrawn' },
}

const runStates: Record<RunStatus, PillState> = {
  queued: { tone: 'system', icon: CircleDashed, label: 'Queued' },
  running: { tone: 'agent', icon: Loader, label: 'Running', spin: true },
  paused: { tone: 'wait', icon: CirclePause, label: 'Waiting' },
  done: { tone: 'ok', icon: Check, label: 'Done' },
  failed: { tone: 'bad', icon: CircleAlert, label: 'Failed' },
  dead: { tone: 'bad', icon: ShieldX, label: 'Given up' },
  stopped: { tone: 'system', icon: CircleSlash, label: 'Stopped' },
  cancelled: { tone: 'system', icon: CircleSlash, label: 'Cancelled' },
}

const messageStates: Record<Message['status'], PillState> = {
  queued: { tone: 'system', icon: CircleDashed, label: 'Queued' },
  sending: { tone: 'system', icon: Hourglass, label: 'Sending' },
  sent: { tone: 'ok', icon: CheckCheck, label: 'Sent' },
  captured: { tone: 'ok', icon: Check, label: 'Captured' },
  failed: { tone: 'bad', icon: CircleAlert, label: 'Failed' },
  outcome_unknown: { tone: 'wait', icon: MessageCircleQuestion, label: 'Outcome unknown' },
  cancelled: { tone: 'system', icon: CircleSlash, label: 'Cancelled' },
}

const submissionStates: Record<Submission['status'], PillState> = {
  received: { tone: 'system', icon: CircleDashed, label: 'Received' },
  processed: { tone: 'ok', icon: Check, label: 'New lead' },
  joined: { tone: 'ok', icon: Check, label: 'Joined a lead' },
  rejected: { tone: 'bad', icon: X, label: 'Rejected' },
  needs_attention: { tone: 'wait', icon: MessageCircleQuestion, label: 'Needs attention' },
}
