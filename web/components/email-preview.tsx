import type { Mail } from '../records.ts'

/** An e-mail exactly as it will be, or was, sent: plain text, nothing interpreted. */
export const EmailPreview = ({ mail, label = 'E-mail' }: { mail: Mail; label?: string }) => (
  <article aria-label={label} className="overflow-hidden rounded-card border border-line bg-surface">
    <dl className="grid grid-cols-[4rem_minmax(0,1fr)] gap-x-3 gap-y-1 border-b border-line px-4 py-3">
      <Line name="From">{mail.from}</Line>
      <Line name="To">{mail.to}</Line>
      {mail.cc && <Line name="Cc">{mail.cc}</Line>}
      <Line name="Subject" strong>
        {mail.subject}
      </Line>
    </dl>
    <div className="max-w-[68ch] px-4 py-4 text-14 break-words whitespace-pre-wrap">{mail.body}</div>
  </article>
)

const Line = ({ name, strong = false, children }: { name: string; strong?: boolean; children: string }) => (
  <>
    <dt className="text-ink-3">{name}</dt>
    <dd className={`min-w-0 break-words ${strong ? 'font-medium' : ''}`}>{children}</dd>
  </>
)
