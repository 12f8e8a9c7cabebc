import { KeyRound } from 'lucide-react'
import type { Actor } from '../records.ts'

/** The mark of who acts: people round, agents square, the system a dot. The name beside it says the rest. */
export const ActorMark = ({
  actor,
  size = 24,
}: {
  actor: Pick<Actor, 'kind' | 'name'>
  size?: 20 | 24 | 32
}) => {
  if (actor.kind === 'system') {
    return (
      <span
        className="flex shrink-0 items-center justify-center"
        style={{ width: size, height: size }}
        aria-hidden
      >
        <span className="size-2 rounded-full bg-system-mark" />
      </span>
    )
  }
  const shape = actor.kind === 'agent' ? agentShape : actor.kind === 'api_key' ? keyShape : personShape
  return (
    <span
      aria-hidden
      className={`flex shrink-0 items-center justify-center font-semibold ${size === 20 ? 'text-[9px]' : size === 24 ? 'text-[10px]' : 'text-12'} ${shape}`}
      style={{ width: size, height: size }}
    >
      {actor.kind === 'api_key' ? (
        <KeyRound size={12} />
      ) : (
        initials(actor.name, actor.kind === 'agent' ? 1 : 2)
      )}
    </span>
  )
}

/** The word “Agent” that no agent goes without. */
export const AgentWord = () => (
  <span className="rounded-tag bg-agent-tint px-1 py-px text-11 font-medium text-agent-text">Agent</span>
)

const initials = (name: string, letters = 2): string =>
  name
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => word[0]?.toUpperCase())
    .filter((_, index, all) => index === 0 || index === all.length - 1)
    .slice(0, letters)
    .join('') || '?'

const personShape = 'rounded-full bg-human-tint text-human-text ring-1 ring-inset ring-edge'
const agentShape = 'rounded-control border-[1.5px] border-agent-mark bg-agent-tint text-agent-text'
const keyShape = 'rounded-full bg-system-tint text-system-text'
