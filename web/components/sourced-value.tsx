import { Popover } from '@base-ui/react/popover'
import { ExternalLink } from 'lucide-react'
import type { Fact } from '../records.ts'
import { safeUrl, shortUrl } from '../words.ts'

/** A value that an agent found: dotted underline, and on click where it was read. */
export const SourcedValue = ({ value, fact, who }: { value: string; fact: Fact; who: string }) => (
  <Popover.Root>
    <Popover.Trigger
      className="sourced max-w-full truncate rounded-tag text-left text-ink-1 hover:bg-agent-tint"
      aria-label={`${value}, found by ${who}: show the source`}
    >
      {value}
    </Popover.Trigger>
    <Popover.Portal>
      <Popover.Positioner sideOffset={6} align="start" className="z-50">
        <Popover.Popup className="popup w-80 max-w-[calc(100vw-2rem)] p-3">
          <Popover.Title className="text-12 font-medium text-agent-text">Found by {who}</Popover.Title>
          <FactSource fact={fact} />
        </Popover.Popup>
      </Popover.Positioner>
    </Popover.Portal>
  </Popover.Root>
)

/** The words a fact was read in and the page they are on. */
export const FactSource = ({ fact }: { fact: Fact }) => {
  const url = safeUrl(fact.source_url)
  return (
    <div className="mt-1 flex flex-col gap-1.5">
      {fact.snippet && (
        <blockquote className="border-l-2 border-line pl-2 text-ink-2">“{fact.snippet}”</blockquote>
      )}
      {url && (
        <a
          href={url}
          target="_blank"
          rel="noreferrer"
          className="inline-flex min-w-0 items-center gap-1 text-12 text-accent-text hover:underline"
        >
          <span className="truncate">{shortUrl(url)}</span>
          <ExternalLink size={12} className="shrink-0" aria-hidden />
        </a>
      )}
    </div>
  )
}
