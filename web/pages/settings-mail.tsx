import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Mail } from 'lucide-react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { EmailPreview } from '../components/email-preview.tsx'
import { exactly, tabClass } from '../components/page.tsx'
import { SettingsColumn } from '../components/settings-card.tsx'
import { Empty, ErrorState, SkeletonRows } from '../components/states.tsx'
import { MessagePill } from '../components/status-pill.tsx'
import { meQuery, messagesQuery } from '../queries.ts'
import type { Message } from '../workspace.ts'
import { age, fullTime } from '../time.ts'

/** The outbox: what was sent, what was captured because no mail server is set, and what went wrong. */
export const MailSettings = () => {
  const { status, id } = route.useSearch()
  const navigate = route.useNavigate()
  const { data: me } = useQuery(meQuery)
  const messages = useInfiniteQuery(messagesQuery(status))
  const list = messages.data ?? []
  const open = list.find((message) => message.id === id)
  const captures = me?.mail.transport === 'capture'
  return (
    <SettingsColumn
      title="Mail"
      intro={
        captures
          ? 'No mail server is set, so approved e-mail is captured here and never sent. Set SMTP_URL and restart to send it.'
          : `Approved e-mail goes out from ${me?.mail.from ?? 'your address'}.`
      }
    >
      <nav aria-label="Which e-mail" className="flex gap-1 overflow-x-auto">
        {tabs.map((tab) => (
          <Link
            key={tab.label}
            to="/crm/settings/mail"
            search={{ status: tab.status }}
            className={tabClass}
            activeOptions={exactly}
            aria-current={status === tab.status ? 'page' : undefined}
          >
            {tab.label}
          </Link>
        ))}
      </nav>
      {messages.isPending ? (
        <SkeletonRows rows={5} height={56} />
      ) : messages.isError && list.length === 0 ? (
        <ErrorState
          what="Mail could not be read"
          error={messages.error}
          onRetry={() => void messages.refetch()}
        />
      ) : list.length === 0 ? (
        <Empty
          icon={<Mail size={18} aria-hidden />}
          title={status ? 'No e-mail in this state' : 'No e-mail yet'}
        >
          {status ? undefined : 'E-mail appears here once you approve it.'}
        </Empty>
      ) : (
        <ul aria-label="E-mail" className="rounded-card border border-line">
          {list.map((message) => (
            <MessageRow key={message.id} message={message} />
          ))}
        </ul>
      )}
      {messages.hasNextPage && (
        <Button
          kind="ghost"
          size="sm"
          className="self-center"
          busy={messages.isFetchingNextPage}
          onClick={() => void messages.fetchNextPage()}
        >
          Load more
        </Button>
      )}
      <Dialog
        open={open !== undefined}
        onClose={() => void navigate({ search: (now) => ({ ...now, id: undefined }) })}
        title={open?.subject ?? ''}
        width={720}
      >
        {open && <MessageDetail message={open} />}
      </Dialog>
    </SettingsColumn>
  )
}

const route = getRouteApi('/app/crm/settings/mail')

const tabs: { status: string | undefined; label: string }[] = [
  { status: undefined, label: 'All' },
  { status: 'captured', label: 'Captured' },
  { status: 'sent', label: 'Sent' },
  { status: 'queued', label: 'Queued' },
  { status: 'failed', label: 'Failed' },
  { status: 'outcome_unknown', label: 'Outcome unknown' },
]

const MessageRow = ({ message }: { message: Message }) => (
  <li className="border-b border-line last:border-0">
    <Link
      to="/crm/settings/mail"
      search={(now) => ({ ...now, id: message.id })}
      data-inset-focus
      className="flex h-14 items-center gap-3 px-4 hover:bg-hover"
    >
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium">{message.subject}</span>
        <span className="block truncate text-12 text-ink-3">To {message.to}</span>
      </span>
      <MessagePill status={message.status} />
      <time
        dateTime={message.created_at}
        title={fullTime(message.created_at)}
        className="w-14 text-right text-12 text-ink-3 tabular-nums"
      >
        {age(message.created_at)}
      </time>
    </Link>
  </li>
)

const MessageDetail = ({ message }: { message: Message }) => (
  <div className="flex flex-col gap-4 px-5 pt-4 pb-5">
    <div className="flex flex-wrap items-center gap-3 text-ink-2">
      <MessagePill status={message.status} />
      <span>{fullTime(message.sent_at ?? message.created_at)}</span>
      {message.approval_id && (
        <Link
          to="/crm/approvals"
          search={{ id: message.approval_id }}
          className="text-accent-text hover:underline"
        >
          See approval
        </Link>
      )}
      {message.subject_record && (
        <Link
          to="/crm/leads/$id"
          params={{ id: message.subject_record.id }}
          className="text-accent-text hover:underline"
        >
          Open lead
        </Link>
      )}
    </div>
    {message.error && <p className="rounded-control bg-bad-tint px-3 py-2 text-bad-text">{message.error}</p>}
    <EmailPreview mail={message} />
    {message.headers && Object.keys(message.headers).length > 0 && (
      <details>
        <summary className="rounded-tag text-ink-2">Headers</summary>
        <dl className="mt-2 grid grid-cols-[minmax(8rem,auto)_minmax(0,1fr)] gap-x-4 gap-y-1 font-mono text-12">
          {Object.entries(message.headers).map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-ink-3">{name}</dt>
              <dd className="break-all">{value}</dd>
            </div>
          ))}
        </dl>
      </details>
    )}
  </div>
)
