import { useQuery } from '@tanstack/react-query'
import { agentsQuery } from './queries.ts'
import type { Actor } from './records.ts'
import { sentence } from './words.ts'

/** The title of an agent by its name. */
export const useAgentTitle = (name: string): string => useAgentTitles()(name)

/** Looks up titles of agents by name. */
export const useAgentTitles = (): ((name: string) => string) => {
  const { data } = useQuery({ ...agentsQuery, staleTime: 60_000 })
  return (name) => data?.find((agent) => agent.name === name)?.title ?? sentence(name)
}

/** Names an actor as people know it: an agent by its title, the nameless by what they are. */
export const useActorName = (): ((actor: Pick<Actor, 'kind' | 'id' | 'name'>) => string) => {
  const titleOf = useAgentTitles()
  return (actor) => {
    if (actor.kind === 'agent') return actor.name === actor.id ? titleOf(actor.id) : actor.name
    return actor.kind === 'system' || actor.kind === 'visitor' ? sentence(actor.name) : actor.name
  }
}
